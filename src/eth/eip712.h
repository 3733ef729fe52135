/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * EIP-712 typed data, driven by the type string: the members of
 * "PublicDecryptVerification(bytes32[] ctHandles,…)" name their ABI types, values come in the same
 * order. Referenced structs follow the primary type in the string, as the EIP encodes them. The
 * domain is name, version, chain id and verifying contract, with an optional salt.
 */
#ifndef ETH_EIP712_H
#define ETH_EIP712_H

#include "eth/abi.h"

struct eip712_domain {
	struct bytes name;
	struct bytes version;
	struct u256 chain_id;
	struct address verifying_contract;
	bool has_salt;
	struct hash32 salt;
};

struct hash32 eip712_domain_separator(const struct eip712_domain *d);

/*
 * values: one per member of the primary type; struct members are values with items. ERR_MALFORMED:
 * a type string that is not what encodeType makes (order, completeness); ERR_RANGE: a value does
 * not fit; ERR_TOO_BIG: nesting, structs.
 */
enum err eip712_struct_hash(struct hash32 *ret_hash, const char *type_string,
			    const struct abi_value *values, size_t values_n) MUST_USE;

/* keccak256(0x19 0x01 || separator || structHash): what is signed. */
enum err eip712_digest(struct hash32 *ret_digest, const struct eip712_domain *d,
		       const char *type_string, const struct abi_value *values,
		       size_t values_n) MUST_USE;

/* The KMS's type strings, by name. */
#define EIP712_PUBLIC_DECRYPT                                                                      \
	"PublicDecryptVerification(bytes32[] ctHandles,bytes decryptedResult,bytes extraData)"
#define EIP712_USER_LINKER                                                                         \
	"UserDecryptionLinker(bytes publicKey,bytes32[] handles,address userAddress)"
#define EIP712_USER_RESPONSE                                                                       \
	"UserDecryptResponseVerification(bytes publicKey,bytes32[] ctHandles,"                     \
	"bytes userDecryptedShare,bytes extraData)"

#endif
