/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support_request.h"

#include "net/protobuf.h"

const struct hash32 fuzz_key_id = {{[0] = 4, [31] = 1}};

const struct key_ring *fuzz_ring(void)
{
	static struct key_ring_entry entry;
	static struct key_ring r = {&entry, 1};

	entry.epoch_id = (struct hash32){{[0] = 8, [31] = 9}};
	entry.key_id = fuzz_key_id;
	/* looked up, never looked into */
	entry.key = (struct fhe_client_key *)(void *)&entry;
	return &r;
}

bool fuzz_id(Kms__V1__RequestId *id, char text[REQUEST_ID_TEXT_SIZE], struct hash32 want,
	     struct bytes *in)
{
	uint8_t what = fuzz_u8(in);

	kms__v1__request_id__init(id);
	request_id_text(text, want);
	if (what > 1) {
		struct bytes own = fuzz_take(in, what % 65);

		for (size_t i = 0; i < own.n; i++)
			text[i] = (char)(0x20 + own.p[i] % 0x5f);
	}
	id->request_id = text;
	return what != 0;
}

const struct address fuzz_verifier = {{[19] = 7}};

void fuzz_domain(Kms__V1__Eip712DomainMsg *d, char text[ADDRESS_TEXT_SIZE], struct bytes *in)
{
	static uint8_t some[40] = {1, 2, 3};
	static char name[400];
	uint8_t what = fuzz_u8(in);

	kms__v1__eip712_domain_msg__init(d);
	memset(name, 'n', sizeof(name) - 1);
	d->name = &name[what & 1 ? 0 : 390];
	d->version = (char *)(uintptr_t) "1";
	d->chain_id = protobuf_borrow(bytes_from(some, fuzz_u8(in) % 36));
	address_to_text(text, fuzz_verifier);
	if (what & 2)
		text[5] = 'g';
	d->verifying_contract = text;
	if (what & 4) {
		d->salt_presence_case = KMS__V1__EIP712_DOMAIN_MSG__SALT_PRESENCE_SALT;
		d->salt = protobuf_borrow(bytes_from(some, what & 8 ? 31 : 32));
	}
}

void fuzz_schemes(Kms__V1__SigningSchemeType *schemes, size_t n, struct bytes *in)
{
	for (size_t i = 0; i < n; i++)
		schemes[i] = (Kms__V1__SigningSchemeType)(fuzz_u8(in) % 7);
}
