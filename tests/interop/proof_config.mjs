// SPDX-License-Identifier: BSD-3-Clause-Clear
import { createRequire } from 'node:module';

const tfhe = createRequire(import.meta.url)('node-tfhe');

// Parameters to verify proofs under. Public keys have production parameters; what is computed with afterwards is small, so that
// expanding, which the library does in the same call, costs nothing.
export function proofConfig() {
	const noise = () => tfhe.Shortint.new_gaussian_from_std_dev(0);
	const compute = tfhe.Shortint.new_parameters(1, 1, 256, noise(), noise(), 24, 1, 37, 1, 4n, 4n, 5n, -64, 64, tfhe.ShortintEncryptionKeyChoice.Big);
	const input = new tfhe.ShortintCompactPublicKeyEncryptionParameters(
		tfhe.ShortintCompactPublicKeyEncryptionParametersName.V1_7_PARAM_PKE_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128,
	);
	return tfhe.TfheConfigBuilder.default().use_custom_parameters(compute).use_dedicated_compact_public_key_parameters(input).build();
}
