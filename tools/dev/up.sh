#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"
wants_number --hosts 1 3 "$@"
wants_number --nodes 1 13 "$@"
wants_number --port-base 1024 65500 "$@"
setup
build_release
build_contracts
exec node "$root/tools/devnet/up.mjs" "$@"
