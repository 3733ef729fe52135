/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The configuration of the KMS service and of its key generator. What is accepted never listens in
 * the clear where another machine could call, keeps the two vaults apart, and reads the same a
 * second time.
 *
 * Input: u8 which || the TOML file
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config.h"
#include "fuzz.h"

static char path[64];

static void file_write(struct bytes text)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("config", 0);
		CHECK(fd >= 0 && fchmod(fd, 0600) == 0);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	CHECK(ftruncate(fd, 0) == 0);
	CHECK(pwrite(fd, text.p, text.n, 0) == (ssize_t)text.n);
}

static enum err load(const struct config_table *table, void *target, struct arena *a)
{
	struct err_note note = {0};
	enum err e = core_config_read(table, path, NULL, target, a, &note);

	CHECK(e == ERR_OK || note.text[0]);
	return e;
}

static bool same_vault(const struct vault_config *a, const struct vault_config *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->prefix, b->prefix) == 0;
}

static void check_vaults(const struct vault_config *a, const struct vault_config *b)
{
	CHECK(!same_vault(a, b) && !strchr(a->prefix, '/') && !strchr(b->prefix, '/'));
}

/* "[::1]:50051", or with more zeros. */
static bool is_loopback_v6(const char *listen)
{
	size_t n = strspn(listen, "[0:");

	return listen[0] == '[' && strncmp(&listen[n], "1]:", 3) == 0;
}

static void check_port(const struct core_config *c)
{
	CLEANUP(buf_free) struct buf out = buf_make(4096);
	const char *listen;

	FUZZ_OK(core_config_listen(&out, c));
	FUZZ_OK(buf_cstr(&out, &listen));
	switch (core_config_transport(c)) {
	case CORE_TRANSPORT_UNIX:
		CHECK(strncmp(listen, "unix:", 5) == 0);
		break;
	case CORE_TRANSPORT_TLS:
		CHECK(c->tls.cert && c->tls.key && c->tls.ca);
		break;
	case CORE_TRANSPORT_LOOPBACK:
		CHECK(c->plaintext_loopback);
		CHECK(strncmp(listen, "127.", 4) == 0 || is_loopback_v6(listen));
		break;
	}
}

static void try_core(void)
{
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	struct core_config c = {0}, again = {0};
	struct err_note note = {0};

	if (load(&core_config_table, &c, &arena) != ERR_OK)
		return;
	FUZZ_OK(core_config_check(&c, &note));
	check_port(&c);
	check_vaults(&c.public_vault, &c.private_vault);
	CHECK(c.min_dec_cache <= c.dec_capacity && c.listen_port <= 65535);
	FUZZ_OK(load(&core_config_table, &again, &arena));
	CHECK(strcmp(c.listen_address, again.listen_address) == 0);
	CHECK(core_config_transport(&c) == core_config_transport(&again));
	CHECK(same_vault(&c.private_vault, &again.private_vault));
}

static void try_keygen(void)
{
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	struct keygen_config c = {0};
	struct err_note note = {0};

	if (load(&keygen_config_table, &c, &arena) != ERR_OK)
		return;
	FUZZ_OK(keygen_config_check(&c, &note));
	check_vaults(&c.public_vault, &c.private_vault);
	CHECK(!c.overwrite && !(c.show_existing && c.repopulate));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n < 1 << 14 ? n : 1 << 14);
	uint8_t which = fuzz_u8(&in);

	file_write(in);
	if (which % 2 == 0)
		try_core();
	else
		try_keygen();
	return 0;
}
