/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: libpq, loaded when a PostgreSQL URL is opened and never else. An installation
 * on SQLite neither needs the library nor maps it and what it brings along (TLS, Kerberos, LDAP).
 */
#ifndef STORE_PG_LIB_H
#define STORE_PG_LIB_H

#include <libpq-fe.h>

#include "base/err.h"

/* The functions that we call, without their prefix PQ. */
#define PG_FUNCTIONS(X)                                                                            \
	X(backendPID)                                                                              \
	X(clear)                                                                                   \
	X(cmdStatus)                                                                               \
	X(cmdTuples)                                                                               \
	X(connectdbParams)                                                                         \
	X(conninfoFree)                                                                            \
	X(conninfoParse)                                                                           \
	X(consumeInput)                                                                            \
	X(enterPipelineMode)                                                                       \
	X(errorMessage)                                                                            \
	X(finish)                                                                                  \
	X(flush)                                                                                   \
	X(freemem)                                                                                 \
	X(ftype)                                                                                   \
	X(getResult)                                                                               \
	X(getisnull)                                                                               \
	X(getlength)                                                                               \
	X(getvalue)                                                                                \
	X(isBusy)                                                                                  \
	X(nfields)                                                                                 \
	X(notifies)                                                                                \
	X(ntuples)                                                                                 \
	X(parameterStatus)                                                                         \
	X(pipelineSync)                                                                            \
	X(resultErrorField)                                                                        \
	X(resultStatus)                                                                            \
	X(sendPrepare)                                                                             \
	X(sendQuery)                                                                               \
	X(sendQueryParams)                                                                         \
	X(sendQueryPrepared)                                                                       \
	X(serverVersion)                                                                           \
	X(setNoticeProcessor)                                                                      \
	X(setSingleRowMode)                                                                        \
	X(setnonblocking)                                                                          \
	X(socket)                                                                                  \
	X(status)

struct pg_lib {
#define PG_FIELD(name) __typeof__(PQ##name) *name;
	PG_FUNCTIONS(PG_FIELD)
#undef PG_FIELD
};

/* The library stays in the process from then on. ERR_CONFIG_VALUE: not installed, or too old. */
enum err pg_lib_load(struct pg_lib *ret_lib, struct err_note *note) MUST_USE;

#endif
