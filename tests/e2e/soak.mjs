// SPDX-License-Identifier: BSD-3-Clause-Clear
// A node under load whose processes are killed every few seconds, for minutes: public and user decryptions and key
// generations, on SQLite (one process) or PostgreSQL (three). In the end the chains are asked what they have. Run by ./dev soak;
// the short form is kill.test.mjs.
import { execFile } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { Contract, JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import { artifact } from '../../tools/deploy/set.mjs';
import { PrivateClient, exampleContract } from '../../tools/devnet/private.mjs';
import { isRunning, waitFor } from '../../tools/devnet/processes.mjs';
import { randomFrom, withNetwork } from './harness.mjs';
import { judge } from './judge.mjs';
import { Requester } from './load.mjs';
import { Postgres } from './postgres.mjs';
import { soakCommittee } from './soak_committee.mjs';
import { Hits, PostgresReader, SqliteReader, operationStates, transactionStates } from './states.mjs';

const burstPublic = 30;
const burstUser = 10;
const lanes = 2; // bursts at once
const workMin = 40; // with less before the worker there is another burst
const liveMax = 500; // what a dead process's leases hold back does not count without end
const keyPauseMs = 15000;
const delayMs = { min: 1000, spread: 4000 }; // between kills
const huntMs = 2500; // how long a kill waits for the state that it is for
const corePart = 8; // one kill of so many is the core's
const settleMs = 240000;
const testParameters = 1;

// Who moves rows out of which state. Rows become free only while a sender starts, and far when somebody else uses its key.
const movers = {
	'gw-listener': [],
	'kms-worker': ['seen', 'ready', 'computing'],
	'tx-sender': ['answered', 'sending', 'allocated', 'signed', 'broadcast', 'included'],
};
const wanted = Object.values(movers).flat();

// The newest deed of each service, Unix milliseconds.
const workSql = {
	'gw-listener': 'SELECT max(updated_ms) AS at FROM cursor',
	'kms-worker': "SELECT max(updated_ms) AS at FROM operation WHERE state IN ('ready','computing','answered')",
	'tx-sender': "SELECT max(updated_ms) AS at FROM tx WHERE state IN ('allocated','signed','broadcast','included')",
};
workSql['kms-connector'] = `SELECT max(at) AS at FROM (${Object.values(workSql).join(' UNION ALL ')}) AS each_service`;

const percentile = (values, p) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * p) / 100))];
const spread = (values, unit) => (values.length === 0 ? 'none' : `p50 ${percentile(values, 50)} ${unit}, p99 ${percentile(values, 99)} ${unit}, max ${Math.max(...values)} ${unit} (${values.length})`);

// ---- load ----

class Load {
	#stopped = false;
	keygens = 0;

	constructor(network, devnet, reader, random) {
		Object.assign(this, { network, devnet, reader, random });
		this.requester = new Requester(devnet);
	}

	async prepare(publish) {
		const user = Wallet.createRandom();
		const open = await publish([['uint64', '1'], ['uint8', '2'], ['bool', 'true']]);
		const closed = await publish([['uint32', '3'], ['uint128', '4']], false, [user.address, exampleContract]);
		this.handles = open.map(({ handle }) => handle);
		this.entries = closed.map(({ handle }) => ({ handle, contract: exampleContract }));
		this.client = new PrivateClient(this.devnet, user);
		this.signed = [];
		for (const kind of ['direct', 'unified']) for (const entry of this.entries) this.signed.push(await this.client.sign(kind, [entry]));
		const { rpc, chainId, contracts } = this.devnet.hosts[0];
		this.host = new JsonRpcProvider(rpc, chainId, { staticNetwork: true, pollingInterval: 200 });
		const owner = new NonceManager(new Wallet(this.network.accounts.owner.privateKey, this.host));
		this.generation = new Contract(contracts.KMSGeneration, artifact('KMSGeneration', 'HostKMSGeneration').abi, owner);
	}

	pick(some) {
		return some[this.random.below(some.length)];
	}

	async decryptions() {
		while (!this.#stopped) {
			const live = await this.reader.live();
			const sum = (states) => states.reduce((all, state) => all + (live[state] ?? 0), 0);
			if (sum(movers['kms-worker']) >= workMin || sum(operationStates) >= liveMax) {
				await sleep(100);
				continue;
			}
			await this.requester.burst(burstPublic, () => [this.pick(this.handles)]);
			await this.requester.burstUser(Array.from({ length: burstUser }, () => this.pick(this.signed)));
		}
	}

