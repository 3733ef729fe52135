#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# The example of src/fhe/README.md: it opens a vector, and a key that it made is the one in its files.
set -uo pipefail
example=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
printf '1..5\n'
number=0
check() { # WHAT COMMAND…
	local what=$1
	shift
	number=$((number + 1))
	if "$@"; then printf 'ok %d - %s\n' "$number" "$what"; else printf 'not ok %d - %s\n' "$number" "$what"; fi
}
opens() { [ "$("$example" open "$VECTORS/tfhe/$1" "$2" "$VECTORS/tfhe/$3")" = "$4" ]; }
refuses() { ! "$example" open "$VECTORS/tfhe/$1" "$2" "$VECTORS/tfhe/$3" 2>"$dir/err" && grep -q "$4" "$dir/err"; }
makes() { "$example" make "$dir" && [ -s "$dir/key_set.bin" ] && [ -s "$dir/public_key.bin" ] && [ -s "$dir/client_key.bin" ]; }
refuses_again() { ! "$example" make "$dir" 2>/dev/null; }
check 'opens a uint8' opens ck.bin uint8 u8.bin a7
check 'opens a uint64' opens ck_test.bin uint64 nat_test_u64.bin 0123456789abcdef
check 'says what does not fit' refuses ck_test.bin uint64 u8.bin 'u8.bin'
check 'makes a key' makes
check 'makes none over it' refuses_again
