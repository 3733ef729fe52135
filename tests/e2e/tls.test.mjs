// SPDX-License-Identifier: BSD-3-Clause-Clear
// Mutual TLS between the real kms-connector and the real kms-server: what is let in, what is refused and what both sides say
// about it; that a refused request waits and is answered once, and once only, when the right certificate is there; and
// kms-server asked by two other implementations.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, stateOf } from '../../tools/devnet/inspect.mjs';
import { root } from '../../tools/devnet/network.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { verify } from '../../tools/devnet/verify.mjs';
import { authority } from '../../tools/devnet/certificates.mjs';
import { query, withNetwork } from './harness.mjs';

const require = createRequire(import.meta.url);
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const portBase = 27100;
const corePort = portBase + 3;
const endpoint = `https://127.0.0.1:${corePort}`;
const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const buf = join(root, 'node_modules/@bufbuild', process.arch === 'arm64' ? 'buf-linux-aarch64' : 'buf-linux-x64', 'bin/buf');
const proto = join(root, 'proto');

// ---- certificates ----

const ours = authority('ours');
const theirs = authority('theirs');
const coreNames = ['DNS:core.example', 'IP:127.0.0.1'];
const connectorNames = ['DNS:connector.example'];
const good = { core: ours.issue({ names: coreNames }), connector: ours.issue({ names: connectorNames }) };

const dir = mkdtempSync(join(tmpdir(), 'claviger-tls-'));
const file = (name) => join(dir, name);

// Whole or not at all, as a secret is replaced in practice.
function put(name, text, mode = 0o600) {
	writeFileSync(file(`${name}.new`), text, { mode });
	renameSync(file(`${name}.new`), file(name));
}

function install(who, { cert, key }) {
	put(`${who}.pem`, cert);
	put(`${who}.key`, key);
}

install('core', good.core);
install('connector', good.connector);
put('core-ca.pem', ours.cert); // whom the core believes
put('connector-ca.pem', ours.cert); // whom the connector believes

const core = {
	listen_address: '127.0.0.1', listen_port: corePort,
	'tls.cert': file('core.pem'), 'tls.key': file('core.key'), 'tls.ca': file('core-ca.pem'), 'tls.allowed_peers': ['spiffe://kms/nobody', 'connector.example'],
};
const connector = {
	kms_core_endpoints: [endpoint],
	'kms_core_tls.cert': file('connector.pem'), 'kms_core_tls.key': file('connector.key'), 'kms_core_tls.ca': file('connector-ca.pem'),
};

// ---- what the programs say ----

const logOf = (network, name) => network.path('log', `${name}.log`);

// Waits for a line that matches in what a log gained since it had `from` bytes.
const logLine = (network, name, pattern, from = 0) =>
	waitFor(`${name} says ${pattern}`, () => readFileSync(logOf(network, name)).subarray(from).toString().split('\n').find((line) => pattern.test(line)), { timeoutMs: 30000, intervalMs: 50 });

const marks = (network) => Object.fromEntries(['kms-server', 'kms-connector'].map((name) => [name, statSync(logOf(network, name)).size]));
const processOf = (network, name) => network.processes.findLast((entry) => entry.name === name);

async function reload(network, name, says = /Certificates read anew/) {
	const { size } = statSync(logOf(network, name));
	process.kill(processOf(network, name).pid, 'SIGHUP');
	return logLine(network, name, says, size);
}

async function coreMetric(devnet, pattern) {
	const text = await (await fetch(`${devnet.nodes[0].coreMonitoring}/metrics`)).text();
	return Number(pattern.exec(text)?.[1]);
}
const coreRequests = (devnet) => coreMetric(devnet, /^kms_operations_total\{operation="public_decrypt_request"\} (\d+)$/m);

// ---- the two other implementations ----

const serviceOf = (name) => {
	const loaded = grpc.loadPackageDefinition(protoLoader.loadSync(name, { includeDirs: [proto], keepCase: true, enums: String }));
	return name.startsWith('kms_service') ? loaded.kms_service.v1.CoreServiceEndpoint : loaded.grpc.health.v1.Health;
};
const Core = serviceOf('kms_service.v1.proto');
const Health = serviceOf('grpc.health.v1.proto');

