// SPDX-License-Identifier: BSD-3-Clause-Clear
// Ciphertexts of every width between the client library that users run (node-tfhe) and us: lists under our public key, with a
// proof over our CRS and without, and values under our client key, both ways. What we read we write again with the same bytes
// (the peer sees to that).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const tfhe = createRequire(import.meta.url)('node-tfhe');
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const peers = process.env.CLAVIGER_PEERS ?? join(root, 'build/sanitized/tests/interop');
const limit = 1n << 30n;
const kinds = { Uint: 0, Int: 1, Bool: 2 };

let dir;
let clientKey;
let publicKey;

const file = (...parts) => join(dir, ...parts);
const peer = (name, args, input = '') => execFileSync(join(peers, name), args, { encoding: 'utf8', input, maxBuffer: 1 << 26 });

// Every integer that node-tfhe has, up to 256 bits.
const widths = Object.keys(tfhe)
	.map((name) => /^Fhe(Uint|Int)(\d+)$/.exec(name))
	.filter((found) => found && Number(found[2]) <= 256)
	.map(([name, kind, bits]) => ({ name, kind, bits: Number(bits) }));

// The ends of the range, and one between them: alternating digits tell every block from its neighbours.
function valuesOf({ kind, bits }) {
	const between = BigInt(`0b${'1101100'.repeat(37).slice(0, bits)}`);
	if (kind === 'Uint') return [0n, (1n << BigInt(bits)) - 1n, between];
	return [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n, BigInt.asIntN(bits, between)];
}

const argument = (bits, value) => (bits <= 32 ? Number(value) : value);

// As the peer writes a value: kind, blocks, little-endian digits.
function line(kind, bits, value) {
	const blocks = kind === 'Bool' ? 1 : bits / 2;
	const size = Math.ceil(blocks / 4);
	const hex = BigInt.asUintN(Math.max(bits, 2), value).toString(16).padStart(2 * size, '0');
	return `${kinds[kind]} ${blocks} ${hex.match(/../g).reverse().join('')}`;
}

const all = (from = 0) => widths.flatMap((width) => valuesOf(width).slice(from).map((value) => ({ ...width, value })));

before(() => {
	dir = mkdtempSync(join(tmpdir(), 'claviger-ciphertexts-'));
	mkdirSync(file('key'));
	peer('keygen_peer', ['default', file('key')]);
	clientKey = tfhe.TfheClientKey.safe_deserialize(readFileSync(file('key/client_key.bin')), limit);
	publicKey = tfhe.TfheCompactPublicKey.safe_deserialize_conformant(
		readFileSync(file('key/public_key.bin')),
		limit,
		new tfhe.ShortintCompactPublicKeyEncryptionParameters(
			tfhe.ShortintCompactPublicKeyEncryptionParametersName.V1_7_PARAM_PKE_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128,
		),
	);
});

after(() => rmSync(dir, { recursive: true, force: true }));

test('there is every width of FHEVM', () => {
	assert.equal(widths.length, 2 * 38);
	for (const bits of [4, 8, 16, 32, 64, 128, 160, 256]) assert.ok(widths.some((width) => width.kind === 'Uint' && width.bits === bits));
});

const push = (builder, { kind, bits, value }) => builder[`push_${kind === 'Uint' ? 'u' : 'i'}${bits}`](argument(bits, value));

for (const how of ['build_packed', 'build'])
	test(`${how}: what node-tfhe encrypts under our public key, we decrypt, every width and booleans`, () => {
		const builder = tfhe.CompactCiphertextList.builder(publicKey);
		const expected = [];
		for (const entry of all()) {
			push(builder, entry);
			expected.push(line(entry.kind, entry.bits, entry.value));
			builder.push_boolean(entry.value % 2n === 0n);
			expected.push(line('Bool', 1, entry.value % 2n === 0n ? 1n : 0n));
		}
		writeFileSync(file(how), builder[how]().safe_serialize(limit));
		assert.deepEqual(peer('ciphertext_peer', ['list', file('key/client_key.bin'), file(how)]).trim().split('\n'), expected);
	});

test('what node-tfhe encrypts with our client key, we decrypt, every width and booleans', () => {
	const files = [];
	const expected = [];
	const keep = (ciphertext, text) => {
		files.push(file(`theirs${files.length}`));
		expected.push(text);
		writeFileSync(files.at(-1), ciphertext.safe_serialize(limit));
	};
	for (const { name, kind, bits, value } of all(1))
		keep(tfhe[name].encrypt_with_client_key(argument(bits, value), clientKey), line(kind, bits, value));
	for (const value of [false, true]) keep(tfhe.FheBool.encrypt_with_client_key(value, clientKey), line('Bool', 1, value ? 1n : 0n));
	assert.deepEqual(peer('ciphertext_peer', ['value', file('key/client_key.bin'), ...files]).trim().split('\n'), expected);
});

test('what we encrypt with our client key, node-tfhe decrypts, every width and booleans', () => {
	const entries = [...all(1), ...[0n, 1n].map((value) => ({ name: 'FheBool', kind: 'Bool', bits: 1, value }))];
	mkdirSync(file('ours'));
	const input = entries.map(({ kind, bits, value }) => line(kind, bits, value)).join('\n');
	assert.equal(peer('ciphertext_peer', ['encrypt', file('key/client_key.bin'), file('ours')], input).trim(), String(entries.length));
	entries.forEach(({ name, value }, i) => {
		const bytes = readFileSync(file('ours', String(i)));
		const ciphertext = tfhe[name].safe_deserialize(bytes, limit);
		assert.equal(BigInt(ciphertext.decrypt(clientKey)), value, `${name} ${value}`);
		assert.equal(Buffer.compare(Buffer.from(ciphertext.safe_serialize(limit)), bytes), 0);
	});
});

// The proof itself is held against the CRS, and against another, in crs.test.mjs.
test('a list with a proof over our CRS: read, written the same, and decrypted', () => {
	peer('crs_peer', ['make', 'default', '64', file('crs')]);
	const crs = tfhe.CompactPkeCrs.safe_deserialize(readFileSync(file('crs')), limit);
	for (const load of [tfhe.ZkComputeLoad.Proof, tfhe.ZkComputeLoad.Verify]) {
		const builder = tfhe.CompactCiphertextList.builder(publicKey);
		builder.push_u32(0xdeadbeef);
		builder.push_i16(-2);
		builder.push_boolean(true);
		const name = `proven${load}`;
		writeFileSync(file(name), builder.build_with_proof_packed(crs, new TextEncoder().encode('interop'), load).safe_serialize(limit));
		assert.deepEqual(peer('ciphertext_peer', ['list', file('key/client_key.bin'), file(name)]).trim().split('\n'), [
			line('Uint', 32, 0xdeadbeefn),
			line('Int', 16, -2n),
			line('Bool', 1, 1n),
		]);
	}
});
