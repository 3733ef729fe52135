#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"
setup
forge_environment
(cd "$root" && step "build contracts" forge build --skip test)
exec node "$root/tools/deploy/main.mjs" "$@"
