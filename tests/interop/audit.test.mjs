// SPDX-License-Identifier: BSD-3-Clause-Clear
// kms-client audit, as an owner of keys runs it: over our keys, over server keys that the client library (node-tfhe) makes from
// our client key, and over spoiled ones.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const tfhe = createRequire(import.meta.url)('node-tfhe');
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const client = join(process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd'), 'kms-client');
const peer = join(process.env.CLAVIGER_PEERS ?? join(root, 'build/sanitized/tests/interop'), 'keygen_peer');
const limit = 1n << 30n;

let dir;

const file = (...parts) => join(dir, ...parts);
const run = (...args) => spawnSync(client, args, { encoding: 'utf8', maxBuffer: 1 << 24 });
const audit = (object, key, ...more) => {
	const { status, stdout, stderr } = run('audit', object, '--client-key', key, '--json', ...more);
	return { status, stderr, report: stdout ? JSON.parse(stdout) : undefined };
};
const kmsDigest = (bytes) => `0x${createHash('shake256', { outputLength: 32 }).update('PDAT_KEY').update(bytes).digest('hex')}`;

before(() => {
	dir = mkdtempSync(join(tmpdir(), 'claviger-audit-'));
	for (const name of ['one', 'two']) {
		mkdirSync(file(name));
		execFileSync(peer, ['test', file(name)]);
	}
});

after(() => rmSync(dir, { recursive: true, force: true }));

for (const [object, parts] of [['key_set', 12], ['server_key', 11], ['compressed_public_key', 1]])
	for (const more of [[], ['--fast'], ['--threads', '5']])
		test(`our ${object} ${more.join(' ')}: every part is sound`, () => {
			const { status, stderr, report } = audit(file('one', `${object}.bin`), file('one', 'client_key.bin'), ...more);
			assert.equal(stderr, '');
			assert.equal(status, 0);
			assert.equal(report.sound, true);
			assert.equal(report.audit, more[0] === '--fast' ? 'fast' : 'full');
			assert.equal(report.parts.length, parts);
			assert.equal(report.digest, kmsDigest(readFileSync(file('one', `${object}.bin`))));
			for (const part of report.parts) {
				assert.equal(part.verdict, 'sound');
				assert.ok(part.noise_max <= 2 ** part.bound_log2);
				assert.equal(part.rows_read, more[0] === '--fast' ? Math.min(part.rows, 258) : part.rows);
			}
		});

test('what node-tfhe makes from our client key is sound, and belongs to no other', () => {
	const key = tfhe.TfheClientKey.safe_deserialize(readFileSync(file('one/client_key.bin')), limit);
	writeFileSync(file('theirs'), tfhe.TfheCompressedServerKey.new(key).safe_serialize(limit));
	writeFileSync(file('public'), tfhe.TfheCompressedCompactPublicKey.new(key).safe_serialize(limit));
	for (const [name, parts] of [['theirs', 11], ['public', 1]]) {
		const { status, stderr, report } = audit(file(name), file('one/client_key.bin'));
		assert.equal(stderr, '');
		assert.equal(status, 0);
		assert.equal(report.parts.length, parts);
		const other = audit(file(name), file('two/client_key.bin'));
		assert.equal(other.status, 1);
		assert.match(other.stderr, /^kms-client: .*: (compression key|compact public key): (wrong message|noise too large) in row 0, /);
	}
});

test('for a person', () => {
	const { status, stdout, stderr } = run('audit', file('one/key_set.bin'), '-k', file('one/client_key.bin'), '--fast');
	assert.equal(stderr, '');
	assert.equal(status, 0);
	assert.match(stdout, /^CompressedXofKeySet, 2661223 bytes, fast audit\ndigest 0x[0-9a-f]{64}\n\npart /);
	assert.match(stdout, /\ndecompression key +512 +258 +66048 +2\^0 +1\.000 .* sound\n/);
	assert.match(stdout, /\nsound\n$/);
});

test('one bit in the last row: part, row and byte are named', () => {
	const bytes = readFileSync(file('one/key_set.bin'));
	bytes[bytes.length - 1000] ^= 0x40;
	writeFileSync(file('bit'), bytes);
	for (const more of [[], ['--fast']]) {
		const { status, stderr, report } = audit(file('bit'), file('one/client_key.bin'), ...more);
		assert.equal(status, 1);
		assert.match(stderr, /^kms-client: .*bit: OPRF key: .* in row 1, coefficient \d+, at byte \d+; 1 of 512 coefficients are wrong\n$/);
		assert.equal(report.sound, false);
		const wrong = report.parts.filter((part) => part.verdict !== 'sound');
		assert.deepEqual(wrong.map((part) => part.part), ['OPRF key']);
		assert.equal(wrong[0].first.row, 1);
		assert.equal(Math.floor((bytes.length - 1000 - wrong[0].first.byte) / 8), 0);
	}
	const person = run('audit', file('bit'), '-k', file('one/client_key.bin'));
	assert.match(person.stdout, /row 1, coefficient \d+, byte \d+: the first of \d with another message and \d with too much noise\n/);
	assert.match(person.stdout, /\nNOT SOUND\n$/);
});

// A change that noise hides is found where the digest is known: with the key as it lies in a vault.
test('with the key of a vault, the digest counts', () => {
	const good = audit(file('one/key_set.bin'), file('one/handles.bin'));
	assert.equal(good.status, 0);
	assert.equal(good.report.digest_as_recorded, true);
	const bytes = readFileSync(file('one/key_set.bin'));
	const sound = [...Array(64).keys()].find((i) => {
		// The lowest bit of a number whose noise stays within the bound.
		const copy = Buffer.from(bytes);
		copy[copy.length - 1000 - ((copy.length - 1000 - first(copy)) % 8) + 8 * i] ^= 1;
		writeFileSync(file('hidden'), copy);
		return audit(file('hidden'), file('one/client_key.bin')).status === 0;
	});
	assert.notEqual(sound, undefined);
	const { status, stderr, report } = audit(file('hidden'), file('one/handles.bin'));
	assert.equal(status, 1);
	assert.equal(report.digest_as_recorded, false);
	assert.equal(report.sound, false);
	assert.match(stderr, /the digest is not the one that is recorded with the key\n$/);
});

// Where the numbers of the last part begin: what an audit names of a spoiled one.
function first(bytes) {
	const copy = Buffer.from(bytes);
	copy[copy.length - 1000] ^= 0x40;
	writeFileSync(file('probe'), copy);
	return audit(file('probe'), file('one/client_key.bin')).report.parts.find((part) => part.verdict !== 'sound').first.byte;
}

test('what is no such object is refused with field and byte', () => {
	const bytes = readFileSync(file('one/key_set.bin'));
	const refused = (content, expected) => {
		writeFileSync(file('refused'), content);
		const { status, stderr, report } = audit(file('refused'), file('one/client_key.bin'));
		assert.equal(status, 1);
		assert.equal(report, undefined);
		assert.match(stderr, expected);
		assert.match(stderr, /^kms-client: .*refused: [^\n]+\n$/);
	};
	refused('', /not a safe_serialize container \(header version at byte 0\)/);
	refused(readFileSync(file('one/client_key.bin')), /type at byte 26 is "high_level_api::ClientKey", expected /);
	refused(bytes.subarray(0, bytes.length - 1), /CompressedServerKey: tag at byte \d+ is missing or malformed/);
	refused(bytes.subarray(0, 10000), /at byte \d+ is missing or malformed/);
	refused(Buffer.concat([bytes, Buffer.alloc(1)]), /CompressedXofKeySet: bytes left over at byte 2661223/);
	const version = Buffer.from(bytes);
	version[69] ^= 2;
	refused(version, /CompressedXofKeySet: CompressedXofKeySet version at byte 69 is 3, which we do not read/);
	const missing = audit(file('nothing'), file('one/client_key.bin'));
	assert.equal(missing.status, 1);
	assert.match(missing.stderr, /nothing: No such file or directory\n$/);
	const noKey = audit(file('one/key_set.bin'), file('one/key_set.bin'));
	assert.equal(noKey.status, 1);
	assert.match(noKey.stderr, /key_set\.bin: type at byte 26 is "high_level_api::CompressedXofKeySet", expected/);
	const folder = audit(dir, file('one/client_key.bin'));
	assert.equal(folder.status, 1);
	assert.match(folder.stderr, /not a regular file\n$/);
});

test('usage', () => {
	for (const args of [[], ['audit'], ['audit', 'a'], ['audit', '-k', 'a'], ['audit', 'a', 'b', '-k', 'c'], ['autit', 'a', '-k', 'b'],
		['audit', 'a', '-k', 'b', '--threads', '0'], ['audit', 'a', '-k', 'b', '--threads', '65'], ['audit', 'a', '-k', 'b', '--threads', '2x'],
		['audit', 'a', '-k', 'b', '--quick']]) {
		const { status, stderr, stdout } = run(...args);
		assert.equal(status, 2, args.join(' '));
		assert.match(stderr, /usage: kms-client /);
		assert.equal(stdout, '');
	}
	const { status, stdout } = run('audit', '--help');
	assert.equal(status, 0);
	assert.match(stdout, /^usage: kms-client audit KEYFILE --client-key FILE/);
});
