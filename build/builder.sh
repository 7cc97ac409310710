# Leaving root: browsers must not run as root, so root installs the packages and then hands a copy of the tree to an
# unprivileged user. Sourced by build/lib.sh, never run.
# shellcheck shell=bash

# as_builder COMMAND… runs it as the unprivileged user when we are root, and as ourselves otherwise. It starts in /,
# because that user may not be able to read the folder we are in.
as_builder() {
	if [ "$(id -u)" != 0 ]; then
		"$@"
		return
	fi
	add_builder
	(cd / && HOME=$(builder_home) exec setpriv --reuid "$BUILDER" --regid "$BUILDER" --init-groups --inh-caps=-all "$@")
}

add_builder() {
	getent passwd "$BUILDER" >/dev/null || useradd --user-group --create-home --shell /bin/bash "$BUILDER"
}

builder_home() { getent passwd "$BUILDER" | cut -d: -f6; }

# leave_root SCRIPT ARG… returns at once when we are not root. As root it runs SCRIPT as the unprivileged user in a copy
# of this tree, copies what came out of it back into build/out, and exits with SCRIPT's status.
leave_root() {
	[ "$(id -u)" = 0 ] || return 0
	add_builder
	local sources copy status=0 pid
	sources=$(builder_home)/src
	copy=$sources/$(basename "$ROOT")-$(sha256sum <<<"$ROOT" | cut -c1-12)
	as_builder mkdir -p "$copy"
	forget_old_copies "$sources"
	printf '%s\n' "$ROOT" | as_builder tee "$copy.source" >/dev/null

	# One run at a time in a copy; the lock is the folder itself, and goes when we do.
	exec 9<"$copy"
	flock --nonblock 9 || die "Another run is using $copy; wait for it to end."
	copy_tree "$copy"
	# X servers of ordinary users need this folder, and on a machine that never had one only root can make it properly.
	[ -d /tmp/.X11-unix ] || mkdir -m 1777 /tmp/.X11-unix

	(
		builder_environment
		cd "$copy" || exit
		exec setsid setpriv --reuid "$BUILDER" --regid "$BUILDER" --init-groups --inh-caps=-all --pdeathsig TERM \
			bash "build/$1" "${@:2}" </dev/null 9<&-
	) &
	pid=$!
	trap 'kill -TERM -- "-$pid" 2>/dev/null' INT TERM HUP
	wait "$pid" || status=$?
	while kill -0 "$pid" 2>/dev/null; do
		wait "$pid" || status=$?
	done
	trap - INT TERM HUP
	copy_results "$copy"
	exit "$status"
}

# forget_old_copies FOLDER removes the copies of trees that are no longer where they were.
forget_old_copies() {
	local note
	for note in "$1"/*.source; do
		if [ -f "$note" ] && [ ! -e "$(as_builder head -n 1 "$note")" ]; then
			as_builder rm -rf -- "${note%.source}" "$note"
		fi
	done
}

# source_files lists what belongs to the tree, NUL after each: what git tracks or would offer to track; without git,
# everything but what is built or fetched.
source_files() {
	local git=(git -c safe.directory=* -C "$ROOT")
	if [ "$("${git[@]}" rev-parse --show-toplevel 2>/dev/null)" = "$ROOT" ]; then
		"${git[@]}" ls-files -z --cached --others --exclude-standard
	else
		(cd "$ROOT" && find . \( -path ./.git -o -path ./frontend/node_modules -o -path ./build/out \) -prune -o \
			\( -type f -o -type l \) \( ! -path './frontend/dist/*' -o -name .gitkeep \) -printf '%P\0')
	fi
}

# copy_tree COPY makes COPY hold exactly the tree's files, and keeps the caches in it: node_modules and build/out. Root
# reads and the unprivileged user writes, so neither has to be able to do the other's part.
copy_tree() {
	local list
	list=$(mktemp)
	(cd "$ROOT" && source_files | LC_ALL=C sort -zu |
		while IFS= read -r -d '' file; do
			if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\0' "$file"; fi
		done) >"$list"
	[ -s "$list" ] || die "There is nothing to copy in $ROOT."

	# shellcheck disable=SC2016
	as_builder env LC_ALL=C bash -euo pipefail -c '
		cd "$1"
		list=$(mktemp)
		cat >"$list"
		find . \( -path ./frontend/node_modules -o -path ./build/out \) -prune -o ! -type d -printf "%P\0" | sort -z |
			comm -z -23 - "$list" | xargs -0r rm -f --
		find . -depth -mindepth 1 -type d -empty ! -path "./frontend/node_modules*" ! -path "./build/out*" -exec rmdir {} \;
		rm -f "$list"
	' - "$1" <"$list"
	tar -C "$ROOT" --null --no-recursion --files-from="$list" -cf - | as_builder tar -C "$1" -xf - --no-same-permissions
	rm -f "$list"
}

# copy_results COPY brings back what a run left in build/out, tools aside. Only plain files: root follows nobody's links.
copy_results() {
	mkdir -p "$OUT"
	# shellcheck disable=SC2016
	as_builder bash -euc 'cd "$1/build/out" 2>/dev/null || exit 0
		find . -path ./tools -prune -o -type f -print0 | tar --null --files-from=- -cf -' - "$1" |
		tar -C "$OUT" -xf - --no-same-owner --no-same-permissions 2>/dev/null ||
		say "The results stay in $1/build/out."
	chown -R --reference="$ROOT" "$OUT"
}

# builder_environment replaces the environment: nothing of root's own but how this machine reaches its registries.
# Exported and never put on a command line, because a proxy's address may hold a password.
builder_environment() {
	local keep=(PATH TERM CI NO_COLOR TZ SOAK SIZE STEAD_SEED SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS CURL_CA_BUNDLE
		HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy)
	local go=(GOPROXY GOSUMDB GONOSUMDB GONOPROXY GOPRIVATE GOINSECURE GOFLAGS GOTOOLCHAIN)
	local npm=(registry cafile proxy https-proxy noproxy strict-ssl omit-lockfile-registry-resolved)
	local name key value
	if has go; then
		for name in "${go[@]}"; do
			export "$name=$(cd / && go env "$name")"
		done
	fi
	if has npm; then
		while IFS='=' read -r key value; do
			case $value in '' | null | undefined) continue ;; esac
			export "npm_config_${key//-/_}=$value"
			keep+=("npm_config_${key//-/_}")
		done < <(cd / && npm config get "${npm[@]}" 2>/dev/null)
	fi
	for name in $(compgen -e); do
		case " ${keep[*]} ${go[*]} " in
		*" $name "*) ;;
		*) unset "$name" ;;
		esac
	done
	export HOME USER=$BUILDER LOGNAME=$BUILDER SHELL=/bin/bash LANG=C.UTF-8
	HOME=$(builder_home)
}
