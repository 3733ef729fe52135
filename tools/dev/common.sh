# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# Sourced by every script of tools/dev: where things are, how to say things, how to install and build.
set -euo pipefail

root=${CLAVIGER_ROOT:?run this through ./dev}
build=$root/build
logs=$build/log
mkdir -p "$logs"

say() { printf '%s\n' "$*" >&2; }
die() {
	printf 'dev: %s\n' "$*" >&2
	exit 1
}

# What was typed is wrong. Before anything is installed or built.
misuse() {
	printf 'dev: %s (./dev %s --help says more)\n' "$*" "$(basename "$0" .sh)" >&2
	exit 2
}
no_arguments() { [ $# -eq 0 ] || misuse "\"$1\" is one argument too many"; }

# wants_number OPTION MIN MAX ARGUMENT…: if the option is among the arguments, its value is a number from MIN to MAX.
wants_number() {
	local option=$1 min=$2 max=$3 value
	shift 3
	while [ $# -gt 0 ]; do
		case $1 in
		"$option") value=${2-} ;;
		"$option"=*) value=${1#*=} ;;
		*)
			shift
			continue
			;;
		esac
		[[ $value =~ ^[0-9]{1,5}$ && $((10#$value)) -ge $min && $((10#$value)) -le $max ]] || misuse "$option wants a number from $min to $max, not \"$value\""
		shift
	done
}

# step "what" command…: runs it with its output in a log, shows the time, shows the log's end if it failed.
step() {
	local what=$1 log status=0 begun=$SECONDS
	shift
	log=$logs/$(printf '%s' "$what" | tr -cs 'a-zA-Z0-9' '-').log
	printf '%-46s' "$what …" >&2
	"$@" >"$log" 2>&1 || status=$?
	if [ "$status" -ne 0 ]; then
		printf ' failed (exit %d)\n' "$status" >&2
		tail -n 40 "$log" >&2
		die "$what failed; the whole log is $log"
	fi
	printf ' %ds\n' "$((SECONDS - begun))" >&2
}

# ---- what must be on the machine ----

apt_packages=(
	ca-certificates git pkg-config gcc g++ meson ninja-build npm
	libevent-dev libcurl4-openssl-dev libnghttp2-dev libssl-dev libprotobuf-c-dev protobuf-c-compiler
	protobuf-compiler libjansson-dev libtomlplusplus-dev libsecp256k1-dev libsqlite3-dev libcmocka-dev
	libpq-dev
)
# shellcheck disable=SC2034 # for test.sh and lint.sh
test_packages=(valgrind postgresql systemd curl openssl iproute2)
# shellcheck disable=SC2034
lint_packages=(clang-format cppcheck shellcheck)

# npm may have come with a node that is not Debian's, and then Debian's conflicts with it: the command is what counts.
missing_packages() {
	local p
	for p in "$@"; do
		[ "$p" = npm ] && command -v npm >/dev/null && continue
		dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || printf '%s\n' "$p"
	done
}

install_packages() {
	local missing sudo=()
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -eq 0 ] && return 0
	command -v apt-get >/dev/null || die "this script installs with apt; on another system install: ${missing[*]}"
	say "Will install with apt: ${missing[*]}"
	if [ "$(id -u)" -ne 0 ]; then
		if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
			sudo=(sudo)
		else
			say "Root is needed for that. Run this line, then this command again:"
			say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
			exit 1
		fi
	fi
	step "apt-get update" "${sudo[@]}" apt-get update
	step "apt-get install (${#missing[@]} packages)" \
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# promtool alone, out of Debian's prometheus: the package itself would start a server.
install_promtool() {
	local dir=$root/build/tools
	if command -v promtool >/dev/null || [ -x "$dir/promtool" ]; then return 0; fi
	mkdir -p "$dir/prometheus"
	if (cd "$dir/prometheus" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb .) >/dev/null 2>&1; then
		mv "$dir/prometheus/usr/bin/promtool" "$dir/promtool"
	else
		say "promtool cannot be had here: its tests are skipped"
	fi
	rm -rf "$dir/prometheus"
}

# npm packages are pinned by package-lock.json; its digest beside them says whether they are the right ones.
install_npm() {
	local want stamp=$root/node_modules/.claviger-lock
	want=$(sha256sum "$root/package-lock.json" | cut -d' ' -f1)
	if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
		say "Will install with npm: the packages pinned in package-lock.json (chain tools, client libraries)"
		(cd "$root" && step "npm ci" npm ci --no-audit --no-fund)
		printf '%s\n' "$want" >"$stamp"
	fi
	export PATH=$root/node_modules/.bin:$PATH
}

setup() {
	install_packages "${apt_packages[@]}"
	install_npm
}

# ---- builds ----

# compile NAME TARGET… -- MESON-OPTIONS…: configures build/NAME once (again when the options change) and builds.
compile() {
	local name=$1 dir=$build/$1 targets=() options
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		targets+=("$1")
		shift
	done
	[ $# -gt 0 ] && shift
	options="$*"
	if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/.options" 2>/dev/null)" != "$options" ]; then
		rm -rf "$dir"
		step "configure $name" meson setup "$dir" "$root" "$@"
		printf '%s' "$options" >"$dir/.options"
	fi
	if ! ninja -C "$dir" -n "${targets[@]}" 2>/dev/null | grep -q 'no work to do'; then
		step "build $name" ninja -C "$dir" "${targets[@]}"
	fi
}

build_release() {
	compile release -- -Dbuildtype=release -Dtests=false
}

build_sanitized() {
	compile sanitized -- -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Dtests=true
}

# forge sees exactly one compiler: the pinned solc behind its shim.
forge_environment() {
	export FOUNDRY_SOLC=$root/tools/solc/solc.mjs
	export FOUNDRY_OFFLINE=true
	export FOUNDRY_DISABLE_NIGHTLY_WARNING=1
}

build_contracts() {
	forge_environment
	# Two suites may want them at once.
	(cd "$root" && step "build contracts" flock "$build/contracts.lock" forge build)
}
