# What demo.sh and test.sh share: fetch the tools, leave root, build. Sourced, never run.
# shellcheck shell=bash
#
# Whatever is fetched comes from three registries only: Debian's packages, the Go module proxy and the npm registry,
# each through its own client and with the settings this machine has for it.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
OUT=$ROOT/build/out
TOOLS=$OUT/tools
BUILDER=stead-build # the unprivileged user that root hands the work to

# shellcheck source=build/versions.sh
. "$ROOT/build/versions.sh"
# shellcheck source=build/builder.sh
. "$ROOT/build/builder.sh"

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# at_least A B: version A is B or later.
at_least() { printf '%s\n%s\n' "$2" "$1" | sort -V -C; }

# go_version COMMAND prints that Go's version without the "go", or nothing. Asked from / and with GOTOOLCHAIN=local, so
# that our go.mod does not make it fetch another Go just to answer.
go_version() { (cd / && GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed -n 's/^go\([0-9][0-9.]*\).*/\1/p') || true; }

# needs GROUP… prints one line a need: the Debian package, then a command that succeeds when the machine has it.
needs() {
	local group
	for group in "$@"; do
		case $group in
		go) cat <<-'END' ;;
			ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
			golang-go command -v go || ls /usr/lib/go-*/bin/go
			END
		cgo) cat <<-'END' ;;
			gcc command -v gcc
			libc6-dev test -e /usr/include/stdlib.h
			END
		node) cat <<-'END' ;;
			nodejs command -v node
			npm command -v npm
			END
		desktop) cat <<-'END' ;;
			pkg-config command -v pkg-config
			libgtk-3-dev pkg-config --exists gtk+-3.0
			libwebkit2gtk-4.1-dev pkg-config --exists webkit2gtk-4.1
			END
		browser) cat <<-'END' ;;
			chromium command -v chromium || command -v google-chrome
			chromium-sandbox command -v google-chrome || test -e /usr/lib/chromium/chrome-sandbox
			firefox-esr command -v firefox-esr || command -v firefox
			fonts-dejavu-core test -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
			END
		session) cat <<-'END' ;;
			xvfb command -v Xvfb
			xauth command -v xauth
			dbus command -v dbus-daemon
			gnome-keyring command -v gnome-keyring-daemon
			at-spi2-core test -e /usr/libexec/at-spi-bus-launcher
			END
		python) cat <<-'END' ;;
			python3 command -v python3
			END
		ordeal) cat <<-'END' ;;
			strace command -v strace
			END
		*) die "build/lib.sh knows no needs called $group" ;;
		esac
	done
}

