// SPDX-License-Identifier: BSD-3-Clause-Clear
// Keys of the key generation against the client library that users run (node-tfhe): it loads every object that it knows,
// writes the same bytes, encrypts under the public key what we decrypt, and decrypts with the client key.
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
const dealer = join(process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd'), 'kms-dev-dealer');
const peer = join(process.env.CLAVIGER_PEERS ?? join(root, 'build/sanitized/tests/interop'), 'keygen_peer');
const limit = 1n << 30n;

let dir;

const run = (program, ...args) => execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 24 });
const file = (...parts) => join(dir, ...parts);
const bytes = (...parts) => readFileSync(file(...parts));
const same = (a, b) => assert.equal(Buffer.compare(Buffer.from(a), Buffer.from(b)), 0);
const pke = (name) =>
	new tfhe.ShortintCompactPublicKeyEncryptionParameters(tfhe.ShortintCompactPublicKeyEncryptionParametersName[name]);

before(() => {
	dir = mkdtempSync(join(tmpdir(), 'claviger-keygen-'));
	for (const set of ['default', 'v1_6', 'test']) {
		mkdirSync(file(set));
		run(peer, set, file(set));
	}
});

after(() => rmSync(dir, { recursive: true, force: true }));

for (const set of ['default', 'v1_6', 'test'])
	test(`${set}: every object is loaded and written the same`, () => {
		const kinds = { client_key: 'TfheClientKey', public_key: 'TfheCompactPublicKey' };
		kinds.compressed_public_key = 'TfheCompressedCompactPublicKey';
		if (set === 'test') kinds.server_key = 'TfheCompressedServerKey';
		for (const [name, kind] of Object.entries(kinds)) {
			const object = bytes(set, `${name}.bin`);
			same(tfhe[kind].safe_deserialize(object, limit).safe_serialize(limit), object);
		}
	});

for (const set of ['default', 'v1_6', 'test'])
	test(`${set}: the compressed public key is the public key without its mask`, () => {
		const compressed = tfhe.TfheCompressedCompactPublicKey.safe_deserialize(
			bytes(set, 'compressed_public_key.bin'),
			limit,
		);
		same(compressed.decompress().safe_serialize(limit), bytes(set, 'public_key.bin'));
	});

test('default: what is encrypted under the public key, we decrypt', () => {
	const key = tfhe.TfheCompactPublicKey.safe_deserialize_conformant(
		bytes('default', 'public_key.bin'),
		limit,
		pke('V1_7_PARAM_PKE_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128'),
	);
	const values = { uint8: 0xa7n, uint64: 0x0123456789abcdefn, uint160: (1n << 159n) + 3n, uint256: (1n << 255n) + 77n };
	const builder = tfhe.CompactCiphertextList.builder(key);
	builder.push_u8(Number(values.uint8));
	builder.push_u64(values.uint64);
	builder.push_u160(values.uint160);
	builder.push_u256(values.uint256);
	writeFileSync(file('list'), builder.build_packed().safe_serialize(limit));
	const client = file('default', 'client_key.bin');
	const lines = run(dealer, 'squash', '--client-key', client, '--list', file('list'), '--out', file('squashed'));
	const items = lines.trim().split('\n').map((line) => JSON.parse(line));
	assert.deepEqual(items.map((item) => item.type), Object.keys(values));
	for (const item of items)
		assert.equal(BigInt(run(dealer, 'decrypt', '--client-key', client, '--type', item.type, item.file).trim()), values[item.type]);
});

// Expansion is a key switch under our key and a bootstrap: the keys fit together.
test('test: a list under the public key, expanded and decrypted by node-tfhe', () => {
	const client = tfhe.TfheClientKey.safe_deserialize(bytes('test', 'client_key.bin'), limit);
	const key = tfhe.TfheCompactPublicKey.safe_deserialize(bytes('test', 'public_key.bin'), limit);
	const builder = tfhe.CompactCiphertextList.builder(key);
	builder.push_u8(0x5a);
	builder.push_u64(0x0123456789abcdefn);
	builder.push_boolean(true);
	tfhe.set_server_key(tfhe.TfheServerKey.new(client));
	const expander = builder.build_packed().expand();
	assert.equal(expander.get_uint8(0).decrypt(client), 0x5a);
	assert.equal(expander.get_uint64(1).decrypt(client), 0x0123456789abcdefn);
	assert.equal(expander.get_bool(2).decrypt(client), true);
});
