// SPDX-License-Identifier: BSD-3-Clause-Clear
// The whole pipeline at a steady rate: requests in blocks of anvil, one a second, to answers in blocks. Also how much
// memory the connector has meanwhile.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Load, abi } from './load.mjs';
import { percentile } from './figures.mjs';
import { StandinNetwork, mb, memoryOf, withEngine } from './standin.mjs';

const target = 300;
const rate = 320; // offered: what is measured cannot be more
const perSecond = 8; // so often a part of them
const objects = 16;
const lateMs = 60000; // for the last answers
const memoryTarget = 64e6;

async function offer(load, raw) {
	const part = rate / perSecond;
	const begun = performance.now();
	for (let i = 0; i < raw.length; i += part) {
		await sleep(Math.max(0, begun + (i / rate) * 1000 - performance.now()));
		await load.send(raw.slice(i, i + part));
	}
	return (performance.now() - begun) / 1000;
}

// [{id, block}] of an event.
async function events(load, name, fromBlock) {
	const { topicHash } = abi.getEvent(name);
	const logs = await load.provider.getLogs({ address: load.address, topics: [topicHash], fromBlock });
	return logs.map(({ topics, blockNumber }) => ({ id: topics[1], block: blockNumber }));
}

async function allAnswered(load, n, fromBlock) {
	for (const end = Date.now() + lateMs; ; await sleep(1000)) {
		const answers = await events(load, 'PublicDecryptionResponse', fromBlock);
		if (answers.length >= n) return answers;
		if (Date.now() > end) throw new Error(`only ${answers.length} of ${n} requests were answered`);
	}
}

// Answers a second while requests came: without the first blocks and without those that only finished the rest.
function throughput(requests, answers) {
	const first = Math.min(...requests.map(({ block }) => block)) + 2;
	const last = Math.max(...requests.map(({ block }) => block));
	return answers.filter(({ block }) => block >= first && block <= last).length / (last - first + 1);
}

function inBlocks(requests, answers) {
	const asked = new Map(requests.map(({ id, block }) => [id, block]));
	return answers.map(({ id, block }) => block - asked.get(id));
}

async function measure(figures, engine, network, seconds) {
	const devnet = await network.start();
	const { handles, size } = await network.publish(objects);
	const load = new Load(devnet);
	const n = rate * seconds;
	let i = 0;
	const raw = await load.sign(n, () => [handles[i++ % objects]]);
	const fromBlock = await load.provider.getBlockNumber();
	const most = { anonymous: 0, resident: 0 };
	const sampler = setInterval(() => {
		const now = memoryOf(network.connectorPid);
		for (const key of Object.keys(most)) most[key] = Math.max(most[key], now[key]);
	}, 500);
	const before = network.cpu();
	const took = await offer(load, raw);
	const after = network.cpu();
	const answers = await allAnswered(load, n, fromBlock);
	clearInterval(sampler);
	const requests = await events(load, 'PublicDecryptionRequest', fromBlock);
	load.close();

	const perS = throughput(requests, answers);
	const waits = inBlocks(requests, answers);
	const shares = Object.keys(after).map((name) => [name, ((after[name] - (before[name] ?? 0)) / took) * 100]).filter(([, share]) => share >= 0.5);
	console.log(`\npipeline, ${engine}: ${n} requests at ${rate}/s, ciphertexts of ${size} bytes: ${perS.toFixed(0)} answers/s in blocks; request to answer p50 ${percentile(waits, 50)}, p99 ${percentile(waits, 99)} blocks of 1 s`);
	console.log(`  CPU: ${shares.map(([name, share]) => `${name} ${share.toFixed(0)} %`).join(', ')}`);
	figures.add(`whole pipeline, ${engine}`, `>= ${target} operations/s`, `${perS.toFixed(0)} (offered ${rate})`);
	figures.add(`memory at that rate with ${(size / 1024).toFixed(0)} KiB ciphertexts, ${engine}`, `<= ${mb(memoryTarget)}`, `anonymous ${mb(most.anonymous)}, resident ${mb(most.resident)}`);
}

export async function pipeline(figures, portBase, seconds, engines = ['SQLite', 'PostgreSQL']) {
	console.log(`\nconditions: kms-connector in one process, as released; anvil --block-time 1 with 2000 M gas a block for both chains; a core and an object store in C`);
	console.log(`  (the core decrypts nothing and signs every answer; no ciphertext is cached); load and anvil share the machine with the connector`);
	for (const engine of engines)
		await withEngine(engine, portBase + 30, async (postgres) => {
			const dir = mkdtempSync(join(tmpdir(), 'claviger-bench-'));
			const network = new StandinNetwork({ dir, portBase, postgres });
			try {
				await measure(figures, engine, network, seconds);
			} finally {
				await network.stop();
				rmSync(dir, { recursive: true, force: true });
			}
		});
}
