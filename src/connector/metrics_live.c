/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/metrics_live.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/loop.h"

enum {
	STAT_SIZE = 1024, /* of /proc/self/stat */
	/* Fields of proc(5), counted behind the program's name, which may hold anything. */
	STAT_UTIME = 11,
	STAT_STIME = 12,
	STAT_THREADS = 17,
	STAT_START = 19,
	STAT_VSIZE = 20,
	STAT_RSS = 21,
	STAT_FIELDS = 22,
};

enum err metric_label_add(struct buf *out, const char *value)
{
	for (const char *c = value; *c; c++) {
		if (*c == '\n') {
			TRY(buf_add_str(out, "\\n"));
			continue;
		}
		if (*c == '"' || *c == '\\')
			TRY(buf_add_u8(out, '\\'));
		TRY(buf_add_u8(out, (uint8_t)*c));
	}
	return ERR_OK;
}

static enum err family(struct buf *out, const char *name, const char *type, const char *help)
{
	return buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* ---- chains ---- */

static long long value_breaker(const struct provider_endpoint *e)
{
	return (long long)e->breaker;
}

static long long value_opened(const struct provider_endpoint *e)
{
	return (long long)e->opened;
}

static long long value_failures(const struct provider_endpoint *e)
{
	return (long long)e->failures;
}

static long long value_used(const struct provider_endpoint *e)
{
	return e->chain_right && e->in_step && e->breaker == BREAKER_CLOSED;
}

static long long value_head(const struct provider_endpoint *e)
{
	return e->head_known ? (long long)e->head.v : 0;
}

static const struct {
	const char *name, *type, *help;
	long long (*value)(const struct provider_endpoint *e);
} endpoint_rows[] = {
	{"kms_connector_breaker_state", "gauge",
	 "Circuit breaker of an endpoint: 0 closed, 1 open, 2 half-open.", value_breaker},
	{"kms_connector_breaker_opened_total", "counter", "Times the breaker has opened.",
	 value_opened},
	{"kms_connector_rpc_endpoint_failures_total", "counter",
	 "Requests that the endpoint has not answered.", value_failures},
	{"kms_connector_rpc_endpoint_usable", "gauge",
	 "1: right chain, in step with the others, breaker closed.", value_used},
	{"kms_connector_rpc_endpoint_head_block", "gauge",
	 "Last head seen of the endpoint; 0: none.", value_head},
};

static enum err endpoints_print(struct buf *out, const struct live_chain *c, size_t row)
{
	for (unsigned i = 0; i < provider_endpoints_n(c->provider); i++) {
		struct provider_endpoint e;

		provider_endpoint_status(c->provider, i, &e);
		TRY(buf_addf(
			out,
			"%s{part=\"rpc\",chain=\"%s\",chain_id=\"%llu\",endpoint=\"%u\",host=\"",
			endpoint_rows[row].name, c->name,
			(unsigned long long)provider_chain_id(c->provider).v, i));
		TRY(metric_label_add(out, e.host));
		TRY(buf_addf(out, "\"} %lld\n", endpoint_rows[row].value(&e)));
	}
	return ERR_OK;
}

/* The first two rows are about breakers, whatever they are of. */
static enum err breakers_print(struct buf *out, const struct live_breaker *b, size_t n, size_t row)
{
	for (size_t i = 0; row < 2 && i < n; i++) {
		TRY(buf_addf(out, "%s{part=\"%s\"", endpoint_rows[row].name, b[i].part));
		if (b[i].name) {
			TRY(buf_add_str(out, ",name=\""));
			TRY(metric_label_add(out, b[i].name));
			TRY(buf_add_str(out, "\""));
		}
		TRY(buf_addf(out, "} %lld\n",
			     row == 0 ? (long long)b[i].state : (long long)b[i].opened));
	}
	return ERR_OK;
}

enum err chain_metrics_print(struct buf *out, const struct live_chain *chains, size_t n,
			     const struct live_breaker *breakers, size_t breakers_n)
{
	for (size_t r = 0; r < ARRAY_LEN(endpoint_rows); r++) {
		TRY(family(out, endpoint_rows[r].name, endpoint_rows[r].type,
			   endpoint_rows[r].help));
		for (size_t i = 0; i < n; i++)
			TRY(endpoints_print(out, &chains[i], r));
		TRY(breakers_print(out, breakers, breakers_n, r));
	}
	return ERR_OK;
}

/* ---- process ---- */

static bool file_read(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(out, 1, size - 1, f) : 0;

	out[n] = '\0';
	if (f)
		(void)fclose(f);
	return n > 0;
}

static bool stat_read(unsigned long long fields[STAT_FIELDS])
{
	char text[STAT_SIZE], *at;

	if (!file_read("/proc/self/stat", text, sizeof(text)))
		return false;
	at = strrchr(text, ')');
	if (!at || strlen(at) < 4)
		return false;
	at = &at[4]; /* behind the state, a letter */
	fields[0] = 0;
	for (size_t i = 1; i < STAT_FIELDS; i++)
		fields[i] = strtoull(at, &at, 10);
	return true;
}

/* When the machine started, Unix seconds; 0 = not known. */
static unsigned long long boot_s(void)
{
	FILE *f = fopen("/proc/stat", "re");
	unsigned long long s = 0;
	char line[256];

	while (f && s == 0 && fgets(line, sizeof(line), f))
		if (strncmp(line, "btime ", 6) == 0)
			s = strtoull(&line[6], NULL, 10);
	if (f)
		(void)fclose(f);
	return s;
}

static long long fds_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	long long n = -3; /* ".", ".." and the folder's own */

	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	return n < 0 ? 0 : n;
}

