/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The connector's tables. Steps are only ever appended. SQL here is the dialect that both engines
 * share (store/README). Request ids, hashes and addresses are big-endian blobs; times are Unix
 * milliseconds; states and kinds are their names, so that an operator who opens the database can
 * read it.
 */
#include "connector/operation.h"

static const char *const steps[] = {
	/* 1: the frame */
	"CREATE TABLE operation ("
	" id INTEGER PRIMARY KEY,"
	" chain INTEGER NOT NULL,"
	" contract BLOB NOT NULL,"
	" kind TEXT NOT NULL,"
	" request_id BLOB NOT NULL,"
	" content_digest BLOB NOT NULL,"
	" state TEXT NOT NULL,"
	" block INTEGER NOT NULL,"
	" block_hash BLOB NOT NULL,"
	" tx_hash BLOB NOT NULL,"
	" log_index INTEGER NOT NULL,"
	" content BLOB NOT NULL,"
	" materials BLOB NOT NULL,"
	" proof BLOB NOT NULL,"
	" answer BLOB NOT NULL,"
	" error TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" attempts INTEGER NOT NULL,"
	" deferrals INTEGER NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" updated_ms INTEGER NOT NULL,"
	" due_ms INTEGER NOT NULL,"
	" refused_since_ms INTEGER NOT NULL,"
	" lease_owner TEXT,"
	" lease_until_ms INTEGER NOT NULL,"
	" UNIQUE (chain, contract, kind, request_id, content_digest)) STRICT;"
	"CREATE INDEX operation_due ON operation (state, due_ms) WHERE state IN"
	" ('seen','ready','computing','answered','sending');"
	"CREATE INDEX operation_request ON operation (request_id);"

	/* One row per nonce of ours: stored before it is signed, raw bytes stored before they are
	   broadcast. */
	"CREATE TABLE tx ("
	" id INTEGER PRIMARY KEY,"
	" chain INTEGER NOT NULL,"
	" account BLOB NOT NULL,"
	" nonce INTEGER NOT NULL,"
	" operation INTEGER REFERENCES operation (id),"
	" state TEXT NOT NULL," /* sender/README.md */
	" raw BLOB NOT NULL,"
	" hash BLOB NOT NULL,"
	" fee_max BLOB NOT NULL,"
	" priority_fee BLOB NOT NULL,"
	" gas INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL,"
	" block INTEGER NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" updated_ms INTEGER NOT NULL,"
	" UNIQUE (chain, account, nonce)) STRICT;"
	"CREATE INDEX tx_operation ON tx (operation);"
	"CREATE INDEX tx_open ON tx (chain, nonce) WHERE state IN"
	" ('allocated','signed','broadcast','free');"

	/* Where the listener stands; moved in the same batch as the rows it covers. */
	"CREATE TABLE cursor ("
	" chain INTEGER PRIMARY KEY,"
	" block INTEGER NOT NULL,"
	" block_hash BLOB NOT NULL,"
	" updated_ms INTEGER NOT NULL) STRICT;"

	/* Logs that matched the filter and could not be decoded: kept, never dropped, never in the
	   way. */
	"CREATE TABLE quarantine ("
	" id INTEGER PRIMARY KEY,"
	" chain INTEGER NOT NULL,"
	" contract BLOB NOT NULL,"
	" block INTEGER NOT NULL,"
	" block_hash BLOB NOT NULL,"
	" tx_hash BLOB NOT NULL,"
	" log_index INTEGER NOT NULL,"
	" topics BLOB NOT NULL,"
	" data BLOB NOT NULL,"
	" reason TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" UNIQUE (chain, block_hash, log_index)) STRICT;",

	/* 2: what a sender may do with a nonce. All versions of a transaction that has more than
	   one; who may sign; two more states of a nonce. */
	"CREATE TABLE tx_version ("
	" id INTEGER PRIMARY KEY,"
	" chain INTEGER NOT NULL,"
	" account BLOB NOT NULL,"
	" nonce INTEGER NOT NULL,"
	" version INTEGER NOT NULL,"
	" raw BLOB NOT NULL,"
	" hash BLOB NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" UNIQUE (chain, account, nonce, hash)) STRICT;"
	"CREATE INDEX tx_version_hash ON tx_version (hash);"
	"CREATE TABLE sender_lease ("
	" id INTEGER PRIMARY KEY,"
	" chain INTEGER NOT NULL,"
	" account BLOB NOT NULL,"
	" token INTEGER NOT NULL,"
	" owner TEXT NOT NULL,"
	" until_ms INTEGER NOT NULL,"
	" UNIQUE (chain)) STRICT;"
	"DROP INDEX tx_open;"
	"CREATE INDEX tx_open ON tx (chain, nonce) WHERE state IN"
	" ('allocated','signed','broadcast','included','far','free');",

	/* 3: where the cursor has been, for walking back. `far`: kept when the others go. */
	"CREATE TABLE cursor_trail ("
	" id INTEGER PRIMARY KEY,"
	" chain INTEGER NOT NULL,"
	" block INTEGER NOT NULL,"
	" block_hash BLOB NOT NULL,"
	" far INTEGER NOT NULL,"
	" UNIQUE (chain, block)) STRICT;",

	/* 4: what was done, each record linked to the one before it once it is sealed (audit.h).
	   The head is one row; what lies before `first` was given up for its age. */
	"CREATE TABLE audit ("
	" id INTEGER PRIMARY KEY,"
	" seq INTEGER,"
	" hash BLOB,"
	" at_ms INTEGER NOT NULL,"
	" event TEXT NOT NULL,"
	" detail TEXT NOT NULL,"
	" ref BLOB NOT NULL,"
	" chain INTEGER NOT NULL,"
	" request_id BLOB NOT NULL,"
	" content_digest BLOB NOT NULL) STRICT;"
	"CREATE UNIQUE INDEX audit_sealed ON audit (seq) WHERE seq IS NOT NULL;"
	"CREATE INDEX audit_open ON audit (id) WHERE seq IS NULL;"
	"CREATE TABLE audit_head ("
	" id INTEGER PRIMARY KEY,"
	" seq INTEGER NOT NULL,"
	" hash BLOB NOT NULL,"
	" first_seq INTEGER NOT NULL,"
	" first_hash BLOB NOT NULL) STRICT;"
	"INSERT INTO audit_head (id, seq, hash, first_seq, first_hash) VALUES (1, 0,"
	" x'0000000000000000000000000000000000000000000000000000000000000000', 0,"
	" x'0000000000000000000000000000000000000000000000000000000000000000');",

	/* 5: what is left of an operation that ended long ago: that it was there, so that it is not
	   done again when its log is read again. And ways to what is old. */
	"CREATE TABLE operation_gone ("
	" chain INTEGER NOT NULL,"
	" contract BLOB NOT NULL,"
	" kind TEXT NOT NULL,"
	" request_id BLOB NOT NULL,"
	" content_digest BLOB NOT NULL,"
	" PRIMARY KEY (request_id, content_digest, chain, contract, kind)) STRICT;"
	"CREATE INDEX operation_ended ON operation (updated_ms) WHERE state IN"
	" ('done','refused','failed','aborted','expired');"
	"CREATE INDEX tx_ended ON tx (updated_ms) WHERE state IN ('mined','reverted','lost');",

	/* 6: the trace that an operation is part of: traceparent of W3C Trace Context, or nothing.
	 */
	"ALTER TABLE operation ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';",

	/* 7: ids that a core was given, or may have been: keys, CRSs, contexts and epochs, whose
	   ids are burnt by their first use. What is in `operation` may go one day, this stays. */
	"CREATE TABLE given_id ("
	" chain INTEGER NOT NULL,"
	" contract BLOB NOT NULL,"
	" kind TEXT NOT NULL,"
	" request_id BLOB NOT NULL,"
	" content_digest BLOB NOT NULL,"
	" PRIMARY KEY (chain, contract, kind, request_id)) STRICT;"
	"INSERT INTO given_id (chain, contract, kind, request_id, content_digest)"
	" SELECT chain, contract, kind, request_id, content_digest FROM operation"
	" WHERE length(proof) > 0 AND kind NOT IN"
	" ('public_decryption_request','user_decryption_request') ORDER BY id"
	" ON CONFLICT (chain, contract, kind, request_id) DO NOTHING;",

	/* 8: ways for people who ask (inspect.h): by handle, by the request's transaction, by one
	   of ours. What listeners stored that did not know of it is not in operation_handle; it has
	   ids up to `last`, which the first one that does know sets. */
	"CREATE TABLE operation_handle ("
	" request_id BLOB NOT NULL,"
	" handle BLOB NOT NULL,"
	" PRIMARY KEY (request_id, handle)) STRICT;"
	"CREATE INDEX operation_by_handle ON operation_handle (handle);"
	"CREATE TABLE operation_unindexed (last INTEGER NOT NULL) STRICT;"
	"INSERT INTO operation_unindexed (last) VALUES (9223372036854775807);"
	"CREATE INDEX operation_by_tx ON operation (tx_hash);"
	"CREATE INDEX tx_by_hash ON tx (hash);",

	/* 9: what one operation costs does not grow with how many wait: claims find the next rows
	   in their order and sort nothing, those of one chain without passing over another's, and
	   leases are found without looking at what has none. */
	"DROP INDEX operation_due;"
	"CREATE INDEX operation_due ON operation (state, due_ms, id) WHERE state IN"
	" ('seen','ready','computing','answered','sending');"
	"CREATE INDEX operation_answered ON operation (chain, due_ms, id) WHERE state = "
	"'answered';"
	"CREATE INDEX operation_leased ON operation (lease_owner) WHERE lease_owner IS NOT NULL;",

	/* 10: which block of that number; empty: not known, of rows that are older than this. */
	"ALTER TABLE tx ADD COLUMN block_hash BLOB NOT NULL DEFAULT x'';",
};

const struct store_migrations connector_migrations = {
	.owner = "connector",
	.sql = steps,
	.n = ARRAY_LEN(steps),
};
