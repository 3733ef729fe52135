// SPDX-License-Identifier: BSD-3-Clause-Clear
// Our gRPC against two others: @grpc/grpc-js in both directions and `buf curl` (grpc-go's family), in plain text and over
// mutual TLS. Our side is tests/interop/grpc_peer.c, built with the sanitizers.
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
const program = join(process.env.CLAVIGER_TEST_PROGRAMS ?? join(root, 'build/sanitized/tests/interop'), 'grpc_peer');
const buf = join(root, 'node_modules/@bufbuild', process.arch === 'arm64' ? 'buf-linux-aarch64' : 'buf-linux-x64', 'bin/buf');
const options = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const { Echo } = grpc.loadPackageDefinition(protoLoader.loadSync(join(here, 'proto/echo.proto'))).claviger.interop;
const big = 50 << 20;

let dir;
let plain; // our server without TLS
let secure; // our server, which lets in client.example

const file = (name) => readFileSync(join(dir, name));

// One of our servers: its port, what it says, its orderly end.
function serve(...args) {
	const child = spawn(program, ['serve', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
	const server = { child, lines: [], waiting: [] };
	const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
	server.stop = () => {
		child.kill('SIGTERM');
		return ended;
	};
	// Resolves with the first line, also of those that were said already, that matches.
	server.line = (pattern) =>
		new Promise((resolve, reject) => {
			const at = server.lines.findIndex((line) => pattern.test(line));
			if (at >= 0) {
				resolve(server.lines.splice(at, 1)[0]);
				return;
			}
			const late = () => reject(new Error(`no line ${pattern}, but: ${server.lines.join('; ')}`));
			const timer = setTimeout(late, 20000);
			server.waiting.push({ pattern, resolve: (line) => (clearTimeout(timer), resolve(line)) });
		});
	createInterface({ input: child.stdout }).on('line', (line) => {
		const at = server.waiting.findIndex(({ pattern }) => pattern.test(line));
		if (at >= 0) server.waiting.splice(at, 1)[0].resolve(line);
		else server.lines.push(line);
	});
	return server.line(/^port /).then((line) => Object.assign(server, { port: Number(line.split(' ')[1]) }));
}

function credentials(ca, name) {
	if (!name) return grpc.credentials.createSsl(file(ca));
	return grpc.credentials.createSsl(file(ca), file(`${name}.key`), file(`${name}.pem`));
}

const client = (port, creds = grpc.credentials.createInsecure()) => new Echo(`127.0.0.1:${port}`, creds, options);

const call = (c, method, payload = Buffer.from('x'), deadlineMs = 60000) =>
	new Promise((resolve, reject) => {
		c[method]({ payload }, { deadline: Date.now() + deadlineMs }, (error, reply) => (error ? reject(error) : resolve(reply.payload)));
	});

const fails = (promise, code) => assert.rejects(promise, (error) => (assert.equal(error.code, code, error.message), true));

before(async () => {
	assert.ok(existsSync(program), `${program} is not built: meson setup -Dtests=true`);
	dir = mkdtempSync(join(tmpdir(), 'claviger-grpc-'));
	execFileSync(program, ['certs', dir]);
	plain = await serve();
	secure = await serve(dir, 'client.example');
});

after(async () => {
	for (const server of [plain, secure]) assert.equal(await server?.stop(), 0);
	rmSync(dir, { recursive: true });
});

// ---- grpc-js calls us ----

async function exerciseServer(c) {
	assert.equal((await call(c, 'Echo', Buffer.from('hello'))).toString(), 'hello');
	assert.equal((await call(c, 'Echo', Buffer.alloc(0))).length, 0);
	const payload = Buffer.alloc(big, 0x5a);
	assert.equal(Buffer.compare(await call(c, 'Echo', payload), payload), 0);
	await assert.rejects(call(c, 'Fail'), (error) => {
		assert.equal(error.code, grpc.status.NOT_FOUND);
		assert.equal(error.details, 'kein Schlüssel: 100 %');
		return true;
	});
	await fails(call(c, 'Slow', Buffer.from('x'), 100), grpc.status.DEADLINE_EXCEEDED);
	await Promise.all(Array.from({ length: 1200 }, async (_, i) => assert.equal((await call(c, 'Echo', Buffer.from(`${i}`))).toString(), `${i}`)));
}

test('grpc-js calls our server in plain text', async () => {
	const c = client(plain.port);
	await exerciseServer(c);
	assert.equal((await call(c, 'WhoAmI')).toString(), '127.0.0.1');
	const other = new (grpc.makeGenericClientConstructor({
		None: { ...Echo.service.Echo, path: '/claviger.interop.Echo/None' },
	}))(`127.0.0.1:${plain.port}`, grpc.credentials.createInsecure());
	await fails(call(other, 'None'), grpc.status.UNIMPLEMENTED);
	await fails(call(c, 'Echo', Buffer.alloc((100 << 20) + 1)), grpc.status.RESOURCE_EXHAUSTED);
	other.close();
	c.close();
});

test('grpc-js calls our server over mutual TLS', async () => {
	const c = client(secure.port, credentials('ca.pem', 'client'));
	await exerciseServer(c);
	assert.equal((await call(c, 'WhoAmI')).toString(), 'client.example');
	c.close();
});

for (const [what, name, why] of [
	['no certificate', null, /it showed no certificate/],
	['a certificate of another authority', 'foreign-client', /its certificate is not accepted: /],
	['another identity', 'stranger', /its certificate is for "stranger.example", wanted is "client.example"/],
])
	test(`our server refuses grpc-js with ${what}`, async () => {
		secure.lines.length = 0;
		const c = client(secure.port, credentials('ca.pem', name));
		await fails(call(c, 'Echo', Buffer.from('x'), 5000), grpc.status.UNAVAILABLE);
		c.close();
		await secure.line(why);
	});

test('grpc-js refuses our server when its authority is another', async () => {
	secure.lines.length = 0;
	const c = client(secure.port, credentials('foreign-ca.pem', 'client'));
	await fails(call(c, 'Echo', Buffer.from('x'), 5000), grpc.status.UNAVAILABLE);
	c.close();
	await secure.line(/^refused .*(connection closed by the other side|the other side refused)/);
});

test('a call in progress outlives the drain of our server, also over TLS', async () => {
	for (const args of [[], [dir, 'client.example']]) {
		const server = await serve(...args);
		const c = client(server.port, args.length ? credentials('ca.pem', 'client') : undefined);
		await call(c, 'Echo');
		const slow = call(c, 'Slow', Buffer.from('slow'));
		await new Promise((resolve) => setTimeout(resolve, 100));
		const ended = server.stop();
		assert.equal((await slow).toString(), 'slow');
		assert.equal(await ended, 0);
		c.close();
	}
});

// ---- we call grpc-js ----

const handlers = {
	Echo: ({ request }, done) => done(null, request),
	Fail: (_, done) => done({ code: grpc.status.NOT_FOUND, details: 'kein Schlüssel: 100 %' }),
	Slow: ({ request }, done) => setTimeout(() => done(null, request), 500),
	WhoAmI: ({ getAuthContext: _, ...c }, done) => done(null, { payload: Buffer.from(c.constructor.name) }),
};

function serveJs(creds) {
	const server = new grpc.Server(options);
	server.addService(Echo.service, handlers);
	return new Promise((resolve, reject) => {
		server.bindAsync('127.0.0.1:0', creds, (error, port) => (error ? reject(error) : resolve({ server, port })));
	});
}

const serverCredentials = (name, ca = 'ca.pem') =>
	grpc.ServerCredentials.createSsl(file(ca), [{ private_key: file(`${name}.key`), cert_chain: file(`${name}.pem`) }], true);

function callUs(url, method, size, timeoutMs, ...tls) {
	const child = spawn(program, ['call', url, method, `${size}`, `${timeoutMs}`, ...tls], { stdio: ['ignore', 'pipe', 'inherit'] });
	let said = '';
	child.stdout.on('data', (data) => (said += data));
	return new Promise((resolve, reject) => child.on('close', (code) => (code === 0 ? resolve(said.trim()) : reject(new Error(`exit ${code}`)))));
}

async function exerciseClient(url, ...tls) {
	assert.equal(await callUs(url, 'Echo', 5, 5000, ...tls), 'OK bytes 7: OK'); // grpc-js writes the short form of a length
	assert.match(await callUs(url, 'Echo', big, 60000, ...tls), /^OK bytes 52428805 same:/);
	assert.equal(await callUs(url, 'Fail', 1, 5000, ...tls), 'NOT_FOUND bytes 0: kein Schlüssel: 100 %');
	assert.match(await callUs(url, 'Slow', 1, 100, ...tls), /^DEADLINE_EXCEEDED /);
	assert.match(await callUs(url, 'None', 1, 5000, ...tls), /^UNIMPLEMENTED /);
}

test('our client calls grpc-js in plain text', async () => {
	const { server, port } = await serveJs(grpc.ServerCredentials.createInsecure());
	await exerciseClient(`http://127.0.0.1:${port}`);
	server.forceShutdown();
});

test('our client calls grpc-js over mutual TLS', async () => {
	const { server, port } = await serveJs(serverCredentials('core'));
	await exerciseClient(`https://127.0.0.1:${port}`, dir, 'client');
	assert.match(await callUs(`https://localhost:${port}`, 'Echo', 1, 5000, dir, 'client'), /^OK /);
	server.forceShutdown();
});

for (const [what, serverName, name, text] of [
	['a server of another authority', 'foreign-core', 'client', /its certificate is not accepted: /],
	['a server with another name', 'stranger', 'client', /its certificate is for "stranger.example", wanted is "127.0.0.1"/],
	['its own certificate being refused', 'core', 'foreign-client', /./],
])
	test(`our client says of ${what} what is wrong`, async () => {
		const { server, port } = await serveJs(serverCredentials(serverName));
		const said = await callUs(`https://127.0.0.1:${port}`, 'Echo', 1, 5000, dir, name);
		assert.match(said, /^UNAVAILABLE /);
		assert.match(said, text);
		server.forceShutdown();
	});

test('a call of ours in progress outlives the shutdown of grpc-js', async () => {
	const { server, port } = await serveJs(serverCredentials('core'));
	const slow = callUs(`https://127.0.0.1:${port}`, 'Slow', 3, 5000, dir, 'client');
	await new Promise((resolve) => setTimeout(resolve, 300));
	const shut = new Promise((resolve) => server.tryShutdown(resolve));
	assert.match(await slow, /^OK bytes 5:/);
	await shut;
});

// ---- buf curl calls us ----

function bufCurl(url, ...args) {
	const all = ['curl', '--protocol', 'grpc', '--schema', join(here, 'proto'), '-d', '{"payload":"aGVsbG8="}', ...args, url];
	const child = spawn(buf, all, { env: { ...process.env, BUF_CACHE_DIR: join(dir, 'buf') }, stdio: ['ignore', 'pipe', 'pipe'] });
	const said = { out: '', err: '' };
	child.stdout.on('data', (data) => (said.out += data));
	child.stderr.on('data', (data) => (said.err += data));
	return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...said })));
}

