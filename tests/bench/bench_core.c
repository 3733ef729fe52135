/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The load of ./dev bench core: asks n running nodes for the public decryption of one FheUint64,
 * all n at the same time over gRPC (PublicDecryptSync), so many requests in flight at once, and
 * times each from its first call to the answer of every node. Each answer must hold the value.
 *
 *	bench_core KEY-ID VALUE CIPHERTEXT-FILE FLIGHT SECONDS URL…
 *
 * Prints one JSON object. `quorum` is the time until t + 1 nodes have answered: as many signatures
 * as the chain wants.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/limits.h"
#include "base/rng.h"
#include "core/request_id.h"
#include "fhe/types.h"
#include "kms.v1.pb-c.h"
#include "mpc/group.h"
#include "net/channel.h"
#include "net/protobuf.h"

#define PATH "/kms_service.v1.CoreServiceEndpoint/PublicDecryptSync"

enum {
	FLIGHT_MAX = 512,
	SAMPLES_MAX = 1 << 20,
	CIPHERTEXT_MAX = 1 << 20,
	REPLY_BYTES = 1 << 16,
	CALL_MS = 120000,
};

struct bench;

/* One request on its way. */
struct flight {
	struct bench *bench;
	double begun_ms, quorum_ms;
	unsigned answers;
};

struct bench {
	struct loop *loop;
	struct channel *nodes[MPC_PARTIES_MAX];
	unsigned nodes_n, quorum;
	struct flight flights[FLIGHT_MAX];
	unsigned running;
	double end_ms;
	struct buf ciphertext;
	const char *key_id;
	uint64_t value;
	uint64_t asked;
	uint8_t run[8]; /* in all ids: a store knows those of earlier runs */
	double all_ms[SAMPLES_MAX], quorum_ms[SAMPLES_MAX];
	size_t samples_n;
};

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void ended_badly(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench_core: %s: %s\n", what, why);
	exit(1);
}

static void must(enum err e, const char *what)
{
	if (e != ERR_OK)
		ended_badly(what, err_name(e));
}

/* ---- one request ---- */

static void request_pack(struct buf *out, struct bench *b)
{
	static const uint8_t chain_id[] = {0x1f, 0x46}, handle[32] = {0xaa};
	Kms__V1__PublicDecryptionRequest m = KMS__V1__PUBLIC_DECRYPTION_REQUEST__INIT;
	Kms__V1__RequestId id = KMS__V1__REQUEST_ID__INIT, key = KMS__V1__REQUEST_ID__INIT;
	Kms__V1__Eip712DomainMsg domain = KMS__V1__EIP712_DOMAIN_MSG__INIT;
	Kms__V1__TypedCiphertext item = KMS__V1__TYPED_CIPHERTEXT__INIT, *items[] = {&item};
	char text[REQUEST_ID_TEXT_SIZE];
	struct hash32 number = {{2}};

	memcpy(&number.b[1], b->run, sizeof(b->run));
	for (size_t i = 0; i < 8; i++)
		number.b[31 - i] = (uint8_t)(b->asked >> (8 * i));
	b->asked++;
	request_id_text(text, number);
	id.request_id = text;
	key.request_id = (char *)(uintptr_t)b->key_id;
	domain.name = (char *)(uintptr_t) "Decryption";
	domain.version = (char *)(uintptr_t) "1";
	domain.chain_id = protobuf_borrow(BYTES_OF(chain_id));
	domain.verifying_contract =
		(char *)(uintptr_t) "0x66f9664f97F2b50F62D13eA064982f936dE76657";
	item.external_handle = protobuf_borrow(BYTES_OF(handle));
	item.ciphertext = protobuf_borrow(buf_view(&b->ciphertext));
	item.fhe_type = FHE_UINT64;
	item.ciphertext_format = KMS__V1__CIPHERTEXT_FORMAT__BigCompressed;
	m.request_id = &id;
	m.key_id = &key;
	m.domain = &domain;
	m.ciphertexts = items;
	m.n_ciphertexts = 1;
	must(protobuf_pack(out, &m.base), "request");
}

static void answer_check(const struct bench *b, struct bytes reply)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(reply);
	ProtobufCMessage *unpacked;
	uint64_t value = 0;

	must(protobuf_unpack(&unpacked, &kms__v1__public_decryption_response__descriptor, reply,
			     &memory),
	     "answer");

	const Kms__V1__PublicDecryptionResponse *m =
		(const Kms__V1__PublicDecryptionResponse *)unpacked;

	if (!m->payload || m->payload->n_plaintexts != 1 ||
	    m->payload->plaintexts[0]->bytes.len != sizeof(value))
		ended_badly("answer", "not one plaintext of 8 bytes");
	for (size_t i = 0; i < sizeof(value); i++)
		value |= (uint64_t)m->payload->plaintexts[0]->bytes.data[i] << (8 * i);
	if (value != b->value)
		ended_badly("answer", "another value");
}

