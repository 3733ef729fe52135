/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Durations as the Rust crate "humantime" writes them, because operators' files hold them: a
 * sequence of whole numbers with units, e.g. "1h 30m" or "2days 500ms".
 */
#include "base/config.h"

static const struct {
	const char *names[5]; /* NULL-padded */
	uint64_t ns;
} units[] = {
	{{"ns", "nsec", "nanos"}, 1U},
	{{"us", "usec", "micros"}, 1000U},
	{{"ms", "msec", "millis"}, 1000000U},
	{{"s", "sec", "secs", "second", "seconds"}, 1000000000U},
	{{"m", "min", "mins", "minute", "minutes"}, 60000000000U},
	{{"h", "hr", "hrs", "hour", "hours"}, 3600000000000U},
	{{"d", "day", "days"}, 86400000000000U},
	{{"w", "wk", "wks", "week", "weeks"}, 604800000000000U},
	{{"M", "month", "months"}, 2630016000000000U},             /* 30.44 days */
	{{"y", "yr", "yrs", "year", "years"}, 31557600000000000U}, /* 365.25 days */
};

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Take the longest run of characters of one kind off the front. */
static struct bytes take(struct bytes *s, bool (*kind)(uint8_t))
{
	size_t n = 0;

	while (n < s->n && kind(s->p[n]))
		n++;

	struct bytes run = bytes_sub(*s, 0, n);

	*s = bytes_sub(*s, n, s->n - n);
	return run;
}

/* 0 for a word that is no unit; letter case matters: m is a minute, M a month. */
static uint64_t unit_ns(struct bytes word)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		for (size_t k = 0; k < ARRAY_LEN(units[i].names) && units[i].names[k]; k++)
			if (bytes_eq_var(word, bytes_str(units[i].names[k])))
				return units[i].ns;
	return 0;
}

/* Sums nanoseconds as humantime does; what is left below a millisecond rounds up, so that no
 * duration becomes 0. */
enum err config_parse_duration(int64_t *ret_ms, struct bytes text)
{
	uint64_t ms = 0, ns = 0; /* ns < 10^6 */
	bool over = false;

	(void)take(&text, is_space);
	if (text.n == 0)
		return ERR_MALFORMED;
	while (text.n > 0) {
		struct bytes digits = take(&text, is_digit);
		uint64_t v = 0;

		(void)take(&text, is_space);

		uint64_t unit = unit_ns(take(&text, is_letter));

		(void)take(&text, is_space);
		if (digits.n == 0 || unit == 0)
			return ERR_MALFORMED;
		for (size_t i = 0; i < digits.n; i++) {
			over |= __builtin_mul_overflow(v, 10U, &v);
			over |= __builtin_add_overflow(v, (uint64_t)(digits.p[i] - '0'), &v);
		}

		uint64_t whole = 0;

		if (unit >= 1000000U) {
			over |= __builtin_mul_overflow(v, unit / 1000000U, &whole);
		} else {
			uint64_t per_ms = 1000000U / unit;

			whole = v / per_ms;
			ns += v % per_ms * unit;
			whole += ns / 1000000U;
			ns %= 1000000U;
		}
		over |= __builtin_add_overflow(ms, whole, &ms);
	}
	over |= __builtin_add_overflow(ms, ns > 0 ? 1U : 0U, &ms);
	if (over || ms > INT64_MAX)
		return ERR_RANGE;
	*ret_ms = (int64_t)ms;
	return ERR_OK;
}
