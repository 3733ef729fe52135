/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The points of a CRS are in their groups. One job is a few of G1 and half as many of G2. */
#include "fhe/crs_internal.h"
#include "fhe/team.h"

enum {
	JOB_POINTS = 64
};

/* The first wrong element that a thread came across. */
struct finding {
	uint64_t element;
	enum bls12_446_group group;
};

struct checking {
	const struct fhe_crs *crs;
	struct finding findings[FHE_TEAM_THREADS_MAX];
};

static enum err element_check(struct checking *x, unsigned thread, enum bls12_446_group group,
			      uint64_t i)
{
	const struct fhe_crs *c = x->crs;
	bool first = group == BLS12_446_G1;
	uint8_t coordinates[BLS12_446_G2_SIZE];
	struct reader r;
	enum err e;

	if (first && i == c->n + 1)
		return ERR_OK;
	r = reader_of(bytes_sub(first ? c->g_list : c->g_hat_list,
				first ? fhe_crs_g_place(c, i) : fhe_crs_g_hat_place(i),
				crs_element_size(group)));
	crs_element_take(&r, group, coordinates);
	e = reader_end(&r);
	if (e == ERR_OK)
		e = bls12_446_point_check_var(group, coordinates);
	if (e != ERR_OK)
		x->findings[thread] = (struct finding){i, group};
	return e;
}

static enum err points_check(void *context, unsigned thread, size_t job)
{
	struct checking *x = context;
	const struct fhe_crs *c = x->crs;
	uint64_t end = (uint64_t)(job + 1) * JOB_POINTS;

	for (uint64_t i = end - JOB_POINTS + 1; i <= end && i <= c->n; i++) {
		TRY(element_check(x, thread, BLS12_446_G1, i));
		TRY(element_check(x, thread, BLS12_446_G1, c->n + i));
		TRY(element_check(x, thread, BLS12_446_G2, i));
	}
	return ERR_OK;
}

enum err fhe_crs_check(const struct fhe_crs *c, unsigned threads, struct err_note *note)
{
	struct checking x = {.crs = c};
	const struct finding *any = NULL;
	enum err e;

	e = fhe_team_run(threads, (size_t)(c->n + JOB_POINTS - 1) / JOB_POINTS, points_check, &x);
	for (unsigned i = 0; i < FHE_TEAM_THREADS_MAX && !any; i++)
		any = x.findings[i].element > 0 ? &x.findings[i] : NULL;
	if (e != ERR_OK && any)
		return err_say(note, e, "CompactPkeCrs: element %llu of G%d is not in the group",
			       (unsigned long long)any->element, (int)any->group);
	return e;
}
