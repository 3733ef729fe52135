/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Durations. The sum of the parts, counted in nanoseconds with 128 bits and rounded up once; as
 * humantime has it, a number past 64 bits is one too many in any unit. Input: the text. */
#include <stdio.h>

#include "base/config.h"
#include "fuzz.h"

__extension__ typedef unsigned __int128 u128;

static bool space(uint8_t c)
{
	return c == ' ' || (c >= 9 && c <= 13);
}

static u128 unit_of(const char *w)
{
	static const struct {
		const char *words; /* each between blanks */
		uint64_t ns;
	} units[] = {
		{" ns nsec nanos ", 1},
		{" us usec micros ", 1000},
		{" ms msec millis ", 1000000},
		{" s sec secs second seconds ", 1000000000},
		{" m min mins minute minutes ", 60ULL * 1000000000},
		{" h hr hrs hour hours ", 3600ULL * 1000000000},
		{" d day days ", 86400ULL * 1000000000},
		{" w wk wks week weeks ", 604800ULL * 1000000000},
		{" M month months ", 2630016ULL * 1000000000},
		{" y yr yrs year years ", 31557600ULL * 1000000000},
	};
	char padded[20];

	(void)snprintf(padded, sizeof(padded), " %s ", w);
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strstr(units[i].words, padded))
			return units[i].ns;
	return 0;
}

/* False: no duration. *ret_ms saturates far above what fits. */
static bool simple(u128 *ret_ms, const char *s)
{
	const u128 far = (u128)1 << 100;
	u128 ns = 0;
	bool any = false;

	while (space((uint8_t)*s))
		s++;
	while (*s) {
		u128 v = 0;
		char word[16] = "";
		size_t n = 0;

		if (*s < '0' || *s > '9')
			return false;
		for (; *s >= '0' && *s <= '9'; s++)
			v = v > far ? far : v * 10 + (u128)(*s - '0');
		while (space((uint8_t)*s))
			s++;
		for (; (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'); s++)
			if (n < 10)
				word[n++] = *s;
		if (n == 0 || unit_of(word) == 0)
			return false;
		if (v > UINT64_MAX)
			v = far;
		v = v > far / unit_of(word) ? far : v * unit_of(word);
		ns = ns > far ? far : ns + v;
		while (space((uint8_t)*s))
			s++;
		any = true;
	}
	*ret_ms = (ns + 999999) / 1000000;
	return any;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int64_t ms = -1;
	u128 want = 0;

	if (n > 200 || (n > 0 && memchr(p, 0, n)))
		return 0;

	char text[201] = "";

	memcpy(text, n ? (const char *)p : "", n);

	enum err e = config_parse_duration(&ms, bytes_from(p, n));
	bool good = simple(&want, text);

	if (!good)
		CHECK(e == ERR_MALFORMED && ms == -1);
	else if (want > INT64_MAX)
		CHECK(e == ERR_RANGE && ms == -1);
	else
		CHECK(e == ERR_OK && (u128)ms == want);
	return 0;
}
