/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "world.h"

#include "connector/handle_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/keccak.h"

/* ---- contracts ---- */

static bool is_call(struct bytes data, const char *signature)
{
	uint8_t selector[4];

	abi_selector(selector, signature);
	return data.n >= 4 && memcmp(data.p, selector, 4) == 0;
}

static struct hash32 word_at(struct bytes data, size_t i)
{
	struct bytes b = bytes_sub(data, 4 + 32 * i, 32);
	struct hash32 h = {{0}};

	assert_int_equal(b.n, 32);
	memcpy(h.b, b.p, 32);
	return h;
}

static void encode(struct buf *out, const char *type_text, const struct abi_value *items, size_t n)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	const struct abi_type *type;
	const struct abi_value tuple = {.items = items, .items_n = n};

	assert_int_equal(abi_type_parse(&a, &type, type_text), ERR_OK);
	assert_int_equal(abi_encode(out, type, &tuple), ERR_OK);
}

static void give_addresses(struct buf *out, const struct address *list)
{
	struct abi_value items[WORLD_COPROCESSORS];

	for (size_t i = 0; i < WORLD_COPROCESSORS; i++)
		items[i] = abi_address(list[i]);
	const struct abi_value v = {.items = items, .items_n = WORLD_COPROCESSORS};
	encode(out, "(address[])", &v, 1);
}

static bool give_coprocessor(struct world *w, struct bytes data, struct buf *out)
{
	struct hash32 word = word_at(data, 0);

	for (size_t i = 0; i < WORLD_COPROCESSORS; i++)
		if (memcmp(&word.b[12], w->tx_senders[i].b, 20) == 0) {
			const struct abi_value f[] = {
				abi_address(w->tx_senders[i]),
				abi_address(w->signers[i]),
				abi_bytes(bytes_str(w->urls[i])),
			};
			const struct abi_value v = {.items = f, .items_n = 3};

			encode(out, "((address,address,string))", &v, 1);
			return true;
		}
	return false;
}

static void give_word(struct buf *out, uint64_t v)
{
	const struct abi_value value = abi_uint(u256_from_u64(v));

	encode(out, "(uint256)", &value, 1);
}

/* isKmsSigner(address), isKmsSignerForContext(uint256,address) */
static bool give_is_signer(struct world *w, struct bytes data, size_t at, struct buf *out)
{
	struct hash32 word = word_at(data, at);
	bool context = at == 0 || u256_eq(u256_from_be(word_at(data, 0).b), w->valid_context);

	w->signer_calls++;
	w->context_signer_calls += at == 1 ? 1 : 0;
	if (w->kms_signers_unknown || !context)
		return false;
	give_word(out, memcmp(&word.b[12], w->kms_signer.b, 20) == 0 ? 1 : 0);
	return true;
}

static bool gateway_call(void *ctx, struct address to, struct bytes data, uint64_t block,
			 struct buf *result)
{
	struct world *w = ctx;

	(void)block;
	if (!address_eq(to, w->gateway_config))
		return false;
	if (is_call(data, "getCoprocessorSigners()"))
		give_addresses(result, w->signers);
	else if (is_call(data, "getCoprocessorTxSenders()"))
		give_addresses(result, w->tx_senders);
	else if (is_call(data, "getCoprocessorMajorityThreshold()"))
		give_word(result, w->threshold);
	else if (is_call(data, "isValidKmsContext(uint256)"))
		give_word(result,
			  u256_eq(u256_from_be(word_at(data, 0).b), w->valid_context) ? 1 : 0);
	else if (is_call(data, "isKmsSigner(address)"))
		return give_is_signer(w, data, 0, result);
	else if (is_call(data, "isKmsSignerForContext(uint256,address)"))
		return give_is_signer(w, data, 1, result);
	else
		return is_call(data, "getCoprocessor(address)") &&
		       give_coprocessor(w, data, result);
	return true;
}

static struct address address_at(struct bytes data, size_t i)
{
	struct hash32 word = word_at(data, i);
	struct address a;

	memcpy(a.b, &word.b[12], sizeof(a.b));
	return a;
}

/* An account without code answers nothing to any call. */
static bool wallet_call(struct world *w, struct address to, struct buf *result)
{
	w->wallet_calls++;
	w->wallet_gas = w->host.call_gas;
	if (!address_eq(to, w->wallet))
		return true;
	if (!w->wallet_reverts)
		assert_int_equal(buf_add(result, w->wallet_says), ERR_OK);
	return !w->wallet_reverts;
}

