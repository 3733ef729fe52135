/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The programs kms-server and kms-gen-keys as an operator runs them, and kill -9 at random moments.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "core/request_store.h"
#include "support.h"
#include "support_program.h"

/* ---- running programs ---- */

static int run(const struct folder *dir, char *out, size_t out_n, char *const argv[],
	       char *const env[])
{
	struct process p = process_start(dir, argv, env);

	return process_wait(&p, out, out_n);
}

static char *const no_env[] = {NULL};
#define ARGV(...) ((char *[]){__VA_ARGS__, NULL})

/* ---- kms-gen-keys ---- */

#define SIGNING_KEY_ID "60b7070add74be3827160aa635fb255eeeeb88586c4debf7ab1134ddceb4beee"

/* A configuration of kms-gen-keys: what is asked for, and where keys are. */
#define GEN_KEYS(text)                                                                             \
	text "[public_vault.storage.file]\npath = \"keys\"\n"                                      \
	     "[private_vault.storage.file]\npath = \"./keys\"\n"

static int gen_keys(const struct folder *f, char *out, size_t out_n, const char *text)
{
	file_put(f, "gen.toml", text);
	return run(f, out, out_n, ARGV("KMS_GEN_KEYS", "-f", "gen.toml"), no_env);
}

static void test_gen_keys(void **state)
{
	(void)state;
	struct folder f;
	char out[4096], again[4096], path[512], real[PATH_MAX];

	folder_make(&f);
	assert_int_equal(gen_keys(&f, out, sizeof(out), GEN_KEYS("")), 0);
	assert_non_null(strstr(out, "made"));
	/* Where that was, so that nobody has to guess. */
	assert_non_null(realpath(f.path, real));
	(void)snprintf(path, sizeof(path), "private vault: %.200s/keys/PRIV\n", real);
	assert_non_null(strstr(out, path));
	(void)snprintf(path, sizeof(path), "public vault: %.200s/keys/PUB\n", real);
	assert_non_null(strstr(out, path));
	assert_int_equal(gen_keys(&f, out, sizeof(out), GEN_KEYS("")), 0);
	assert_non_null(strstr(out, "there already; public objects: 4 there, 0 written"));

	static const char show[] = GEN_KEYS("[keygen]\nshow_existing = true\n");
	static const char fill[] = GEN_KEYS("[keygen]\nrepopulate = true\n");

	assert_int_equal(gen_keys(&f, out, sizeof(out), show), 0);
	assert_non_null(strstr(out, "SigningKey, " SIGNING_KEY_ID "\n"));
	assert_non_null(strstr(out, "VerfAddress, " SIGNING_KEY_ID ", 0x"));

	/* A lost public object comes back, the same. */
	(void)snprintf(path, sizeof(path), "%s/keys/PUB/VerfAddress/" SIGNING_KEY_ID, f.path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(gen_keys(&f, again, sizeof(again), fill), 0);
	assert_non_null(strstr(again, "3 there, 1 written"));
	assert_int_equal(gen_keys(&f, again, sizeof(again), show), 0);
	assert_string_equal(out, again);

	/* A lost private key is not papered over. */
	(void)snprintf(path, sizeof(path), "%s/keys/PRIV/SigningKey/" SIGNING_KEY_ID, f.path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(gen_keys(&f, out, sizeof(out), GEN_KEYS("")), 1);
	assert_non_null(strstr(out, "restore it"));
	assert_int_equal(gen_keys(&f, out, sizeof(out), fill), 1);
	folder_remove(&f);
}

static void test_gen_keys_refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *note;
	} rows[] = {
		{GEN_KEYS("[keygen]\noverwrite = true\n"),
		 "gen.toml:2: keygen.overwrite: found true, expected false: objects are never "
		 "overwritten"},
		{GEN_KEYS("[keygen]\nshow_existing = true\nrepopulate = true\n"),
		 "gen.toml:3: keygen.repopulate: found true beside keygen.show_existing"},
		{GEN_KEYS("[keygen]\nshow_exsting = true\n"),
		 "gen.toml:2: unknown key keygen.show_exsting, did you mean "
		 "keygen.show_existing?"},
		{"", "public_vault.storage.file.path is required"},
		{"[public_vault.storage.file]\npath = \"keys\"\n",
		 "private_vault.storage.file.path is required"},
		/* The misspelt key, and not the one that is missing for it. */
		{"[public_vault.storage.file]\npath = \"keys\"\n"
		 "[private_vault.storage.file]\npaht = \"keys\"\n",
		 "gen.toml:4: unknown key private_vault.storage.file.paht, did you mean "
		 "private_vault.storage.file.path?"},
	};
	struct folder f;
	char out[4096], path[512];

	folder_make(&f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(gen_keys(&f, out, sizeof(out), rows[i].text), 1);
		if (!strstr(out, rows[i].note))
			fail_msg("%s\ngave: %s", rows[i].text, out);
	}
	/* No file: nothing is written anywhere that nobody named. */
	assert_int_equal(run(&f, out, sizeof(out), ARGV("KMS_GEN_KEYS"), no_env), 1);
	assert_non_null(strstr(out, "KMS_GEN_KEYS__PUBLIC_VAULT__STORAGE__FILE__PATH"));
	(void)snprintf(path, sizeof(path), "%s/keys", f.path);
	assert_int_equal(access(path, F_OK), -1);
	/* By the environment it is named. */
	assert_int_equal(run(&f, out, sizeof(out), ARGV("KMS_GEN_KEYS"),
			     ARGV("KMS_GEN_KEYS__PUBLIC_VAULT__STORAGE__FILE__PATH=here",
				  "KMS_GEN_KEYS__PRIVATE_VAULT__STORAGE__FILE__PATH=here")),
			 0);
	(void)snprintf(path, sizeof(path), "%s/here/PRIV/SigningKey/" SIGNING_KEY_ID, f.path);
	assert_int_equal(access(path, F_OK), 0);
	folder_remove(&f);
}

