/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What is kept of an epoch. What is read, written again, is the same bytes.
 *
 * Input: u8 party (modulo 4), then edits of its object.
 */
#include "core/dealer/deal.h"
#include "core/epoch_data.h"
#include "fuzz.h"

enum {
	PARTIES = 4
};

static struct bytes base(unsigned party)
{
	static struct buf objects[PARTIES];
	const struct hash32 context = {{1, 2, 3}};
	struct prss *prss[MPC_PARTIES_MAX];
	struct rng_seeded seeded;

	if (objects[0].n > 0)
		return buf_view(&objects[party]);
	FUZZ_OK(threshold_deal_prss(prss, PARTIES, 1, rng_seeded_init(&seeded, 1)));
	for (unsigned p = 0; p < PARTIES; p++) {
		objects[p] = buf_make(EPOCH_DATA_SIZE_MAX);
		FUZZ_OK(epoch_data_write(context, prss[p], &objects[p]));
		prss_free(prss[p]);
	}
	return buf_view(&objects[party]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(buf_free) struct buf again = buf_make(EPOCH_DATA_SIZE_MAX);
	struct bytes script = bytes_from(p, n < 4096 ? n : 4096);
	unsigned party = fuzz_u8(&script) % PARTIES;
	struct bytes in = fuzz_patch(base(party), script);
	struct epoch_data d = {0};
	struct err_note note = {0};

	if (epoch_data_read(&d, in, &note) == ERR_OK) {
		FUZZ_OK(epoch_data_write(d.context_id, d.prss, &again));
		CHECK(bytes_eq_var(buf_view(&again), in));
	} else {
		CHECK(!d.prss && note.text[0]);
	}
	epoch_data_free(&d);
	fuzz_free(in);
	return 0;
}
