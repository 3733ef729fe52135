#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"
no_arguments "$@"
install_packages clang-format
install_npm
cd "$root"
git ls-files -z -- '*.c' '*.h' '*.cc' | xargs -0 -r clang-format -i
forge_environment
forge fmt