/* ---- kms-server: command line and configuration ---- */

static void test_command_line(void **state)
{
	(void)state;
	struct folder f;
	char out[16384];

	folder_make(&f);
	assert_int_equal(run(&f, out, sizeof(out), ARGV("KMS_SERVER", "--version"), no_env), 0);
	assert_memory_equal(out, "kms-server ", 11);
	assert_int_equal(run(&f, out, sizeof(out), ARGV("KMS_SERVER", "--help"), no_env), 0);
	assert_non_null(strstr(out, "KMS_CORE__SERVICE__LISTEN_ADDRESS"));
	assert_int_equal(run(&f, out, sizeof(out), ARGV("KMS_SERVER", "--nonsense"), no_env), 2);
	assert_int_equal(run(&f, out, sizeof(out), ARGV("KMS_SERVER", "extra"), no_env), 2);
	assert_int_equal(
		run(&f, out, sizeof(out), ARGV("KMS_SERVER", "-c", "missing.toml"), no_env), 1);
	assert_non_null(strstr(out, "missing.toml"));
	folder_remove(&f);
}

#define COMMITTEE                                                                                  \
	"[threshold]\nthreshold = 1\nlisten_address = \"127.0.0.1\"\nlisten_port = 31800\nmy_id "  \
	"= 1\n"
#define PEER(id_, address_)                                                                        \
	"[[threshold.peers]]\nparty_id = " id_ "\naddress = \"" address_                           \
	"\"\nmpc_identity = \"p" id_ "\"\nport = 31800\n"
#define PEERS_4                                                                                    \
	PEER("1", "127.0.0.1")                                                                     \
	PEER("2", "127.0.0.1") PEER("3", "127.0.0.1") PEER("4", "127.0.0.1")
#define PLAIN "[service]\nplaintext_loopback = true\n"
#define TLS_ROWS                                                                                   \
	"[service.tls]\ncert = \"missing.pem\"\nkey = \"b\"\nca = \"c\"\nallowed_peers = "         \
	"[\"a\"]\n"

struct configuration {
	const char *text;
	const char *note;
};

/* None of them starts a server, which says why. */
static void refuse_all(const struct configuration *rows, size_t n)
{
	struct folder f;
	char out[4096];

	folder_make(&f);
	for (size_t i = 0; i < n; i++) {
		file_put(&f, "core.toml", rows[i].text);
		assert_int_equal(
			run(&f, out, sizeof(out), ARGV("KMS_SERVER", "-c", "core.toml"), no_env),
			1);
		if (!strstr(out, rows[i].note))
			fail_msg("%s\ngave: %s", rows[i].text, out);
	}
	folder_remove(&f);
}

