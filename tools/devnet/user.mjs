// SPDX-License-Identifier: BSD-3-Clause-Clear
// What a user's client does: encrypt values under the network's CompactPublicKey with the real client library.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { concat, getBytes, toBeHex } from 'ethers';

const tfhe = createRequire(import.meta.url)('node-tfhe');

const sizeMax = 1n << 30n;

// node-tfhe takes BigInt from 64 bits on, numbers and booleans below.
const asArgument = (type, value) => (type.bits === 1 ? value === 1n : type.bits < 64 ? Number(value) : value);

function builderOf(publicKeyFile, items) {
	const key = tfhe.TfheCompactPublicKey.safe_deserialize(readFileSync(publicKeyFile), sizeMax);
	const builder = tfhe.CompactCiphertextList.builder(key);
	for (const { type, value } of items) builder[type.push](asArgument(type, value));
	return builder;
}

// [{type, value}] -> the serialised CompactCiphertextList (Uint8Array).
export function encryptList(publicKeyFile, items) {
	return builderOf(publicKeyFile, items).build_packed().safe_serialize(sizeMax);
}

// The same with a proof that whoever made it knows the values: an input of this contract, by this user, on this chain.
export function encryptProven({ publicKey, crs }, items, { contract, user, acl, chainId }) {
	const bound = getBytes(concat([contract, user, acl, toBeHex(chainId, 32)]));
	const loaded = tfhe.CompactPkeCrs.safe_deserialize(readFileSync(crs), sizeMax);
	return builderOf(publicKey, items).build_with_proof_packed(loaded, bound, tfhe.ZkComputeLoad.Proof).safe_serialize(sizeMax);
}
