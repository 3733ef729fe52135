/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The commands of kms-connector that look and change nothing. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "cmd/kms_connector.h"
#include "connector/audit.h"
#include "connector/config_file.h"
#include "connector/inspect.h"
#include "connector/probe.h"
#include "connector/service_status.h"

enum {
	HEALTH_TIMEOUT_MS = 10000
};

/* ---- the monitoring port: health, status ---- */

static const struct option port_options[] = {
	{"json", no_argument, NULL, 'j'}, /* of status alone */
	{"endpoint", required_argument, NULL, 'e'}, {"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},        {0},
};

struct question {
	const char *endpoint, *path;
	bool as_json;
};

/* False: the command ends with *ret_status. */
static bool question_read(struct question *q, int *ret_status, const struct personality *who,
			  const struct command *self, int argc, char **argv,
			  const struct option *options)
{
	const char *given =
		connector_env_get(command_environment(), "KMS_CONNECTOR_MONITORING_ENDPOINT");

	q->endpoint = given ? given : "127.0.0.1:9100";
	for (int c; (c = getopt_long(argc, argv, "e:hV", options, NULL)) != -1;) {
		if (c == 'e') {
			q->endpoint = optarg;
		} else if (c == 'j') {
			q->as_json = true;
		} else {
			*ret_status = c == 'V'   ? command_version(who)
				      : c == 'h' ? command_help(who, self)
						 : command_misused(who, self);
			return false;
		}
	}
	if (optind == argc)
		return true;
	*ret_status = command_misused(who, self);
	return false;
}

/* What the port says, also beside an error; `url` is for a person, empty if there is none. */
static enum err question_ask(const struct question *q, struct buf *answer, struct buf *url,
			     struct err_note *note)
{
	const char *text;

	TRY(probe_url(url, q->endpoint, q->path, note));
	TRY(buf_cstr(url, &text));
	return probe_health(answer, text, HEALTH_TIMEOUT_MS, note);
}

static int question_failed(const struct personality *who, const struct question *q, struct buf *url,
			   enum err e, const struct err_note *note)
{
	const char *text;

	if (url->n == 0 || buf_cstr(url, &text) != ERR_OK)
		text = q->endpoint;
	(void)fprintf(stderr, "%s: %s: %s\n", who->program, text,
		      note->text[0] ? note->text : err_name(e));
	return FAILED;
}

int command_health(const struct personality *who, const struct command *self, int argc, char **argv)
{
	CLEANUP(buf_free) struct buf url = buf_make(PATH_TEXT_MAX);
	CLEANUP(buf_free) struct buf answer = buf_make(1 << 20);
	struct question q = {.path = "/healthz"};
	struct err_note note = {0};
	int status;

	if (!question_read(&q, &status, who, self, argc, argv, &port_options[1]))
		return status;

	enum err e = question_ask(&q, &answer, &url, &note);

	if (answer.n > 0 && buf_add_u8(&answer, '\n') == ERR_OK && command_print(&answer) != OK)
		return FAILED;
	return e == ERR_OK ? OK : question_failed(who, &q, &url, e, &note);
}

static enum err status_show(const struct buf *answer, bool as_json)
{
	CLEANUP(json_free_ptr) json_t *all = NULL;
	CLEANUP(buf_free) struct buf out = buf_make(1 << 20);

	TRY(json_parse(&all, buf_view(answer), 1 << 20, NULL));
	if (as_json) {
		TRY(json_print(&out, all));
		TRY(buf_add_u8(&out, '\n'));
	} else {
		TRY(status_text(&out, all));
	}
	return command_print(&out) == OK ? ERR_OK : ERR_IO;
}

int command_status(const struct personality *who, const struct command *self, int argc, char **argv)
{
	CLEANUP(buf_free) struct buf url = buf_make(PATH_TEXT_MAX);
	CLEANUP(buf_free) struct buf answer = buf_make(1 << 20);
	struct question q = {.path = "/status"};
	struct err_note note = {0};
	int status;

	if (!question_read(&q, &status, who, self, argc, argv, port_options))
		return status;

	enum err e = question_ask(&q, &answer, &url, &note);

	if (e == ERR_OK)
		e = status_show(&answer, q.as_json);
	return e == ERR_OK ? OK : question_failed(who, &q, &url, e, &note);
}

/* ---- inspect ---- */

/* The database of the configuration, or in the file that -d names. */
static enum err find_database(struct secret *ret_url, const char *config_file, const char *file,
			      struct err_note *note)
{
	CLEANUP(buf_free) struct buf path = buf_make(PATH_TEXT_MAX);
	const char *found = NULL;

	if (file) {
		TRY(buf_addf(&path, "sqlite:%s", file));
		TRY(buf_add_u8(&path, '\0'));
		return secret_copy(ret_url, buf_view(&path));
	}
	if (config_file) {
		TRY(connector_config_path(&path, config_file, command_environment(), note));
		TRY(buf_cstr(&path, &found));
	}
	return connector_database_of(ret_url, found, command_environment(), note);
}

int command_inspect(const struct personality *who, const struct command *self, int argc,
		    char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"database", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	CLEANUP(buf_free) struct buf out = buf_make(64 << 20);
	CLEANUP(secret_free) struct secret url = {0};
	const char *config_file = NULL, *database = NULL;
	struct err_note note = {0};

	for (int c; (c = getopt_long(argc, argv, "c:d:hV", long_options, NULL)) != -1;) {
		if (c == 'c')
			config_file = optarg;
		else if (c == 'd')
			database = optarg;
		else if (c == 'V')
			return command_version(who);
		else
			return c == 'h' ? command_help(who, self) : command_misused(who, self);
	}
	if (optind + 1 != argc || (config_file && database))
		return command_misused(who, self);

	struct bytes what = bytes_str(argv[optind]);
	struct u256 number;

	if (inspect_id_parse(&number, what) != ERR_OK) {
		(void)fprintf(stderr, "%s: \"%s\" is no request id, handle or transaction hash\n",
			      who->program, argv[optind]);
		return command_misused(who, self);
	}

	enum err e = find_database(&url, config_file, database, &note);

	if (e == ERR_OK)
		e = inspect_operations(&out, (const char *)url.p, what, &note);
	return e == ERR_OK ? command_print(&out) : command_failed(who, &note, e);
}

/* ---- audit ---- */

static int audit_print(const struct audit_report *r, bool as_json)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 16);
	CLEANUP(json_free_ptr) json_t *all = NULL;
	char hash[65];
	enum err e;

	hex_encode(hash, BYTES_OF(r->head.hash.b));
	if (as_json) {
		all = json_pack("{s:b, s:I, s:I, s:I, s:{s:I, s:s}}", "ok", true, "records",
				(json_int_t)r->records, "waiting", (json_int_t)r->waiting,
				"given_up", (json_int_t)r->first.seq, "head", "seq",
				(json_int_t)r->head.seq, "hash", hash);
		e = all ? json_print(&out, all) : ERR_NOMEM;
		if (e == ERR_OK)
			e = buf_add_u8(&out, '\n');
	} else {
		e = buf_addf(&out,
			     "as it was written: %lld records, %lld given up for their age, %lld "
			     "not sealed yet\nhead        %lld:0x%s\n",
			     (long long)r->records, (long long)r->first.seq, (long long)r->waiting,
			     (long long)r->head.seq, hash);
	}
	return e == ERR_OK ? command_print(&out) : FAILED;
}