static void test_refused_configurations(void **state)
{
	(void)state;
	static const struct configuration rows[] = {
		{"[service]\nlisten_address = \"0.0.0.0\"\n",
		 "core.toml:2: service.listen_address: found \\\"0.0.0.0\\\" without "
		 "[service.tls], "
		 "expected that, or unix:PATH: this port would have no authentication"},
		{"[service]\nlisten_address = \"::\"\n", "no authentication"},
		{"[service]\nlisten_address = \"192.0.2.1\"\nplaintext_loopback = true\n",
		 "no authentication"},
		{"", "default of service.listen_address: found \\\"127.0.0.1\\\" without "
		     "[service.tls], "
		     "expected that, or unix:PATH, or plaintext_loopback = true"},
		{"[service]\nlisten_address = \"::1\"\n", "plaintext_loopback = true"},
		{"[service]\nlisten_address = \"localhost\"\nplaintext_loopback = true\n",
		 "core.toml:2: service.listen_address: found \\\"localhost\\\", expected unix:PATH "
		 "or an IP address"},
		{"[service]\nlisten_address = \"unix:core.sock\"\nplaintext_loopback = true\n",
		 "core.toml:3: service.plaintext_loopback: found true beside a Unix socket"},
		{"[service.tls]\ncert = \"a\"\nkey = \"b\"\nca = \"c\"\n",
		 "core.toml:2: service.tls.cert: found no service.tls.allowed_peers beside it"},
		{"[service.tls]\nallowed_peers = [\"a\"]\n",
		 "core.toml:2: service.tls.allowed_peers: found no service.tls.cert beside it"},
		{"[service.tls]\ncert = \"a\"\nkey = \"b\"\nca = \"c\"\nallowed_peers = [\"a\", "
		 "\"*\"]\n",
		 "core.toml:5: service.tls.allowed_peers: [1]: found \\\"*\\\", expected one name"},
		{"[service.tls]\ncert = \"a\"\nkey = \"b\"\nca = \"c\"\nallowed_peers = [\"a "
		 "b\"]\n",
		 "core.toml:5: service.tls.allowed_peers: [0]: found \\\"a b\\\""},
		{"[service.tls]\nallowed_peers = []\n", "core.toml:2: service.tls.allowed_peers"},
		{"[service]\nplaintext_loopback = true\n" TLS_ROWS,
		 "core.toml:2: service.plaintext_loopback: found true beside [service.tls]"},
		{"[service]\nlisten_address = \"unix:core.sock\"\n" TLS_ROWS,
		 "core.toml:4: service.tls.cert: found beside listen_address = "
		 "\\\"unix:core.sock\\\""},
		{TLS_ROWS, "service.tls: cannot read missing.pem: No such file"},
		{"[service]\nlisten_adress = \"127.0.0.1\"\n",
		 "core.toml:2: unknown key service.listen_adress, did you mean "
		 "service.listen_address?"},
		{"[service]\nlisten_port = 70000\n", "listen_port"},
		{PLAIN "[request_store]\ndec_capacity = 5\nmin_dec_cache = 6\n",
		 "core.toml:5: request_store.min_dec_cache: found 6, expected at most"},
		{PLAIN "[public_vault.storage.file]\nprefix = \"PRIV\"\n", "same folder"},
		{PLAIN "[private_vault.storage.file]\nprefix = \"../PRIV\"\n",
		 "core.toml:4: private_vault.storage.file.prefix: a vault's prefix"},
		{PLAIN "[telemetry]\nlog_level = \"loud\"\n",
		 "core.toml:4: telemetry.log_level: found \\\"loud\\\", expected error"},
		{"[enclave_bootstrap]\nweb_identity_token_port = 1\n",
		 "unknown key enclave_bootstrap"},
		{"[service\n", "line"},
		{PLAIN, "kms-gen-keys"}, /* a good configuration, and no key */
	};

	refuse_all(rows, ARRAY_LEN(rows));
}

