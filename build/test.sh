#!/bin/bash
# test.sh [STAGE…] runs every check there is, quick ones first, and stops at the first that fails. With names it runs just
# those stages, in the order given. Its last line counts the stages: "N passed, M failed".
# shellcheck source=build/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ALL=(build gen frontend lint go cross desktop e2e window demo)

usage() {
	cat <<-'END'
		usage: build/test.sh [STAGE…]

		build     gofmt, and what a clean clone promises: go build and go vet with no cgo and no built frontend
		gen       generated files are what their sources say
		frontend  svelte-check, eslint, vitest, and the built page
		lint      golangci-lint
		go        every Go test with the race detector, in a desktop session of its own; then the ordeals of outbox and ledger,
		          which print their seed and figures (STEAD_SEED=n repeats, SOAK=n multiplies, SIZE=full is the whole week)
		cross     go build and go vet for Windows and macOS
		desktop   the window programs: production and dev
		e2e       Playwright on the dev build (needs: frontend, desktop)
		window    the production program in a real window, through the accessibility tree (needs: frontend, desktop)
		demo      build/demo.sh --headless
	END
}

# needs_of STAGE prints the groups of needs in build/lib.sh.
needs_of() {
	case $1 in
	build | gen | cross) echo go ;;
	frontend) echo node ;;
	lint) echo go cgo ;;
	go) echo go cgo python browser session ordeal ;;
	desktop) echo go cgo desktop ;;
	e2e) echo go node desktop browser session ;;
	window) echo go cgo desktop browser session ;;
	demo) echo go cgo node desktop browser session ;;
	*) return 1 ;;
	esac
}

stage_build() {
	local unformatted
	unformatted=$(find . \( -path ./frontend/node_modules -o -path ./build/out \) -prune -o -name '*.go' -print0 | xargs -0r gofmt -l)
	if [ -n "$unformatted" ]; then
		printf 'Not formatted (make fmt):\n%s\n' "$unformatted"
		return 1
	fi
	CGO_ENABLED=0 go build ./...
	CGO_ENABLED=0 go vet ./...
}

# sums prints the checksum of every file that generating may touch.
sums() {
	find . \( -path ./.git -o -path ./frontend/node_modules -o -path ./frontend/dist -o -path ./build/out \) -prune -o \
		-type f -print0 | sort -z | xargs -0r sha256sum
}

stage_gen() {
	local before
	before=$(sums)
	bash build/gen.sh
	if ! diff <(echo "$before") <(sums); then
		echo "These files are not what their sources say: run make gen and commit what changes."
		return 1
	fi
}

stage_frontend() {
	frontend_modules
	cd "$ROOT/frontend"
	npm run --silent check
	npm run --silent lint -- --max-warnings 0
	npm run --silent test
	frontend_build
}

stage_lint() {
	use_golangci_lint
	golangci-lint config verify --config .golangci.yml
	golangci-lint run --timeout 15m
}

stage_go() {
	build/session.sh timeout --kill-after 30 30m go test -race -timeout 25m ./...
	# All 500 damages of a bundle; under the race detector there are fewer.
	go test -count=1 -v -run 'Damage' ./internal/platform/export/
	# Under the race detector this package is empty (its doc.go says why).
	STEAD_ORDEALS=all go test -count=1 -v -timeout "$((10 * ${SOAK:-1}))m" ./internal/ordeal/
}

stage_cross() {
	local target
	for target in windows/amd64 darwin/arm64; do
		echo "$target"
		CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go build ./...
		CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go vet ./...
	done
}

stage_desktop() {
	desktop_build stead desktop,production
	desktop_build stead-dev dev
}

stage_e2e() {
	frontend_modules
	cd "$ROOT/frontend"
	timeout --kill-after 30 15m npm run --silent e2e
}

stage_window() { build/session.sh timeout --kill-after 30 10m go test -count=1 -v -tags window ./internal/windowtest/; }

stage_demo() { timeout --kill-after 30 15m bash build/demo.sh --headless; }

main() {
	local stages=("$@") stage groups=() started status passed=0
	[ $# -gt 0 ] || stages=("${ALL[@]}")
	for stage in "${stages[@]}"; do
		# shellcheck disable=SC2207
		groups+=($(needs_of "$stage")) || { usage >&2; exit 2; }
	done
	install_packages "${groups[@]}"
	leave_root test.sh "$@"

	cd "$ROOT"
	mkdir -p "$OUT/logs"
	case " ${groups[*]} " in *' go '*) use_go; say "$(go version)" ;; esac
	case " ${groups[*]} " in *' node '*) use_node; say "node $(node --version), npm $(npm --version)" ;; esac

	for stage in "${stages[@]}"; do
		say "== $stage"
		started=$SECONDS
		set +e
		(set -e; "stage_$stage") </dev/null 2>&1 | tee "$OUT/logs/$stage.log"
		status=${PIPESTATUS[0]}
		set -e
		if [ "$status" != 0 ]; then
			say "== $stage failed (status $status) after $((SECONDS - started)) s; its output is in build/out/logs/$stage.log"
			say "$passed passed, 1 failed"
			exit 1
		fi
		say "== $stage passed in $((SECONDS - started)) s"
		passed=$((passed + 1))
	done
	say "$passed passed, 0 failed"
}

case ${1-} in -h | --help) usage; exit 0 ;; esac
main "$@"