const credentials = (ca, own) => grpc.credentials.createSsl(Buffer.from(ca), ...(own ? [Buffer.from(own.key), Buffer.from(own.cert)] : []));

function ask(Service, method, message, creds) {
	const client = new Service(`127.0.0.1:${corePort}`, creds);
	return new Promise((resolve, reject) => {
		client[method](message, { deadline: Date.now() + 10000 }, (error, reply) => (error ? reject(error) : resolve(reply)));
	}).finally(() => client.close());
}

function bufCurl(path, data, ...args) {
	const all = ['curl', '--protocol', 'grpc', '--schema', proto, '-d', JSON.stringify(data), ...args, `${endpoint}/${path}`];
	const child = spawn(buf, all, { env: { ...process.env, BUF_CACHE_DIR: file('buf') }, stdio: ['ignore', 'pipe', 'pipe'] });
	const said = { out: '', err: '' };
	child.stdout.on('data', (data) => (said.out += data));
	child.stderr.on('data', (data) => (said.err += data));
	return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...said })));
}

// ---- the cases ----

// What is put in place of a good certificate, on whose side, and what each side then says. Which process reads the change is
// the one named first. An expired one is taken while it is valid, and used when it is not.
const soon = () => Date.now() + 4000;
const cases = [
	{
		what: "the connector's certificate is of another authority",
		who: 'connector', own: () => theirs.issue({ names: connectorNames }),
		server: /reason="its certificate is not accepted: unable to get local issuer certificate/,
		client: /UNAVAILABLE 127\.0\.0\.1:\d+: the other side refused: .*unknown ca/,
	},
	{
		what: "the connector's certificate is expired",
		who: 'connector', own: () => ours.issue({ names: connectorNames, endMs: soon() }), waitMs: 5000,
		server: /reason="its certificate is not accepted: certificate has expired/,
		client: /UNAVAILABLE 127\.0\.0\.1:\d+: the other side refused: .*certificate expired/,
	},
	{
		what: "the connector's certificate is of the right authority and names somebody else",
		who: 'connector', own: () => ours.issue({ names: ['DNS:stranger.example'] }),
		server: /reason="its certificate is for \\"stranger\.example\\", wanted is \\"spiffe:\/\/kms\/nobody\\" or another/,
		client: /UNAVAILABLE 127\.0\.0\.1:\d+: the other side refused: .*bad certificate/,
	},
	{
		what: "the core's certificate is of another authority",
		who: 'core', own: () => theirs.issue({ names: coreNames }),
		server: /reason="the other side refused: .*unknown ca/,
		client: /UNAVAILABLE 127\.0\.0\.1:\d+: its certificate is not accepted: unable to get local issuer certificate/,
	},
	{
		what: "the core's certificate is expired",
		who: 'core', own: () => ours.issue({ names: coreNames, endMs: soon() }), waitMs: 5000,
		server: /reason="the other side refused: .*certificate expired/,
		client: /UNAVAILABLE 127\.0\.0\.1:\d+: its certificate is not accepted: certificate has expired/,
	},
	{
		what: "the core's certificate is of the right authority and names another host",
		who: 'core', own: () => ours.issue({ names: ['DNS:core-2.example'] }),
		server: /reason="the other side refused: .*bad certificate/,
		client: /UNAVAILABLE 127\.0\.0\.1:\d+: its certificate is for \\"core-2\.example\\", wanted is \\"127\.0\.0\.1\\"/,
	},
	{
		what: 'the core believes another authority',
		who: 'core', file: 'core-ca.pem', text: theirs.cert,
		server: /reason="its certificate is not accepted: self-signed certificate in certificate chain/,
		client: /the other side refused: .*unknown ca/,
	},
	{
		what: 'the connector believes another authority',
		who: 'connector', file: 'connector-ca.pem', text: theirs.cert,
		server: /reason="the other side refused: .*unknown ca/,
		client: /its certificate is not accepted: self-signed certificate in certificate chain/,
	},
];

const program = { core: 'kms-server', connector: 'kms-connector' };