static void test_refused_committees(void **state)
{
	(void)state;
	static const struct configuration rows[] = {
		{PLAIN "[threshold]\nthreshold = 1\n",
		 "core.toml: threshold.listen_address: found \\\"\\\", expected an IP address"},
		{PLAIN "[threshold]\nmy_id = 1\n",
		 "core.toml:4: threshold.my_id: found without threshold.threshold"},
		{PLAIN COMMITTEE, "expected one of them: the certificate tells who a node is"},
		{PLAIN COMMITTEE "decryption_mode = \"BitDecSmall\"\n",
		 "core.toml:8: threshold.decryption_mode: found BitDecSmall"},
		{PLAIN COMMITTEE "plaintext_loopback = true\n[threshold.tls.auto]\n"
				 "trusted_releases = []\n",
		 "threshold.tls.auto: this node cannot attest what it runs"},
		{PLAIN COMMITTEE "[threshold.tls.manual]\nkey.pem = \"x\"\n",
		 "a private key does not stand in a configuration"},
		{PLAIN COMMITTEE "[threshold.tls.manual]\nkey.path = \"x\"\n",
		 "core.toml:9: threshold.tls.manual.key.path: found one of cert.path and "
		 "key.path"},
		{PLAIN COMMITTEE "plaintext_loopback = true\n" PEERS_4 PEER("5", "127.0.0.1"),
		 "threshold.peers: found 5 nodes, expected 3 * threshold + 1 = 4"},
		{PLAIN COMMITTEE "plaintext_loopback = true\n" PEER("1", "127.0.0.1")
			 PEER("2", "127.0.0.1") PEER("2", "127.0.0.1") PEER("3", "127.0.0.1"),
		 "[2].party_id: expected each number once"},
		{PLAIN COMMITTEE "plaintext_loopback = true\n" PEER("1", "127.0.0.1")
			 PEER("2", "127.0.0.1") PEER("3", "127.0.0.1") PEER("4", "192.0.2.1"),
		 "party 4 at \\\"192.0.2.1\\\", expected loopback addresses only"},
		/* A good one: what upstream's files hold beside it is taken. */
		{PLAIN COMMITTEE "plaintext_loopback = true\nnum_sessions_preproc = 2\n"
				 "dec_capacity = 10000\nmin_dec_cache = 6000\n"
				 "[threshold.core_to_core_net]\nmessage_limit = 70\n"
				 "multiplier = 2.0\n" PEERS_4,
		 "kms-gen-keys"},
	};

	refuse_all(rows, ARRAY_LEN(rows));
}

static void test_start_and_stop(void **state)
{
	(void)state;
	struct folder f;
	char out[8192];

	folder_make(&f);
	vault_fill(&f, KEY_TEST);
	file_put(&f, "core.toml", server_config);

	struct process first =
		process_start(&f, ARGV("KMS_SERVER", "--config-file", "core.toml"), no_env);

	assert_int_not_equal(port_of(&first), 0);
	/* A second one on the same database would break "never a second run". */
	assert_int_equal(run(&f, out, sizeof(out), ARGV("KMS_SERVER", "-c", "core.toml"), no_env),
			 1);
	assert_int_equal(kill(first.pid, SIGTERM), 0);
	assert_int_equal(process_wait(&first, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "Stopped"));

	/* The environment counts more than the file. */
	assert_int_equal(run(&f, out, sizeof(out), ARGV("KMS_SERVER", "-c", "core.toml"),
			     ARGV("KMS_CORE__SERVICE__LISTEN_ADDRESS=0.0.0.0")),
			 1);
	assert_non_null(strstr(out, "0.0.0.0"));
	folder_remove(&f);
}

/* ---- kill -9 ---- */

enum {
	KILLS = 12,
	BATCH = 40,
};

struct kill_world {
	struct folder folder;
	struct loop *loop;
	struct channel *channel;
	struct process server;
	struct buf ciphertext;
	bool accepted[KILLS * BATCH + 1];
	struct buf answers[KILLS * BATCH + 1];
	unsigned last;
	unsigned pending_seen; /* rows that a kill left without result, all kills */
};

static void server_up(struct kill_world *w)
{
	char url[64];

	w->server = process_start(&w->folder, ARGV("KMS_SERVER", "-c", "core.toml"), no_env);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", port_of(&w->server));
	OK(channel_grpc_new(&w->channel, w->loop, url, NULL));
}

static void server_kill(struct kill_world *w)
{
	assert_int_equal(kill(w->server.pid, SIGKILL), 0);
	assert_int_equal(process_wait(&w->server, NULL, 0), 128 + SIGKILL);
}

static void count_pending(void *ctx, const struct store_value *cells, size_t n)
{
	struct kill_world *w = ctx;

	assert_int_equal(n, 1);
	w->pending_seen += (unsigned)cells[0].i;
}

