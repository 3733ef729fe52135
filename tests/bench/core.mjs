// SPDX-License-Identifier: BSD-3-Clause-Clear
// Public decryption of a FheUint64 by a committee: what it costs a core, and real nodes on this machine. Run by ./dev bench core.
//
// core.mjs [--seconds N] [--nodes N,N] [--flights N,N]: how long each load lasts; committees (1: a node that has the whole key,
// for comparison); how many requests are under way at once.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Committee } from './committee.mjs';
import { Figures } from './figures.mjs';
import { mb, program } from './standin.mjs';

const portBase = Number(process.env.PORT_BASE ?? 26200);
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '15' }, nodes: { type: 'string', default: '1,4,13' }, flights: { type: 'string', default: '1,4,16,64' } } });
const numbers = (text) => text.split(',').map(Number);
const seconds = Number(values.seconds);
const value = 0x0123456789abcdefn;
const idleMs = 5000;
const warmUpSeconds = 2;
const residentMax = '64 MB';

// Published for 13 parties, a 64-bit value, requests at once: latency in ms, decryptions a second. Each party had a machine of
// its own, all in one EC2 region; without squashing; parameters with one 2-bit block in each LWE ciphertext, 32 for a value.
const published = {
	'C5A 8xlarge (32 vCPUs, 64 GiB)': { 1: [96, 10], 4: [110, 36], 16: [143, 112], 64: [285, 224], 1024: [3078, 332] },
	'C7A 8xlarge (32 vCPUs, 64 GiB)': { 1: [57, 17], 4: [66, 60], 16: [93, 172], 64: [226, 283], 1024: [2645, 387] },
};

const ms = (number) => `${number.toFixed(number < 10 ? 2 : 0)} ms`;
const nodesText = (n) => (n === 1 ? 'one node alone' : `${n} nodes`);

async function setUp(figures, committee, n) {
	const begun = performance.now();
	await committee.startCores();
	const listening = performance.now();
	await committee.epochReady();
	const { bytes, wireBytes, cpu } = await committee.counts();
	const took = performance.now() - begun;
	await sleep(idleMs);
	const after = committee.memory();
	if (n > 1) {
		console.log(`\nset-up of the epoch, ${nodesText(n)}: ${(took / 1000).toFixed(1)} s (all listening after ${ms(listening - begun)}); each node: ${(cpu / n).toFixed(2)} s of CPU, sent ${mb(bytes / n)} (${mb(wireBytes / n)} with gRPC and TLS), at most ${mb(after.peak)} resident`);
		figures.add(`${nodesText(n)}: set-up of the epoch`, '-', `${(took / 1000).toFixed(1)} s`);
		figures.add(`${nodesText(n)}: largest node in the set-up, resident`, '-', mb(after.peak));
	}
	console.log(`idle for ${idleMs / 1000} s after the first start: largest node ${mb(after.resident)} resident, ${mb(after.anonymous)} anonymous`);
	figures.add(`${nodesText(n)}: idle after the first start, resident`, `<= ${residentMax}`, mb(after.resident));
	await committee.stopCores();
	await committee.startCores();
	await committee.epochReady();
	await sleep(idleMs);
	const again = committee.memory();
	console.log(`idle after another start: largest node ${mb(again.resident)} resident, ${mb(again.anonymous)} anonymous`);
	figures.add(`${nodesText(n)}: idle after another start, resident`, `<= ${residentMax}`, mb(again.resident));
}

async function loads(figures, committee, n) {
	await committee.load(1, warmUpSeconds);
	let best = { per_s: 0 };
	console.log(`\nin flight  decryptions  a second   p50 all   p99 all   p50 of t+1   CPU a node   sent by a node: messages, bytes, with gRPC and TLS   load`);
	for (const flight of numbers(values.flights)) {
		const result = await committee.load(flight, seconds);
		const { count, per_s: rate, all, quorum, cpuMs, messages, bytes, wireBytes } = result;
		console.log(`${String(flight).padStart(9)}  ${String(count).padStart(11)}  ${rate.toFixed(1).padStart(8)}  ${ms(all.p50).padStart(8)}  ${ms(all.p99).padStart(8)}   ${ms(quorum.p50).padStart(10)}   ${ms(cpuMs).padStart(10)}   ${messages.toFixed(1)}, ${bytes.toFixed(0)}, ${wireBytes.toFixed(0)}   ${loadavg()[0].toFixed(1)}`);
		if (flight === 1) {
			figures.add(`${nodesText(n)}: one at a time, until all answered, p50/p99`, '-', `${ms(all.p50)} / ${ms(all.p99)}`);
			if (n > 1) figures.add(`${nodesText(n)}: one at a time, until t + 1 answered, p50/p99`, '-', `${ms(quorum.p50)} / ${ms(quorum.p99)}`);
			if (n > 1) figures.add(`${nodesText(n)}: sent by a node for each`, '-', `${bytes.toFixed(0)} bytes, ${wireBytes.toFixed(0)} with gRPC and TLS`);
		}
		if (rate > best.per_s) best = result;
	}
	figures.add(`${nodesText(n)}: sustained, ${best.flight} in flight`, '-', `${best.per_s.toFixed(1)}/s, ${ms(best.cpuMs)} of CPU a node for each`);
	await sleep(idleMs);
	const { resident, anonymous } = committee.memory();
	console.log(`idle after the load: largest node ${mb(resident)} resident, ${mb(anonymous)} anonymous`);
}

async function measure(figures, n) {
	const dir = mkdtempSync(join(tmpdir(), 'claviger-bench-'));
	const committee = new Committee({ dir: join(dir, 'net'), portBase, nodes: n, value });
	try {
		await committee.prepare();
		await setUp(figures, committee, n);
		await loads(figures, committee, n);
	} finally {
		await committee.stop();
		rmSync(dir, { recursive: true, force: true });
	}
}

function printPublished() {
	console.log("\npublished for upstream's threshold library, 13 parties, each on a machine of its own in one EC2 region, FheUint64 without squashing (32 LWE ciphertexts; here 16):");
	for (const [machine, rows] of Object.entries(published))
		console.log(`  ${machine}: ${Object.entries(rows).map(([requests, [latency, rate]]) => `${requests} at once ${latency} ms, ${rate}/s`).join('; ')}`);
}

const figures = new Figures();
console.log(`conditions: ${cpus()[0].model.trim()}, ${cpus().length} CPUs, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}; Node ${process.version}; load ${loadavg().map((n) => n.toFixed(1)).join(' ')}`);
console.log(`  all nodes of a committee share this machine and its disk; real kms-servers, mutual TLS between them, request stores in SQLite with every commit synchronised;`);
console.log('  the client (bench_core, in C) asks every node over its Unix socket by PublicDecryptSync, one ciphertext of production parameters a request, and checks every answer: no chain, no connector');
await figures.run(program('bench_mpc'));
let failed = 0;
for (const n of numbers(values.nodes)) {
	console.log(`\n-- ${nodesText(n)}${n > 1 ? `, t = ${(n - 1) / 3}` : ', which has the whole key: for comparison'}`);
	try {
		await measure(figures, n);
	} catch (error) {
		failed += 1;
		console.log(`${nodesText(n)} could not be measured: ${error.message}`);
	}
}
printPublished();
console.log(`\n${figures.table()}`);
process.exit(failed > 0 ? 1 : 0);
