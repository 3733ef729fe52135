#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause-Clear
# libFuzzer targets (tests/fuzz): the committed corpus, then new inputs for some seconds each. The machine's CPUs share the
# targets. A crash leaves its input in build/fuzz-crash and fails the command.
# shellcheck source=tools/dev/common.sh
. "$CLAVIGER_ROOT/tools/dev/common.sh"

targets_file=$root/tests/fuzz/targets
corpus=$root/tests/fuzz/corpus
found=$build/fuzz-corpus
crashes=$build/fuzz-crash
out=$build/fuzz-log
floor=90 # % of a parser's lines that its corpus must reach

names=()
seconds=10
mode=run
while [ $# -gt 0 ]; do
	case $1 in
	--seconds)
		[[ ${2:-} =~ ^[0-9]+$ ]] || misuse "--seconds wants a number"
		seconds=$2
		shift
		;;
	--coverage) mode=coverage ;;
	--merge) mode=merge ;;
	-*) misuse "no option $1" ;;
	*)
		grep -q "^$1 " "$targets_file" || misuse "no fuzz target \"$1\" in tests/fuzz/targets"
		names+=("$1")
		;;
	esac
	shift
done
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(grep -v '^#' "$targets_file" | cut -d' ' -f1)

# Its runtime is a package of its own in some releases, and of no separate name in others.
fuzzer_links() {
	printf 'int LLVMFuzzerTestOneInput(void *p, unsigned long n);\nint LLVMFuzzerTestOneInput(void *p, unsigned long n) { return p && !n; }\n' |
		clang -x c -fsanitize=fuzzer,address,undefined - -o "$build/fuzzer-links" 2>/dev/null
}

setup
install_packages clang llvm
fuzzer_links || install_packages libclang-rt-dev
fuzzer_links || die "clang cannot link -fsanitize=fuzzer: its runtime library is missing"
rm -f "$build/fuzzer-links"
export CC=clang CXX=clang++
# libFuzzer itself, sorting its corpus, gets memory by one library's new and frees it by another's delete.
export ASAN_OPTIONS=alloc_dealloc_mismatch=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}

build_fuzz() {
	compile fuzz fuzz-targets -- -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Dtests=true -Dfuzz=true \
		-Dc_args=-fsanitize=fuzzer-no-link -Dcpp_args=-fsanitize=fuzzer-no-link
}

# run_one NAME: the corpus, then N seconds. 0 or 1; one line of TAP on stdout, on a failure also the log's end.
run_one() {
	local name=$1 program=$build/fuzz/tests/fuzz/fuzz_$1 log=$out/$1.log status=0 inputs
	local options=(-artifact_prefix="$crashes/$name-" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1)

	mkdir -p "$found/$name" "$corpus/$name"
	inputs=$(find "$corpus/$name" -type f | wc -l)
	if [ "$inputs" -eq 0 ]; then
		printf 'not ok %s: no corpus\n' "$name"
		return 1
	fi
	if [ "$seconds" -gt 0 ]; then
		options+=(-max_total_time="$seconds" "$found/$name") # new inputs go to the first folder
	else
		options+=(-runs=0)
	fi
	"$program" "${options[@]}" "$corpus/$name" >"$log" 2>&1 || status=$?
	if [ "$status" -ne 0 ]; then
		printf 'not ok %s: exit %d, %s\n' "$name" "$status" \
			"$(sed -n 's/.*Test unit written to /input: /p' "$log" | tail -n 1)"
		printf '  log: %s\n' "$log"
		tail -n 30 "$log" | sed 's/^/  /'
		return 1
	fi
	printf 'ok %s: %d inputs, %s more tried\n' "$name" "$inputs" \
		"$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)"
}

