/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/limits.h"

#include <stddef.h>

const struct limit_row limit_rows[] = {
#define LIMIT_ROW(name, value, what) {#name, value, what},
	LIMITS(LIMIT_ROW)
#undef LIMIT_ROW
		{NULL, 0, NULL},
};
