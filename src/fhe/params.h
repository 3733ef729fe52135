/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * TFHE parameter sets: the numbers that a ClientKey carries, and the sets that the KMS knows by
 * name.
 *
 * All ciphertext moduli are native (2^64, for squashed ciphertexts 2^128); messages have 2 bits and
 * carries 2 bits with one bit of padding; noise is TUniform(b), given by b; secret keys are binary.
 */
#ifndef FHE_PARAMS_H
#define FHE_PARAMS_H

#include <stdbool.h>

#include "base/limits.h"
#include "fhe/layout.h"

enum fhe_mod_switch_kind {
	FHE_MOD_SWITCH_STANDARD = 0,
	FHE_MOD_SWITCH_DRIFT = 1,
	FHE_MOD_SWITCH_CENTERED_MEAN = 2,
};

struct fhe_mod_switch {
	uint32_t kind;
	uint64_t zeros; /* the rest for DRIFT only */
	double bound, r_sigma, variance;
};

/* ClassicPBSParameters: the keys that coprocessors compute with. */
struct fhe_compute_params {
	uint64_t lwe_dimension, glwe_dimension, polynomial_size;
	uint32_t lwe_noise, glwe_noise;
	uint64_t pbs_base_log, pbs_level, ks_base_log, ks_level;
	uint64_t message_modulus, carry_modulus, max_noise_level;
	double log2_p_fail;
	uint32_t encryption_key; /* 0 = the big key */
	struct fhe_mod_switch mod_switch;
};

/* CompactPublicKeyEncryptionParameters: what users encrypt with. */
struct fhe_pke_params {
	uint64_t dimension;
	uint32_t noise;
	uint64_t message_modulus, carry_modulus;
	uint32_t expansion; /* 0 = RequiresCasting, 1 = NoCasting */
	uint32_t zk_scheme; /* 0 none, 1 V1, 2 V2 */
};

/* ShortintKeySwitchingParameters: from the compact private key to the compute key. */
struct fhe_ks_params {
	uint64_t base_log, level;
	uint32_t destination; /* 0 big, 1 small */
};

/* ClassicCompressionParameters: lists of 64-bit ciphertexts. */
struct fhe_compression_params {
	uint64_t br_level, br_base_log, packing_level, packing_base_log;
	uint64_t polynomial_size, glwe_dimension, lwe_per_glwe, storage_log_modulus;
	uint32_t noise;
};

/* NoiseSquashingClassicParameters: 64-bit to 128-bit ciphertexts. */
struct fhe_sns_params {
	uint64_t glwe_dimension, polynomial_size;
	uint32_t noise;
	uint64_t base_log, level;
	struct fhe_mod_switch mod_switch;
	uint64_t message_modulus, carry_modulus;
};

/* NoiseSquashingCompressionParameters: lists of 128-bit ciphertexts, the "BigCompressed" of the
 * KMS. */
struct fhe_sns_compression_params {
	uint64_t packing_level, packing_base_log, polynomial_size, glwe_dimension, lwe_per_glwe;
	uint32_t noise;
	uint64_t message_modulus, carry_modulus;
};

struct fhe_params {
	struct fhe_compute_params compute;
	bool has_pke, has_compression, has_sns, has_sns_compression, has_rerand, has_oprf;
	struct fhe_pke_params pke;
	struct fhe_ks_params pke_ks;
	struct fhe_compression_params compression;
	struct fhe_sns_params sns;
	struct fhe_sns_compression_params sns_compression;
	uint32_t rerand; /* 1 = DerivedCPKWithoutKeySwitch */
};

/* The secret keys of a ClientKey, in the order in which tfhe-rs draws them. */
enum fhe_key_id {
	FHE_KEY_LWE,
	FHE_KEY_GLWE,
	FHE_KEY_COMPRESSION,
	FHE_KEY_PKE,
	FHE_KEY_SNS,
	FHE_KEY_SNS_COMPRESSION,
	FHE_KEY_OPRF,
	FHE_KEY_COUNT,
};

enum {
	FHE_MESSAGE_BITS = 2
};

struct fhe_param_set {
	const char *name;
	const struct fhe_params *params;
};

/* tfhe-rs meta parameters V1_7 and V1_6 (META_CPU_2_2_KS_PBS_PKE_TO_SMALL_ZKV2_TUNIFORM_2M128): the
 * KMS default set. */
extern const struct fhe_params fhe_params_v1_7;
extern const struct fhe_params fhe_params_v1_6;
/* The KMS set "test" (PARAMS_TEST_BK_SNS): no security at all, for quick tests. */
extern const struct fhe_params fhe_params_test;

/* All named sets ("default" is V1_7), ended by a NULL name. */
extern const struct fhe_param_set fhe_param_sets[];

/* NULL if there is none of that name. */
const struct fhe_params *fhe_params_by_name(const char *name);

/*
 * Every number in its range, and together: powers of two where a polynomial product needs them,
 * levels that fit a word, parts that need another there. ERR_UNSUPPORTED; the note says which. Sets
 * are checked before anything is made from them.
 */
enum err fhe_params_check(const struct fhe_params *p, struct err_note *note) MUST_USE;

/* Bits of a secret key, 0 if the set has none of this kind. The counts of a set read from input are
 * bounded first. */
size_t fhe_params_key_bits(const struct fhe_params *p, enum fhe_key_id id);

/* Polynomial size of a GLWE key, 0 for LWE keys. */
size_t fhe_params_key_polynomial(const struct fhe_params *p, enum fhe_key_id id);

/* Layouts of the parameter structs, for the objects that carry them. Each works on the struct of
 * its name. */
extern const struct layout
	fhe_compute_layout;                /* struct fhe_compute_params, from PBSParameters on */
extern const struct layout fhe_pke_layout; /* struct fhe_pke_params */
extern const struct layout fhe_ks_layout;  /* struct fhe_ks_params */
extern const struct layout fhe_compression_layout;     /* struct fhe_compression_params */
extern const struct layout fhe_sns_layout;             /* struct fhe_sns_params */
extern const struct layout fhe_sns_compression_layout; /* struct fhe_sns_compression_params */

/* A whole set, for objects of ours: the parts of a ClientKey one after the other, without keys. */
extern const struct layout fhe_params_layout; /* struct fhe_params */

#endif
