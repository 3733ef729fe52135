#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# Every test of the project. Suites: unit (C, under ASan and UBSan), contracts (forge and the ABI comparison), interop
# (our bytes against the real client libraries), slow (production parameters: known answers, end to end), ct (constant time, by
# valgrind), fuzz (the committed corpus of every target, then 5 s each), sim (the connector in a simulated world, 1000 seeds
# and the planted bugs), e2e (real chain, object store and client library).
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"

suites=(unit contracts interop slow ct fuzz sim e2e)
for suite; do
	[[ " ${suites[*]} " == *" $suite "* ]] || misuse "no test suite \"$suite\": ${suites[*]}"
done
[ $# -eq 0 ] || suites=("$@")

results=$build/test
rm -rf "$results"
mkdir -p "$results"
tallies=$results/tallies
: >"$tallies"
status=0

# run COMMAND…: keeps its status for the tally that follows.
run() {
	status=0
	"$@" || status=$?
}

# tally NAME LOG FORMAT: adds what tools/dev/tally.mjs counts in LOG. A suite that ran no test has failed, and so has one whose
# runner failed without a test that did: it stopped before its end.
tally() {
	local counts p f
	counts=$(node "$root/tools/dev/tally.mjs" "$3" "$2") || counts="0 1"
	read -r p f <<<"$counts"
	if [ "$((p + f))" -eq 0 ]; then
		say "  $1 ran no test: that counts as a failure (log: $2)"
		f=1
	elif [ "$f" -eq 0 ] && [ "$status" -ne 0 ]; then
		say "  the runner of $1 ended with status $status: that counts as a failure"
		f=1
	fi
	if [ "$f" -gt 0 ]; then
		say "  the whole log of $1: $2"
	fi
	say "$(printf '  %-12s %5d passed, %d failed' "$1" "$p" "$f")"
	printf '%d %d\n' "$p" "$f" >>"$tallies"
	status=0
}

suite_unit() {
	build_sanitized
	say "unit tests (ASan, UBSan) …"
	# One more than there are CPUs: some wait for time-outs most of their time.
	run meson test -C "$build/sanitized" --no-rebuild --num-processes "$(($(nproc) + 1))" --suite unit >"$results/unit.out" 2>&1
	tally unit "$build/sanitized/meson-logs/testlog.json" meson
}

suite_contracts() {
	local name
	build_contracts
	say "contract tests …"
	run forge test --root "$root" --json >"$results/forge.json" 2>"$results/forge.err"
	tally forge "$results/forge.json" forge
	for name in abi deploy gas docs; do
		run node "$root/contracts/test/$name.mjs" >"$results/$name.tap" 2>&1
		tally "$name" "$results/$name.tap" tap
	done
}

node_suite() {
	local name=$1
	run node --test --test-reporter=tap --test-concurrency="$2" "$root/tests/$name/"*.test.mjs >"$results/$name.tap" 2>&1
	tally "$name" "$results/$name.tap" node
}

suite_interop() {
	build_release
	build_sanitized
	say "interop with node-tfhe, grpc-js and buf …"
	node_suite interop 1
}

# Keys with production parameters have half a gigabyte: not under sanitizers.
suite_slow() {
	compile slow tests/unit/fhe/test_fhe_audit_default tests/unit/fhe/test_fhe_expand tests/unit/fhe/test_fhe_keygen \
		tests/unit/fhe/test_fhe_server tests/unit/fhe/test_fhe_wipe -- -Dbuildtype=release
	say "known answers with production parameters …"
	run meson test -C "$build/slow" --no-rebuild --suite slow >"$results/slow.out" 2>&1
	tally slow "$build/slow/meson-logs/testlog.json" meson
	build_release
	build_contracts
	say "a key made, used and trusted through the chain, with production parameters …"
	node_suite slow 1
}

# Programs in which secrets are marked undefined: no branch and no index may depend on one. Not under sanitizers.
suite_ct() {
	compile ct tests/ct/ct_mlkem tests/ct/ct_fhe tests/ct/ct_keygen tests/ct/ct_crs tests/ct/ct_audit tests/ct/ct_ecdsa tests/ct/ct_mpc tests/ct/ct_threshold -- -Dbuildtype=release -Dct=true
	say "constant time (valgrind) …"
	run meson test -C "$build/ct" --no-rebuild --suite ct >"$results/ct.out" 2>&1
	tally ct "$build/ct/meson-logs/testlog.json" meson
}

# A build of its own, by clang. What it finds new stays in build/fuzz-corpus.
suite_fuzz() {
	say "fuzz targets (libFuzzer, ASan, UBSan) …"
	run bash "$root/tools/dev/fuzz.sh" --seconds 5 >"$results/fuzz.tap"
	tally fuzz "$results/fuzz.tap" tap
}

# Seeds are the same each time: what fails here fails everywhere.
suite_sim() {
	say "the connector in a simulated world: 1000 seeds, then every planted bug …"
	run bash "$root/tools/dev/sim.sh" --seeds 1000 >"$results/sim.out"
	local seeds=$status
	run bash "$root/tools/dev/sim.sh" --plants >>"$results/sim.out"
	seeds=$((status | seeds))
	say "the threshold protocols among liars: 100 seeds, then every planted bug …"
	run bash "$root/tools/dev/sim.sh" --mpc --seeds 100 >>"$results/sim.out"
	seeds=$((status | seeds))
	run bash "$root/tools/dev/sim.sh" --mpc --plants >>"$results/sim.out"
	status=$((status | seeds))
	grep -E '^(not )?ok ' "$results/sim.out" >"$results/sim.tap" || true
	tally sim "$results/sim.tap" tap
}

suite_e2e() {
	build_release
	build_contracts
	say "end to end: chains, object store, core, connector, client library …"
	node_suite e2e "$(($(nproc) + 1))" # they wait for blocks, kills and time-outs
}

setup
install_packages "${test_packages[@]}" "${lint_packages[@]}"
install_promtool

# The contracts are for the most part one process, as are interop, slow and ct: they run beside those, and say at the end
# what they have to say. All others use every CPU.
beside=""
settle() {
	[ -n "$beside" ] || return 0
	wait "$beside" || printf '0 1\n' >>"$tallies"
	beside=""
	cat "$results/contracts.out" >&2
}
for suite in "${suites[@]}"; do
	case $suite in
	contracts)
		suite_contracts 2>"$results/contracts.out" &
		beside=$!
		;;
	interop | slow | ct) "suite_$suite" ;;
	*)
		settle
		"suite_$suite"
		;;
	esac
done
settle

read -r passed failed < <(awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }' "$tallies")
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