static bool granted(const struct world *w, const struct world_grant *want)
{
	for (size_t i = 0; i < w->grants_n; i++) {
		const struct world_grant *g = &w->grants[i];

		if (hash32_eq(g->handle, want->handle) && g->delegated == want->delegated &&
		    address_eq(g->account, want->account) &&
		    address_eq(g->delegator, want->delegator) &&
		    address_eq(g->contract, want->contract))
			return true;
	}
	return false;
}

static bool user_call(struct world *w, struct bytes data, struct buf *result)
{
	struct world_grant want = {0};

	if (is_call(data, "decryptionSignatureInvalidatedBefore(address)")) {
		const struct abi_value value = abi_uint(w->void_before);

		encode(result, "(uint256)", &value, 1);
		return true;
	}
	w->acl_calls++;
	if (is_call(data, "isAllowed(bytes32,address)")) {
		want.handle = word_at(data, 0);
		want.account = address_at(data, 1);
	} else if (is_call(data,
			   "isHandleDelegatedForUserDecryption(address,address,address,bytes32)")) {
		want.delegated = true;
		want.delegator = address_at(data, 0);
		want.account = address_at(data, 1);
		want.contract = address_at(data, 2);
		want.handle = word_at(data, 3);
	} else {
		return false;
	}
	give_word(result, granted(w, &want) ? 1 : 0);
	return true;
}

static bool host_call(void *ctx, struct address to, struct bytes data, uint64_t block,
		      struct buf *result)
{
	struct world *w = ctx;
	bool allowed = false;

	(void)block;
	if (is_call(data, "isValidSignature(bytes32,bytes)"))
		return wallet_call(w, to, result);
	if (address_eq(to, w->acl) && !is_call(data, "isAllowedForDecryption(bytes32)"))
		return user_call(w, data, result);
	if (!address_eq(to, w->acl))
		return false;
	w->acl_calls++;
	for (size_t i = 0; i < w->allowed_n; i++)
		allowed = allowed || hash32_eq(w->allowed[i], word_at(data, 0));
	give_word(result, allowed ? 1 : 0);
	return true;
}

/* ---- life ---- */

static struct address address_of(uint8_t fill)
{
	struct address a;

	memset(a.b, fill, sizeof(a.b));
	return a;
}

static void config_init(struct world *w)
{
	struct connector_config *c = &w->config;

	w->host_config = (struct host_chain_config){"http://host", {WORLD_HOST_CHAIN}, w->acl};
	*c = (struct connector_config){
		.gateway_chain_id = WORLD_GATEWAY_CHAIN,
		.decryption_contract = {w->decryption, "Decryption", "1"},
		.gateway_config_contract = {w->gateway_config, "GatewayConfig", "1"},
		.task_limit = 1000,
		.decryption_polling_ms = 500,
		.get_logs_batch_size = 100,
		.host_chains = &w->host_config,
		.host_chains_n = 1,
		.db_fast_event_polling_ms = 3000,
		.events_batch_size = 50,
		.max_decryption_attempts = 20,
		.s3_ciphertext_retrieval_attempts = 3,
		.s3_connect_timeout_ms = 3000,
		.s3_head_timeout_ms = 5000,
		.s3_get_timeout_ms = 20000,
		.s3_max_ciphertext_size = 1 << 20,
		.s3_max_concurrent_heads_per_bucket = 64,
		.s3_max_concurrent_gets = 16,
		.copro_registry_refresh_ms = 60000,
		.erc1271_gas_limit = 100000,
		.grpc_request_retries = 1,
		.retry_interval_ms = 500,
		.db_long_event_polling_ms = 60000,
		.operation_under_process_timeout_ms = 30000,
		.database_polling_timeout_ms = 5000,
		.max_consecutive_polling_errors = 20,
		.acl_grace_ms = 600000,
		.decryption_expiry_ms = 24 * 3600 * INT64_C(1000),
	};
}

static void env_init(struct world *w)
{
	struct provider_options gateway = {
		.url = "http://gateway",
		.chain_id = {WORLD_GATEWAY_CHAIN},
		.timeout_ms = 10000,
		.verify_chain = true,
	};
	struct provider_options host = {
		.url = "http://host",
		.chain_id = {WORLD_HOST_CHAIN},
		.timeout_ms = 10000,
		.verify_chain = true,
	};
	struct err_note note = {0};

	assert_int_equal(
		provider_new(&w->gateway_provider, &w->net.base, &w->sim.clock, &gateway, &note),
		ERR_OK);
	assert_int_equal(provider_new(&w->host_provider, &w->net.base, &w->sim.clock, &host, &note),
			 ERR_OK);
	w->hosts[0] = w->host_provider;
	w->cores[0] = &w->core.base;
	w->log = (struct log){.level = LOG_LEVEL_DEBUG, .fd = getenv("SIM_LOG") ? 2 : -1};
	w->env = (struct connector_env){
		.clock = &w->sim.clock,
		.rng = &w->sim.rng.base,
		.transport = &w->net.base,
		.store = &w->sim.store.base,
		.cores = w->cores,
		.cores_n = 1,
		.ecdsa = w->ecdsa,
		.gateway = w->gateway_provider,
		.hosts = w->hosts,
		.hosts_n = 1,
		.config = &w->config,
		.log = &w->log,
		.metrics = &w->metrics,
		.inflight = &w->inflight,
		.owner = "test-1",
	};
}

