// SPDX-License-Identifier: BSD-3-Clause-Clear
// Our keys and ciphertexts against the client library that users run (node-tfhe): it loads what kms-dev-dealer makes,
// encrypts under it, and what our squash makes of its ciphertexts decrypts to the same values.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { keccak256 } from 'ethers';

const tfhe = createRequire(import.meta.url)('node-tfhe');
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const dealer = join(process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd'), 'kms-dev-dealer');
const limit = 1n << 30n;
const keyId = 'c1'.repeat(31) + '07';
const epoch = '08' + '00'.repeat(30) + '01';

let dir;
let publicKey;

const run = (...args) => execFileSync(dealer, args, { encoding: 'utf8', maxBuffer: 1 << 24 });
const file = (...parts) => join(dir, ...parts);
const bytes = (...parts) => readFileSync(file(...parts));
const vaultKey = () => file('PRIV/FhePrivateKey', epoch, keyId);
const same = (a, b) => assert.equal(Buffer.compare(Buffer.from(a), Buffer.from(b)), 0);

const pushes = {
	bool: (b, v) => b.push_boolean(v === 1n),
	uint8: (b, v) => b.push_u8(Number(v)),
	uint16: (b, v) => b.push_u16(Number(v)),
	uint32: (b, v) => b.push_u32(Number(v)),
	uint64: (b, v) => b.push_u64(v),
	uint128: (b, v) => b.push_u128(v),
	uint160: (b, v) => b.push_u160(v),
	uint256: (b, v) => b.push_u256(v),
};
const fheTypes = { bool: 0, uint8: 2, uint16: 3, uint32: 4, uint64: 5, uint128: 6, uint160: 7, uint256: 8 };

function encrypt(values, how, key = publicKey) {
	const builder = tfhe.CompactCiphertextList.builder(key);
	for (const [type, value] of values) pushes[type](builder, value);
	const list = builder[how]();
	return { list, blob: Buffer.from(list.safe_serialize(limit)) };
}

// Through squash and decryption; `key` is a client key file or a vault object.
function squashed(blob, name, key) {
	writeFileSync(file(`${name}.list`), blob);
	const lines = run('squash', '--client-key', file('client_key.bin'), '--list', file(`${name}.list`), '--out', file(name));
	return lines.trim().split('\n').map((line) => {
		const item = JSON.parse(line);
		return { ...item, value: BigInt(run('decrypt', '--client-key', key, '--type', item.type, item.file).trim()) };
	});
}

function assertSquashed(values, how, name, key) {
	const items = squashed(encrypt(values, how).blob, name, key);
	assert.equal(items.length, values.length);
	values.forEach(([type, value], i) => {
		assert.equal(items[i].index, i);
		assert.equal(items[i].type, type);
		assert.equal(items[i].fhe_type, fheTypes[type]);
		assert.equal(items[i].value, value, `${type} ${i}`);
		assert.equal(items[i].digest, keccak256(readFileSync(items[i].file)));
	});
	return items;
}

before(() => {
	dir = mkdtempSync(join(tmpdir(), 'claviger-tfhe-'));
	run('keygen', '--key-id', keyId, '--out', dir);
	const parameters = new tfhe.ShortintCompactPublicKeyEncryptionParameters(
		tfhe.ShortintCompactPublicKeyEncryptionParametersName.V1_7_PARAM_PKE_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128,
	);
	publicKey = tfhe.TfheCompactPublicKey.safe_deserialize_conformant(bytes('public_key.bin'), limit, parameters);
});

after(() => rmSync(dir, { recursive: true, force: true }));

test('node-tfhe loads the public key, checks it against the production parameters, and writes the same bytes', () => {
	same(publicKey.safe_serialize(limit), bytes('public_key.bin'));
	same(bytes('PUB/PublicKey', keyId), bytes('public_key.bin'));
});

test('node-tfhe loads the client key and writes the same bytes', () => {
	const key = tfhe.TfheClientKey.safe_deserialize(bytes('client_key.bin'), limit);
	same(key.safe_serialize(limit), bytes('client_key.bin'));
});

test('private files are private, and nothing is overwritten', () => {
	assert.equal(statSync(file('client_key.bin')).mode & 0o777, 0o600);
	assert.equal(statSync(vaultKey()).mode & 0o777, 0o600);
	const again = spawnSync(dealer, ['keygen', '--key-id', keyId, '--out', dir], { encoding: 'utf8' });
	assert.equal(again.status, 1);
	assert.match(again.stderr, /File exists/);
});

test('a packed list of every type comes through squash and decryption', () => {
	assertSquashed(
		[
			['bool', 1n],
			['uint8', 0xa7n],
			['uint64', 0x0123456789abcdefn],
			['uint256', (1n << 255n) + 77n],
			['uint160', 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266n],
			['uint16', 0xffffn],
			['uint32', 0xdeadbeefn],
			['uint128', (1n << 127n) + 5n],
		],
		'build_packed',
		'packed',
		vaultKey(),
	);
});

test('an unpacked list and the ends of the ranges', () => {
	const ends = Object.keys(fheTypes).filter((type) => type !== 'bool');
	assertSquashed(
		[
			['bool', 0n],
			...ends.map((type) => [type, (1n << BigInt(type.slice(4))) - 1n]),
			...ends.map((type) => [type, 0n]),
			['bool', 1n],
		],
		'build',
		'unpacked',
		file('client_key.bin'),
	);
});

test('a list that needs a second mask', () => {
	const values = [...Array(34).keys()].map((i) => ['uint256', (BigInt(i) << 248n) + BigInt(i * i)]);
	assertSquashed(values, 'build_packed', 'long', vaultKey());
});

test('two encryptions of one value differ, sizes are those of production', () => {
	const items = assertSquashed([['uint64', 42n], ['uint64', 42n], ['bool', 1n]], 'build_packed', 'twice', vaultKey());
	assert.notEqual(items[0].digest, items[1].digest);
	assert.equal(items[0].size, 98588 + 16 * 16 + 32);
	assert.equal(items[2].size, 98588 + 16 - 8 + 32);
});

// Expansion needs a server key, which takes node-tfhe a minute for production parameters and no time for the test set.
test('node-tfhe makes a server key from our client key, expands a list and decrypts it', () => {
	const at = file('small');
	run('keygen', '--key-id', keyId, '--out', at, '--params', 'test');
	const key = tfhe.TfheClientKey.safe_deserialize(readFileSync(join(at, 'client_key.bin')), limit);
	const values = [['bool', 1n], ['uint64', 0x0123456789abcdefn], ['uint160', 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266n]];
	const { list } = encrypt(values, 'build_packed', tfhe.TfheCompactPublicKey.safe_deserialize(readFileSync(join(at, 'public_key.bin')), limit));

	tfhe.set_server_key(tfhe.TfheServerKey.new(key));
	const expander = list.expand();
	assert.equal(expander.get_bool(0).decrypt(key), true);
	assert.equal(expander.get_uint64(1).decrypt(key), values[1][1]);
	assert.equal(BigInt(expander.get_uint160(2).decrypt(key)), values[2][1]);
});

test('wrong use is told apart from failure', () => {
	const status = (...args) => spawnSync(dealer, args, { encoding: 'utf8' }).status;
	assert.equal(status(), 2);
	assert.equal(status('keygen', '--key-id', 'ab', '--out', dir), 2);
	assert.equal(status('--help'), 0);
	assert.equal(status('squash', '--client-key', file('client_key.bin'), '--list', file('public_key.bin'), '--out', file('x')), 1);
	assert.equal(status('inspect', file('public_key.bin')), 0);
});