# All of them, as many at once as there are CPUs; tally.mjs counts the lines on stdout.
run_all() {
	local name passed failed
	rm -rf "$out"
	mkdir -p "$out" "$crashes" "$found"
	export -f run_one
	export build corpus found crashes out seconds
	# shellcheck disable=SC2016 # expanded by the shell that xargs starts
	printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run_one {} >"$out/{}.result" || true'
	for name in "${names[@]}"; do
		cat "$out/$name.result"
	done
	passed=$(cat "$out"/*.result | grep -c '^ok ' || true)
	failed=$((${#names[@]} - passed))
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" -eq 0 ]
}

# Lines of the functions that a target names. llvm-cov's lcov form: FN begins a function, DA is a line with its count.
lcov_count=$(
	cat <<'AWK'
BEGIN {
	n = split(parts, part, " ")
	for (i = 1; i <= n; i++) {
		colon = index(part[i], ":")
		path = colon ? substr(part[i], 1, colon - 1) : part[i]
		names = colon ? substr(part[i], colon + 1) : ".*"
		gsub(/,/, "|", names)
		pattern[path] = "^(" names ")$"
	}
}
/^SF:/ {
	wanted = ""
	for (path in pattern)
		if (substr($0, length($0) - length(path)) == "/" path || $0 == "SF:" path)
			wanted = pattern[path]
	functions = 0
}
/^FN:/ && wanted { split(substr($0, 4), f, ","); sub(/^.*:/, "", f[2]); at[++functions] = f[1]; called[functions] = f[2] }
/^DA:/ && wanted {
	split(substr($0, 4), d, ",")
	begin = 0
	for (i = 1; i <= functions; i++)
		if (at[i] <= d[1] + 0 && at[i] > begin) { begin = at[i]; name = called[i] }
	if (begin && name ~ wanted) { lines++; reached += d[2] > 0 }
}
END { print lines + 0, reached + 0 }
AWK
)

coverage() {
	local name parts low=() profile=$build/fuzz-profile
	export LLVM_PROFILE_FILE=/dev/null # of what meson tries out
	compile fuzz-coverage fuzz-targets -- -Dbuildtype=debug -Dtests=true -Dfuzz=true \
		"-Dc_args=-fprofile-instr-generate -fcoverage-mapping" "-Dc_link_args=-fprofile-instr-generate" \
		"-Dcpp_args=-fprofile-instr-generate -fcoverage-mapping" "-Dcpp_link_args=-fprofile-instr-generate"
	mkdir -p "$profile"
	printf '%-18s %7s %7s %8s   %s\n' target inputs lines reached files
	while read -r name _ parts; do
		[[ " ${names[*]} " == *" $name "* ]] || continue
		coverage_one "$name" "$parts" "$profile/$name" || low+=("$name")
	done < <(grep -v '^#' "$targets_file")
	[ ${#low[@]} -eq 0 ] || die "below $floor %: ${low[*]}"
}

# One line of the table; 1 when it is below the floor, or the functions named are not there.
coverage_one() {
	local name=$1 parts=$2 raw=$3.raw data=$3.data part files=()
	local program=$build/fuzz-coverage/tests/fuzz/fuzz_$name
	LLVM_PROFILE_FILE=$raw "$program" -runs=0 "$corpus/$name" >/dev/null 2>&1 || die "fuzz_$name fails on its corpus"
	llvm-profdata merge -sparse -o "$data" "$raw"
	for part in $parts; do
		part=${part%%:*}
		files+=("${part#src/}")
	done
	llvm-cov export -format=lcov -instr-profile "$data" "$program" | awk -v parts="$parts" "$lcov_count" |
		awk -v name="$name" -v inputs="$(find "$corpus/$name" -type f | wc -l)" -v files="${files[*]}" -v floor="$floor" '{
			printf "%-18s %7d %7d %7.1f%%   %s\n", name, inputs, $1, $1 ? 100 * $2 / $1 : 0, files
			exit !($1 > 0 && 100 * $2 >= floor * $1) }'
}

merge() {
	local name
	for name in "${names[@]}"; do
		mkdir -p "$corpus/$name" "$found/$name"
		step "merge $name" "$build/fuzz/tests/fuzz/fuzz_$name" -merge=1 -use_counters=0 "$corpus/$name" "$found/$name"
	done
}

case $mode in
run)
	build_fuzz
	say "fuzzing ${#names[@]} targets, $seconds s each, $(nproc) at once …"
	run_all
	;;
coverage) coverage ;;
merge)
	build_fuzz
	merge
	;;
esac
