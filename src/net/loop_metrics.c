/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/loop_internal.h"

enum {
	US_PER_S = 1000 * 1000
};

static enum err family(struct buf *out, const char *prefix, const char *name, const char *type,
		       const char *help)
{
	return buf_addf(out, "# HELP %s_%s %s\n# TYPE %s_%s %s\n", prefix, name, help, prefix, name,
			type);
}

static double seconds(int64_t us)
{
	return (double)us / US_PER_S;
}

enum err loop_metrics_print(struct buf *out, struct loop *l, const char *prefix)
{
	struct loop_stall s = loop_stall_take(l);
	struct loop_rounds r = loop_rounds(l);
	uint64_t below = 0;

	TRY(family(out, prefix, "loop_stall_seconds", "gauge",
		   "Longest round of the event loop since the last scrape."));
	TRY(buf_addf(out, "%s_loop_stall_seconds %.6f\n", prefix, seconds(s.wall_us)));
	TRY(family(out, prefix, "loop_stall_cpu_seconds", "gauge",
		   "CPU time of that round; the rest of it the loop was kept waiting."));
	TRY(buf_addf(out, "%s_loop_stall_cpu_seconds %.6f\n", prefix, seconds(s.cpu_us)));
	TRY(family(out, prefix, "loop_round_seconds", "histogram",
		   "Rounds of the event loop, from the first callback to the next wait."));
	for (size_t i = 0; i < LOOP_ROUND_BUCKETS; i++) {
		below += r.buckets[i];
		TRY(buf_addf(out, "%s_loop_round_seconds_bucket{le=\"%g\"} %llu\n", prefix,
			     seconds(loop_round_bounds_us[i]), (unsigned long long)below));
	}
	return buf_addf(out,
			"%s_loop_round_seconds_bucket{le=\"+Inf\"} %llu\n"
			"%s_loop_round_seconds_sum %.6f\n%s_loop_round_seconds_count %llu\n",
			prefix, (unsigned long long)r.n, prefix, seconds(r.wall_us), prefix,
			(unsigned long long)r.n);
}