void world_init(struct world *w, uint64_t seed)
{
	static const char *const urls[] = {"http://s3/a", "http://s3/b", "http://s3/c"};
	const uint8_t blind[32] = {7};

	memset(w, 0, sizeof(*w));
	w->kept = arena_make(64 << 20);
	sim_init(&w->sim, seed);
	sim_net_init(&w->net, &w->sim);
	sim_chain_init(&w->gateway, &w->sim, &w->net, "http://gateway", WORLD_GATEWAY_CHAIN);
	sim_chain_init(&w->host, &w->sim, &w->net, "http://host", WORLD_HOST_CHAIN);
	w->gateway.call = gateway_call;
	w->host.call = host_call;
	w->gateway.call_ctx = w->host.call_ctx = w;
	w->decryption = address_of(0xde);
	w->gateway_config = address_of(0x6c);
	w->acl = address_of(0xac);
	assert_int_equal(ecdsa_new(&w->ecdsa, blind), ERR_OK);
	for (uint8_t i = 0; i < WORLD_COPROCESSORS; i++) {
		memset(w->coprocessor_keys[i].b, 0x30 + i, 32);
		assert_int_equal(ecdsa_address(w->ecdsa, &w->signers[i], &w->coprocessor_keys[i]),
				 ERR_OK);
		w->tx_senders[i] = address_of((uint8_t)(0xc0 + i));
		w->urls[i] = urls[i];
		sim_bucket_init(&w->buckets[i], &w->net, urls[i]);
	}
	w->threshold = 2;
	w->valid_context = u256_from_u64(7);
	w->domain = (struct eip712_domain){
		.name = BYTES_LIT("Decryption"),
		.version = BYTES_LIT("1"),
		.chain_id = u256_from_u64(WORLD_GATEWAY_CHAIN),
		.verifying_contract = w->decryption,
	};
	sim_core_init(&w->core, &w->sim, w->ecdsa, &w->domain);
	w->core.spy = spy_on_core;
	w->core.spy_ctx = w;
	assert_int_equal(ecdsa_address(w->ecdsa, &w->kms_signer, &w->core.key), ERR_OK);
	config_init(w);
	env_init(w);
	sim_chain_mine(&w->gateway, 10);
	sim_chain_mine(&w->host, 10);
}

void world_free(struct world *w)
{
	if (w->log.fd > 2)
		(void)close(w->log.fd);
	provider_free(w->gateway_provider);
	provider_free(w->host_provider);
	sim_core_free(&w->core);
	assert_null(w->net.exchanges);
	sim_free(&w->sim);
	inflight_free(&w->inflight);
	ecdsa_free(w->ecdsa);
	arena_free(&w->kept);
}

/* ---- state ---- */

struct hash32 world_handle(uint8_t tag, uint8_t fhe_type)
{
	struct hash32 h;

	memset(h.b, tag, sizeof(h.b));
	for (unsigned i = 0; i < 8; i++)
		h.b[22 + i] = (uint8_t)((uint64_t)WORLD_HOST_CHAIN >> (56 - 8 * i));
	h.b[30] = fhe_type;
	h.b[31] = 0;
	return h;
}

void world_allow(struct world *w, struct hash32 handle)
{
	assert_true(w->allowed_n < WORLD_HANDLES_MAX);
	w->allowed[w->allowed_n++] = handle;
}

void world_grant(struct world *w, struct hash32 handle, struct address account)
{
	assert_true(w->grants_n < ARRAY_LEN(w->grants));
	w->grants[w->grants_n++] = (struct world_grant){.handle = handle, .account = account};
}

void world_delegate(struct world *w, struct hash32 handle, struct address delegator,
		    struct address delegate, struct address contract)
{
	world_grant(w, handle, delegate);
	w->grants[w->grants_n - 1].delegated = true;
	w->grants[w->grants_n - 1].delegator = delegator;
	w->grants[w->grants_n - 1].contract = contract;
}

