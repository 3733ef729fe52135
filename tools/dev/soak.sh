#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# A node, or a committee of them, under load, whose processes are killed every few seconds. Figures, and a verdict.
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"

wants_number --minutes 1 1440 "$@"
wants_number --nodes 1 13 "$@"
wants_number --decryptions 1 10000 "$@"
wants_number --port-base 1024 65000 "$@"
options=()
while [ $# -gt 0 ]; do
	case $1 in
	--*=*)
		set -- "${1%%=*}" "${1#*=}" "${@:2}"
		continue
		;;
	--minutes | --nodes | --decryptions | --port-base) options+=("$1" "${2:-}") ;;
	--database)
		[[ ${2:-} =~ ^(sqlite|postgres)$ ]] || misuse "--database wants sqlite or postgres, not \"${2:-}\""
		options+=("$1" "$2")
		;;
	--seed)
		[[ ${2:-} =~ ^[0-9]{1,10}$ ]] || misuse "--seed wants a number, not \"${2:-}\""
		options+=("$1" "$2")
		;;
	*) misuse "no option $1" ;;
	esac
	shift 2
done

setup
install_packages "${test_packages[@]}"
build_release
build_contracts
exec node --disable-warning=ExperimentalWarning "$root/tests/e2e/soak.mjs" "${options[@]}"
