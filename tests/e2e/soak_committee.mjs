// SPDX-License-Identifier: BSD-3-Clause-Clear
// Many decryptions by a committee while servers and connectors of as many nodes as may fail are killed at random and started
// again. In the end the gateway has one decision for each request, each with the right value, and of each node one answer at most.
// Run by ./dev soak --nodes N.
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { AbiCoder, Wallet } from 'ethers';
import { PrivateClient, exampleContract } from '../../tools/devnet/private.mjs';
import { isRunning, waitFor } from '../../tools/devnet/processes.mjs';
import { randomFrom, withNetwork } from './harness.mjs';
import { judgeCommittee } from './judge.mjs';

const atOnce = 12; // requests without a decision
const pauseMs = { min: 200, spread: 1500 }; // between kills
const deadMs = { min: 300, spread: 5000 }; // from a kill to the start
const settleMs = 240000; // for a decision
const lateMs = 60000; // for the answers of those that were dead meanwhile
const tellMs = 20000;
const values = [['uint64', '18446744073709551557', 18446744073709551557n], ['uint8', '251', 251n], ['bool', 'true', 1n]];

const percentile = (numbers, p) => [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor((numbers.length * p) / 100))];

// ---- kills ----

// Up to `most` nodes are without server, connector or both, and each of those has its time.
class Killer {
	kills = { server: 0, connector: 0, both: 0 };
	deadAtOnce = 0;
	#dead = new Map(); // party -> when it comes back
	#stopped = false;

	constructor(network, random, most) {
		Object.assign(this, { network, random, most });
	}

	start() {
		this.running = this.#run();
		this.running.catch(() => {}); // told by stop()
	}

	async #run() {
		while (!this.#stopped) {
			await sleep(pauseMs.min + this.random.below(pauseMs.spread));
			if (this.#dead.size < this.most) this.#kill();
		}
	}

	#kill() {
		const able = this.network.nodes.filter(({ party }) => !this.#dead.has(party));
		const node = able[this.random.below(able.length)];
		const kind = Object.keys(this.kills)[this.random.below(3)];
		const names = { server: ['kms-server'], connector: ['kms-connector'], both: ['kms-server', 'kms-connector'] }[kind];
		this.kills[kind] += 1;
		const back = this.#killed(node, names);
		back.catch(() => {});
		this.#dead.set(node.party, back);
		this.deadAtOnce = Math.max(this.deadAtOnce, this.#dead.size);
	}

	async #killed(node, names) {
		await Promise.all(names.map((name) => this.network.kill(node.entry(name), 'SIGKILL')));
		await sleep(deadMs.min + this.random.below(deadMs.spread));
		if (names.includes('kms-server')) await node.startCore();
		if (names.includes('kms-connector')) await node.startConnector();
		this.#dead.delete(node.party);
	}

	async stop() {
		this.#stopped = true;
		await this.running;
		await Promise.all(this.#dead.values());
	}

	get total() {
		return Object.values(this.kills).reduce((sum, n) => sum + n, 0);
	}
}

// ---- load ----

class Load {
	latencies = { public: [], user: [] };
	done = 0;

	constructor({ devnet, relayer }) {
		Object.assign(this, { devnet, relayer });
		this.wallet = Wallet.createRandom();
		this.client = new PrivateClient(devnet, this.wallet);
	}

	async prepare(publish) {
		const published = await publish(values.map(([type, text]) => [type, text]), true, [this.wallet.address, exampleContract]);
		this.handles = published.map(({ handle }) => handle);
		this.entries = this.handles.map((handle) => ({ handle, contract: exampleContract }));
	}

	// Answered by every node: what they agree on before their first decryption, they agree on together.
	async first() {
		const request = await this.relayer.request(this.handles);
		await waitFor('every node to have answered the first request', async () => (await this.relayer.responseCalls(request)).length === this.devnet.nodes.length, { timeoutMs: settleMs, intervalMs: 500 });
	}

	// One after the other, the two kinds in turn.
	async some(n, first) {
		for (let index = 0; index < n; index++) {
			await ((first + index) % 2 === 0 ? this.#public() : this.#user());
			this.done += 1;
		}
	}

	async #public() {
		const begun = performance.now();
		const request = await this.relayer.request(this.handles);
		const { result } = await this.relayer.response(request, settleMs);
		this.latencies.public.push(performance.now() - begun);
		this.#check(request, [...AbiCoder.defaultAbiCoder().decode(values.map(() => 'uint256'), result)]);
	}

