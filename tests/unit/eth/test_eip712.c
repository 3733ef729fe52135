/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "crypto/ecdsa.h"
#include "eth/eip712.h"
#include "support.h"

static struct eip712_domain domain_of(const json_t *o)
{
	const json_t *d = json_object_get(o, "domain");
	struct eip712_domain out = {
		.name = bytes_str(text_at(d, "name")),
		.version = bytes_str(text_at(d, "version")),
		.verifying_contract = hex_address(text_at(d, "verifyingContract")),
	};

	assert_ok(u256_parse(&out.chain_id, bytes_str(text_at(d, "chainId"))));
	return out;
}

static void check_vector(const struct ecdsa *ecdsa, const json_t *o)
{
	struct arena a = arena_make(1 << 20);
	struct eip712_domain domain = domain_of(o);
	const char *type_string = text_at(o, "typeString");
	const struct abi_type *t;
	struct hash32 hash, digest;
	struct address signer;

	assert_ok(abi_type_parse(&a, &t, text_at(o, "types")));
	struct abi_value v = value_from_json(&a, t, json_object_get(o, "values"));

	assert_true(hash32_eq(eip712_domain_separator(&domain),
			      hex_hash(text_at(o, "domainSeparator"))));
	assert_ok(eip712_struct_hash(&hash, type_string, v.items, v.items_n));
	assert_true(hash32_eq(hash, hex_hash(text_at(o, "structHash"))));
	assert_ok(eip712_digest(&digest, &domain, type_string, v.items, v.items_n));
	assert_true(hash32_eq(digest, hex_hash(text_at(o, "digest"))));

	struct bytes signature = hex_bytes(&a, text_at(o, "signature"));
	assert_ok(ecdsa_recover(ecdsa, &signer, signature, digest));
	assert_true(address_eq(signer, hex_address(text_at(o, "signer"))));

	/* The type string that the code carries is the contracts'. */
	if (strncmp(type_string, "PublicDecrypt", 13) == 0)
		assert_string_equal(type_string, EIP712_PUBLIC_DECRYPT);
	arena_free(&a);
}

static void test_contracts(void **state)
{
	static const uint8_t seed[32] = {1};
	json_t *c = vectors_load("contracts.json");
	const json_t *list = json_object_get(c, "eip712");
	struct ecdsa *ecdsa;
	(void)state;

	assert_ok(ecdsa_new(&ecdsa, seed));
	assert_int_equal(json_array_size(list), 14);
	for (size_t i = 0; i < json_array_size(list); i++)
		check_vector(ecdsa, json_array_get(list, i));
	ecdsa_free(ecdsa);
	json_decref(c);
}

/* The example of the EIP itself: nested structs. */
static void test_mail(void **state)
{
	static const char type[] = "Mail(Person from,Person to,string contents)"
				   "Person(string name,address wallet)";
	const struct eip712_domain domain = {
		.name = BYTES_LIT("Ether Mail"),
		.version = BYTES_LIT("1"),
		.chain_id = u256_from_u64(1),
		.verifying_contract = hex_address("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"),
	};
	const struct abi_value from[] = {
		abi_bytes(BYTES_LIT("Cow")),
		abi_address(hex_address("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826")),
	};
	const struct abi_value to[] = {
		abi_bytes(BYTES_LIT("Bob")),
		abi_address(hex_address("0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB")),
	};
	const struct abi_value mail[] = {
		abi_items(from, 2),
		abi_items(to, 2),
		abi_bytes(BYTES_LIT("Hello, Bob!")),
	};
	struct hash32 hash;
	(void)state;

	assert_true(hash32_eq(
		eip712_domain_separator(&domain),
		hex_hash("0xf2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f")));
	assert_ok(eip712_struct_hash(&hash, type, mail, 3));
	assert_true(hash32_eq(
		hash,
		hex_hash("0xc52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e")));
	assert_ok(eip712_digest(&hash, &domain, type, mail, 3));
	assert_true(hash32_eq(
		hash,
		hex_hash("0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")));
}

static void test_salt_changes_the_domain(void **state)
{
	struct eip712_domain d = {.name = BYTES_LIT("n"), .version = BYTES_LIT("1")};
	struct hash32 plain = eip712_domain_separator(&d);
	(void)state;

	d.has_salt = true;
	struct hash32 zero = eip712_domain_separator(&d);
	d.salt.b[31] = 1;
	struct hash32 one = eip712_domain_separator(&d);
	assert_false(hash32_eq(plain, zero));
	assert_false(hash32_eq(zero, one));
	/* ethers 6: TypedDataEncoder.hashDomain({name, version, chainId: 0, verifyingContract:
	 * 0x0…0, salt}) */
	assert_true(hash32_eq(
		one,
		hex_hash("0x82212c708579676c8352cf4fe50b142abcc1a67ed8ddf41e793b84f449560c02")));
}

