// SPDX-License-Identifier: BSD-3-Clause-Clear
// The public material that clients encrypt with: the network's CompactPublicKey, and the CRS of their proofs.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

// The network's own; one whose KMS has made none has one that somebody else made, for production parameters.
export const readCrs = ({ crs }) => (crs ? readFileSync(crs) : gunzipSync(readFileSync(new URL('../data/crs2048.bin.gz', import.meta.url))));

// tfhe-rs 1.7 safe_serialize: two version texts and the mode, then the type's name; all lengths are u64 LE.
const name = 'high_level_api::CompactPublicKey';
const header = 8 + 3 + 4 + 8 + 3 + 8 + name.length;
const newtype = 4 + 8;
const modulus = 4 + 16 + 8;
// Versions down to the key's container; version and length of its words; its size in words and its modulus.
const wordsAt = header + 4 * 4 + 4;
// PKE parameters: version, dimension, noise distribution, two moduli of the message, modulus of the ciphertext.
const parameters = 4 + newtype + 4 * 4 + 2 * newtype + modulus;

// The same key as tfhe before 1.6 wrote it. Clients up to relayer-sdk 0.4.3 carry such a tfhe and refuse what is newer; the
// only difference is the version before the expansion kind, 1 and 0, for a body that means the same.
export function withExpansionKind0(key) {
	const copy = Buffer.from(key);
	if (copy.subarray(header - name.length, header).toString('latin1') !== name) throw new Error('not a serialised CompactPublicKey');
	const words = Number(copy.readBigUInt64LE(wordsAt + 4));
	const at = wordsAt + 4 + 8 + 8 * words + newtype + modulus + parameters;
	if (copy.readUInt32LE(at) !== 1 || copy.readUInt32LE(at + 4) !== 0) throw new Error('CompactPublicKey: not "expansion kind version 1, requires casting"');
	copy.writeUInt32LE(0, at);
	return copy;
}

export class Keys {
	constructor(keys) {
		const { keyId, crsId, publicKey } = keys;
		this.keyId = keyId;
		this.crsId = crsId;
		this.files = new Map([
			[`/keys/PublicKey/${keyId}`, withExpansionKind0(readFileSync(publicKey))],
			[`/keys/CRS/${crsId}`, readCrs(keys)],
		]);
	}

	// The answer to keyurl; v1 writes its names otherwise.
	url(base, version) {
		const entry = (kind, id) => ({ [version === 1 ? 'data_id' : 'dataId']: id, urls: [`${base}/keys/${kind}/${id}`] });
		const [info, key] = version === 1 ? ['fhe_key_info', 'fhe_public_key'] : ['fheKeyInfo', 'fhePublicKey'];
		return {
			status: 'succeeded',
			response: { [info]: [{ [key]: entry('PublicKey', this.keyId) }], crs: { 2048: entry('CRS', this.crsId) } },
		};
	}
}
