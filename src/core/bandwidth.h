/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* [bandwidth_benchmark]: what a caller may ask of one BandwidthBenchmark. */
#ifndef CORE_BANDWIDTH_H
#define CORE_BANDWIDTH_H

#include <stdint.h>

struct bandwidth_limits {
	uint64_t max_payload_bytes, max_sessions, max_total_bytes, max_duration_secs,
		max_concurrent_runs;
};
extern const struct bandwidth_limits bandwidth_limits_defaults;

#endif