void world_attest(struct world *w, struct sim_object *o, unsigned coprocessor, struct hash32 handle,
		  struct bytes body, uint64_t key_id)
{
	struct attestation a = {
		.key_id = u256_from_u64(key_id),
		.ciphertext_digest = keccak256(BYTES_LIT("the 64-bit ciphertext")),
		.sns_digest = keccak256(body),
		.format = CT_COMPRESSED_ON_CPU,
		.signer = w->signers[coprocessor],
	};
	struct hash32 digest =
		attestation_digest(&a, &handle, u256_from_u64(COPROCESSOR_CONTEXT_ID));
	char ct[65], sns[65], signer[41], sig[131];

	assert_int_equal(
		ecdsa_sign65(w->ecdsa, &a.signature, &w->coprocessor_keys[coprocessor], digest),
		ERR_OK);
	hex_encode(ct, BYTES_OF(a.ciphertext_digest.b));
	hex_encode(sns, BYTES_OF(a.sns_digest.b));
	hex_encode(signer, BYTES_OF(a.signer.b));
	hex_encode(sig, BYTES_OF(a.signature.b));
	(void)snprintf(o->attestation, sizeof(o->attestation),
		       "{\"version\":1,\"key_id\":\"0x%llx\",\"ciphertext_digest\":\"0x%s\",\"sns_"
		       "ciphertext_digest\":\"0x%s\","
		       "\"format\":\"compressed_on_cpu\",\"signer\":\"0x%s\",\"signature\":\"0x%"
		       "s\",\"new\":[1]}",
		       (unsigned long long)key_id, ct, sns, signer, sig);
}

struct sim_object *world_publish_attested(struct world *w, unsigned coprocessor,
					  struct hash32 handle, struct bytes body)
{
	char hex[65];

	hex_encode(hex, BYTES_OF(handle.b));
	struct sim_object *o = sim_bucket_put(&w->buckets[coprocessor], body, "/ct128/%s/1", hex);
	world_attest(w, o, coprocessor, handle, body, 4);
	return o;
}

struct sim_object *world_publish_committed(struct world *w, unsigned coprocessor, struct bytes body)
{
	struct hash32 digest = keccak256(body);
	char hex[65];

	hex_encode(hex, BYTES_OF(digest.b));
	struct sim_object *o = sim_bucket_put(&w->buckets[coprocessor], body, "/%s", hex);
	(void)snprintf(o->format, sizeof(o->format), "compressed_on_cpu");
	return o;
}

/* ---- requests ---- */

struct request_data {
	struct buf legacy, handles;
};

static void encode_request(struct world *w, struct request_data *d, const struct hash32 *handles,
			   size_t n, struct bytes extra_data, unsigned committers,
			   struct bytes body)
{
	struct abi_value rows[WORLD_HANDLES_MAX], fields[WORLD_HANDLES_MAX][4],
		plain[WORLD_HANDLES_MAX];
	struct abi_value senders[WORLD_COPROCESSORS];
	struct hash32 digest = keccak256(body);
	size_t senders_n = 0;

	assert_true(n <= WORLD_HANDLES_MAX);
	for (unsigned i = 0; i < WORLD_COPROCESSORS; i++)
		if ((committers >> i & 1) != 0)
			senders[senders_n++] = abi_address(w->tx_senders[i]);
	for (size_t i = 0; i < n; i++) {
		plain[i] = abi_hash(&handles[i]);
		fields[i][0] = abi_hash(&handles[i]);
		fields[i][1] = abi_uint(u256_from_u64(4));
		fields[i][2] = abi_hash(&digest);
		fields[i][3] = (struct abi_value){.items = senders, .items_n = senders_n};
		rows[i] = (struct abi_value){.items = fields[i], .items_n = 4};
	}
	const struct abi_value legacy[] = {{.items = rows, .items_n = n}, abi_bytes(extra_data)};
	const struct abi_value handle_only[] = {{.items = plain, .items_n = n},
						abi_bytes(extra_data)};

	d->legacy = buf_make(1 << 16);
	d->handles = buf_make(1 << 16);
	encode(&d->legacy, "((bytes32,uint256,bytes32,address[])[],bytes)", legacy, 2);
	encode(&d->handles, "(bytes32[],bytes)", handle_only, 2);
}

/* Log data lives as long as the world. */
static struct bytes keep(struct world *w, struct buf *b)
{
	struct bytes kept;

	assert_int_equal(arena_copy(&w->kept, &kept, buf_view(b)), ERR_OK);
	buf_free(b);
	return kept;
}