static enum err single(struct buf *out, const char *name, const char *type, const char *help,
		       double value)
{
	TRY(family(out, name, type, help));
	return buf_addf(out, "%s %.17g\n", name, value);
}

static enum err stat_print(struct buf *out)
{
	const double ticks = (double)sysconf(_SC_CLK_TCK);
	unsigned long long f[STAT_FIELDS];

	if (!stat_read(f))
		return ERR_OK;
	TRY(single(out, "process_cpu_seconds_total", "counter", "User and system CPU time.",
		   (double)(f[STAT_UTIME] + f[STAT_STIME]) / ticks));
	TRY(single(out, "process_threads", "gauge", "Threads of the process.",
		   (double)f[STAT_THREADS]));
	TRY(single(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.",
		   (double)f[STAT_VSIZE]));
	TRY(single(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
		   (double)f[STAT_RSS] * (double)sysconf(_SC_PAGESIZE)));
	return single(out, "process_start_time_seconds", "gauge",
		      "When the process started, Unix time.",
		      (double)boot_s() + (double)f[STAT_START] / ticks);
}

enum err process_metrics_print(struct buf *out, struct loop *loop)
{
	struct rlimit limit;

	TRY(loop_metrics_print(out, loop, "kms_connector"));
	TRY(stat_print(out));
	TRY(single(out, "process_open_fds", "gauge", "Open file descriptors.", (double)fds_open()));
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return ERR_OK;
	return single(out, "process_max_fds", "gauge", "Most file descriptors that may be open.",
		      (double)limit.rlim_cur);
}

/* ---- traces ---- */

enum err trace_metrics_print(struct buf *out, const struct tracer *t)
{
	const struct trace_counts c = tracer_counts(t);

	if (!t)
		return ERR_OK;
	TRY(single(out, "kms_connector_spans_exported_total", "counter",
		   "Spans that the collector has taken.", (double)c.exported));
	TRY(single(out, "kms_connector_spans_dropped_total", "counter",
		   "Spans that nobody has taken.", (double)c.dropped));
	return single(out, "kms_connector_span_exports_failed_total", "counter",
		      "Requests to the collector that failed.", (double)c.failures);
}
