/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Every key of the connector, as one table. Its rows lie by theme in config_rows_*.h. */
#include "base/limits.h"
#include "connector/config.h"

/*
 * Durations without a row of their own bounds may be up to a year: longer is a slip of the pen.
 * Zero periods would spin.
 */
enum {
	MS = 1,
	SECOND = 1000 * MS,
	MINUTE = 60 * SECOND,
	HOUR = 60 * MINUTE
};
#define YEAR (UINT64_C(365) * 24 * HOUR)
/* The worker's lease is longer than a job that waits so long for the core. */
#define CORE_TIMEOUT_MAX (10 * MINUTE)

/* Of the smallest answer, all of it zero bytes: selector, four words of head, one word of result, a
 * signature of three, three lengths. Below it no node takes a transaction. */
enum {
	ANSWER_GAS_MIN = 21000 + 4 * (4 + 32 * (4 + 1 + 3 + 3))
};

#define FIELD(member)                                                                              \
	.offset = offsetof(struct connector_config, member), .present_offset = SIZE_MAX
#define FIELD_GIVEN(member, flag)                                                                  \
	.offset = offsetof(struct connector_config, member),                                       \
	.present_offset = offsetof(struct connector_config, flag)

#define CONTRACT(path_, member, name_, who, needed, what)                                          \
	{.path = path_ ".address",                                                                 \
	 .type = CONFIG_ADDRESS,                                                                   \
	 FIELD(member.address),                                                                    \
	 .services = (who),                                                                        \
	 .required = (needed),                                                                     \
	 .doc = "Address of " what "."},                                                           \
		{.path = path_ ".domain_name",                                                     \
		 .type = CONFIG_STRING,                                                            \
		 FIELD(member.domain_name),                                                        \
		 .def = name_,                                                                     \
		 .services = (who),                                                                \
		 .doc = "EIP-712 domain name of " what "."},                                       \
	{                                                                                          \
		.path = path_ ".domain_version", .type = CONFIG_STRING,                            \
		FIELD(member.domain_version), .def = "1", .services = (who),                       \
		.doc = "EIP-712 domain version of " what "."                                       \
	}

#define CORE_TLS_FILE(name_, member_, what_)                                                       \
	{                                                                                          \
		.path = "kms_core_tls." name_, .type = CONFIG_STRING, FIELD(kms_core_tls.member_), \
		.min = 1, .max = URL_SIZE_MAX, .services = W, .doc = "PEM file: " what_ "."        \
	}

enum {
	L = SERVICE_LISTENER,
	W = SERVICE_WORKER,
	S = SERVICE_SENDER,
	ALL = SERVICE_ALL
};

static const char *const host_chain_members[] = {
	"url", "urls", "quorum", "chain_id", "chainId", "acl_address", "aclAddress", NULL,
};

/* Another name of a field that has a row: `generation` 1 if only the first knows it. */
#define OLD(path_, type_, member, who, generation_, min_, max_, now)                               \
	{                                                                                          \
		.path = path_, .type = (type_), FIELD(member), .min = (min_), .max = (max_),       \
		.services = (who), .generation = (generation_), .doc = "Older form."               \
	}
/* A whole number of `unit`. */
#define OLD_TIME(path_, member, who, generation_, unit, min_, max_, now)                           \
	{                                                                                          \
		.path = path_, .type = CONFIG_DURATION, FIELD(member), .bare_ms = (unit),          \
		.min = (min_), .max = (max_), .services = (who), .generation = (generation_),      \
		.doc = "Older form, a whole number."                                               \
	}

static const struct config_row rows[] = {
/* In this order: the first row of a field names it. */
/* clang-format off */
#include "connector/config_rows_common.h"
#include "connector/config_rows_listener.h"
#include "connector/config_rows_worker.h"
#include "connector/config_rows_sender.h"
#include "connector/config_rows_old.h"
	/* clang-format on */
};

const struct config_table connector_config = {
	.env_prefix = "KMS_CONNECTOR_",
	.rows = rows,
	.rows_n = ARRAY_LEN(rows),
};