	async #user() {
		const signed = await this.client.sign('direct', this.entries);
		const begun = performance.now();
		const request = await this.relayer.requestUser(signed);
		const answers = await this.relayer.userResponse(request, settleMs);
		this.latencies.user.push(performance.now() - begun);
		this.#check(request, await this.client.open(this.entries, signed, answers));
	}

	#check({ idHex }, found) {
		values.forEach(([type, , value], index) => {
			if (found[index] !== value) throw new Error(`request ${idHex}: ${type} ${value} was decrypted as ${found[index]}`);
		});
	}
}

// ---- the whole ----

// What went wrong, as lines; none is what is wanted.
function faults(verdict, { decryptions, mpc, killer }) {
	return [
		verdict.requests !== decryptions + 1 && `the chain has ${verdict.requests} requests, ${decryptions + 1} were sent`,
		...['undecided', 'decidedTwice', 'answeredTwice'].map((what) => verdict[what].length > 0 && `${what}: ${verdict[what].length}, ${verdict[what].slice(0, 3).join('; ')}`),
		killer.deadAtOnce < mpc && `never more than ${killer.deadAtOnce} nodes were dead at once: ${mpc} were to be`,
	].filter(Boolean);
}

// Settings: {nodes, decryptions, seed, portBase}. Returns what went wrong, as lines.
export async function soakCommittee({ nodes, decryptions, seed, portBase }) {
	console.log(`soak: ${nodes} nodes, ${decryptions} decryptions; the same victims again: --seed ${seed}`);
	const random = randomFrom(seed);
	let bad = ['no end was reached'];
	await withNetwork({ portBase, nodes, gasLimit: 300_000_000 }, async ({ network, devnet, relayer, publish }) => {
		const load = new Load({ devnet, relayer });
		const { mpc } = devnet.thresholds;
		const killer = new Killer(network, random, mpc);
		await load.prepare(publish);
		await load.first();
		const begun = performance.now();
		killer.start();
		const telling = setInterval(() => console.log(`  ${((performance.now() - begun) / 1000).toFixed(0)} s: ${load.done} decryptions, ${killer.total} kills, load ${loadavg()[0].toFixed(1)}`), tellMs);
		const lanes = Array.from({ length: atOnce }, (_, lane) => load.some(Math.floor((decryptions + lane) / atOnce), lane));
		await Promise.all(lanes).finally(() => (clearInterval(telling), killer.stop()));
		const seconds = (performance.now() - begun) / 1000;
		for (const node of network.nodes) for (const name of ['kms-server', 'kms-connector']) if (!isRunning(node.entry(name))) throw new Error(`${node.named(name)} has ended`);

		// Who was dead meanwhile answers as well, unless too many of those that remember what they said were killed after it: a
		// decision has been made by then, and nobody waits for that answer.
		let verdict;
		const settled = performance.now();
		await waitFor('every node to have answered everything', async () => (verdict = await judgeCommittee(devnet)).absent.length === 0, { timeoutMs: lateMs, intervalMs: 2000 }).catch(() => {});
		await sleep(3000);
		verdict = await judgeCommittee(devnet);
		bad = faults(verdict, { decryptions, mpc, killer });

		const spread = (numbers) => `p50 ${(percentile(numbers, 50) / 1000).toFixed(1)} s, p99 ${(percentile(numbers, 99) / 1000).toFixed(1)} s (${numbers.length})`;
		console.log(`\nsoak: ${nodes} nodes, seed ${seed}; ${cpus().length} CPUs (${cpus()[0]?.model.trim()}), load ${loadavg().map((n) => n.toFixed(1)).join(' ')}; anvil, a block each second, ${atOnce} requests at once`);
		console.log(`requests      ${verdict.requests} in ${seconds.toFixed(0)} s, of three values each; ${verdict.decisions} decisions, ${verdict.answers} answers, ${verdict.reverted} transactions reverted`);
		console.log(`kills         ${killer.total} (server ${killer.kills.server}, connector ${killer.kills.connector}, both ${killer.kills.both}), up to ${killer.deadAtOnce} of ${nodes} nodes dead at once`);
		console.log(`latency       from sending the request to the decision: public ${spread(load.latencies.public)}; user, ${devnet.thresholds.userDecryption} shares, ${spread(load.latencies.user)}`);
		console.log(`late          ${verdict.absent.length} of ${decryptions * nodes + nodes} answers are not there ${((performance.now() - settled) / 1000).toFixed(0)} s after the last decision`);
	});
	return bad;
}
