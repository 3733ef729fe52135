/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/internal.h"

#define CORE "/kms_service.v1.CoreServiceEndpoint/"

const struct work_kind work_kinds[OP_KINDS] = {
	[OP_KIND_PUBLIC_DECRYPTION] =
		{
			.rules = public_rules,
			.send_path = CORE "PublicDecrypt",
			.poll_path = CORE "GetPublicDecryptionResult",
			.pack = public_request_pack,
			.read = public_reply_read,
		},
	[OP_KIND_USER_DECRYPTION] =
		{
			.rules = user_rules,
			.send_path = CORE "UserDecrypt",
			.poll_path = CORE "GetUserDecryptionResult",
			.pack = user_request_pack,
			.read = user_reply_read,
		},
};
