/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support_mpc.h"

#include <stdio.h>

#include "strategies.h"

static struct bytes script;
static uint8_t otherwise;

static size_t place_in(const struct network_message *m)
{
	size_t at = fuzz_u8(&script);

	at |= (size_t)fuzz_u8(&script) << 8;
	return m->body.n > 0 ? at % m->body.n : 0;
}

/* `out` bytes at `at` make room for others. */
static void splice(struct network_message *m, size_t at, size_t out, struct bytes in)
{
	struct bytes old = buf_view(&m->body);
	struct buf b = buf_make(old.n + in.n);
	size_t end = at + out < old.n ? at + out : old.n;

	FUZZ_OK(buf_add(&b, bytes_sub(old, 0, at)));
	FUZZ_OK(buf_add(&b, in));
	FUZZ_OK(buf_add(&b, bytes_sub(old, end, old.n - end)));
	buf_free(&m->body);
	m->body = b;
}

static void put_u64(struct network_message *m, size_t at, uint32_t low, uint32_t high)
{
	for (size_t i = 0; i < 8 && at + i < m->body.n; i++)
		m->body.p[at + i] = (uint8_t)((i < 4 ? low : high) >> 8 * (i % 4));
}

static bool by_strategy(struct network *net, struct network_message *m, uint8_t which)
{
	return which == 255 || m->body.n == 0 || strategies[which % strategies_n].spoil(net, m);
}

static bool edit(struct network *net, struct network_message *m)
{
	size_t at;

	switch (fuzz_u8(&script) % 16) {
	case 2:
		return false;
	case 3:
		strategy_replace(m, fuzz_part(&script));
		break;
	case 4:
		at = place_in(m);
		if (m->body.n > 0)
			m->body.p[at] ^= fuzz_u8(&script);
		break;
	case 5:
		at = place_in(m);
		put_u64(m, at, fuzz_u32(&script), fuzz_u32(&script));
		break;
	case 6:
		m->body.n = place_in(m);
		break;
	case 7:
		splice(m, m->body.n, 0, fuzz_part(&script));
		break;
	case 8:
		return by_strategy(net, m, fuzz_u8(&script));
	case 9:
		m->round += fuzz_u8(&script);
		break;
	case 10:
		m->held = true;
		break;
	case 11:
		at = place_in(m);
		splice(m, at, 0, fuzz_part(&script));
		break;
	case 12:
		at = place_in(m);
		splice(m, at, fuzz_u8(&script), BYTES_NONE);
		break;
	default:
		break;
	}
	return true;
}

static bool fuzzed(struct network *net, struct network_message *m)
{
	return script.n > 0 ? edit(net, m) : by_strategy(net, m, otherwise);
}

void fuzz_mpc(struct bytes in, const char *(*run)(struct mpc_run *r))
{
	static const struct strategy how = {"fuzzed", fuzzed, ON_ANY};
	struct mpc_run r = {.n = 4, .t = 1, .liars = 1, .how = &how, .seed = fuzz_u8(&in)};
	const char *fault;

	otherwise = fuzz_u8(&in);
	script = in;
	fault = run(&r);
	if (fault)
		(void)fprintf(stderr, "%s\n", fault);
	CHECK(!fault);
}
