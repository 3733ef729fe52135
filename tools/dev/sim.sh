#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# The connector in a simulated world (tests/sim), or the threshold protocols among liars (tests/mpc). The machine's CPUs share
# the seeds.
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"

options=()
plants=0
seeds=""
planted=0
target=tests/sim/connector-sim
some=1000 # seeds for a plant
build_it=("$target")
while [ $# -gt 0 ]; do
	case $1 in
	--seed | --seeds | --hours | --parties)
		[[ ${2:-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || misuse "$1 wants a number"
		[ "$1" != --seeds ] || seeds=$2
		options+=("$1" "$2")
		shift
		;;
	--plant | --only)
		[[ ${2:-} =~ ^[A-Za-z0-9_,-]+$ ]] || misuse "$1 wants a name; --list has them"
		options+=("$1" "$2")
		[ "$1" != --plant ] || planted=1
		shift
		;;
	--trace | --list | --plain) options+=("$1") ;;
	--plants) plants=1 ;;
	--mpc)
		target=tests/mpc/mpc-sim
		build_it=(mpc-sim-all)
		some=4000
		;;
	*) misuse "no option $1" ;;
	esac
	shift
done

[ "$planted" -eq 0 ] || seeds=${seeds:-$some}

setup
compile sim "${build_it[@]}" -- -Dbuildtype=release -Dtests=true
program=$build/sim/$target

if [ "$plants" -eq 0 ]; then
	[[ " ${options[*]} " == *" --trace "* || " ${options[*]} " == *" --seeds "* ]] ||
		options+=(--seeds "${seeds:-1}")
	exec "$program" --jobs "$(nproc)" "${options[@]}"
fi

failed=0
for plant in $("$program" --list | sed '1,/^plants:/d' | awk '{print $1}'); do
	"$program" --jobs "$(nproc)" --seeds "${seeds:-$some}" "${options[@]}" --plant "$plant" >"$logs/sim-$plant.log" ||
		failed=$((failed + 1))
	tail -n 1 "$logs/sim-$plant.log"
	sed -n 's/^seed /  seed /p' "$logs/sim-$plant.log" | head -n 1
done
[ "$failed" -eq 0 ]