/* Send a batch and kill the server after a random number of replies, or a few milliseconds. */
static void round_of_kill(struct kill_world *w, struct rng *rng)
{
	static struct call calls[BATCH];
	char path[128];
	unsigned first = w->last + 1, replies = (unsigned)rng_below(rng, BATCH);

	server_up(w);
	for (unsigned i = 0; i < BATCH; i++) {
		struct request q;

		request_init(&q, first + i, buf_view(&w->ciphertext));
		struct buf message = request_pack(&q);

		call_start(&calls[i], w->loop, w->channel, RPC_DECRYPT, buf_view(&message), 30000);
		buf_free(&message);
	}
	call_wait(&calls[replies]);
	loop_pause(w->loop, (int64_t)rng_below(rng, 8));
	server_kill(w);
	for (unsigned i = 0; i < BATCH; i++) {
		call_wait(&calls[i]);
		w->accepted[first + i] = calls[i].status == GRPC_OK;
		call_free(&calls[i]);
	}
	w->last += BATCH;
	channel_free(w->channel);
	(void)snprintf(path, sizeof(path), "%s/requests.db", w->folder.path);
	OK(store_sqlite_query(path, "SELECT count(*) FROM request WHERE state = 0", NULL, 0,
			      count_pending, w, NULL));
}

/* Everything that was ever accepted has a result, and the result never changes. */
static void results_check(struct kill_world *w)
{
	for (unsigned i = 1; i <= w->last; i++) {
		struct buf id = id_pack(request_number(i));
		struct request q;
		struct call c;

		if (!w->accepted[i]) {
			buf_free(&id);
			continue;
		}
		call_start(&c, w->loop, w->channel, RPC_RESULT, buf_view(&id), 30000);
		call_wait(&c);
		if (c.status != GRPC_OK)
			fail_msg("request %u was accepted and has no result: %s %s", i,
				 grpc_status_name(c.status), c.text);
		request_init(&q, i, buf_view(&w->ciphertext));
		if (w->answers[i].n == 0) {
			if (i % 16 == 0)
				answer_check(buf_view(&c.reply), &q, VALUE_U64);
			w->answers[i] = buf_take(&c.reply);
		}
		assert_true(c.reply.n == 0 ||
			    bytes_eq_var(buf_view(&c.reply), buf_view(&w->answers[i])));
		call_free(&c);

		/* Other content under this id is refused, whatever happened to the process. */
		q.handles[0][0] ^= 1;
		struct buf other = request_pack(&q);

		call_start(&c, w->loop, w->channel, RPC_DECRYPT, buf_view(&other), 30000);
		call_wait(&c);
		assert_int_equal(c.status, GRPC_FAILED_PRECONDITION);
		call_free(&c);
		buf_free(&other);
		buf_free(&id);
	}
}

static void test_kill_nine(void **state)
{
	(void)state;
	struct kill_world *w = calloc(1, sizeof(*w));
	struct rng_seeded seeded;
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : 20261120;
	unsigned accepted = 0;

	print_message("# seed %llu\n", (unsigned long long)seed);
	folder_make(&w->folder);
	vault_fill(&w->folder, KEY_FULL);
	file_put(&w->folder, "core.toml", server_config);
	w->ciphertext = vector_read("tfhe/nat_full_csq64.bin");
	OK(loop_new(&w->loop));
	for (unsigned i = 0; i < KILLS; i++)
		round_of_kill(w, rng_seeded_init(&seeded, seed + i));
	server_up(w);
	results_check(w);
	server_kill(w);
	channel_free(w->channel);
	server_up(w);
	results_check(w);
	assert_int_equal(kill(w->server.pid, SIGTERM), 0);
	assert_int_equal(process_wait(&w->server, NULL, 0), 0);
	channel_free(w->channel);

	for (unsigned i = 1; i <= w->last; i++) {
		accepted += w->accepted[i];
		buf_free(&w->answers[i]);
	}
	print_message("# %u requests accepted, %u left unfinished by %u kills\n", accepted,
		      w->pending_seen, KILLS);
	assert_true(accepted > KILLS);
	assert_true(w->pending_seen >
		    0); /* otherwise nothing was resumed, and the test showed nothing */
	buf_free(&w->ciphertext);
	loop_free(w->loop);
	folder_remove(&w->folder);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gen_keys),
		cmocka_unit_test(test_gen_keys_refuses),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_refused_configurations),
		cmocka_unit_test(test_refused_committees),
		cmocka_unit_test(test_start_and_stop),
		cmocka_unit_test(test_kill_nine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
