// SPDX-License-Identifier: BSD-3-Clause-Clear
// What comes from outside and is wrong: chain endpoints, object store, connections, whoever can reach a port. Each fault is
// said clearly, stops no service, and when it is over every request is answered exactly once.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../../tools/devnet/network.mjs';
import { isRunning, stop, waitFor } from '../../tools/devnet/processes.mjs';
import { Chaos } from './chaos.mjs';
import { query, seeded, withNetwork } from './harness.mjs';
import { HostileRpc, HostileStore, crowd } from './hostile.mjs';

const portBase = Number(process.env.HOSTILE_PORT_BASE ?? 27400);
const ports = { gateway: portBase, host: portBase + 1, objectStore: portBase + 2, core: portBase + 3 };
const fronts = { gateway: portBase + 20, host: portBase + 21, objectStore: portBase + 22, core: portBase + 23 };
const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');

// What the connector's log must say of each fault of a chain endpoint.
const rpcSays = {
	'cut JSON': /eth_\w+: (not )?(valid )?JSON|unexpected|end of input|premature/i,
	'not JSON': /JSON/i,
	'JSON of another kind': /not a JSON-RPC 2\.0 reply/,
	'JSON too deep': /deep|nest/i,
	'another id': /the reply is for another request/,
	'HTML': /JSON/i,
	'HTTP 500': /HTTP status 500/,
	'HTTP 429': /HTTP status 429/,
	'result null': /Polling the gateway failed/,
	'announced too big': /reply is bigger than|bigger than \d+ bytes/,
	'too big': /reply is bigger than|bigger than \d+ bytes/,
	'a gzip bomb': /JSON/i,
	'endless headers': /reply is bigger than|headers/,
	'endless body': /no whole reply in time/,
	'silence': null, // ends before anybody could tell it from a slow node
	'reset': /Polling the gateway failed/,
	'logs with their data cut': /Logs could not be decoded and are in quarantine/,
	'logs without topics': /a log that was not asked for/,
	'logs of another contract': /a log that was not asked for/,
	'logs out of the range': /a log that was not asked for/,
	'logs without a block': /eth_getLogs: not a log/,
	'logs that are numbers': /eth_getLogs: not a log/,
};

const storeSays = Object.fromEntries(HostileStore.faults.map((fault) => [fault, /A bucket did not give the right ciphertext|ciphertext of handle 0/]));

