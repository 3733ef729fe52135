/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The transforms by AVX-512 with its 52-bit multiplier (IFMA), eight values at a time. The same
 * numbers as the portable kernel modulo each prime, in another order between the transforms.
 *
 * Values stay below 4 p < 2^52 on the way there and below 2 p on the way back (D. Harvey, "Faster
 * arithmetic for number-theoretic transforms"). The last three levels there, the first three back,
 * work on neighbours: 64 values, eight vectors, are transposed for them, so that lane r of all
 * vectors has the r-th eight of them.
 */
#include "fhe/server/rns_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdlib.h>

#define IFMA __attribute__((target("avx512f,avx512ifma")))

enum {
	LANES = 8,
	GROUP = LANES * LANES,
	GROUP_FACTORS = 1 + 2 + 4, /* vectors of factors for the three levels of a group */
	SHOUP_SHIFT = 12,          /* from floor(w * 2^64 / p) to floor(w * 2^52 / p) */
};

/* Constants of a prime in every lane. */
struct lanes {
	__m512i p, two_p, mask;
};

/* A factor in every lane, or eight. */
struct vector_factor {
	__m512i w, quotient;
};

/* ---- tables: what `lanes` of a prime points to ---- */

enum direction {
	FORWARD,
	BACKWARD,
};

/* Factors in the order of the portable tables: n values w, n quotients. */
static const uint64_t *factors_of(const struct fhe_rns *t, const struct fhe_rns_prime *q,
				  enum direction d)
{
	return &q->lanes[(size_t)d * 2 * t->n];
}

/* For each group its vectors, w and quotient in turn: where in the table. */
static size_t group_at(const struct fhe_rns *t, enum direction d, size_t group)
{
	size_t size = (size_t)GROUP_FACTORS * 2 * LANES;

	return 4 * t->n + ((size_t)d * (t->n / GROUP) + group) * size;
}

static void group_fill(const struct fhe_rns *t, const struct fhe_rns_factor *from, size_t group,
		       uint64_t *to)
{
	for (size_t parts = 1; parts <= 4; parts *= 2)
		for (size_t s = 0; s < parts; s++, to = &to[2 * LANES])
			for (size_t r = 0; r < LANES; r++) {
				size_t m = t->n / LANES * parts;
				const struct fhe_rns_factor *f =
					&from[m + (group * LANES + r) * parts + s];

				to[r] = f->w;
				to[LANES + r] = f->quotient >> SHOUP_SHIFT;
			}
}

static void lanes_fill(const struct fhe_rns *t, const struct fhe_rns_prime *q, enum direction d)
{
	const struct fhe_rns_factor *from = d == FORWARD ? q->forward : q->inverse;
	uint64_t *w = &q->lanes[(size_t)d * 2 * t->n], *quotients = &w[t->n];

	for (size_t j = 0; j < t->n; j++) {
		w[j] = from[j].w;
		quotients[j] = from[j].quotient >> SHOUP_SHIFT;
	}
	for (size_t g = 0; g < t->n / GROUP; g++)
		group_fill(t, from, g, &q->lanes[group_at(t, d, g)]);
}

static enum err ifma_prepare(struct fhe_rns *t)
{
	size_t size = 4 * t->n + 2 * (t->n / GROUP) * GROUP_FACTORS * 2 * LANES;

	for (unsigned i = 0; i < t->primes_n; i++) {
		t->primes[i].lanes = fhe_rns_alloc(size);
		if (!t->primes[i].lanes)
			return ERR_NOMEM;
		lanes_fill(t, &t->primes[i], FORWARD);
		lanes_fill(t, &t->primes[i], BACKWARD);
	}
	return ERR_OK;
}

/* ---- arithmetic ---- */

IFMA static inline __m512i load(const uint64_t *a)
{
	return _mm512_load_si512(a);
}

IFMA static inline void store(uint64_t *a, __m512i v)
{
	_mm512_store_si512(a, v);
}

IFMA static inline struct lanes lanes_of(uint64_t p)
{
	return (struct lanes){
		.p = _mm512_set1_epi64((long long)p),
		.two_p = _mm512_set1_epi64((long long)(2 * p)),
		.mask = _mm512_set1_epi64((1LL << 52) - 1),
	};
}

IFMA static inline struct vector_factor broadcast(struct fhe_rns_factor f)
{
	return (struct vector_factor){
		_mm512_set1_epi64((long long)f.w),
		_mm512_set1_epi64((long long)(f.quotient >> SHOUP_SHIFT)),
	};
}

/* a - bound where that is not negative, else a. */
IFMA static inline __m512i reduce(__m512i a, __m512i bound)
{
	return _mm512_min_epu64(a, _mm512_sub_epi64(a, bound));
}

/* a * w modulo p in [0, 2 p), for a below 2^52. */
IFMA static inline __m512i times(__m512i a, struct vector_factor f, const struct lanes *l)
{
	const __m512i zero = _mm512_setzero_si512();
	__m512i quotient = _mm512_madd52hi_epu64(zero, a, f.quotient);
	__m512i low = _mm512_madd52lo_epu64(zero, a, f.w);

	return _mm512_and_si512(_mm512_sub_epi64(low, _mm512_madd52lo_epu64(zero, quotient, l->p)),
				l->mask);
}

/* Below 4 p in and out. */
IFMA static inline void step_forward(__m512i *x, __m512i *y, struct vector_factor f,
				     const struct lanes *l)
{
	__m512i u = reduce(*x, l->two_p), v = times(*y, f, l);

	*x = _mm512_add_epi64(u, v);
	*y = _mm512_add_epi64(_mm512_sub_epi64(u, v), l->two_p);
}

/* Below 2 p in and out. */
IFMA static inline void step_backward(__m512i *x, __m512i *y, struct vector_factor f,
				      const struct lanes *l)
{
	__m512i u = *x, v = *y;

	*x = reduce(_mm512_add_epi64(u, v), l->two_p);
	*y = times(_mm512_add_epi64(_mm512_sub_epi64(u, v), l->two_p), f, l);
}

/* Rows become columns. */
IFMA static inline void transpose(__m512i v[LANES])
{
	__m512i a[LANES], b[LANES];

	for (int i = 0; i < LANES; i += 2) {
		a[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
		a[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
	}
	for (int i = 0; i < LANES; i += 4)
		for (int j = 0; j < 2; j++) {
			b[i + j] = _mm512_shuffle_i64x2(a[i + j], a[i + j + 2], 0x88);
			b[i + j + 2] = _mm512_shuffle_i64x2(a[i + j], a[i + j + 2], 0xdd);
		}
	for (int i = 0; i < 4; i++) {
		v[i] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0x88);
		v[i + 4] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0xdd);
	}
}

IFMA static inline struct vector_factor group_factor(const uint64_t *group, size_t i)
{
	return (struct vector_factor){load(&group[2 * i * LANES]),
				      load(&group[(2 * i + 1) * LANES])};
}

/* ---- transforms ---- */

IFMA static void group_forward(const uint64_t *group, const struct lanes *l, uint64_t *a)
{
	__m512i v[LANES];

	for (size_t i = 0; i < LANES; i++)
		v[i] = load(&a[i * LANES]);
	transpose(v);
	for (size_t i = 0; i < 4; i++)
		step_forward(&v[i], &v[i + 4], group_factor(group, 0), l);
	for (size_t s = 0; s < 2; s++)
		for (size_t i = 4 * s; i < 4 * s + 2; i++)
			step_forward(&v[i], &v[i + 2], group_factor(group, 1 + s), l);
	for (size_t s = 0; s < 4; s++)
		step_forward(&v[2 * s], &v[2 * s + 1], group_factor(group, 3 + s), l);
	for (size_t i = 0; i < LANES; i++)
		store(&a[i * LANES], reduce(reduce(v[i], l->two_p), l->p));
}

IFMA static void group_backward(const uint64_t *group, const struct lanes *l, uint64_t *a)
{
	__m512i v[LANES];

	for (size_t i = 0; i < LANES; i++)
		v[i] = load(&a[i * LANES]);
	for (size_t s = 0; s < 4; s++)
		step_backward(&v[2 * s], &v[2 * s + 1], group_factor(group, 3 + s), l);
	for (size_t s = 0; s < 2; s++)
		for (size_t i = 4 * s; i < 4 * s + 2; i++)
			step_backward(&v[i], &v[i + 2], group_factor(group, 1 + s), l);
	for (size_t i = 0; i < 4; i++)
		step_backward(&v[i], &v[i + 4], group_factor(group, 0), l);
	transpose(v);
	for (size_t i = 0; i < LANES; i++)
		store(&a[i * LANES], v[i]);
}

IFMA static void ifma_forward(const struct fhe_rns *t, const struct fhe_rns_prime *q, uint64_t *a)
{
	const uint64_t *w = factors_of(t, q, FORWARD), *quotients = &w[t->n];
	const struct lanes l = lanes_of(q->p);

	for (size_t m = 1, half = t->n / 2; half >= LANES; m *= 2, half /= 2)
		for (size_t i = 0; i < m; i++) {
			const struct vector_factor f = {
				_mm512_set1_epi64((long long)w[m + i]),
				_mm512_set1_epi64((long long)quotients[m + i]),
			};
			uint64_t *x = &a[2 * i * half], *y = &x[half];

			for (size_t j = 0; j < half; j += LANES) {
				__m512i u = load(&x[j]), v = load(&y[j]);

				step_forward(&u, &v, f, &l);
				store(&x[j], u);
				store(&y[j], v);
			}
		}
	for (size_t g = 0; g < t->n / GROUP; g++)
		group_forward(&q->lanes[group_at(t, FORWARD, g)], &l, &a[g * GROUP]);
}

/* But for the last level: that puts in the factors of the remainder theorem. */
IFMA static void ifma_backward(const struct fhe_rns *t, const struct fhe_rns_prime *q, uint64_t *a)
{
	const uint64_t *w = factors_of(t, q, BACKWARD), *quotients = &w[t->n];
	const struct vector_factor last[2] = {broadcast(q->last_sum),
					      broadcast(q->last_difference)};
	const struct lanes l = lanes_of(q->p);

	for (size_t g = 0; g < t->n / GROUP; g++)
		group_backward(&q->lanes[group_at(t, BACKWARD, g)], &l, &a[g * GROUP]);
	for (size_t m = t->n / (2 * LANES), half = LANES; m > 1; m /= 2, half *= 2)
		for (size_t i = 0; i < m; i++) {
			const struct vector_factor f = {
				_mm512_set1_epi64((long long)w[m + i]),
				_mm512_set1_epi64((long long)quotients[m + i]),
			};
			uint64_t *x = &a[2 * i * half], *y = &x[half];

			for (size_t j = 0; j < half; j += LANES) {
				__m512i u = load(&x[j]), v = load(&y[j]);

				step_backward(&u, &v, f, &l);
				store(&x[j], u);
				store(&y[j], v);
			}
		}
	for (size_t j = 0; j < t->n / 2; j += LANES) {
		uint64_t *x = &a[j], *y = &a[t->n / 2 + j];
		__m512i u = load(x), v = load(y);

		store(x, times(_mm512_add_epi64(u, v), last[0], &l));
		store(y, times(_mm512_add_epi64(_mm512_sub_epi64(u, v), l.two_p), last[1], &l));
	}
}

/*
 * Values below 2^50, at most FHE_RNS_ROWS_MAX products: the high halves add up to less than 2^52.
 * The low ones may pass 4 p by a little, hence two reductions.
 */
IFMA static void ifma_multiply(const struct fhe_rns *t, const struct fhe_rns_prime *q, size_t rows,
			       const uint64_t *digits, const uint64_t *words,
			       uint64_t *ret_residues)
{
	const struct vector_factor two_52 = broadcast(q->two_52);
	const struct lanes l = lanes_of(q->p);

	for (size_t i = 0; i < t->n; i += LANES) {
		__m512i low = _mm512_setzero_si512(), high = low;

		for (size_t r = 0; r < rows; r++) {
			__m512i d = load(&digits[r * t->n + i]), w = load(&words[r * t->n + i]);

			low = _mm512_madd52lo_epu64(low, d, w);
			high = _mm512_madd52hi_epu64(high, d, w);
		}
		high = times(_mm512_add_epi64(high, _mm512_srli_epi64(low, 52)), two_52, &l);
		low = reduce(_mm512_and_si512(low, l.mask), l.two_p);
		low = reduce(reduce(_mm512_add_epi64(low, high), l.two_p), l.two_p);
		store(&ret_residues[i], low);
	}
	ifma_backward(t, q, ret_residues);
}

const struct fhe_rns_kernel *fhe_rns_kernel_ifma(void)
{
	static const struct fhe_rns_kernel kernel = {
		.name = "avx512ifma",
		.size_min = GROUP,
		.prepare = ifma_prepare,
		.forward = ifma_forward,
		.multiply = ifma_multiply,
	};

	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") ? &kernel
											 : NULL;
}

#else

const struct fhe_rns_kernel *fhe_rns_kernel_ifma(void)
{
	return NULL;
}

#endif
