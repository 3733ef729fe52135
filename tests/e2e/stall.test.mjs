// SPDX-License-Identifier: BSD-3-Clause-Clear
// A disk that takes 2 s for a sync, a resolver that takes 5 s, a PostgreSQL that hangs: no event loop stands still for more
// than 50 ms, /liveness answers within a second, the other pages within healthcheck_timeout and a second, and afterwards all is
// answered, once. Not counted is time in which the machine had no CPU for the loop, and by how much a server is late there
// that does nothing: stalls.mjs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { Chaos } from './chaos.mjs';
import { withNetwork } from './harness.mjs';
import { judge } from './judge.mjs';
import { Requester } from './load.mjs';
import { inNamespaces } from './namespace.mjs';
import { Postgres } from './postgres.mjs';
import { Watch, report, slowLibrary } from './stalls.mjs';

const portBase = Number(process.env.STALL_PORT_BASE ?? 22200);
const stallMaxMs = 50;
const livenessMaxMs = 1000;
const pageMaxMs = 3000 + 1000; // healthcheck_timeout and the same
const perRound = 12;

const running = (network, name) => network.processes.findLast((entry) => entry.name === name);
const core = (network) => ({ name: 'kms-server', pid: running(network, 'kms-server').pid, port: network.ports.coreMonitoring, prefix: 'kms' });
const service = (network, name, port) => ({ name, pid: running(network, name).pid, port, prefix: 'kms_connector' });

function assertNoStall(seen) {
	for (const [name, s] of Object.entries(seen)) {
		assert.ok(s.scrapes >= 3, `${name}: ${s.scrapes} scrapes`);
		assert.ok(s.stallMs <= stallMaxMs, `${name}: its loop stood still for ${s.stallMs} ms`);
		assert.ok(s.asleepMs <= stallMaxMs, `${name}: its loop slept for ${s.asleepMs} ms in system call ${s.asleepIn}`);
		assert.ok(s.livenessMs <= livenessMaxMs + s.controlMs, `${name}: /liveness took ${s.livenessMs} ms`);
		for (const page of ['metricsMs', 'healthzMs']) assert.ok(s[page] <= pageMaxMs + s.controlMs, `${name}: ${page} ${s[page]}`);
	}
}

// Watches while body() runs; what was seen is told by say().
async function watched(say, what, processes, body) {
	const watch = new Watch(processes);
	try {
		await body();
	} finally {
		for (const line of report(what, await watch.stop())) say(line);
	}
	return watch.seen;
}

// Everything that was asked for has one answer, and each answer was one transaction.
async function assertAnswered(devnet, requester, say) {
	await waitFor('every request answered', async () => (await requester.outcome()).answered.size === requester.sent, { timeoutMs: 120000, intervalMs: 500 });
	const { lost, doubled, reverted, requests } = await judge(devnet);
	assert.equal(requests, requester.sent);
	assert.deepEqual([lost, doubled, reverted], [[], [], 0]);
	say(`${requests} requests, lost 0, doubled 0`);
}

// ---- names: in a network of its own, where the only resolver is the test's ----

// Answers every name with 127.0.0.1 (RFC 1035), `delayMs` later; `asked` counts.
class SlowResolver {
	delayMs = 5000;
	asked = 0;

