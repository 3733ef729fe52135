#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# usage: run.sh VALGRIND SUPPRESSIONS ALLOWED PROGRAM
# Runs every case of a constant-time program under memcheck and judges it, in TAP: "good" must be without a report and
# with exactly ALLOWED suppressed ones, every other case must be reported.
set -euo pipefail

valgrind=$1 suppressions=$2 allowed=$3 program=$4
log=$(mktemp)
trap 'rm -f "$log"' EXIT

mapfile -t cases < <("$program")
[ "${#cases[@]}" -ge 2 ] || { echo "Bail out! $program has no twin"; exit 1; }
echo "1..${#cases[@]}"

number=0
failed=0
for name in "${cases[@]}"; do
	number=$((number + 1))
	status=0
	"$valgrind" --error-exitcode=9 --suppressions="$suppressions" "$program" "$name" >"$log" 2>&1 || status=$?
	reports=$(grep -cE 'depends on uninitialised value|Use of uninitialised value' "$log") || true
	suppressed=$(sed -nE 's/.*ERROR SUMMARY: .*\(suppressed: ([0-9]+) from.*/\1/p' "$log")
	if [ "$name" = good ]; then
		what="good: no jump and no address depends on a secret"
		[ "$status" -eq 0 ] && [ "$reports" -eq 0 ] && [ "$suppressed" = "$allowed" ] && verdict=ok || verdict='not ok'
	else
		what="$name: the leaky twin is reported"
		[ "$status" -eq 9 ] && [ "$reports" -gt 0 ] && verdict=ok || verdict='not ok'
	fi
	echo "$verdict $number - $what"
	if [ "$verdict" != ok ]; then
		failed=1
		echo "# exit $status, $reports reports, $suppressed suppressed (expected $allowed)"
		sed 's/^/# /' "$log"
	fi
done
exit "$failed"