static void flight_begin(struct flight *f);

static void answered(void *ctx, const struct rpc_reply *reply)
{
	struct flight *f = ctx;
	struct bench *b = f->bench;
	double took_ms = now_ms() - f->begun_ms;

	if (reply->status != GRPC_OK)
		ended_badly(grpc_status_name(reply->status), reply->text);
	answer_check(b, reply->message);
	f->answers++;
	if (f->answers == b->quorum)
		f->quorum_ms = took_ms;
	if (f->answers < b->nodes_n)
		return;
	if (b->samples_n < SAMPLES_MAX) {
		b->quorum_ms[b->samples_n] = f->quorum_ms;
		b->all_ms[b->samples_n++] = took_ms;
	}
	b->running--;
	if (now_ms() < b->end_ms)
		flight_begin(f);
	else if (b->running == 0)
		loop_stop(b->loop);
}

static void flight_begin(struct flight *f)
{
	struct bench *b = f->bench;
	CLEANUP(buf_free) struct buf message = buf_make(2 * CIPHERTEXT_MAX);
	struct rpc_call call = {.path = PATH, .timeout_ms = CALL_MS, .reply_max = REPLY_BYTES};
	struct rpc_ticket ticket;

	request_pack(&message, b);
	call.message = buf_view(&message);
	f->answers = 0;
	f->begun_ms = now_ms();
	b->running++;
	for (unsigned i = 0; i < b->nodes_n; i++)
		must(channel_call(b->nodes[i], &ticket, &call, answered, f), "call");
}

/* ---- all of them ---- */

static void file_read(struct buf *out, const char *name)
{
	FILE *f = fopen(name, "rb");
	uint8_t part[4096];
	size_t n;

	if (!f)
		ended_badly(name, "cannot be read");
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		must(buf_add(out, bytes_from(part, n)), name);
	(void)fclose(f);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void spread_print(const char *name, double *ms, size_t n)
{
	qsort(ms, n, sizeof(*ms), by_value);
	printf(", \"%s\": {\"p50\": %.3f, \"p99\": %.3f, \"min\": %.3f, \"max\": %.3f}", name,
	       ms[n / 2], ms[n * 99 / 100], ms[0], ms[n - 1]);
}

static unsigned long number(const char *text, int base, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, base);

	if (*end != '\0' || n < 1 || n > max)
		ended_badly(text, "not a number that fits");
	return n;
}

static void nodes_open(struct bench *b, char **urls)
{
	struct err_note note;

	for (; *urls; urls++) {
		const struct channel_grpc_options options = {.url = *urls};

		if (b->nodes_n == MPC_PARTIES_MAX)
			ended_badly(*urls, "too many nodes");
		if (channel_grpc_open(&b->nodes[b->nodes_n], b->loop, &options, &note) != ERR_OK)
			ended_badly(*urls, note.text);
		b->nodes_n++;
	}
	b->quorum = (b->nodes_n - 1) / 3 + 1;
}

int main(int argc, char **argv)
{
	static struct bench b;
	unsigned long flights, seconds;
	double begun, took;

	if (argc < 7)
		ended_badly("usage",
			    "bench_core KEY-ID VALUE CIPHERTEXT-FILE FLIGHT SECONDS URL...");
	b.ciphertext = buf_make(CIPHERTEXT_MAX);
	b.key_id = argv[1];
	b.value = number(argv[2], 10, UINT64_MAX);
	file_read(&b.ciphertext, argv[3]);
	flights = number(argv[4], 10, FLIGHT_MAX);
	seconds = number(argv[5], 10, 3600);
	rng_fill(rng_system(), b.run, sizeof(b.run));
	must(loop_new(&b.loop), "loop");
	nodes_open(&b, &argv[6]);

	begun = now_ms();
	b.end_ms = begun + 1e3 * (double)seconds;
	for (unsigned i = 0; i < flights; i++) {
		b.flights[i].bench = &b;
		flight_begin(&b.flights[i]);
	}
	must(loop_run(b.loop), "loop");
	took = (now_ms() - begun) / 1e3;
	printf("{\"flight\": %lu, \"count\": %zu, \"seconds\": %.3f, \"per_s\": %.3f", flights,
	       b.samples_n, took, (double)b.samples_n / took);
	spread_print("all", b.all_ms, b.samples_n);
	spread_print("quorum", b.quorum_ms, b.samples_n);
	printf("}\n");
	for (unsigned i = 0; i < b.nodes_n; i++)
		channel_free(b.nodes[i]);
	loop_free(b.loop);
	buf_free(&b.ciphertext);
	return 0;
}
