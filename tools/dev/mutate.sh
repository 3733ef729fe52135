#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# Takes each check away, one at a time, in a copy of the tree, and says whether the test that stands for it notices.
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"

if [ "${1:-}" = --list ]; then
	[ $# -eq 1 ] || misuse "--list stands alone"
	exec node "$root/tools/dev/mutate.mjs" --list
fi
for word; do
	[[ $word =~ ^[a-z0-9-]+$ ]] || misuse "no check \"$word\": --list names them"
	grep -qE "^[[:space:]]\['${word}[a-z0-9-]*'," "$root/tools/dev/mutations.mjs" || misuse "no check \"$word\": --list names them"
done

setup
tree=$build/mutate/tree
objects=$build/mutate/objects
mkdir -p "$tree"
# With their times, so that only what changed since the last run is built.
(cd "$root" && git ls-files -z -- meson.build meson_options.txt config packaging proto src tests tools |
	while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
	tar --null -T - -cf -) | tar -xf - -C "$tree"
# What an earlier run left changed when it was killed has the copy's old time now.
if [ -f "$build/mutate/changed" ]; then
	touch "$tree/$(cat "$build/mutate/changed")"
	rm "$build/mutate/changed"
fi
if [ ! -f "$objects/build.ninja" ]; then
	step "configure mutate" meson setup "$objects" "$tree" -Dbuildtype=debug -Dwerror=false -Dtests=true
fi
exec node "$root/tools/dev/mutate.mjs" "$build/mutate" "$@"