// Answered with the value that was sealed, by one call.
async function answered(devnet, relayer, request, value) {
	await relayer.response(request);
	assert.deepEqual((await verify(devnet, request.idHex)).values.map(({ value }) => value), [value]);
	assert.equal((await relayer.responseCalls(request)).length, 1);
}

async function notAnswered(devnet, relayer, request) {
	assert.equal((await relayer.responses(request)).length, 0);
	assert.ok(!['done', 'refused', 'failed', 'aborted', 'expired'].includes(await stateOf(devnet, request.idHex)));
}

test('mutual TLS between connector and core', { timeout: 900000 }, async (t) => {
	t.after(() => rmSync(dir, { recursive: true }));
	await withNetwork({ portBase, core, connector }, async ({ network, devnet, relayer, publish }) => {
		const [{ handle }] = await publish([['uint64', '1234567890']]);
		const decrypts = async () => answered(devnet, relayer, await relayer.request([handle]), '1234567890');

		await t.test('a real decryption goes over it', async () => {
			await decrypts();
			await logLine(network, 'kms-server', /Listening .*transport="?mutual TLS/);
			assert.equal(await coreRequests(devnet), 1);
			const days = ((await coreMetric(devnet, /^kms_tls_not_after_seconds (\d+)$/m)) - Date.now() / 1000) / 86400;
			assert.ok(days > 89 && days < 91, `${days}`);
		});

		for (const { what, who, own, file: name, text, waitMs = 0, server, client } of cases)
			await t.test(`${what}: nobody is asked, both sides say why, and the request waits for the right one`, async () => {
				if (own) install(who, own());
				else put(name, text);
				const before = await coreRequests(devnet);
				let request;
				try {
					await reload(network, program[who]);
					await sleep(waitMs);
					const from = marks(network);
					request = await relayer.request([handle]);
					await logLine(network, 'kms-connector', client, from['kms-connector']);
					await logLine(network, 'kms-server', server, from['kms-server']);
					await notAnswered(devnet, relayer, request);
					assert.equal(await coreRequests(devnet), before);
					assert.match(await inspect(devnet, request.idHex), /reason\s+.*UNAVAILABLE/);
				} finally {
					if (own) install(who, good[who]);
					else put(name, ours.cert);
					await reload(network, program[who]);
				}
				await answered(devnet, relayer, request, '1234567890');
				assert.equal(await coreRequests(devnet), before + 1);
			});

		await t.test('a core without TLS is not spoken to, and its health is told', async () => {
			network.coreOptions = { listen_address: '127.0.0.1', listen_port: corePort, plaintext_loopback: true };
			const from = marks(network);
			await network.restartCore('SIGTERM');
			await logLine(network, 'kms-server', /every local user can ask this core/, from['kms-server']);
			const request = await relayer.request([handle]);
			await logLine(network, 'kms-connector', /UNAVAILABLE 127\.0\.0\.1:\d+: it does not speak TLS/, from['kms-connector']);
			const health = await fetch(`${devnet.nodes[0].monitoring}/healthz`);
			assert.equal(health.status, 503);
			assert.match(await health.text(), /KMS Core connection #0 .*does not speak TLS/);
			assert.equal(await coreRequests(devnet), 0);
			network.coreOptions = core;
			await network.restartCore('SIGTERM');
			await answered(devnet, relayer, request, '1234567890');
		});

		for (const [who, name] of Object.entries(program))
			await t.test(`${name} keeps what it has when the new files are no good, and says which one`, async () => {
				const other = ours.issue({ names: ['DNS:other.example'] });
				for (const [says, spoil] of [
					[/those from before stay.*is not the key of the certificate in/, () => put(`${who}.key`, other.key)],
					[/those from before stay.*holds a private key and is open to others \(mode 0644\)/, () => chmodSync(file(`${who}.key`), 0o644)],
					[/those from before stay.*the certificate has expired/, () => install(who, ours.issue({ names: ['DNS:x.example'], endMs: Date.now() - 1000 }))],
					[/those from before stay.*cannot read .*No such file/, () => rmSync(file(`${who}.pem`))],
					[/those from before stay.*has no certificate \(PEM\)/, () => put(`${who}.pem`, 'nothing')],
				]) {
					spoil();
					await reload(network, name, says);
					await decrypts();
				}
				install(who, ours.issue({ names: who === 'core' ? coreNames : connectorNames, endMs: Date.now() + 20 * 86400000 }));
				const from = marks(network);
				await reload(network, name);
				await logLine(network, name, /ends (soon|in (19|20) days)/, from[name]);
				install(who, good[who]);
				await reload(network, name);
				await decrypts();
			});

		await t.test('certificates change under load, on both sides: every request is answered once', async () => {
			const before = await coreRequests(devnet);
			const requests = [];
			while (requests.length < 12) {
				requests.push(await relayer.request([handle]));
				for (const [who, name] of Object.entries(program)) {
					install(who, ours.issue({ names: who === 'core' ? coreNames : connectorNames }));
					await reload(network, name);
				}
			}
			for (const request of requests) await answered(devnet, relayer, request, '1234567890');
			assert.equal(await coreRequests(devnet), before + requests.length);
		});

		await t.test('@grpc/grpc-js and buf curl are let in with a certificate that names an allowed peer', async () => {
			const creds = credentials(ours.cert, good.connector);
			assert.equal((await ask(Health, 'Check', {}, creds)).status, 'SERVING');
			assert.equal((await ask(Core, 'GetHealthStatus', {}, creds)).my_fhe_key_ids.length, 1);
			await assert.rejects(ask(Core, 'GetPublicDecryptionResult', { request_id: '11'.repeat(32) }, creds), (error) => (assert.equal(error.code, grpc.status.NOT_FOUND), true));

			put('peer.pem', good.connector.cert);
			put('peer.key', good.connector.key);
			put('peer-ca.pem', ours.cert);
			const tls = ['--cacert', file('peer-ca.pem'), '--cert', file('peer.pem'), '--key', file('peer.key')];
			const health = await bufCurl('grpc.health.v1.Health/Check', {}, ...tls);
			assert.equal(health.code, 0, health.err);
			assert.deepEqual(JSON.parse(health.out), { status: 'SERVING' });
			const unknown = await bufCurl('kms_service.v1.CoreServiceEndpoint/GetPublicDecryptionResult', { requestId: '11'.repeat(32) }, ...tls);
			assert.deepEqual(JSON.parse(unknown.err), { code: 'not_found', message: 'no such request' });
		});

		for (const [what, own, says, alert] of [
			['no certificate', null, /peer="?127\.0\.0\.1"? reason="it showed no certificate/, /certificate required/],
			['a certificate of another authority', theirs.issue({ names: connectorNames }), /unable to get local issuer certificate/, /unknown certificate authority/],
			['another identity', ours.issue({ names: ['DNS:stranger.example'] }), /its certificate is for \\"stranger\.example\\"/, /bad certificate/],
		])
			await t.test(`@grpc/grpc-js and buf curl with ${what} are refused`, async () => {
				const refused = () => coreMetric(devnet, /^kms_connections_refused_total (\d+)$/m);
				const before = await refused();
				const { 'kms-server': from } = marks(network);
				const told = ask(Health, 'Check', {}, credentials(ours.cert, own));
				await assert.rejects(told, (error) => (assert.equal(error.code, grpc.status.UNAVAILABLE, error.message), true));
				await logLine(network, 'kms-server', says, from);
				const after = await refused();
				assert.ok(after > before);
				put('peer-ca.pem', ours.cert);
				put('peer.pem', own?.cert ?? '');
				put('peer.key', own?.key ?? '');
				const flags = own ? ['--cert', file('peer.pem'), '--key', file('peer.key')] : [];
				const { code, err } = await bufCurl('grpc.health.v1.Health/Check', {}, '--cacert', file('peer-ca.pem'), ...flags);
				assert.notEqual(code, 0);
				// With TLS 1.3 the alert comes when the client thinks that it is connected: it may meet the closed connection first.
				assert.match(err, new RegExp(`${alert.source}|could not be established`));
				await waitFor('it to be counted', async () => (await refused()) > after);
			});

		await t.test('plain text at the port of TLS is refused', async () => {
			const { 'kms-server': from } = marks(network);
			await assert.rejects(ask(Health, 'Check', {}, grpc.credentials.createInsecure()), (error) => (assert.equal(error.code, grpc.status.UNAVAILABLE), true));
			await logLine(network, 'kms-server', /it does not speak TLS/, from);
		});

		await t.test('who knocks without end does not fill the log', async () => {
			const { 'kms-server': from } = marks(network);
			for (let i = 0; i < 25; i++) await assert.rejects(ask(Health, 'Check', {}, credentials(ours.cert)));
			const rest = await logLine(network, 'kms-server', /More connections ended/, from);
			assert.ok(Number(/connections=(\d+)/.exec(rest)[1]) >= 10, rest);
			const lines = readFileSync(logOf(network, 'kms-server')).subarray(from).toString().split('\n');
			assert.ok(lines.filter((line) => line.includes('Connection ended')).length <= 4);
			await decrypts();
		});

		await t.test('nor do many who knock once each', async () => {
			await sleep(10500); // the window of the knocks before
			const { 'kms-server': from } = marks(network);
			const knock = (n) =>
				new Promise((resolve) => {
					const socket = connect({ host: '127.0.0.1', port: corePort, localAddress: `127.0.1.${n}` }, () => socket.end('knock knock\r\n'));
					socket.on('error', resolve).on('close', resolve).resume();
				});
			for (let n = 1; n <= 60; n++) await knock(n);
			const rest = await logLine(network, 'kms-server', /More connections ended/, from);
			assert.match(rest, /connections=10\b/);
			const lines = readFileSync(logOf(network, 'kms-server')).subarray(from).toString().split('\n');
			assert.equal(lines.filter((line) => line.includes('Connection ended')).length, 50);
		});

		await t.test('validate and a start look at the files', () => {
			const config = devnet.nodes[0].config;
			const run = (name, ...args) => {
				const { status, stdout, stderr } = spawnSync(join(programs, name), args, { encoding: 'utf8', cwd: dir });
				return { status, stdout, stderr };
			};
			const validate = () => run('kms-connector', 'validate', '-c', config.connector);
			assert.deepEqual({ ...validate(), stdout: '' }, { status: 0, stdout: '', stderr: '' });
			install('connector', ours.issue({ names: connectorNames, endMs: Date.now() + 29.5 * 86400000 }));
			const warned = validate();
			assert.equal(warned.status, 0);
			assert.match(warned.stderr, /kms_core_tls: .*connector\.pem: the certificate ends in 29 days/);
			for (const [spoil, name, says] of [
				[() => put('connector.key', good.core.key), 'connector', /kms_core_tls: .*connector\.key is not the key of the certificate in .*connector\.pem/],
				[() => put('connector.key', good.connector.key, 0o644), 'connector', /connector\.key holds a private key and is open to others \(mode 0644\): chmod 600/],
				[() => put('core.key', good.core.key, 0o604), 'core', /service\.tls: .*core\.key holds a private key and is open to others \(mode 0604\): chmod 600/],
				[() => put('core.key', good.connector.key), 'core', /service\.tls: .*core\.key is not the key of the certificate in/],
			]) {
				install('core', good.core);
				install('connector', good.connector);
				spoil();
				const refused = name === 'connector' ? validate() : run('kms-server', '-c', config.server);
				assert.equal(refused.status, 1);
				assert.match(refused.stderr, says);
			}
			install('core', good.core);
			install('connector', good.connector);
		});

		await t.test('nothing was lost, and nothing doubled', async () => {
			const states = query(devnet, 'SELECT state, count(*) AS n FROM operation GROUP BY state');
			assert.deepEqual(states.map(({ state }) => state), ['done']);
			for (const name of Object.values(program)) process.kill(processOf(network, name).pid, 'SIGTERM');
			for (const name of Object.values(program)) await waitFor(`${name} to end`, () => processOf(network, name).ended !== undefined);
			for (const name of Object.values(program)) assert.equal(processOf(network, name).ended, 0, `${name}: ${readFileSync(logOf(network, name), 'utf8').slice(-2000)}`);
		});
	});
});