static int audit_failed(const struct personality *who, const struct err_note *note, enum err e,
			bool as_json)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 16);
	CLEANUP(json_free_ptr) json_t *all = NULL;

	if (!as_json)
		return command_failed(who, note, e);
	all = json_pack("{s:b, s:s, s:s}", "ok", false, "error", err_name(e), "detail", note->text);
	if (all && json_print(&out, all) == ERR_OK && buf_add_u8(&out, '\n') == ERR_OK)
		(void)command_print(&out);
	return FAILED;
}

int command_audit(const struct personality *who, const struct command *self, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"database", required_argument, NULL, 'd'},
		{"head", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	CLEANUP(secret_free) struct secret url = {0};
	const char *config_file = NULL, *database = NULL;
	struct audit_place seen = {.seq = -1};
	struct audit_report report;
	struct err_note note = {0};
	bool as_json = false;

	for (int c; (c = getopt_long(argc, argv, "c:d:hV", long_options, NULL)) != -1;) {
		if (c == 'c')
			config_file = optarg;
		else if (c == 'd')
			database = optarg;
		else if (c == 'j')
			as_json = true;
		else if (c == 'V')
			return command_version(who);
		else if (c != 's' || audit_place_parse(&seen, optarg) != ERR_OK)
			return c == 'h' ? command_help(who, self) : command_misused(who, self);
	}
	if (optind + 1 != argc || strcmp(argv[optind], "verify") != 0 || (config_file && database))
		return command_misused(who, self);

	enum err e = find_database(&url, config_file, database, &note);

	if (e == ERR_OK)
		e = audit_verify(&report, (const char *)url.p, seen.seq >= 0 ? &seen : NULL, &note);
	return e == ERR_OK ? audit_print(&report, as_json) : audit_failed(who, &note, e, as_json);
}