	// One key after the other. The first gets the id of the key that is there already, and is given up.
	async keys() {
		for (let n = 1; !this.#stopped; n++) {
			await (await this.generation.keygen(testParameters)).wait();
			const prep = (3n << 248n) + BigInt(n);
			const ends = n === 1 ? 'KeygenRequest' : 'KeygenResponse';
			const filter = () => this.generation.queryFilter(this.generation.filters[ends]());
			await waitFor(`${ends} ${n}`, async () => this.#stopped || (await filter()).length >= (n === 1 ? 1 : n - 1), { timeoutMs: settleMs, intervalMs: 500 });
			this.keygens += 1;
			if (n === 1) await (await this.generation.abortKeygen(`0x${prep.toString(16).padStart(64, '0')}`)).wait();
			for (const end = Date.now() + keyPauseMs; Date.now() < end && !this.#stopped; ) await sleep(100);
		}
	}

	start() {
		this.running = Promise.all([...Array.from({ length: lanes }, () => this.decryptions()), this.keys()]);
		this.running.catch(() => {}); // told by stop()
	}

	async stop() {
		this.#stopped = true;
		await this.running;
	}

	close() {
		this.requester.close();
		this.host?.destroy();
	}
}

// ---- kills ----

class Killer {
	kills = {};
	recoveries = {};
	unseen = 0; // kills whose process was killed again before its first work was seen
	hits = new Hits();
	#watched = {};

	constructor(network, reader, random, ports, report) {
		Object.assign(this, { network, reader, random, ports, report });
		this.services = Object.keys(ports);
	}

	get victims() {
		return [...this.services, 'kms-server'];
	}

	// Who is to be killed while there are rows in that state: whoever moves them on.
	mover(state) {
		return this.services.length === 1 ? this.services[0] : this.services.find((name) => movers[name].includes(state));
	}

	// Half of the kills come at any moment and hit anybody; the others are for the state that was hit least.
	#plan() {
		if (this.random.below(corePart) === 0) return { victim: 'kms-server' };
		const some = this.services.length === 1 || this.random.below(4) === 0 ? this.services : this.services.filter((name) => !this.#recovering(name));
		if (some.length > 0 && this.random.below(2) === 0) return { victim: some[this.random.below(some.length)] };
		const able = wanted.filter((state) => !this.#recovering(this.mover(state)));
		if (able.length === 0) return { victim: 'kms-server' };
		const hit = (state) => this.hits.of(this.mover(state), state).kills;
		const least = Math.min(...able.map(hit));
		const states = able.filter((state) => hit(state) === least);
		const state = states[this.random.below(states.length)];
		return { victim: this.mover(state), state };
	}

	// Who is killed again and again before its first work (a sender waits for the lease of a dead one) is not hit at work.
	#recovering(victim) {
		const watch = this.#watched[victim];
		return watch !== undefined && !watch.over;
	}

	async #hunt(state) {
		for (const end = Date.now() + huntMs; Date.now() < end; await sleep(2)) if ((await this.reader.live())[state]) return;
	}

	async kill() {
		const { victim, state } = this.#plan();
		if (state) await this.#hunt(state);
		const entry = this.network.processes.findLast(({ name }) => name === victim);
		const at = Date.now();
		await this.network.killConnector(entry);
		this.hits.add(victim, await this.reader.live());
		if (victim === 'kms-server') {
			const started = this.network.startCoreProcess();
			const healthz = `http://127.0.0.1:${this.network.ports.coreMonitoring}/healthz`;
			await waitFor('kms-server', async () => (await fetch(healthz)).ok, { entry: started, intervalMs: 5 });
			this.#recovered(victim, Date.now() - at);
		} else {
			this.network.startConnectorProcess(victim, this.ports[victim]);
			this.#watch(victim, at);
		}
		this.kills[victim] = (this.kills[victim] ?? 0) + 1;
	}

	#recovered(victim, ms) {
		(this.recoveries[victim] ??= []).push(ms);
	}

