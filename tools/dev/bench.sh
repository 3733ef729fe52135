#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# Figures with their conditions. Never part of a test: timings on a shared machine are not verdicts.
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"

names=(audit crypto fhe crs listener mpc net store connector core build)
minutes=1
given=()
while [ $# -gt 0 ]; do
	case $1 in
	--minutes=*) minutes=${1#*=} ;;
	--minutes)
		minutes=$2
		shift
		;;
	*) given+=("$1") ;;
	esac
	shift
done
[[ $minutes =~ ^[1-9][0-9]*$ ]] || misuse "--minutes wants a number above 0"
set -- "${given[@]}"
for name; do
	[[ " ${names[*]} " == *" $name "* ]] || misuse "no benchmark \"$name\": ${names[*]}"
done
[ $# -eq 0 ] || names=("$@")
wanted() { [[ " ${names[*]} " == *" $1 "* ]]; }

setup
build_release
compile bench benchmarks -- -Dbuildtype=release -Dtests=true

printf 'machine: %s, %d CPUs, %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -sr)"
printf 'compiler: %s\n' "$(cc --version | head -n 1)"
for name in audit crypto fhe listener mpc net store; do
	wanted "$name" || continue
	printf '\n== %s\n' "$name"
	"$build/bench/tests/bench/bench_$name"
	if [ "$name" = fhe ]; then
		"$build/bench/tests/bench/bench_keygen"
		"$build/bench/tests/bench/bench_squash"
	fi
done
if wanted crs; then
	printf '\n== crs\n'
	"$build/bench/tests/bench/bench_crs" "$build/bench/crs.bin"
	node "$root/tests/bench/crs.mjs" "$build/bench/crs.bin"
fi
if wanted connector; then
	build_contracts
	printf '\n== connector\n'
	node "$root/tests/bench/connector.mjs" --minutes "$minutes"
fi
if wanted core; then
	printf '\n== core\n'
	node "$root/tests/bench/core.mjs"
fi
if wanted build; then
	printf '\n== build\n'
	rm -rf "$build/bench-build"
	begun=$(date +%s%N)
	CCACHE_DISABLE=1 meson setup "$build/bench-build" "$root" -Dbuildtype=release -Dtests=false >/dev/null
	CCACHE_DISABLE=1 ninja -C "$build/bench-build" >/dev/null
	printf 'clean release build: %d ms (%d jobs; target <= 180000 ms on two cores)\n' \
		"$((($(date +%s%N) - begun) / 1000000))" "$(nproc)"
	rm -rf "$build/bench-build"
fi