test('hostile input', { timeout: 900000 }, async (t) => {
	const random = seeded(t);
	const gatewayFront = await HostileRpc.start(fronts.gateway, ports.gateway);
	const hostFront = await HostileRpc.start(fronts.host, ports.host);
	const storeFront = await HostileStore.start(fronts.objectStore, ports.objectStore);
	const chaos = await Chaos.start(fronts.core, ports.core);
	gatewayFront.elsewhere = ports.host;
	hostFront.elsewhere = ports.gateway;
	const chains = [gatewayFront, hostFront];
	const options = {
		portBase, fronts, relayer: false, automine: true,
		core: { listen_address: '127.0.0.1', listen_port: ports.core, plaintext_loopback: true },
		connector: { kms_core_endpoints: [`http://127.0.0.1:${fronts.core}`], s3_head_timeout: '1s', s3_get_timeout: '1s', s3_connect_timeout: '1s', copro_registry_refresh: '2s' },
	};
	try {
		await withNetwork(options, async ({ network, devnet, relayer, publish }) => {
			const [connectorMonitoring, coreMonitoring] = [network.ports.connectorMonitoring, network.ports.coreMonitoring];
			const running = (name) => network.processes.findLast((entry) => entry.name === name);
			const logOf = (name) => readFileSync(network.path('log', `${name}.log`), 'utf8');
			const asked = [];
			const ask = async (handle) => {
				const request = await relayer.request([handle]);
				asked.push(request);
				return request;
			};
			const healthz = async (port = connectorMonitoring) => {
				const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(8000) });
				return { ok: answer.ok, ...(await answer.json()) };
			};
			const published = await publish([...Array(2 + HostileStore.faults.length).keys()].map((i) => ['uint64', String(1000 + i)]));
			const handles = published.map(({ handle }) => handle);
			const answered = async (request) => {
				await relayer.response(request, 40000);
				assert.equal((await relayer.responses(request)).length, 1);
				assert.equal((await relayer.responseCalls(request)).length, 1);
			};

			// begin(), a request, what shows that the fault was met and named, end(); then the answer.
			const survives = (what, { begin, met, says, during = () => {}, end, handle = handles[0] }) =>
				t.test(what, async (sub) => {
					const since = logOf('kms-connector').length;
					const started = running('kms-connector');
					begin();
					const request = await ask(handle);
					await waitFor(`${what} met`, met, { entry: started, timeoutMs: 20000 });
					if (says) await waitFor(`the log to say ${says}`, () => says.test(logOf('kms-connector').slice(since)), { entry: started, timeoutMs: 15000 });
					assert.ok(isRunning(started), 'the connector runs');
					const lines = logOf('kms-connector').slice(since).split('\n');
					sub.diagnostic((lines.find((line) => says?.test(line)) ?? '').slice(0, 300));
					await during();
					end();
					await answered(request);
				});

			await answered(await ask(handles[0]));

			// ---- chain endpoints ----
			for (const fault of [...HostileRpc.faults.whole, ...HostileRpc.faults.logs]) {
				const ofLogs = HostileRpc.faults.logs.includes(fault);
				await survives(`chain endpoints: ${fault}`, {
					begin: () => (ofLogs ? [gatewayFront] : chains).forEach((front) => front.set(fault)),
					met: () => gatewayFront.served >= 1,
					says: rpcSays[fault],
					// So many blocks that the usual second look does not find what was cut.
					during: async () => fault === 'logs with their data cut' && (await relayer.provider.send('anvil_mine', ['0x40']), await sleep(1000)),
					end: () => chains.forEach((front) => front.set(null)),
				});
			}

			await survives('chain endpoints: a head that goes back', {
				begin: () => gatewayFront.set('a head that goes back'),
				met: () => gatewayFront.served >= 2,
				says: /The endpoint is behind what we have read/,
				end: () => gatewayFront.set(null),
			});
			await survives('chain endpoints: moved to another chain while we run', {
				begin: () => chains.forEach((front) => front.set('another chain')),
				met: async () => /Gateway connection failed: the endpoint \S+ serves chain 12345, and 54321 is configured/.test((await healthz()).details),
				says: /serves another chain, nothing is read from it|The endpoint is behind what we have read/,
				end: () => chains.forEach((front) => front.set(null)),
			});
			await t.test('chain endpoints: another chain from the start', async () => {
				await network.killConnector();
				gatewayFront.set('another chain');
				const since = logOf('kms-connector').length;
				const entry = network.startConnectorProcess();
				await waitFor('503 with the reason', async () => {
					const { ok, details } = await healthz();
					return !ok && /serves chain 12345, and 54321 is configured/.test(details);
				}, { entry });
				const request = await ask(handles[0]);
				for (const says of [/serves another chain, nothing is read from it.*chain_id=12345 expected=54321/, /serves another chain, nothing is sent.*chain_id=12345 expected=54321/])
					await waitFor(`${says}`, () => says.test(logOf('kms-connector').slice(since)), { entry });
				assert.equal((await relayer.responses(request)).length, 0);
				gatewayFront.set(null);
				await answered(request);
			});

			// ---- object store ----
			for (const [index, fault] of HostileStore.faults.entries())
				await survives(`object store: ${fault}`, {
					handle: handles[2 + index],
					begin: () => storeFront.set(fault),
					met: () => storeFront.served >= 2,
					says: storeSays[fault],
					end: () => storeFront.set(null),
				});

			// ---- the connection to the core ----
			await t.test('core: reset, end and silence at bytes of a call', async (sub) => {
				const plans = 14;
				const requests = [];
				for (let i = 0; i < plans; i++) {
					const way = random.below(2) ? 'up' : 'down';
					// A call is some hundred bytes of HTTP/2 and, upwards, a ciphertext of 100 KB.
					const at = random.below(way === 'up' && random.below(2) ? 90000 : 350);
					const fault = ['reset', 'end', 'stall'][random.below(3)];
					const hits = chaos.hits;
					chaos.next({ fault, way, at, forMs: 200 + random.below(800) });
					requests.push(await ask(handles[i % 2]));
					for (let waited = 0; chaos.hits === hits && waited < 1500; waited += 25) await sleep(25);
					sub.diagnostic(`${fault} ${way} ${at}${chaos.hits === hits ? ': no call came so far' : ''}`);
				}
				for (const request of requests) await answered(request);
				assert.ok(chaos.hits >= plans / 2, `only ${chaos.hits} of ${plans} faults met a call`);
				sub.diagnostic(`${chaos.hits} faults, ${chaos.connections} connections`);
			});
			await survives('core: nobody answers', {
				begin: () => chaos.stop(),
				met: () => true,
				says: /core, \w+: UNAVAILABLE .*(refused|connect)/i,
				end: () => chaos.listen(),
			});

			// ---- whoever can reach a port ----
			const garbage = () => Buffer.from(Array.from({ length: 1 + random.below(2000) }, () => random.below(256)));
			const words = {
				garbage,
				silence: () => '',
				'half an HTTP request': () => 'GET /healthz HTTP/1.1\r\nHost: ',
				'half an HTTP/2 preface': () => 'PRI * HTTP/2.0\r\n\r\nS',
				'an HTTP/2 connection that asks nothing': () => Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]),
				'a TLS hello': () => Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
			};
			for (const [what, first] of Object.entries(words))
				await t.test(`every port: ${what}, 200 times`, async () => {
					const crowds = await Promise.all([ports.core, coreMonitoring, connectorMonitoring].map((port) => crowd(port, 200, first)));
					try {
						for (const port of [coreMonitoring, connectorMonitoring]) {
							const begun = Date.now();
							assert.ok((await healthz(port)).ok);
							assert.ok(Date.now() - begun < 4000, `port ${port}: ${Date.now() - begun} ms`);
						}
						// A new connection to the core, while the others sit there.
						chaos.cut();
						await answered(await ask(handles[0]));
					} finally {
						crowds.forEach(({ leave }) => leave());
					}
				});

			// ---- in the end ----
			await waitFor('every row done', () => query(devnet, "SELECT count(*) AS n FROM operation WHERE state <> 'done'")[0].n === 0);
			assert.equal(query(devnet, 'SELECT count(*) AS n FROM quarantine')[0].n, 0);
			assert.equal(query(devnet, 'SELECT count(*) AS n FROM operation')[0].n, asked.length);
			assert.equal(query(devnet, "SELECT count(*) AS n FROM tx WHERE state = 'mined'")[0].n, asked.length);
			for (const request of asked) assert.equal((await relayer.responseCalls(request)).length, 1);
			t.diagnostic(`${asked.length} requests, each answered once`);

			// ---- keys that others may read ----
			await t.test('keys readable by others: refused in the vault, said of the configuration', async () => {
				const config = network.path('config', 'kms-connector.toml');
				await network.killConnector();
				for (const [mode, said] of [[0o600, false], [0o640, false], [0o644, true], [0o620, true]]) {
					chmodSync(config, mode);
					const since = logOf('kms-connector').length;
					const entry = network.startConnectorProcess();
					await waitFor('start', () => /Monitoring endpoint=/.test(logOf('kms-connector').slice(since)), { entry });
					assert.equal(/holds private_key, and others can read or change it/.test(logOf('kms-connector').slice(since)), said, mode.toString(8));
					await network.killConnector(entry);
				}
				chmodSync(config, 0o600);

				const server = join(programs, 'kms-server');
				const vault = network.path('node-1', 'keys', 'PRIV');
				const files = readdirSync(vault, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
				assert.ok(files.length >= 2, 'a signing key and an FHE key');
				await stop(running('kms-server'));
				for (const { parentPath, name } of files) {
					const file = join(parentPath, name);
					const { mode } = statSync(file);
					chmodSync(file, 0o644);
					const { status, stderr } = spawnSync(server, ['-c', network.path('config', 'kms-server.toml')], { cwd: network.path('node-1'), encoding: 'utf8', timeout: 20000 });
					assert.equal(status, 1, stderr);
					assert.ok(stderr.includes(name) && /others|mode|permission/i.test(stderr), stderr);
					chmodSync(file, mode);
				}
			});
		});
	} finally {
		for (const proxy of [gatewayFront, hostFront, storeFront, chaos]) await proxy.stop();
	}
});
