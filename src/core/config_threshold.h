/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * [threshold]: one node of a committee. Sections and keys of the other implementation; what has no
 * meaning here is taken and said to have no effect, what we cannot do is refused with the reason.
 * Without the section the node is a centralised one.
 */
#ifndef CORE_CONFIG_THRESHOLD_H
#define CORE_CONFIG_THRESHOLD_H

#include "base/arena.h"
#include "base/json.h"
#include "core/mpc_context.h"

/* One entry of [[threshold.peers]]. Texts live in the arena. */
struct threshold_peer {
	uint64_t party_id;
	char *address;
	char *identity; /* the common name of its certificate; its address if not given */
	uint64_t port;
	char *cert_path, *cert_pem; /* one of them, or none: plain text */
	char *signer;               /* its signing key's address; NULL: not said */
};

struct threshold_config {
	uint64_t threshold; /* 0: there is no such section */
	bool given;
	char *listen_address;
	uint64_t listen_port;
	uint64_t my_id; /* 0: not given */
	char *decryption_mode;
	char *cert, *key; /* paths of PEM files; NULL: no TLS */
	bool plaintext_loopback;
	struct threshold_peer peers[MPC_PARTIES_MAX]; /* peers[i] is party i + 1 */
	size_t peers_n;

	/* [threshold.core_to_core_net] */
	uint64_t first_retry_ms;
	uint64_t retry_cap_s;
	uint64_t round_timeout_s;
	uint64_t idle_timeout_s;
	uint64_t completed_s;
	uint64_t linger_s;
	uint64_t parked_sessions;
	uint64_t setup_poll_ms;

	/* While the file is read: refused, or taken apart into `peers`. */
	char *cert_pem, *key_pem;
	uint64_t ignored;
	char *ignored_texts[10];
	json_t *auto_json, *peers_json;
};

/* [[threshold.peers]] into `peers`, in the order of their numbers; the JSON is freed in any case.
 * ERR_CONFIG_VALUE with a note, ERR_NOMEM. */
enum err threshold_peers_read(struct threshold_config *c, struct arena *arena,
			      struct err_note *note) MUST_USE;

/* What the rows alone cannot say. ERR_CONFIG_VALUE; *ret_path is the key that it is about. */
enum err threshold_config_check(const struct threshold_config *c, const char **ret_path,
				struct err_note *note) MUST_USE;

/* The committee that is configured. ERR_CONFIG_FILE, ERR_CONFIG_VALUE with a note. */
enum err threshold_config_context(struct mpc_context *ret, const struct threshold_config *c,
				  struct err_note *note) MUST_USE;

/* "0.0.0.0:50001", of a configuration that was checked. */
enum err threshold_config_listen(struct buf *out, const struct threshold_config *c) MUST_USE;

/* Is this an address, and of this machine alone? */
bool config_is_address(const char *address, bool *ret_v6, bool *ret_loopback);

#endif
