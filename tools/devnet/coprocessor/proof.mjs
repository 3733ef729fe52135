// SPDX-License-Identifier: BSD-3-Clause-Clear
// A worker thread: verifies the zero-knowledge proof of an encrypted input with the real client library, which takes seconds
// and would stop everything else.
//
// The library verifies and expands in one call, and wants a server key for the expansion. The stand-in has no use for what
// comes out of it, so that key is a throwaway one of the smallest parameters that fit; the proof does not depend on it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { readCrs } from '../relayer/keys.mjs';
import { withoutProof } from './compact-list.mjs';

const tfhe = createRequire(import.meta.url)('node-tfhe');
const keySizeMax = 1n << 24n;
const listSizeMax = 1n << 20n;

const noise = () => tfhe.Shortint.new_gaussian_from_std_dev(0);

// What the throwaway key takes inputs of: as many numbers as the public key's ciphertexts have.
const inputs = {
	default: () =>
		new tfhe.ShortintCompactPublicKeyEncryptionParameters(tfhe.ShortintCompactPublicKeyEncryptionParametersName.V1_7_PARAM_PKE_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128),
	test: () => tfhe.ShortintCompactPublicKeyEncryptionParameters.new_parameters(512, noise(), 4n, 4n, 64, 37, 1, tfhe.ShortintEncryptionKeyChoice.Small),
};

function setThrowawayServerKey(parameters) {
	const compute = tfhe.Shortint.new_parameters(1, 1, 256, noise(), noise(), 24, 1, 37, 1, 4n, 4n, 5n, -64, 64, tfhe.ShortintEncryptionKeyChoice.Big);
	const input = (inputs[parameters] ?? inputs.default)();
	const builder = tfhe.TfheConfigBuilder.default().use_custom_parameters(compute).use_dedicated_compact_public_key_parameters(input);
	tfhe.set_server_key(tfhe.TfheServerKey.new(tfhe.TfheClientKey.generate(builder.build())));
}

const crs = tfhe.CompactPkeCrs.safe_deserialize(readCrs(workerData), keySizeMax);
const publicKey = tfhe.TfheCompactPublicKey.safe_deserialize(readFileSync(workerData.publicKey), keySizeMax);
setThrowawayServerKey(workerData.parameters);

// The values' list when the proof holds; throws what is wrong otherwise.
function verify({ ciphertext, metadata }) {
	const proven = tfhe.ProvenCompactCiphertextList.safe_deserialize(ciphertext, listSizeMax);
	proven.verify_and_expand(crs, publicKey, metadata);
	return withoutProof(proven.safe_serialize(listSizeMax));
}

parentPort.on('message', ({ id, ...input }) => {
	try {
		parentPort.postMessage({ id, list: verify(input) });
	} catch (error) {
		parentPort.postMessage({ id, reason: error.message });
	}
});
