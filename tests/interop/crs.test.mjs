// SPDX-License-Identifier: BSD-3-Clause-Clear
// Our CRS against the client library that users run (node-tfhe): it loads ours and writes the same bytes, makes and verifies
// proofs over it, and refuses them under another; we read what others made, and write it the same.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { proofConfig } from './proof_config.mjs';

const tfhe = createRequire(import.meta.url)('node-tfhe');
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const peer = join(process.env.CLAVIGER_PEERS ?? join(root, 'build/sanitized/tests/interop'), 'crs_peer');
const limit = 1n << 30n;
const metadata = new TextEncoder().encode('interop');

let dir;

const file = (name) => join(dir, name);
const run = (...args) => execFileSync(peer, args, { encoding: 'utf8', stdio: 'pipe' }).trim();
const same = (a, b) => assert.equal(Buffer.compare(Buffer.from(a), Buffer.from(b)), 0);
const load = (name) => tfhe.CompactPkeCrs.safe_deserialize(readFileSync(file(name)), limit);

before(() => {
	dir = mkdtempSync(join(tmpdir(), 'claviger-crs-'));
});

after(() => rmSync(dir, { recursive: true, force: true }));

for (const [set, bits, size] of [
	['default', 2048, 4571368],
	['default', 64, 3428584],
	['test', 64, 232 + 576 * 3008],
])
	test(`${set}, ${bits} bits: digest, read again, loaded and written the same by node-tfhe`, () => {
		const digest = run('make', set, String(bits), file(`${set}${bits}`));
		const bytes = readFileSync(file(`${set}${bits}`));
		assert.equal(bytes.length, size);
		assert.equal(createHash('shake256', { outputLength: 32 }).update('PDAT_CRS').update(bytes).digest('hex'), digest);
		assert.match(run('copy', file(`${set}${bits}`), file(`${set}${bits}.copy`)), new RegExp(` ${bits}$`));
		same(readFileSync(file(`${set}${bits}.copy`)), bytes);
		same(load(`${set}${bits}`).safe_serialize(limit), bytes);
	});

test('a CRS that somebody else made is read and written the same', () => {
	const bytes = gunzipSync(readFileSync(join(root, 'tools/devnet/data/crs2048.bin.gz')));
	writeFileSync(file('other'), bytes);
	assert.equal(run('copy', file('other'), file('other.copy')), '2048 7936 2048');
	same(readFileSync(file('other.copy')), bytes);
});

test('an element that was exchanged for another is found', () => {
	const bytes = readFileSync(file('default64'));
	bytes.copyWithin(75 + 144 * 7 + 20, 75 + 144 * 9 + 20, 75 + 144 * 9 + 76);
	writeFileSync(file('exchanged'), bytes);
	assert.throws(() => run('copy', file('exchanged'), file('exchanged.copy')), /element 8 of G1 at byte 1083 is not on the curve/);
});

test('node-tfhe: a proof over our CRS holds, and holds under no other', () => {
	const client = tfhe.TfheClientKey.generate(proofConfig());
	const key = tfhe.TfheCompactPublicKey.new(client);
	tfhe.set_server_key(tfhe.TfheServerKey.new(client));
	run('make', 'default', '64', file('another64'));
	const crs = load('default64');
	const builder = tfhe.CompactCiphertextList.builder(key);
	builder.push_u8(0x5a);
	const proven = builder.build_with_proof_packed(crs, metadata, tfhe.ZkComputeLoad.Proof);

	assert.equal(proven.verify_and_expand(crs, key, metadata).get_uint8(0).decrypt(client), 0x5a);
	assert.throws(() => proven.verify_and_expand(load('another64'), key, metadata));
	assert.throws(() => proven.verify_and_expand(crs, key, new TextEncoder().encode('other')));
});