	// From the kill to the first row that the next process has changed.
	#watch(victim, killedAt) {
		const watch = { over: false };
		const before = this.#watched[victim];
		if (before) before.over = true;
		this.#watched[victim] = watch;
		watch.ended = (async () => {
			const restarted = Date.now();
			for (; !watch.over; await sleep(10)) {
				const at = await this.reader.number(workSql[victim]);
				if (at <= restarted) continue;
				watch.over = true;
				this.#recovered(victim, at - killedAt);
				return;
			}
			this.unseen += 1;
		})();
		watch.ended.catch((error) => this.report(`recovery: ${error.message}`));
	}

	async stop() {
		for (const watch of Object.values(this.#watched)) watch.over = true;
		await Promise.allSettled(Object.values(this.#watched).map(({ ended }) => ended));
	}

	get total() {
		return Object.values(this.kills).reduce((sum, n) => sum + n, 0);
	}
}

// ---- the whole ----

async function settle(reader, load) {
	const rest = () => reader.all(`SELECT state, kind, reason FROM operation WHERE state IN ('${operationStates.join("','")}')`);
	const all = () => reader.number('SELECT count(*) AS n FROM operation');
	const begun = Date.now();
	await waitFor('everything to come to its end', async () => (await rest()).length === 0 && (await all()) >= load.requester.sent, { timeoutMs: settleMs, intervalMs: 250 }).catch(async (error) => {
		throw new Error(`${error.message}; left: ${JSON.stringify((await rest()).slice(0, 5))}`);
	});
	return Date.now() - begun;
}

async function audited(network) {
	const file = network.path('config', 'kms-connector.toml');
	const program = network.connectorProgram;
	const { stdout } = await promisify(execFile)(program, ['audit', 'verify', '-c', file, '--json'], { maxBuffer: 1 << 24 }).catch((error) => ({ stdout: error.stdout || JSON.stringify({ ok: false, error: error.message }) }));
	return JSON.parse(stdout);
}

async function soak({ minutes, postgres, seed, portBase, report }) {
	const random = randomFrom(seed);
	const options = {
		portBase, separate: postgres !== null,
		gasLimit: 300_000_000, // as many as the bursts ask for fit into a block
		connector: { database_url: postgres?.url, gateway_tx_required_confirmations: 2, key_management_polling: '500ms' },
	};
	if (!postgres) delete options.connector.database_url;
	const verdict = {};
	await withNetwork(options, async ({ network, devnet, publish }) => {
		const { connectorMonitoring, workerMonitoring, senderMonitoring } = network.ports;
		const ports = postgres ? { 'gw-listener': connectorMonitoring, 'kms-worker': workerMonitoring, 'tx-sender': senderMonitoring } : { 'kms-connector': connectorMonitoring };
		const reader = postgres ? new PostgresReader(postgres.url) : SqliteReader.of(devnet);
		const load = new Load(network, devnet, reader, random);
		const killer = new Killer(network, reader, random, ports, report);
		try {
			await load.prepare(publish);
			load.start();
			const begun = Date.now();
			for (let told = begun; Date.now() < begun + minutes * 60000; ) {
				await sleep(delayMs.min + random.below(delayMs.spread));
				await killer.kill();
				if (Date.now() > told + 60000) {
					told += 60000;
					report(`${Math.round((told - begun) / 60000)} min: ${load.requester.sent} requests, ${killer.total} kills, load ${loadavg()[0].toFixed(1)}`);
				}
			}
			await load.stop();
			const settled = await settle(reader, load);
			await killer.stop();
			for (const name of killer.victims) if (!isRunning(network.processes.findLast((entry) => entry.name === name))) throw new Error(`${name} has ended`);
			const chains = await judge(devnet);
			const latencies = (await reader.all("SELECT updated_ms - created_ms AS ms FROM operation WHERE state = 'done' AND kind IN ('public_decryption_request','user_decryption_request')")).map(({ ms }) => Number(ms));
			const ends = await reader.all('SELECT kind, state, count(*) AS n FROM operation GROUP BY kind, state ORDER BY kind, state');
			const nonces = await reader.all('SELECT state, count(*) AS n FROM tx GROUP BY state ORDER BY state');
			const audit = await audited(network);
			Object.assign(verdict, { chains, latencies, ends, nonces, audit, settled, killer, sent: load.requester.sent, keygens: load.keygens, seconds: Math.round((Date.now() - begun) / 1000) });
		} finally {
			load.close();
			await killer.stop();
			await reader.close();
		}
	});
	return verdict;
}

// What went wrong, as lines; none is what is wanted.
function faults({ chains, audit, killer, sent, ends }) {
	const unhit = wanted.filter((state) => killer.hits.of(killer.mover(state), state).kills === 0);
	const bad = ends.filter(({ state, kind }) => !(state === 'done' || (state === 'aborted' && kind === 'keygen_request')));
	return [
		chains.requests !== sent && `the chain has ${chains.requests} requests, ${sent} were sent`,
		chains.lost.length > 0 && `lost: ${chains.lost.slice(0, 5).join(', ')}`,
		chains.doubled.length > 0 && `doubled: ${chains.doubled.slice(0, 5).join(', ')}`,
		chains.reverted > 0 && `${chains.reverted} transactions reverted`,
		bad.length > 0 && `ended otherwise: ${bad.map(({ kind, state, n }) => `${kind} ${state} ${n}`).join(', ')}`,
		!audit.ok && `the audit log does not verify: ${JSON.stringify(audit)}`,
		unhit.length > 0 && `no kill found a row in ${unhit.join(', ')}: that was not tested`,
	].filter(Boolean);
}

function print({ chains, latencies, ends, nonces, audit, settled, killer, sent, keygens, seconds }, { minutes, database, seed }) {
	const say = console.log;
	say(`\nsoak: ${database}, ${minutes} min, seed ${seed}; ${cpus().length} CPUs (${cpus()[0]?.model.trim()}), load ${loadavg().map((n) => n.toFixed(1)).join(' ')}; anvil, a block each second`);
	say(`requests      ${sent} decryptions (${(sent / seconds).toFixed(1)}/s), ${chains.keyRequests} of ${keygens} key generations, ${chains.keysGivenUp} given up`);
	say(`kills         ${killer.total}: ${Object.entries(killer.kills).map(([name, n]) => `${name} ${n}`).join(', ')}; as many restarts`);
	say(`lost          ${chains.lost.length}`);
	say(`doubled       ${chains.doubled.length}`);
	say(`transactions  ${chains.nonces} nonces for ${chains.answers} answers: ${chains.wasted} wasted (${chains.transfers} empty transfers), ${chains.reverted} reverted`);
	say(`rows of tx    ${nonces.map(({ state, n }) => `${state} ${n}`).join(', ')}`);
	say(`operations    ${ends.map(({ kind, state, n }) => `${kind} ${state} ${n}`).join(', ')}`);
	say(`audit log     ${audit.ok ? 'verifies' : 'DOES NOT VERIFY'}: ${JSON.stringify(audit)}`);
	say(`latency       first sight to confirmed answer: ${spread(latencies, 'ms')}`);
	say(`              request to answer on chain: ${spread(chains.latencies, 'blocks')}`);
	say(`recovery      from SIGKILL to the first row changed (kms-server: to healthy); ${killer.unseen} not seen before the next kill or the end`);
	for (const [name, values] of Object.entries(killer.recoveries)) say(`              ${name}: ${spread(values, 'ms')}`);
	say(`settled       ${settled} ms after the last request`);
	say(`\nkills that found rows in a state, by who was killed:`);
	for (const line of killer.hits.table(killer.victims)) say(line);
}

const { values: args } = parseArgs({
	options: {
		minutes: { type: 'string', default: '10' },
		database: { type: 'string', default: 'sqlite' },
		nodes: { type: 'string', default: '1' },
		decryptions: { type: 'string', default: '200' },
		seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
		'port-base': { type: 'string', default: '22000' },
	},
});
const settings = {
	minutes: Number(args.minutes), database: args.database, nodes: Number(args.nodes), decryptions: Number(args.decryptions),
	seed: Number(args.seed) >>> 0, portBase: Number(args['port-base']),
};

async function soakOne() {
	console.log(`soak: ${settings.database}, ${settings.minutes} min; the same moments again: --seed ${settings.seed}`);
	const server = settings.database === 'postgres' ? await Postgres.start(settings.portBase + 20, 'a password of the soak') : null;
	try {
		const verdict = await soak({ ...settings, postgres: server, report: (text) => console.log(`  ${text}`) });
		print(verdict, settings);
		return faults(verdict);
	} finally {
		await server?.stop();
	}
}

const bad = settings.nodes > 1 ? await soakCommittee(settings) : await soakOne();
for (const line of bad) console.log(`FAILED: ${line}`);
console.log(bad.length === 0 ? '\nsoak passed: lost 0, doubled 0' : '\nsoak failed');
process.exitCode = bad.length === 0 ? 0 : 1;
