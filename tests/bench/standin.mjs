// SPDX-License-Identifier: BSD-3-Clause-Clear
// The local network with anvil as it is, and a program in C in the place of object store and core (bench_standin), so that
// the machine is the connector's and the chain's. Its key is registered, so the contracts take its signatures.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Wallet } from 'ethers';
import { Coprocessor } from '../../tools/devnet/coprocessor.mjs';
import { Network } from '../../tools/devnet/network.mjs';
import { portOpen, start, stop, waitFor } from '../../tools/devnet/processes.mjs';
import { parseValue, typeByName } from '../../tools/devnet/types.mjs';
import { encryptList } from '../../tools/devnet/user.mjs';
import { Postgres } from '../e2e/postgres.mjs';

const programs = process.env.CLAVIGER_BENCH ?? fileURLToPath(new URL('../../build/bench/tests/bench', import.meta.url));

export const program = (name) => join(programs, name);

export class StandinNetwork extends Network {
	#signer;

	constructor({ dir, portBase, postgres, connector = {}, fronts = {}, ...options }) {
		super({
			dir: join(dir, 'net'),
			portBase,
			automine: false,
			relayer: false,
			gasLimit: 2_000_000_000,
			...options,
			fronts: { objectStore: portBase + 20, ...fronts },
			connector: { kms_core_endpoints: [`unix:${join(dir, 'core.sock')}`], ciphertext_cache_size: 0, ...(postgres ? { database_url: postgres.url } : {}), ...connector },
		});
		this.#signer = Wallet.createRandom();
		Object.defineProperty(this.nodes[0], 'signer', { get: () => this.#signer.address, set: () => {} });
		this.home = dir;
		this.storePort = portBase + 20;
	}

	async start() {
		const env = { STANDIN_KEY: this.#signer.privateKey.slice(2) };
		this.standin = start('stand-in', program('bench_standin'), [String(this.storePort), `unix:${join(this.home, 'core.sock')}`], { log: join(this.home, 'stand-in.log'), env });
		await waitFor('stand-in', () => portOpen(this.storePort), { entry: this.standin });
		return super.start();
	}

	async stop() {
		await super.stop();
		if (this.standin) await stop(this.standin);
	}

	// n values of uint64, published and allowed: their handles, and the size of an object.
	async publish(n) {
		const devnet = { ...this.devnet, objectStore: { ...this.devnet.objectStore, url: `http://127.0.0.1:${this.storePort}` } };
		const coprocessor = new Coprocessor(devnet);
		const type = typeByName('uint64');
		const list = encryptList(devnet.keys.publicKey, Array.from({ length: n }, (_, i) => ({ type, value: parseValue(type, String(42 + i)) })));
		const published = await coprocessor.publish(list, { accounts: [devnet.accounts[0].address], allowPublic: true });
		coprocessor.close();
		return { handles: published.map(({ handle }) => handle), size: published[0].size };
	}

	// CPU seconds so far, by name.
	cpu() {
		const all = [...this.processes.map(({ name, pid }) => [name, pid]), ['stand-in', this.standin.pid], ['load (Node)', process.pid]];
		return Object.fromEntries(all.map(([name, pid]) => [name, cpuOf(pid)]));
	}

	get connectorPid() {
		return this.processes.findLast(({ name }) => name === 'kms-connector').pid;
	}
}

function cpuOf(pid) {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
		const [utime, stime] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13).map(Number);
		return (utime + stime) / 100;
	} catch {
		return 0;
	}
}

export function memoryOf(pid) {
	const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
	const bytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)[1]) * 1024;
	return { anonymous: bytes('Anonymous'), resident: bytes('Rss') };
}

export const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

// body({postgres}) with a server of its own where the engine is one.
export async function withEngine(engine, port, body) {
	if (engine === 'SQLite') return body(null);
	const postgres = await Postgres.start(port, 'bench');
	try {
		return await body(postgres);
	} finally {
		await postgres.stop();
	}
}
