/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/internal.h"

#define CORE "/kms_service.v1.CoreServiceEndpoint/"

const struct work_kind work_kinds[OP_KINDS] = {
	[OP_KIND_PUBLIC_DECRYPTION] =
		{
			.source = EVENTS_DECRYPTION,
			.decode = decryption_decode,
			.check = permission_start,
			.rules = public_rules,
			.prepare = ciphertexts_start,
			.send_path = CORE "PublicDecrypt",
			.sync_path = CORE "PublicDecryptSync",
			.poll_path = CORE "GetPublicDecryptionResult",
			.pack = public_request_pack,
			.id_may_be_taken = true,
			.read = public_reply_read,
			.accept = decryption_accept,
		},
	[OP_KIND_USER_DECRYPTION] =
		{
			.source = EVENTS_DECRYPTION,
			.decode = decryption_decode,
			.check = permission_start,
			.rules = user_rules,
			.prepare = ciphertexts_start,
			.send_path = CORE "UserDecrypt",
			.sync_path = CORE "UserDecryptSync",
			.poll_path = CORE "GetUserDecryptionResult",
			.pack = user_request_pack,
			.id_may_be_taken = true,
			.read = user_reply_read,
			.accept = decryption_accept,
		},
	[OP_KIND_PREP_KEYGEN] =
		{
			.source = EVENTS_KMS_GENERATION,
			.decode = key_decode,
			.check = management_check,
			.given_up_by = OP_KIND_ABORT_KEYGEN,
			.prepare = work_fetched,
			.send_path = CORE "KeyGenPreproc",
			.poll_path = CORE "GetKeyGenPreprocResult",
			.pack = prep_keygen_pack,
			.accept = prep_keygen_accept,
		},
	[OP_KIND_KEYGEN] =
		{
			.source = EVENTS_KMS_GENERATION,
			.decode = keygen_decode,
			.check = management_check,
			.given_up_by = OP_KIND_ABORT_KEYGEN,
			.prepare = work_fetched,
			.send_path = CORE "KeyGen",
			.poll_path = CORE "GetKeyGenResult",
			.pack = keygen_pack,
			.accept = keygen_accept,
		},
	[OP_KIND_CRSGEN] =
		{
			.source = EVENTS_KMS_GENERATION,
			.decode = key_decode,
			.check = management_check,
			.given_up_by = OP_KIND_ABORT_CRSGEN,
			.prepare = work_fetched,
			.send_path = CORE "CrsGen",
			.poll_path = CORE "GetCrsGenResult",
			.pack = crsgen_pack,
			.accept = crsgen_accept,
		},
	[OP_KIND_NEW_CONTEXT] =
		{
			.source = EVENTS_PROTOCOL_CONFIG,
			.decode = context_decode,
			.check = management_check,
			.confirm = context_confirm,
			.prepare = context_prepare,
			.send_path = CORE "NewMpcContext",
			.pack = context_pack,
			.pack_before = context_pack_before,
			.accept = context_accept,
		},
	[OP_KIND_NEW_EPOCH] =
		{
			.source = EVENTS_PROTOCOL_CONFIG,
			.decode = epoch_decode,
			.check = management_check,
			.confirm = epoch_confirm,
			.prepare = epoch_prepare,
			.send_path = CORE "NewMpcEpoch",
			.poll_path = CORE "GetEpochResult",
			.pack = epoch_pack,
			.accept = epoch_accept,
			.signer_is_new = true,
		},
	[OP_KIND_ABORT_KEYGEN] =
		{
			.source = EVENTS_KMS_GENERATION,
			.decode = key_decode,
			.check = management_check,
			.confirm = abort_confirm,
			.prepare = abort_prepare,
			.send_path = CORE "AbortKeyGen",
			.pack = id_pack,
			.gone_is_done = true,
		},
	[OP_KIND_ABORT_CRSGEN] =
		{
			.source = EVENTS_KMS_GENERATION,
			.decode = key_decode,
			.check = management_check,
			.confirm = abort_confirm,
			.prepare = abort_prepare,
			.send_path = CORE "AbortCrsGen",
			.pack = id_pack,
			.gone_is_done = true,
		},
	[OP_KIND_CONTEXT_DESTROYED] =
		{
			.source = EVENTS_PROTOCOL_CONFIG,
			.decode = destroyed_decode,
			.check = management_check,
			.confirm = context_destroyed_confirm,
			.prepare = work_fetched,
			.send_path = CORE "DestroyMpcContext",
			.pack = context_destroyed_pack,
			.gone_is_done = true,
		},
	[OP_KIND_EPOCH_DESTROYED] =
		{
			.source = EVENTS_PROTOCOL_CONFIG,
			.decode = destroyed_decode,
			.check = management_check,
			.confirm = epoch_destroyed_confirm,
			.prepare = work_fetched,
			.send_path = CORE "DestroyMpcEpoch",
			.pack = epoch_destroyed_pack,
			.gone_is_done = true,
		},
	[OP_KIND_PRSS_INIT] =
		{
			.source = EVENTS_KMS_GENERATION,
			.decode = key_decode,
			.check = management_check,
			.prepare = work_fetched,
			.send_path = CORE "Init",
			.pack = prss_init_pack,
		},
	[OP_KIND_KEY_RESHARE] =
		{
			.source = EVENTS_KMS_GENERATION,
			.decode = keygen_decode,
			.check = management_check,
			.prepare = work_fetched,
			.send_path = CORE "InitiateResharing",
			.pack = reshare_pack,
		},
};
