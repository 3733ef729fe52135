/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys that are small enough to be edited byte by byte. */
#ifndef TESTS_FUZZ_SUPPORT_PARAMS_H
#define TESTS_FUZZ_SUPPORT_PARAMS_H

#include "fhe/params.h"

/* The set "test" with polynomials of two coefficients. */
static inline struct fhe_params fuzz_tiny_params(void)
{
	struct fhe_params p = fhe_params_test;

	p.compute.polynomial_size = 2;
	p.pke.dimension = 2;
	p.compression.polynomial_size = 2;
	p.compression.lwe_per_glwe = 2;
	p.sns.polynomial_size = 2;
	p.sns_compression.polynomial_size = 2;
	p.sns_compression.lwe_per_glwe = 2;
	return p;
}

#endif
