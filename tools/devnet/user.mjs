// SPDX-License-Identifier: BSD-3-Clause-Clear
// What a user's client does: encrypt values under the network's CompactPublicKey with the real client library.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const tfhe = createRequire(import.meta.url)('node-tfhe');

const sizeMax = 1n << 30n;

// node-tfhe takes BigInt from 64 bits on, numbers and booleans below.
const asArgument = (type, value) => (type.bits === 1 ? value === 1n : type.bits < 64 ? Number(value) : value);

// [{type, value}] -> the serialised CompactCiphertextList (Uint8Array).
export function encryptList(publicKeyFile, items) {
	const key = tfhe.TfheCompactPublicKey.safe_deserialize(readFileSync(publicKeyFile), sizeMax);
	const builder = tfhe.CompactCiphertextList.builder(key);
	for (const { type, value } of items) builder[type.push](asArgument(type, value));
	return builder.build_packed().safe_serialize(sizeMax);
}
