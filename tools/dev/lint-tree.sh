#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# The rules of ./dev lint that a source tree alone can break: of the git tree in the working directory, with the tools that
# are in the path. Each check prints what it found and the rule behind it; all run, then the script fails if any found
# something. tests/e2e/lint.test.mjs breaks each rule once.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bad=0

# check "rule" OUTPUT: any output is a finding.
check() {
	if [ -n "$2" ]; then
		printf 'lint: %s\n%s\n\n' "$1" "$(printf '%s\n' "$2" | head -n 40 | sed 's/^/  /')" >&2
		bad=$((bad + 1))
	fi
}

# files PATTERN…: of the tree; deleted ones that git still knows are none.
files() { git ls-files -- "$@" | while read -r f; do [ ! -f "$f" ] || printf '%s\n' "$f"; done; }

mapfile -t c_files < <(files '*.c' '*.h' '*.cc')
mapfile -t src_files < <(files 'src/*.c' 'src/*.h' 'src/*.cc')
mapfile -t src_c_files < <(files 'src/*.c')
mapfile -t sh_files < <(files dev '*.sh' '.ci/run')
mapfile -t sources < <(files '*.c' '*.h' '*.cc' '*.sol' '*.mjs' '*.sh' '*.proto' '*.build' dev '.ci/run')
mapfile -t sized < <(files '*.c' '*.h' '*.cc' '*.sol' '*.mjs' '*.sh')

# Of any C file: without bounds, or with one state for all threads.
banned='gets|strcpy|strncpy|strcat|strncat|sprintf|vsprintf|strtok|atoi|atol|atof|alloca|rand|srand|random|system|popen'
banned+='|tmpnam|tempnam|mktemp|scanf|asctime|ctime|gmtime|localtime|gethostbyname|inet_addr|inet_ntoa'
# Of the product: signals go through the loop, errors through enum err, broken invariants through CHECK.
banned_src='signal|setjmp|longjmp|assert|abort|usleep|sleep'
# At the left margin, neither constant nor a function: variables of the process. Counters, and what pthread_once fills, are
# allowed.
global='^(static |_Thread_local )*(?!.*\b(const|typedef|atomic_\w+|pthread_once_t)\b)(?!extern|return|goto|using)'
global+='(?!(struct|enum|union) \w+;)[a-z_][\w *]*\w(\[[^]]*\])*( = .*|;)$'

check "formatting (./dev format)" "$(clang-format --dry-run -Werror "${c_files[@]}" 2>&1 | grep -o '^[^ ]*: error' | sort -u || true)"
check "Solidity formatting (./dev format)" "$(forge fmt --check 2>&1 | grep '^Diff' || true)"
check "a licence line first in every source file" "$(for f in "${sources[@]}"; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: BSD-3-Clause-Clear' || printf '%s\n' "$f"
done)"
check "which folder may include which (docs/architecture.md)" "$(node "$here/includes.mjs" "${src_files[@]}")"
check "lengths of functions and files" "$(node "$here/sizes.mjs" "${sized[@]}")"
check "banned functions" "$(grep -nE "\\b($banned)\\(" "${c_files[@]}" /dev/null || true)"
check "banned functions of the product" "$(grep -nE "\\b($banned_src)\\(" "${src_files[@]}" /dev/null |
	grep -vE '^src/base/err\.c:[0-9]+:\s*abort\(\)' || true)"
check "no mutable globals" "$(grep -nP "$global" "${src_files[@]}" /dev/null |
	grep -vE '^src/crypto/sha\.c:[0-9]+:static EVP_(MD \*fetched|MAC \*hmac)' || true)"
check "no unfinished marks" "$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${sources[@]}" /dev/null | grep -vE '^tools/dev/lint-tree\.sh:' || true)"
check "libraries do not print or exit" "$(grep -nE '\b(printf|puts|putchar|fprintf|perror|exit|_exit)\(' "${src_files[@]}" /dev/null |
	grep -vE '^src/(cmd|fhe/dealer)/|^src/base/err\.c|^src/net/loop\.c:[0-9]+:\s*_exit\(130\)' || true)"
check "every folder of src/ has a README" "$(for d in src/*/; do [ -f "$d/README.md" ] || printf '%s\n' "$d"; done)"
check "no path of one machine" "$(git grep -nIE '/(w[o]rk|h[o]me/[a-z]+)/' -- . || true)"
check "commit form: type(scope): what changed" "$(git log --format='%h %s' -n 200 |
	grep -vE '^[0-9a-f]+ (feat|fix|test|docs|perf|refactor|chore|ci)(\([a-z0-9,-]+\))?!?: .+' || true)"
check "shellcheck" "$(shellcheck -x -S style -e SC2317 "${sh_files[@]}" 2>&1 || true)"
check "cppcheck" "$(cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
	--suppressions-list="$here/cppcheck-suppressions" --error-exitcode=1 -I src -j "$(nproc)" "${src_c_files[@]}" 2>&1 || true)"

[ "$bad" -eq 0 ] || printf 'lint: %d rules are broken\n' "$bad" >&2
[ "$bad" -eq 0 ]