	async start() {
		this.socket = createSocket('udp4');
		this.socket.on('message', (question, peer) => {
			this.asked += 1;
			setTimeout(() => this.socket.send(SlowResolver.#answer(question), peer.port, peer.address), this.delayMs);
		});
		this.socket.bind(53, '127.0.0.1');
		await once(this.socket, 'listening');
	}

	static #answer(question) {
		let end = 12;
		while (question[end] !== 0) end += question[end] + 1;
		const isA = question.readUInt16BE(end + 1) === 1; // else there is no such record: AAAA
		const head = Buffer.from(question.subarray(0, 12));
		head.writeUInt16BE(0x8180, 2); // an answer, recursion available
		head.writeUInt16BE(isA ? 1 : 0, 6);
		head.writeUInt32BE(0, 8);
		const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
		return Buffer.concat([head, question.subarray(12, end + 5), ...(isA ? [record] : [])]);
	}
}

async function withSlowNames(say) {
	const resolver = new SlowResolver();
	await resolver.start();
	const names = { gateway: 'gateway.test', host: 'host.test', objectStore: 'store.test' };
	const corePort = portBase + 23;
	const options = {
		portBase: portBase + 20, names,
		core: { listen_address: '127.0.0.1', listen_port: corePort, plaintext_loopback: true },
		// A request's time is also for the name: a bucket's must be longer than a name takes, or nothing is fetched.
		connector: { kms_core_endpoints: [`http://core.test:${corePort}`], s3_head_timeout: '12s', s3_get_timeout: '12s', s3_connect_timeout: '12s' },
	};
	await withNetwork(options, async ({ network, devnet, publish }) => {
		const [{ handle }] = await publish([['uint64', '1']]);
		const requester = new Requester(devnet);
		const load = () => requester.burst(perRound, () => [handle]);
		const connector = () => service(network, 'kms-connector', network.ports.connectorMonitoring);
		// A new process knows no name yet.
		const restarted = async (what, delayMs, body) => {
			resolver.delayMs = delayMs;
			const { asked } = resolver;
			await network.killConnector();
			const entry = network.startConnectorProcess();
			await waitFor('liveness', async () => (await fetch(`http://127.0.0.1:${network.ports.connectorMonitoring}/liveness`)).ok, { entry });
			assertNoStall(await watched(say, what, [connector()], body));
			assert.ok(resolver.asked >= asked + 6, `${resolver.asked - asked} questions about names`);
		};

		await load();
		await restarted('names take 5 s', 5000, async () => {
			await load();
			await network.restartCore('SIGKILL'); // a new connection, and so a question
			await assertAnswered(devnet, requester, say);
		});
		// Questions that their requests do not wait for any more.
		await restarted('names take 30 s', 30000, async () => (await load(), await sleep(15000)));
		await restarted('names at once', 0, () => assertAnswered(devnet, requester, say));
		requester.close();
	});
}

const inside = 'CLAVIGER_SLOW_NAMES';

if (process.env[inside]) {
	const dir = process.env[inside];
	for (const [name, text] of [['resolv.conf', 'nameserver 127.0.0.1\noptions timeout:30 attempts:1\n'], ['nsswitch.conf', 'hosts: files dns\n']]) {
		writeFileSync(join(dir, name), text);
		assert.equal(spawnSync('mount', ['--bind', join(dir, name), `/etc/${name}`]).status, 0, `mount over /etc/${name}`);
	}
	assert.equal(spawnSync('ip', ['link', 'set', 'lo', 'up']).status, 0, 'ip link set lo up');
	try {
		await withSlowNames((text) => console.log(`# ${text}`));
	} finally {
		for (const name of ['resolv.conf', 'nsswitch.conf']) spawnSync('umount', ['-l', `/etc/${name}`]);
	}
	process.exit(0);
}

test('names take 5 s, and 30', { timeout: 900000 }, (t) =>
	inNamespaces(t, {
		flags: ['-n', '-m'],
		probe: 'ip link set lo up && mount --bind /etc/hosts /etc/hosts',
		missing: 'no network of its own: this test needs iproute2, and root or user namespaces (unshare -rnm)',
		file: fileURLToPath(import.meta.url),
		inside,
		name: 'names',
	}));

test('a sync takes 2 s, under connector and core', { timeout: 900000 }, async (t) => {
	const dir = mkdtempSync(join(tmpdir(), 'claviger-stall-'));
	const say = (text) => t.diagnostic(text);
	try {
		const library = slowLibrary(dir);
		await withNetwork({ portBase, connectorEnv: library.env, coreEnv: library.env }, async ({ network, devnet, publish }) => {
			const handles = (await publish([['uint64', '1'], ['uint8', '2']])).map(({ handle }) => handle);
			const requester = new Requester(devnet);
			const load = () => requester.burst(perRound, () => handles);
			const processes = [service(network, 'kms-connector', network.ports.connectorMonitoring), core(network)];
			assertNoStall(await watched(say, 'as it is', processes, async () => (await load(), await sleep(2000))));

			library.slow('sync');
			const slow = await watched(say, 'syncs of 2 s', processes, async () => (await load(), await load(), await sleep(15000)));
			assertNoStall(slow);
			assert.ok(slow['kms-connector'].healthzMs > 500, 'the syncs were slow');
			library.fast('sync');
			await assertAnswered(devnet, requester, say);

			// The same watch sees a loop that does stand still.
			library.slow('loop');
			const stalled = await watched(say, 'a planted stall of 150 ms', processes.slice(0, 1), () => sleep(3000));
			library.fast('loop');
			assert.ok(stalled['kms-connector'].rawMs >= 150, 'the metric has it');
			assert.throws(() => assertNoStall(stalled), /stood still|slept/);
			requester.close();
		});
	} finally {
		rmSync(dir, { recursive: true, force: true });
	}
});

// Every process of a server, the children first.
function processesOf(server) {
	const parentOf = (pid) => {
		try {
			const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
			return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
		} catch {
			return 0;
		}
	};
	const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === server.child.pid);
	return [...children.map(Number), server.child.pid];
}

test('PostgreSQL hangs: its network says nothing, then its processes stand', { timeout: 900000 }, async (t) => {
	const say = (text) => t.diagnostic(text);
	const postgres = await Postgres.start(portBase + 30, 'a password of the test');
	const proxy = await Chaos.start(portBase + 31, portBase + 30);
	try {
		const url = postgres.url.replace(`:${portBase + 30}/`, `:${portBase + 31}/`);
		await withNetwork({ portBase: portBase + 10, separate: true, connector: { database_url: url } }, async ({ network, devnet, publish }) => {
			const { connectorMonitoring, workerMonitoring, senderMonitoring } = network.ports;
			const handles = (await publish([['uint64', '1'], ['uint8', '2']])).map(({ handle }) => handle);
			const requester = new Requester(devnet);
			const load = () => requester.burst(perRound, () => handles);
			const processes = [service(network, 'gw-listener', connectorMonitoring), service(network, 'kms-worker', workerMonitoring), service(network, 'tx-sender', senderMonitoring), core(network)];
			const services = processes.slice(0, 3);
			await load();

			// Longer than a statement may take, and than a lost server is looked for: connecting again hangs as well.
			const silent = await watched(say, 'a silent connection', processes, async () => {
				proxy.freeze();
				await load();
				await sleep(20000);
			});
			assertNoStall(silent);
			for (const { name } of services) assert.ok(silent[name].unwell > 0, `${name} says that it is not well`);
			proxy.thaw();
			await assertAnswered(devnet, requester, say);

			const stopped = await watched(say, 'stopped processes', processes, async () => {
				const pids = processesOf(postgres);
				assert.ok(pids.length > 3);
				try {
					for (const pid of pids) process.kill(pid, 'SIGSTOP');
					await load();
					await sleep(15000);
				} finally {
					for (const pid of pids) process.kill(pid, 'SIGCONT');
				}
			});
			assertNoStall(stopped);
			for (const { name } of services) assert.ok(stopped[name].unwell > 0, `${name} says that it is not well`);
			await assertAnswered(devnet, requester, say);
			requester.close();
		});
	} finally {
		await proxy.stop();
		await postgres.stop();
	}
});