const tlsFlags = (name, ca = 'ca.pem') => ['--cacert', join(dir, ca), ...(name ? ['--cert', join(dir, `${name}.pem`), '--key', join(dir, `${name}.key`)] : [])];

test('buf curl calls our server in plain text', async () => {
	const url = `http://127.0.0.1:${plain.port}/claviger.interop.Echo`;
	const good = await bufCurl(`${url}/Echo`, '--http2-prior-knowledge');
	assert.equal(good.code, 0, good.err);
	assert.deepEqual(JSON.parse(good.out), { payload: 'aGVsbG8=' });
	const failed = await bufCurl(`${url}/Fail`, '--http2-prior-knowledge');
	assert.deepEqual(JSON.parse(failed.err), { code: 'not_found', message: 'kein Schlüssel: 100 %' });
});

test('buf curl calls our server over mutual TLS', async () => {
	const url = `https://127.0.0.1:${secure.port}/claviger.interop.Echo`;
	const good = await bufCurl(`${url}/WhoAmI`, ...tlsFlags('client'));
	assert.equal(good.code, 0, good.err);
	assert.equal(Buffer.from(JSON.parse(good.out).payload, 'base64').toString(), 'client.example');
});

for (const [what, name, why, alert] of [
	['no certificate', null, /it showed no certificate/, /certificate required/],
	['a certificate of another authority', 'foreign-client', /its certificate is not accepted: /, /unknown certificate authority/],
	['another identity', 'stranger', /its certificate is for "stranger.example"/, /bad certificate/],
])
	test(`our server refuses buf curl with ${what}`, async () => {
		secure.lines.length = 0;
		const refused = await bufCurl(`https://127.0.0.1:${secure.port}/claviger.interop.Echo/Echo`, ...tlsFlags(name));
		assert.notEqual(refused.code, 0);
		// The alert races with the end of the connection; then the client says only that it is closed.
		assert.match(refused.err, new RegExp(`${alert.source}|client conn is closed|connection reset`));
		await secure.line(why);
	});
