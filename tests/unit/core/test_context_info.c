/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Contexts in the published layout: what is written is what a published object is, byte for byte;
 * what is no committee, or asks for attestation, is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "codec/safe_serialize.h"
#include "core/context_info.h"
#include "net/protobuf.h"
#include "support.h"

enum {
	NODES = 4
};

struct message {
	Kms__V1__MpcContext m;
	Kms__V1__RequestId id;
	Kms__V1__MpcNode nodes[NODES], *list[NODES];
	Kms__V1__PcrValues pcrs[2], *pcr_list[2];
	char text[REQUEST_ID_TEXT_SIZE], names[NODES][8], urls[NODES][40];
};

static void message_init(struct message *x)
{
	static const struct hash32 id = {{7, [31] = 9}};

	memset(x, 0, sizeof(*x));
	kms__v1__mpc_context__init(&x->m);
	kms__v1__request_id__init(&x->id);
	request_id_text(x->text, id);
	x->id.request_id = x->text;
	x->m.context_id = &x->id;
	x->m.software_version = (char *)(uintptr_t) "v1.2";
	x->m.threshold = 1;
	x->m.mpc_nodes = x->list;
	x->m.n_mpc_nodes = NODES;
	for (unsigned i = 0; i < NODES; i++) {
		kms__v1__mpc_node__init(&x->nodes[i]);
		(void)snprintf(x->names[i], sizeof(x->names[i]), "p%u", i + 1);
		(void)snprintf(x->urls[i], sizeof(x->urls[i]), "https://[2001:db8::%u]:5000%u/", i,
			       i);
		x->nodes[i].mpc_identity = x->names[i];
		x->nodes[i].external_url = x->urls[i];
		x->nodes[i].party_id = (int32_t)(NODES - i);
		x->list[i] = &x->nodes[i];
	}
}

static enum err pass(const struct message *x, struct mpc_context *ret, struct err_note *note)
{
	struct buf out = buf_make(CONTEXT_INFO_SIZE_MAX);
	enum err e = context_info_write(&out, &x->m, note);

	if (e == ERR_OK)
		e = context_info_read(ret, buf_view(&out), (struct address){{1}}, note);
	buf_free(&out);
	return e;
}

/* The published object, behind the header that a stored one has. It holds measurements, and two
 * nodes of one name: read back it is refused, for the first of these. */
static void test_published(void **state)
{
	(void)state;
	struct buf body = vector_read("core/kms_context_info.bcode"), out = buf_make(1 << 16);
	struct bincode_writer w = {.out = &out};
	static const uint8_t id[] = {0xf7, 0xea, 0x76, 0xa0, 0x3b, 0xfb, 0x60, 0x86,
				     0xef, 0x26, 0x54, 0x43, 0x4f, 0xac, 0x61, 0x90,
				     0x98, 0xd9, 0xa0, 0xd8, 0x7e, 0x59, 0x1e, 0xbf,
				     0x18, 0xfd, 0x66, 0xb1, 0x64, 0xed, 0x60, 0xda};
	static struct message x;
	struct mpc_context c;
	struct buf made = buf_make(1 << 16);
	char pcr[3][65];
	struct hash32 context_id;

	message_init(&x);
	memcpy(context_id.b, id, sizeof(id));
	request_id_text(x.text, context_id);
	x.m.software_version = (char *)(uintptr_t) "2.11.12";
	x.m.threshold = 3;
	x.m.n_mpc_nodes = 2;
	for (unsigned i = 0; i < 2; i++) {
		x.nodes[i].mpc_identity = (char *)(uintptr_t) "Staoshi Nakamoto";
		x.nodes[i].party_id = 42;
		x.nodes[i].external_url = (char *)(uintptr_t) "https://node42.example.com";
		x.nodes[i].public_storage_url =
			(char *)(uintptr_t) "https://storage.example.com/node42";
		x.nodes[i].public_storage_prefix_presence_case =
			KMS__V1__MPC_NODE__PUBLIC_STORAGE_PREFIX_PRESENCE_PUBLIC_STORAGE_PREFIX;
		x.nodes[i].public_storage_prefix = (char *)(uintptr_t) "PUB";
		kms__v1__pcr_values__init(&x.pcrs[i]);
		x.pcr_list[i] = &x.pcrs[i];
	}
	for (unsigned k = 0; k < 3; k++)
		for (unsigned i = 0; i < 32; i++)
			(void)snprintf(&pcr[k][2 * i], 3, "0%u", k);
	for (unsigned i = 0; i < 2; i++) {
		x.pcrs[i].pcr0 = protobuf_borrow(bytes_str(pcr[0]));
		x.pcrs[i].pcr1 = protobuf_borrow(bytes_str(pcr[1]));
		x.pcrs[i].pcr2 = protobuf_borrow(bytes_str(pcr[2]));
	}
	x.m.pcr_values = x.pcr_list;
	x.m.n_pcr_values = 2;

	safe_serialize_begin(&w, "kms::ContextInfo");
	bincode_put_raw(&w, buf_view(&body));
	OK(bincode_end(&w));
	OK(context_info_write(&made, &x.m, NULL));
	assert_int_equal(made.n, out.n);
	assert_memory_equal(made.p, out.p, out.n);
	assert_int_equal(context_info_read(&c, buf_view(&out), (struct address){{1}}, NULL),
			 ERR_BAD_REQUEST);
	buf_free(&body);
	buf_free(&out);
	buf_free(&made);
}

