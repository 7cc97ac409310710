#!/bin/bash
# session.sh COMMAND… runs COMMAND in a desktop session of its own: an invisible screen, a session bus, an unlocked
# keyring, and a home folder that is gone afterwards. Nothing of the caller's own session can be reached from inside, and
# the session, its services and COMMAND end together, even if this script is killed. It exits with COMMAND's status.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: build/session.sh COMMAND…" >&2; exit 2; }

base=${TMPDIR:-/tmp}
helpers=()

# Each process is told by the kernel when the one that started it dies.
tied() { exec setpriv --pdeathsig TERM "$@"; }

fail() {
	echo "build/session.sh: $1" >&2
	cat "$dir"/*.log >&2
	exit 1
}

# await WHAT COMMAND… waits until COMMAND succeeds, for twenty seconds at most.
await() {
	local what=$1 tries=0
	shift
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 400 ] || fail "$what did not start"
		sleep 0.05
	done
}

clean_up() {
	[ ${#helpers[@]} -eq 0 ] || kill "${helpers[@]}" 2>/dev/null || true
	wait || true
	# What the bus started ends by itself and may still be writing.
	local tries=0
	until rm -rf "$dir" 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -lt 40 ] || break
		sleep 0.05
	done
}

# Folders of sessions that were killed.
for old in "$base"/stead-session.*; do
	if [ -O "$old" ] && [ -s "$old/pid" ] && ! kill -0 "$(cat "$old/pid")" 2>/dev/null; then
		rm -rf "$old"
	fi
done

dir=$(mktemp -d "$base/stead-session.XXXXXXXX")
trap clean_up EXIT
trap 'exit 143' TERM INT HUP
echo $$ >"$dir/pid"
mkdir -m 700 "$dir/home" "$dir/run"

# Go's caches stay where they are.
if command -v go >/dev/null; then
	for name in GOCACHE GOMODCACHE GOENV; do
		export "$name=$(go env $name)"
	done
fi
unset WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS GNOME_KEYRING_CONTROL SSH_AUTH_SOCK AT_SPI_BUS_ADDRESS GTK_MODULES \
	XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_STATE_HOME XDG_CURRENT_DESKTOP DESKTOP_SESSION
export HOME=$dir/home XDG_RUNTIME_DIR=$dir/run LANG=C.UTF-8 LC_ALL=C.UTF-8 GDK_BACKEND=x11

# The screen. The X server picks a free number and says which; both sides get the same cookie by file.
export XAUTHORITY=$dir/xauthority
cookie=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
allow() { printf 'add :%s . %s\n' "$1" "$cookie" | xauth -q -f "$XAUTHORITY" source - 2>>"$dir/xauth.log"; }
touch "$XAUTHORITY"
allow 0
(tied Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp -auth "$XAUTHORITY" 3>"$dir/display" >"$dir/xvfb.log" 2>&1) &
helpers+=($!)
await "The X server" test -s "$dir/display"
number=$(cat "$dir/display")
allow "$number"
export DISPLAY=:$number

# The bus.
export DBUS_SESSION_BUS_ADDRESS=unix:path=$dir/run/bus
(tied dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS" >"$dir/bus.log" 2>&1) &
helpers+=($!)
await "The session bus" test -S "$dir/run/bus"

# The keyring, unlocked with an empty password. It goes when the bus goes.
printf '\n' | gnome-keyring-daemon --unlock --components=secrets >"$dir/keyring.log" 2>&1 || fail "the keyring did not start"

(tied "$@") <&0 &
command=$!
trap 'kill -TERM "$command" 2>/dev/null' TERM INT HUP
status=0
wait "$command" || status=$?
while kill -0 "$command" 2>/dev/null; do
	status=0
	wait "$command" || status=$?
done
exit "$status"
