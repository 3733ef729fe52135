#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause-Clear
# Units in the folder $1: no more exposed than 1.5 of 10, and nothing in them that systemd does not know.
set -u
command -v systemd-analyze >/dev/null || exit 77 # to Meson: skipped
failed=0
for unit in "$1"/*.service; do
	name=$(basename "$unit")
	if out=$(systemd-analyze security --no-pager --offline=true --threshold=15 "$unit" 2>&1); then
		printf '%s: %s\n' "$name" "$(printf '%s\n' "$out" | tail -n 1)"
	else
		printf '%s: too exposed\n%s\n' "$name" "$out"
		failed=1
	fi
	# What is not installed here is no fault of the unit.
	out=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep "$name:[0-9]" | grep -v 'is not executable')
	if [ -n "$out" ]; then
		printf '%s\n' "$out"
		failed=1
	fi
	for setting in Type=notify WatchdogSec= SystemCallFilter=@system-service LimitCORE=0; do
		grep -q "^$setting" "$unit" || { printf '%s: lacks %s\n' "$name" "$setting"; failed=1; }
	done
done
exit "$failed"
