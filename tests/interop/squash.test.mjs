// SPDX-License-Identifier: BSD-3-Clause-Clear
// What kms-dev-coprocessor makes of users' lists, against the client library that users run (node-tfhe): it decrypts the
// values that we expand, and what it expands we squash.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const tfhe = createRequire(import.meta.url)('node-tfhe');
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const limit = 1n << 30n;

let dir;
let client;
let builder;

const file = (...parts) => join(dir, ...parts);
const run = (program, ...args) => execFileSync(join(programs, program), args, { encoding: 'utf8' });
const coprocessor = (command, ...args) =>
	run('kms-dev-coprocessor', command, '--key-set', file('key_set.bin'), ...args)
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line));
const decrypted = (type, path) => BigInt(run('kms-dev-dealer', 'decrypt', '--client-key', file('client_key.bin'), '--type', type, path).trim());

const values = [
	['bool', 'FheBool', 1n],
	['uint8', 'FheUint8', 0x5an],
	['uint64', 'FheUint64', 0x0123456789abcdefn],
	['bool', 'FheBool', 0n],
	['uint160', 'FheUint160', (1n << 159n) + 3n],
	['uint256', 'FheUint256', (1n << 255n) + 77n],
];

before(() => {
	dir = mkdtempSync(join(tmpdir(), 'claviger-squash-'));
	run('kms-dev-dealer', 'keygen', '--key-id', '7'.padStart(64, '0'), '--out', dir, '--params', 'test', '--key-set');
	client = tfhe.TfheClientKey.safe_deserialize(readFileSync(file('client_key.bin')), limit);
	const key = tfhe.TfheCompactPublicKey.safe_deserialize(readFileSync(file('public_key.bin')), limit);
	builder = tfhe.CompactCiphertextList.builder(key);
	builder.push_boolean(true);
	builder.push_u8(0x5a);
	builder.push_u64(0x0123456789abcdefn);
	builder.push_boolean(false);
	builder.push_u160((1n << 159n) + 3n);
	builder.push_u256((1n << 255n) + 77n);
	writeFileSync(file('packed'), builder.build_packed().safe_serialize(limit));
	writeFileSync(file('unpacked'), builder.build().safe_serialize(limit));
});

after(() => rmSync(dir, { recursive: true, force: true }));

for (const form of ['packed', 'unpacked']) {
	test(`${form} list: node-tfhe decrypts what we expand`, () => {
		const objects = coprocessor('expand', '--list', file(form), '--out', file(`${form}-expanded`));
		assert.deepEqual(objects.map(({ type }) => type), values.map(([type]) => type));
		for (const [index, [, kind, value]] of values.entries()) {
			const bytes = readFileSync(objects[index].file);
			const object = tfhe[kind].safe_deserialize(bytes, limit);
			assert.equal(BigInt(object.decrypt(client)), value);
			assert.equal(Buffer.compare(Buffer.from(object.safe_serialize(limit)), bytes), 0);
		}
	});

	test(`${form} list: squashed and compressed, the value is what was encrypted`, () => {
		const objects = coprocessor('squash', '--list', file(form), '--out', file(`${form}-squashed`));
		for (const [index, [type, , value]] of values.entries()) assert.equal(decrypted(type, objects[index].file), value);
	});
}

test('what node-tfhe expands, we squash and compress', () => {
	tfhe.set_server_key(tfhe.TfheServerKey.new(client));
	const expander = builder.build_packed().expand();
	const expanded = [expander.get_bool(0), expander.get_uint8(1), expander.get_uint64(2), expander.get_bool(3), expander.get_uint160(4), expander.get_uint256(5)];
	for (const [index, [type, , value]] of values.entries()) {
		writeFileSync(file('one'), expanded[index].safe_serialize(limit));
		const [object] = coprocessor('squash', '--ciphertext', file('one'), '--out', file(`one-${index}`));
		assert.equal(decrypted(type, object.file), value);
	}
});

test('the command line and files are checked', () => {
	const refused = (...args) => {
		const { status, stderr } = spawnSync(join(programs, 'kms-dev-coprocessor'), args, { encoding: 'utf8' });
		return [status, stderr.trim()];
	};
	const set = ['--key-set', file('key_set.bin')];
	assert.deepEqual(refused('squash', ...set, '--out', dir), [2, 'kms-dev-coprocessor: squash: options are missing; see --help']);
	assert.deepEqual(refused('dance'), [2, 'kms-dev-coprocessor: one command is needed; see --help']);
	assert.equal(refused('squash', ...set, '--threads', '0', '--list', file('packed'), '--out', dir)[0], 2);
	assert.match(refused('squash', '--key-set', file('packed'), '--list', file('packed'), '--out', dir)[1], /CompressedXofKeySet/);
	assert.match(refused('squash', ...set, '--ciphertext', file('packed'), '--out', dir)[1], /FheBool/);
	assert.match(refused('squash', ...set, '--list', file('nowhere'), '--out', dir)[1], /^kms-dev-coprocessor: cannot read .*nowhere/);
});
