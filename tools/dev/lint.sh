#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# What a reviewer should not have to look for. Each check prints what it found and the rule behind it; all run, then
# the script fails if any did.
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"
no_arguments "$@"

install_packages "${apt_packages[@]}" "${lint_packages[@]}"
install_npm
cd "$root"
bad=0

# check "rule" OUTPUT: any output is a finding.
check() {
	if [ -n "$2" ]; then
		printf 'lint: %s\n%s\n\n' "$1" "$(printf '%s\n' "$2" | head -n 40 | sed 's/^/  /')" >&2
		bad=$((bad + 1))
	fi
}

mapfile -t c_files < <(git ls-files -- '*.c' '*.h' '*.cc')
mapfile -t src_files < <(git ls-files -- 'src/*.c' 'src/*.h' 'src/*.cc')
mapfile -t src_c_files < <(git ls-files -- 'src/*.c')
mapfile -t sh_files < <(git ls-files -- dev '*.sh' '.ci/run')
mapfile -t sources < <(git ls-files -- '*.c' '*.h' '*.cc' '*.sol' '*.mjs' '*.sh' '*.proto' '*.build' dev '.ci/run')

check "formatting (./dev format)" "$(clang-format --dry-run -Werror "${c_files[@]}" 2>&1 | grep -o '^[^ ]*: error' | sort -u)"
forge_environment
check "Solidity formatting (./dev format)" "$(forge fmt --check 2>&1 | grep '^Diff' || true)"
check "a licence line first in every source file" "$(for f in "${sources[@]}"; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: BSD-3-Clause-Clear' || printf '%s\n' "$f"
done)"
check "which folder may include which (docs/architecture.md)" "$(node tools/dev/includes.mjs "${src_files[@]}")"
check "functions of at most 70 lines, files of at most 1000 (700 warns)" "$(node tools/dev/sizes.mjs "${c_files[@]}")"
check "banned functions" "$(grep -nE '\b(gets|strcpy|strncpy|strcat|strncat|sprintf|vsprintf|strtok|atoi|atol|atof|alloca|rand|srand|system|popen)\(' \
	"${c_files[@]}" || true)"
check "no unfinished marks" "$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${sources[@]}" | grep -v '^tools/dev/lint.sh' || true)"
check "libraries do not print or exit" "$(grep -nE '\b(printf|puts|putchar|fprintf|perror|exit|_exit)\(' "${src_files[@]}" |
	grep -vE '^src/(cmd|fhe/dealer)/|^src/base/err\.c|^src/net/loop\.c:[0-9]+:\s*_exit\(130\)' || true)"
check "every folder of src/ has a README" "$(for d in src/*/; do [ -f "$d/README.md" ] || printf '%s\n' "$d"; done)"
check "no path of one machine" "$(git grep -nIE '/(w[o]rk|h[o]me/[a-z]+)/' -- . || true)"
check "commit form: type(scope): what changed" "$(git log --format='%h %s' -n 200 |
	grep -vE '^[0-9a-f]+ (feat|fix|test|docs|perf|refactor|chore|ci)(\([a-z0-9-]+\))?!?: .+' || true)"
check "shellcheck" "$(shellcheck -x -S style -e SC2317 "${sh_files[@]}" 2>&1 || true)"
check "cppcheck" "$(cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
	--suppressions-list=tools/dev/cppcheck-suppressions --error-exitcode=1 -I src \
	"${src_c_files[@]}" 2>&1 || true)"

# What deals keys in the clear must not be in a program that gets installed.
build_release
for program in "$build"/release/src/cmd/kms-server "$build"/release/src/cmd/kms-connector "$build"/release/src/cmd/kms-gen-keys; do
	check "no dealing code in $(basename "$program")" \
		"$(nm --defined-only "$program" 2>/dev/null | grep -iE ' [Tt] .*(dealer|fhe_.*(generate|encrypt))' || true)"
	[ -x "$program" ] || check "release programs exist" "$program is missing"
done

[ "$bad" -eq 0 ] || die "$bad lint checks failed"
say "lint: clean"
