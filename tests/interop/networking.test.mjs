// SPDX-License-Identifier: BSD-3-Clause-Clear
// What nodes say to each other, with @grpc/grpc-js as the other nodes: party 1 of 4 is our program, over mutual TLS. Tags are
// put together here byte by byte (bincode: integers little-endian, lengths u64).
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const program = join(process.env.CLAVIGER_TEST_PROGRAMS ?? join(root, 'build/sanitized/tests/interop'), 'networking_peer');
const { gnetworking } = grpc.loadPackageDefinition(protoLoader.loadSync(join(root, 'proto/ddec_networking.proto'), { keepCase: true, defaults: true })).ddec_networking;
const [ACTIVE, INACTIVE, COMPLETED] = [0, 1, 2];

const u64 = (n) => {
	const b = Buffer.alloc(8);
	b.writeBigUInt64LE(BigInt(n));
	return b;
};
const string = (s) => Buffer.concat([u64(s.length), Buffer.from(s)]);
const session = Buffer.from(Array.from({ length: 16 }, (_, i) => i + 1));
const tag = (sender, round, id = session) => Buffer.concat([id, string(sender), u64(round)]);

let dir, node, ended;
const servers = {};
const lines = [];
const heard = { 2: [], 3: [] };
const file = (name) => readFileSync(join(dir, name));

async function until(what, condition) {
	for (const end = Date.now() + 60000; !condition(); ) {
		assert.ok(Date.now() < end, `${what}: not in a minute; it said: ${lines.join('; ')}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}
const said = (pattern) => lines.find((line) => pattern.test(line));

function serve(party) {
	const server = new grpc.Server();
	const SendValue = ({ request }, reply) => {
		heard[party].push(request);
		reply(null, { status: ACTIVE });
	};
	server.addService(gnetworking.service, { SendValue, HealthCheck: (_, reply) => reply(null, {}) });
	const pair = { private_key: file(`p${party}.test.key`), cert_chain: file(`p${party}.test.pem`) };
	const credentials = grpc.ServerCredentials.createSsl(file('p1.ca.pem'), [pair], true);
	servers[party] = server;
	return new Promise((resolve, reject) => server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port))));
}

const client = (party) =>
	new gnetworking(`127.0.0.1:${said(/^port /).split(' ')[1]}`,
		grpc.credentials.createSsl(file('p1.ca.pem'), file(`p${party}.test.key`), file(`p${party}.test.pem`)),
		{ 'grpc.ssl_target_name_override': 'p1.test' });
const ask = (c, method, request) => new Promise((resolve, reject) => c[method](request, { deadline: Date.now() + 60000 }, (error, reply) => (error ? reject(error) : resolve(reply))));
const word = (party) => Buffer.from(said(new RegExp(`^word ${party} `)).split(' ')[2], 'hex');

before(async () => {
	assert.ok(existsSync(program), `${program} is not built: meson setup -Dtests=true`);
	dir = mkdtempSync(join(tmpdir(), 'claviger-networking-'));
	execFileSync(program, ['certs', dir]);
	const ports = [await serve(2), await serve(3)];
	// Nobody is party 4.
	node = spawn(program, ['run', dir, ...ports.map(String), '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
	ended = new Promise((resolve) => node.on('exit', (code, signal) => resolve(code ?? signal)));
	createInterface({ input: node.stdout }).on('line', (line) => lines.push(line));
	await until('start', () => said(/^port /));
});

after(async () => {
	for (const server of Object.values(servers)) server.forceShutdown();
	node.kill('SIGTERM');
	assert.equal(await ended, 0);
	rmSync(dir, { recursive: true });
});

test('the node says its word to every party that is there, once, with the tag of the published form', async () => {
	await until('words', () => heard[2].length > 0 && heard[3].length > 0);
	for (const party of [2, 3]) {
		assert.equal(heard[party].length, 1);
		assert.deepEqual(heard[party][0].tag, tag('p1.test', 1));
		assert.deepEqual(heard[party][0].value, word(1));
		// NetworkValue::VecRingValue of three elements of 64 bytes.
		assert.deepEqual(heard[party][0].value.subarray(0, 12), Buffer.concat([Buffer.from([1, 0, 0, 0]), u64(3)]));
		assert.equal(heard[party][0].value.length, 12 + 3 * 64);
	}
});

test('a health check is answered, and a name of another is not', async () => {
	const c = client(2);
	assert.deepEqual(await ask(c, 'HealthCheck', { tag: string('p2.test'), payload: Buffer.alloc(100000) }), { answer: Buffer.alloc(0) });
	await assert.rejects(ask(c, 'HealthCheck', { tag: string('p3.test') }), { code: grpc.status.UNAUTHENTICATED });
	await assert.rejects(ask(c, 'SendValue', { tag: tag('p3.test', 1), value: word(3) }), { code: grpc.status.UNAUTHENTICATED });
	await assert.rejects(ask(c, 'SendValue', { tag: Buffer.from('nonsense'), value: word(3) }), { code: grpc.status.ABORTED });
	c.close();
});

test('a session not begun is INACTIVE, one that runs ACTIVE, one that is over COMPLETED', async () => {
	const [two, three] = [client(2), client(3)];
	const other = Buffer.alloc(16, 0xee);
	assert.equal((await ask(two, 'SendValue', { tag: tag('p2.test', 1, other), value: word(2) })).status, INACTIVE);
	assert.equal((await ask(two, 'SendValue', { tag: tag('p2.test', 1), value: word(2) })).status, ACTIVE);
	assert.equal((await ask(two, 'SendValue', { tag: tag('p2.test', 1), value: word(2) })).status, ACTIVE);
	assert.equal(said(/^opened/), undefined);
	assert.equal((await ask(three, 'SendValue', { tag: tag('p3.test', 1), value: word(3) })).status, ACTIVE);
	await until('opening', () => said(/^opened/));
	assert.equal((await ask(three, 'SendValue', { tag: tag('p3.test', 2), value: word(3) })).status, COMPLETED);
	two.close();
	three.close();
});