static void topics_of(struct hash32 topics[2], uint64_t id, bool legacy)
{
	topics[0] = abi_topic(legacy ? "PublicDecryptionRequest(uint256,(bytes32,uint256,bytes32,"
				       "address[])[],bytes)"
				     : "PublicDecryptionRequest(uint256,bytes32[],bytes)");
	u256_to_be(topics[1].b, u256_from_u64(id));
}

void world_request(struct world *w, uint64_t id, const struct hash32 *handles, size_t n,
		   struct bytes extra_data, unsigned forms, unsigned committers, struct bytes body)
{
	struct request_data d;
	struct hash32 topics[2];

	encode_request(w, &d, handles, n, extra_data, committers, body);
	struct bytes legacy = keep(w, &d.legacy), handle_only = keep(w, &d.handles);
	if ((forms & WORLD_LEGACY) != 0) {
		topics_of(topics, id, true);
		(void)sim_chain_log(&w->gateway, w->gateway.head, w->decryption, topics, 2, legacy);
	}
	if ((forms & WORLD_HANDLES) != 0) {
		topics_of(topics, id, false);
		(void)sim_chain_log(&w->gateway, w->gateway.head, w->decryption, topics, 2,
				    handle_only);
	}
}

void world_add_insert(struct world *w, struct store_batch *b, const struct operation *op)
{
	struct handle_index index = {0};
	size_t statements;

	assert_int_equal(op_add_insert(b, op, clock_wall_ms(&w->sim.clock)), ERR_OK);
	assert_int_equal(handle_index_add(&index, b, op, &statements), ERR_OK);
	assert_int_equal(handle_index_flush(&index, b), ERR_OK);
}

void world_insert(struct world *w, uint64_t id, const struct hash32 *handles, size_t n,
		  struct bytes extra_data, unsigned committers, struct bytes body)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct request_data d;
	struct event_log log = {.address = w->decryption,
				.topics_n = 2,
				.block = {w->gateway.head},
				.log_index = id};
	struct store_batch b = store_batch_make(1 << 20);
	struct operation op;
	struct err_note note = {0};

	encode_request(w, &d, handles, n, extra_data, committers, body);
	topics_of(log.topics, id, committers != 0);
	log.data = buf_view(committers != 0 ? &d.legacy : &d.handles);
	log.block_hash = sim_block_hash(&w->gateway, w->gateway.head);
	assert_int_equal(event_table_decode(&event_tables[EVENTS_DECRYPTION], &a, &op,
					    (struct chain_id){WORLD_GATEWAY_CHAIN}, &log, &note),
			 ERR_OK);
	world_add_insert(w, &b, &op);
	assert_int_equal(store_submit(&w->sim.store.base, &b, NULL, NULL), ERR_OK);
	assert_int_equal(store_notify(&w->sim.store.base, OP_TOPIC_SEEN), ERR_OK);
	buf_free(&d.legacy);
	buf_free(&d.handles);
}

/* ---- looking ---- */

static const char *column(struct world *w, const char *name, uint64_t id)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT %s FROM operation WHERE request_id = x'%064llx' LIMIT 1", name,
		       (unsigned long long)id);
	return sim_sql_text(&w->sim, sql);
}

const char *world_state(struct world *w, uint64_t id)
{
	return column(w, "state", id);
}

const char *world_reason(struct world *w, uint64_t id)
{
	return column(w, "reason", id);
}

bool world_wait_state(struct world *w, uint64_t id, const char *state, int64_t ms)
{
	enum {
		STEP_MS = 50
	};

	for (int64_t t = 0; t < ms; t += STEP_MS) {
		if (strcmp(world_state(w, id), state) == 0)
			return true;
		sim_run(&w->sim, STEP_MS);
	}
	return strcmp(world_state(w, id), state) == 0;
}

/* ---- the log ---- */

void world_log_keep(struct world *w)
{
	w->log.fd = memfd_create("log", MFD_CLOEXEC);
	assert_int_not_equal(w->log.fd, -1);
}

unsigned world_log_count(struct world *w, const char *words)
{
	CLEANUP(buf_free) struct buf text = buf_make(16 << 20);
	unsigned n = 0;
	uint8_t block[4096];
	ssize_t got;

	for (off_t at = 0; (got = pread(w->log.fd, block, sizeof(block), at)) > 0; at += got)
		assert_int_equal(buf_add(&text, bytes_from(block, (size_t)got)), ERR_OK);
	assert_int_equal(buf_add_u8(&text, 0), ERR_OK);
	for (const char *at = (const char *)text.p; (at = strstr(at, words)); at++)
		n++;
	return n;
}