static void test_read(void **state)
{
	(void)state;
	static struct message x;
	static struct mpc_context c;
	struct address us = {{1}};

	message_init(&x);
	x.nodes[1].signer_address_presence_case =
		KMS__V1__MPC_NODE__SIGNER_ADDRESS_PRESENCE_SIGNER_ADDRESS;
	x.nodes[1].signer_address = protobuf_borrow(BYTES_OF(us.b));
	x.nodes[1].ca_cert_presence_case = KMS__V1__MPC_NODE__CA_CERT_PRESENCE_CA_CERT;
	x.nodes[1].ca_cert = protobuf_borrow(BYTES_LIT("a certificate"));
	OK(pass(&x, &c, NULL));
	assert_int_equal(c.n, NODES);
	assert_int_equal(c.threshold, 1);
	assert_int_equal(c.me, 3); /* by the address; numbers count, not places in the list */
	assert_string_equal(c.party[2].identity, "p2");
	assert_string_equal(c.party[2].host, "2001:db8::1");
	assert_int_equal(c.party[2].port, 50001);
	assert_true(bytes_eq_var(buf_view(&c.party[2].ca_pem), BYTES_LIT("a certificate")));
	mpc_context_clear(&c);
}

static void refused(const struct message *x, enum err e, const char *why)
{
	static struct mpc_context c;
	struct err_note note = {0};

	assert_int_equal(pass(x, &c, &note), e);
	if (!strstr(note.text, why))
		fail_msg("not \"%s\" but \"%s\"", why, note.text);
}

static void test_refused(void **state)
{
	(void)state;
	static struct message x;

	message_init(&x);
	x.m.n_pcr_values = 1;
	x.m.pcr_values = x.pcr_list;
	x.pcr_list[0] = &x.pcrs[0];
	kms__v1__pcr_values__init(&x.pcrs[0]);
	refused(&x, ERR_STATE_MOVED, "attest");
	message_init(&x);
	x.m.threshold = 2;
	refused(&x, ERR_BAD_REQUEST, "4 nodes with threshold 2");
	message_init(&x);
	x.m.threshold = 0;
	refused(&x, ERR_BAD_REQUEST, "threshold 0");
	message_init(&x);
	x.nodes[0].party_id = 3;
	refused(&x, ERR_BAD_REQUEST, "party_id 3");
	message_init(&x);
	x.nodes[0].party_id = -1;
	refused(&x, ERR_BAD_REQUEST, "party_id -1");
	message_init(&x);
	x.nodes[0].mpc_identity = x.names[1];
	refused(&x, ERR_BAD_REQUEST, "mpc_identity of party 3");
	message_init(&x);
	x.nodes[2].external_url = (char *)(uintptr_t) "https://host-without-port";
	refused(&x, ERR_BAD_REQUEST, "external_url");
	message_init(&x);
	x.m.software_version = (char *)(uintptr_t) "new";
	refused(&x, ERR_BAD_REQUEST, "software_version");
	message_init(&x);
	x.text[0] = 'x';
	refused(&x, ERR_BAD_REQUEST, "context_id");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
