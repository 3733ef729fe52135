#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# What a reviewer should not have to look for: the rules of lint-tree.sh, then those of the programs that are built.
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"
no_arguments "$@"

install_packages "${apt_packages[@]}" "${lint_packages[@]}"
install_npm
forge_environment
status=0
(cd "$root" && bash tools/dev/lint-tree.sh) || status=1

# What deals keys in the clear must not be in a program that gets installed.
build_release
for name in kms-server kms-connector kms-gen-keys kms-client; do
	program=$build/release/src/cmd/$name
	[ -x "$program" ] || die "$program is missing"
	dealing=$(nm --defined-only "$program" | grep -iE ' [Tt] .*(dealer|threshold_deal|fhe_.*(generate|encrypt))' || true)
	if [ -n "$dealing" ]; then
		say "lint: dealing code in $name"
		say "$dealing"
		status=1
	fi
done

[ "$status" -eq 0 ] || die "lint found something"
say "lint: clean"
