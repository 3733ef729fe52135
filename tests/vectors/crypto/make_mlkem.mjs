// SPDX-License-Identifier: BSD-3-Clause-Clear
// Makes mlkem.json: ML-KEM by another implementation, npm's @noble/post-quantum 0.7.1.
//   npm install --prefix DIR @noble/post-quantum@0.7.1
//   node make_mlkem.mjs DIR > mlkem.json
// Its ML-KEM-768 is first held against the published hash of 10 000 accumulated tests (Go's crypto/mlkem), which shows
// that "accumulated" below is what others call by that name. For the two sets that we use there is no official one.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const at = createRequire(`${process.argv[2]}/package.json`);
const load = async (name) => import(pathToFileURL(at.resolve(name)).href);
const { ml_kem512, ml_kem768, ml_kem1024 } = await load('@noble/post-quantum/ml-kem.js');
const { shake128, shake256 } = await load('@noble/hashes/sha3.js');
const hex = (b) => Buffer.from(b).toString('hex');

// d, z, m and a random ciphertext from SHAKE128(""); ek, ct, K and K of the random ciphertext into another SHAKE128.
function accumulated(kem, rounds) {
	const source = shake128.create();
	const sink = shake128.create();
	for (let i = 0; i < rounds; i++) {
		const { publicKey, secretKey } = kem.keygen(source.xof(64));
		const { cipherText, sharedSecret } = kem.encapsulate(publicKey, source.xof(32));
		const random = source.xof(cipherText.length);
		for (const part of [publicKey, cipherText, sharedSecret, kem.decapsulate(random, secretKey)])
			sink.update(part);
	}
	return hex(sink.xof(32));
}

const go768 = '8a518cc63da366322a8e7a818c7a0d63483cb3528d34a4cf42f35d5ad73f22fc';
if (accumulated(ml_kem768, 10000) !== go768) throw new Error('not the published hash');

const out = {};
for (const [name, kem] of [['ML-KEM-512', ml_kem512], ['ML-KEM-1024', ml_kem1024]]) {
	const tests = [];
	for (let i = 0; i < 3; i++) {
		const source = shake256.create().update(Buffer.from(`${name} test ${i}`));
		const seed = source.xof(64);
		const m = source.xof(32);
		const { publicKey, secretKey } = kem.keygen(seed);
		const { cipherText, sharedSecret } = kem.encapsulate(publicKey, m);
		const spoilt = Uint8Array.from(cipherText);
		spoilt[(i * 331) % spoilt.length] ^= 1 << i;
		tests.push({
			d: hex(seed.subarray(0, 32)), z: hex(seed.subarray(32)), m: hex(m), ek: hex(publicKey), dk: hex(secretKey),
			ct: hex(cipherText), shared: hex(sharedSecret),
			spoilt: hex(spoilt), rejected: hex(kem.decapsulate(spoilt, secretKey)),
		});
	}
	out[name] = { accumulated_100: accumulated(kem, 100), accumulated_10000: accumulated(kem, 10000), tests };
}
console.log(JSON.stringify(out, null, '\t'));
