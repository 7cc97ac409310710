#!/bin/bash
# demo.sh builds Stead and starts it on a platform of its own, with made-up members, on this machine only.
# demo.sh --headless plays the main job by itself on an invisible screen, prints one line a step, leaves pictures in
# build/out/demo and exits 0 only if every step did what it should.
# shellcheck source=build/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1-} in
'') headless= ;;
--headless) headless=yes ;;
*) die "usage: build/demo.sh [--headless]" ;;
esac

if [ -z "$headless" ]; then
	[ -n "${DISPLAY-}${WAYLAND_DISPLAY-}" ] ||
		die "The demo opens a window and there is no display here: run it in a desktop session, or run build/demo.sh --headless."
	[ "$(id -u)" != 0 ] ||
		die "The demo opens a browser, which must not run as root: run build/demo.sh as yourself, or build/demo.sh --headless."
fi

groups=(go cgo node desktop browser)
[ -z "$headless" ] || groups+=(session)
install_packages "${groups[@]}"
leave_root demo.sh "$@"
use_go
use_node

mkdir -p "$OUT/logs"
say "Building Stead: a few minutes the first time, seconds later on."
if ! { frontend_build && desktop_build stead desktop,production; } >"$OUT/logs/demo-build.log" 2>&1; then
	tail -n 40 "$OUT/logs/demo-build.log" >&2
	die "Stead could not be built; the whole output is in build/out/logs/demo-build.log."
fi

cd "$ROOT"
[ -n "$headless" ] || exec build/out/stead demo
rm -rf "$OUT/demo"
build/session.sh build/out/stead demo --headless --out build/out/demo
say "The pictures are in build/out/demo."