static void test_arrays(void **state)
{
	/* ethers 6: TypedDataEncoder.from(types).hash(value) */
	static const char type[] =
		"A(B[][2] grid,int8[3] three,bool[] none,bytes4 tag)B(C c,uint256 n)C(string s)";
	const struct abi_value s[] = {abi_bytes(BYTES_LIT("x"))};
	const struct abi_value b[] = {abi_items(s, 1), abi_uint(u256_from_u64(5))};
	const struct abi_value row[] = {abi_items(b, 2), abi_items(b, 2)};
	const struct abi_value grid[] = {abi_items(row, 2), abi_items(row, 1)};
	const struct abi_value three[] = {
		abi_uint(u256_from_u64(1)),
		abi_uint((struct u256){{~0ULL, ~0ULL, ~0ULL, ~0ULL}}),
		abi_uint(u256_from_u64(127)),
	};
	const struct abi_value all[] = {
		abi_items(grid, 2),
		abi_items(three, 3),
		abi_items(NULL, 0),
		abi_bytes(BYTES_LIT("\1\2\3\4")),
	};
	struct hash32 hash;
	(void)state;

	assert_ok(eip712_struct_hash(&hash, type, all, 4));
	assert_true(hash32_eq(
		hash,
		hex_hash("0x3e9196352036847eab477fbe3b0a1cdff21327c7a27e868fee76b513239a8f5b")));
}

static void test_bad_type_strings(void **state)
{
	static const char *const bad[] = {
		"",
		"A",
		"A(",
		"A(uint256)",
		"A(uint256 x",
		"A(uint256 x,)",
		"A(,uint256 x)",
		"A(uint256 x y)",
		"A(uint256  x)",
		"A(uint x)",
		"A(uint256 1x)",
		"1A(uint256 x)",
		"A(uint256] x)",
		"A([] x)",
		"A(uint256[3]y[] x)",
		"A(uint256[x][] x)",
		"A(uint256[3 x)",
		"A(B b)",                             /* missing */
		"A(uint256 x)B(uint256 x)",           /* not referred to */
		"A(C c,B b)C(uint256 x)B(uint256 x)", /* order */
		"A(B b)B(uint256 x)B(uint256 x)",     /* twice */
		"A(uint256 x)A(uint256 x)",
	};
	const struct abi_value v[] = {abi_uint(U256_ZERO), abi_uint(U256_ZERO)};
	struct hash32 hash = {{7}};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t n = 0; n <= 2; n++)
			if (eip712_struct_hash(&hash, bad[i], v, n) != ERR_MALFORMED)
				fail_msg("\"%s\" was not refused", bad[i]);
	assert_int_equal(hash.b[0], 7);
}

static void test_bad_values(void **state)
{
	const struct abi_value v[] = {abi_uint(u256_from_u64(256)), abi_uint(U256_ZERO)};
	struct hash32 hash;
	(void)state;

	assert_err(eip712_struct_hash(&hash, "A(uint8 x)", v, 1), ERR_RANGE);
	assert_err(eip712_struct_hash(&hash, "A(uint16 x)", v, 0), ERR_RANGE);
	assert_err(eip712_struct_hash(&hash, "A(uint16 x)", v, 2), ERR_RANGE);
	assert_err(eip712_struct_hash(&hash, "A(uint16[2] x)", v, 1), ERR_RANGE);
	assert_err(eip712_struct_hash(&hash, "A(B b)B(bool x)", v, 1), ERR_RANGE);
	assert_ok(eip712_struct_hash(&hash, "A(uint16 x)", v, 1));
}

/* A type that contains itself is legal; a value that never ends is not. */
static void test_recursion(void **state)
{
	static const char type[] = "Node(uint8 n,Node[] children)";
	struct abi_value leaf[] = {abi_uint(u256_from_u64(1)), abi_items(NULL, 0)};
	struct abi_value leaf_item = abi_items(leaf, 2);
	struct abi_value root[] = {abi_uint(u256_from_u64(2)), abi_items(&leaf_item, 1)};
	struct hash32 hash;
	(void)state;

	assert_ok(eip712_struct_hash(&hash, type, root, 2));

	struct abi_value loop[2] = {abi_uint(u256_from_u64(1))};
	struct abi_value self = abi_items(loop, 2);
	loop[1] = abi_items(&self, 1);
	assert_err(eip712_struct_hash(&hash, type, loop, 2), ERR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contracts),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_salt_changes_the_domain),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_bad_type_strings),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_recursion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
