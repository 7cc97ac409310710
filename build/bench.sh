#!/bin/bash
# bench.sh measures Stead beside what the machine could do at best. ONLY=name,… picks rows, SIZE=full takes the big sizes.
# A browser never runs as root: root hands the rows that need one to the unprivileged user and takes the rest itself.
# shellcheck source=build/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_packages go browser session
size=(-size "${SIZE:-small}")

measure() {
	use_go
	cd "$ROOT"
	build/session.sh go run ./internal/bench "$@"
}

if [ "$(id -u)" != 0 ]; then
	measure -only "${ONLY-}" "${size[@]}" -out "$OUT/bench.json" "$@"
	exit
fi

browsers=$OUT/bench-browser.json
rm -f "$browsers"
case ,${ONLY-}, in
,, | *,browser* | *" browser"*)
	# What root passes on is in arguments: the environment is replaced on the way.
	(leave_root bench.sh -only browser "${size[@]}" -out build/out/bench-browser.json) ;;
esac
use_go
cd "$ROOT"
go run ./internal/bench -only "${ONLY-}" "${size[@]}" -with "$browsers" -out "$OUT/bench.json" "$@"
rm -f "$browsers"
