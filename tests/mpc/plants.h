/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Bugs that somebody might write. No line of the product knows of them: for each there is a second
 * program, in which one file of src/mpc is replaced by a copy with other words at one place.
 */
#ifndef TEST_MPC_PLANTS_H
#define TEST_MPC_PLANTS_H

#include <stddef.h>

struct mpc_plant {
	const char *name, *what;
	const char *run;  /* the protocol that shows it soonest */
	const char *file; /* of src/mpc, without its .c */
	const char *find, *replace;
};
extern const struct mpc_plant mpc_plants[];
extern const size_t mpc_plants_n;
const struct mpc_plant *mpc_plant_find(const char *name);

#endif
