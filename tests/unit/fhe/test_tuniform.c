/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* TUniform noise, from a fixed stream: bounds, the byte form, frequencies. */
#include "fhe_test.h"

static struct aes_ctr *stream_of(uint8_t first)
{
	uint8_t seed[16] = {first};
	struct aes_ctr *s;

	assert_ok(aes_ctr_new_seed(&s, seed, 0));
	return s;
}

/* Known stream: Ctr seed 5 begins 54 ca 53 bb 28 79 18 46 e6 b0. */
static void byte_form(void **state)
{
	struct aes_ctr *s = stream_of(5);
	int64_t v;

	(void)state;
	assert_ok(fhe_tuniform_draw(s, 3, &v)); /* 0x54, 5 bits: 20 -> 10 - 8 */
	assert_int_equal(v, 2);
	assert_ok(fhe_tuniform_draw(s, 17, &v)); /* ca 53 bb, 19 bits: 0x353ca -> 0x1a9e5 - 2^17 */
	assert_int_equal(v, 0x1a9e5 - (1 << 17));
	assert_ok(fhe_tuniform_draw(s, 0, &v)); /* 0x28, 2 bits: 0 -> 0 - 1 */
	assert_int_equal(v, -1);
	assert_int_equal(fhe_tuniform_draw(s, 63, &v), ERR_RANGE);
	aes_ctr_free(s);
}

/* TUniform(3): -8 and 8 with 1/32 each, the 15 values between with 1/16. */
static void frequencies(void **state)
{
	enum {
		DRAWS = 320000
	};
	struct aes_ctr *s = stream_of(7);
	unsigned count[17] = {0};

	(void)state;
	for (int i = 0; i < DRAWS; i++) {
		int64_t v;

		assert_ok(fhe_tuniform_draw(s, 3, &v));
		assert_true(v >= -8 && v <= 8);
		count[v + 8]++;
	}
	/* six standard deviations: 137 and 100 */
	for (int i = 1; i < 16; i++)
		assert_in_range(count[i], DRAWS / 16 - 6 * 137, DRAWS / 16 + 6 * 137);
	assert_in_range(count[0], DRAWS / 32 - 6 * 100, DRAWS / 32 + 6 * 100);
	assert_in_range(count[16], DRAWS / 32 - 6 * 100, DRAWS / 32 + 6 * 100);
	aes_ctr_free(s);
}

/* Wide bounds: inside them, both signs, mean near zero, and the outer half is reached half of the
 * time. */
static void wide(void **state)
{
	static const unsigned bounds[] = {17, 30, 43, 45, 62};
	enum {
		DRAWS = 20000
	};
	struct aes_ctr *s = stream_of(11);

	(void)state;
	for (size_t b = 0; b < ARRAY_LEN(bounds); b++) {
		int64_t max = (int64_t)1 << bounds[b];
		double sum = 0;
		unsigned outer = 0;

		for (int i = 0; i < DRAWS; i++) {
			int64_t v;

			assert_ok(fhe_tuniform_draw(s, bounds[b], &v));
			assert_true(v >= -max && v <= max);
			sum += (double)v / (double)max;
			outer += v > max / 2 || v < -max / 2;
		}
		/* standard deviation of a mean of uniforms on [-1, 1]: 0.577 / sqrt(DRAWS) = 0.0041
		 */
		assert_true(sum / DRAWS < 0.025 && sum / DRAWS > -0.025);
		assert_in_range(outer, DRAWS / 2 - 450, DRAWS / 2 + 450);
	}
	aes_ctr_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(byte_form),
		cmocka_unit_test(frequencies),
		cmocka_unit_test(wide),
	};

	return cmocka_run_group_tests_name("fhe tuniform", tests, NULL, NULL);
}
