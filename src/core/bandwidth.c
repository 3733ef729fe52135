/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/bandwidth.h"

const struct bandwidth_limits bandwidth_limits_defaults = {
	.max_payload_bytes = 256 << 20,
	.max_sessions = 256,
	.max_total_bytes = 1 << 30,
	.max_duration_secs = 60,
	.max_concurrent_runs = 1,
};