# install_packages GROUP… installs what the machine lacks, or says in one sentence what to install.
install_packages() {
	local package probe missing=()
	while read -r package probe; do
		as_builder sh -c "$probe" </dev/null >/dev/null 2>&1 || missing+=("$package")
	done < <(needs "$@")
	[ ${#missing[@]} -gt 0 ] || return 0

	local sudo=()
	if [ "$(id -u)" != 0 ]; then
		if has sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
			sudo=(sudo)
		else
			die "Packages are missing; install them with: sudo apt-get install --no-install-recommends ${missing[*]}"
		fi
	fi
	has apt-get || die "These Debian packages, or what your system calls them, are missing: ${missing[*]}"

	say "Installing Debian packages: ${missing[*]}"
	mkdir -p "$OUT/logs"
	local log=$OUT/logs/apt.log apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3)
	# A third-party source that does not answer is not our affair: only the install decides.
	"${sudo[@]}" "${apt[@]}" update </dev/null >"$log" 2>&1 || true
	if ! "${sudo[@]}" "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >>"$log" 2>&1; then
		tail -n 20 "$log" >&2
		die "apt-get could not install: ${missing[*]} (whole log: $log)"
	fi
}

# use_go puts a Go of at least GO_MIN first in PATH.
use_go() {
	local go have
	go=$(command -v go || find /usr/lib/go-*/bin/go 2>/dev/null | sort -V | tail -n 1)
	[ -n "$go" ] || die "Go $GO_MIN or later is missing."
	have=$(go_version "$go")
	if at_least "$have" "$GO_MIN"; then
		return 0
	elif at_least "$have" 1.21; then
		# Since 1.21 Go fetches another Go as a module, checked against the checksum database.
		export PATH=${go%/*}:$PATH GOTOOLCHAIN=go$GO_VERSION
		(cd / && go version >/dev/null) || die "Go $have could not fetch Go $GO_VERSION."
	else
		go_from_module "$go" "$have"
		export PATH=$TOOLS/go/bin:$PATH GOTOOLCHAIN=local
		unset GOROOT
	fi
}

# go_from_module GO VERSION does by hand, with a Go older than 1.21, what later ones do by themselves: the same module,
# the same checksum database, the same go.mod files put back in place.
go_from_module() {
	[ "$(go_version "$TOOLS/go/bin/go")" != "$GO_VERSION" ] || return 0
	say "Go $2 is too old: fetching Go $GO_VERSION as a module"
	local arch cache=$TOOLS/go.download answer dir sum want
	arch=$("$1" env GOARCH)
	want=GO_SUM_$arch
	[ -n "${!want-}" ] || die "build/versions.sh has no checksum of Go $GO_VERSION for $arch."
	rm -rf "$cache" "$TOOLS/go"
	mkdir -p "$cache"
	answer=$(cd / && GOMODCACHE=$cache GOFLAGS=-modcacherw GO111MODULE=on \
		"$1" mod download -json "golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-$arch") ||
		die "Go $GO_VERSION could not be fetched: $answer"
	dir=$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$answer")
	sum=$(sed -n 's/.*"Sum": "\(.*\)".*/\1/p' <<<"$answer")
	[ "$sum" = "${!want}" ] || die "Go $GO_VERSION has the checksum $sum and not ${!want}: not used."
	find "$dir" -name _go.mod -execdir mv _go.mod go.mod \;
	chmod +x "$dir"/bin/* "$dir"/pkg/tool/*/*
	mv "$dir" "$TOOLS/go"
	rm -rf "$cache"
}

# use_node puts a Node of at least NODE_MIN and its npm first in PATH. The packages hold the binaries: no install
# script runs.
use_node() {
	export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false
	export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
	# Debian's Node trusts what the machine trusts; Node's own builds know only the authorities they were built with.
	local trusted=/etc/ssl/certs/ca-certificates.crt
	if [ -z "${NODE_EXTRA_CA_CERTS-}" ] && [ -r "$trusted" ]; then export NODE_EXTRA_CA_CERTS=$trusted; fi
	local have
	have=$(node --version 2>/dev/null | tr -d v || true)
	if [ -n "$have" ] && at_least "$have" "$NODE_MIN" && has npm; then
		return 0
	fi
	has npm || die "npm is missing."

	local arch=x64 dir=$TOOLS/node
	[ "$(uname -m)" != aarch64 ] || arch=arm64
	local modules=$dir/node_modules
	if [ "$("$modules/node-linux-$arch/bin/node" --version 2>/dev/null)" != "v$NODE_VERSION" ] ||
		! grep -qs "\"version\": \"$NPM_VERSION\"" "$modules/npm/package.json"; then
		say "Node ${have:-(none)} is too old: fetching Node $NODE_VERSION and npm $NPM_VERSION as npm packages"
		rm -rf "$dir"
		mkdir -p "$dir"
		npm install --prefix "$dir" --ignore-scripts --no-progress --loglevel=error \
			"node-linux-$arch@$NODE_VERSION" "npm@$NPM_VERSION" >/dev/null ||
			die "npm could not fetch Node $NODE_VERSION."
	fi
	export PATH=$modules/node-linux-$arch/bin:$modules/.bin:$PATH
}

# use_golangci_lint builds the linter once, from source.
use_golangci_lint() {
	export PATH=$TOOLS/bin:$PATH
	if ! golangci-lint version 2>/dev/null | grep -q "version ${GOLANGCI_LINT_VERSION#v} "; then
		say "Building golangci-lint $GOLANGCI_LINT_VERSION (two minutes, once)"
		(cd / && GOFLAGS=-buildvcs=false GOBIN=$TOOLS/bin \
			go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$GOLANGCI_LINT_VERSION")
	fi
}

# frontend_modules makes frontend/node_modules what the lock file says; nothing to do when it is so already.
frontend_modules() {
	cd "$ROOT/frontend"
	local want
	want="$(node --version) $(sha256sum <package-lock.json)"
	[ "$(cat node_modules/.of-lock-file 2>/dev/null)" != "$want" ] || return 0
	npm ci --ignore-scripts --no-progress
	printf '%s\n' "$want" >node_modules/.of-lock-file
}

frontend_build() { (frontend_modules && cd "$ROOT/frontend" && npm run --silent build); }

# desktop_build NAME TAGS builds the window program; its page must have been built before.
desktop_build() {
	mkdir -p "$OUT"
	(cd "$ROOT" && CGO_ENABLED=1 go build -trimpath -tags "$2,webkit2_41" -o "$OUT/$1" .)
}
