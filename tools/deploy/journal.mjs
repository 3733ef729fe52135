// SPDX-License-Identifier: BSD-3-Clause-Clear
// What a deployment has done so far. Every transaction is written here before it is sent, so that whoever is interrupted
// knows what may be on its way. The file lies beside the result and is kept: it is how a second run knows that nothing
// is left to do, and how a chain is added later. What the file says binds from a chain's first step on: before that a
// wrong line in it can still be mended.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { isRunning, startTime } from '../devnet/processes.mjs';

const format = 1;

export class JournalError extends Error {}

const plain = (value) => JSON.parse(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? v.toString() : v)));

// Whole or not at all, also when the power fails.
export function writeWhole(file, value) {
	const fd = openSync(`${file}.new`, 'w', 0o600);
	try {
		writeSync(fd, `${JSON.stringify(plain(value), null, 2)}\n`);
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
	renameSync(`${file}.new`, file);
}

// Keys whose values differ, as paths: "kmsNodes.0.signer".
function differences(a, b, path = '') {
	if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b ? [] : [path];
	return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((name) => differences(a[name], b[name], path ? `${path}.${name}` : name));
}

const isBegun = (chain) => Object.keys(chain?.steps ?? {}).length > 0;
const begunOnly = (entries, chains) => Object.fromEntries(Object.entries(entries).filter(([chainId]) => isBegun(chains[chainId])));

export class Journal {
	#file;
	#data;
	#waiting = {};

	// file undefined: kept in memory only. settings: what must be the same in every run.
	constructor(file, settings) {
		this.#file = file;
		if (file) this.#lock();
		try {
			this.#data = this.#read(plain(settings));
		} catch (error) {
			this.close();
			throw error;
		}
	}

	#read(settings) {
		const fresh = { format, settings, hosts: {}, chains: {} };
		if (!this.#file || !existsSync(this.#file)) return fresh;
		let data;
		try {
			data = JSON.parse(readFileSync(this.#file, 'utf8'));
		} catch (error) {
			throw new JournalError(`${this.#file}: found no journal of a deployment (${error.message}); move it away to deploy anew`);
		}
		if (data.format !== format) throw new JournalError(`${this.#file}: found format ${data.format}, expected ${format}`);
		if (!Object.values(data.chains).some(isBegun)) return fresh;
		this.#same(data.settings, settings, 'the file');
		return { ...data, hosts: begunOnly(data.hosts, data.chains), chains: begunOnly(data.chains, data.chains) };
	}

	#same(before, now, what) {
		const changed = differences(before, now);
		if (changed.length > 0)
			throw new JournalError(`${this.#file}: ${what} has changed since this deployment was begun: ${changed.join(', ')}. What is deployed is not changed by deploying again: put the old values back, or use another --out to deploy anew`);
	}

	// A host chain's settings: known ones must be the same, new ones are taken with its first step.
	addHost(chainId, settings) {
		const known = this.#data.hosts[chainId];
		if (known) this.#same(known, plain(settings), `host chain ${chainId} in the file`);
		else this.#waiting[chainId] = plain(settings);
	}

	hosts() {
		return Object.keys(this.#data.hosts).map(Number);
	}

	// A chain as it was when its first transaction was written down: genesis block and deployer.
	chain(chainId, facts) {
		const known = this.#data.chains[chainId] ?? { ...facts, steps: {} };
		if (known.genesis !== facts.genesis)
			throw new JournalError(`chain ${chainId}: found genesis block ${facts.genesis}, expected ${known.genesis}: this is not the chain that the deployment in ${this.#file} was begun on (to deploy anew use another --out, or move away both that file and the result beside it)`);
		if (known.deployer !== facts.deployer) throw new JournalError(`chain ${chainId}: found the key of ${facts.deployer}, expected that of ${known.deployer}, which began this deployment`);
		return new Steps(known.steps, () => this.#keep(chainId, known));
	}

	#keep(chainId, chain) {
		this.#data.chains[chainId] = chain;
		if (this.#waiting[chainId]) this.#data.hosts[chainId] ??= this.#waiting[chainId];
		this.#save();
	}

	#save() {
		if (this.#file) writeWhole(this.#file, this.#data);
	}

	#lock() {
		const lock = `${this.#file}.lock`;
		if (!existsSync(dirname(lock))) throw new JournalError(`--out: found no folder ${dirname(lock)}, expected one for the result`);
		for (let tries = 0; tries < 2; tries++) {
			try {
				const fd = openSync(lock, 'wx', 0o600);
				writeSync(fd, JSON.stringify({ pid: process.pid, started: startTime(process.pid) }));
				closeSync(fd);
				return;
			} catch (error) {
				if (error.code !== 'EEXIST') throw error;
				const holder = this.#holder(lock);
				if (holder && isRunning(holder)) throw new JournalError(`${this.#file}: process ${holder.pid} is deploying with it`);
				rmSync(lock, { force: true });
			}
		}
		throw new JournalError(`${lock}: somebody else takes it again and again`);
	}

	#holder(lock) {
		try {
			return JSON.parse(readFileSync(lock, 'utf8'));
		} catch {
			return undefined; // its process died while it wrote
		}
	}

	close() {
		if (this.#file) rmSync(`${this.#file}.lock`, { force: true });
	}
}

// One chain's steps by name: { attempts: [{ nonce, hash, address? }], done?, address? }.
class Steps {
	#steps;
	#save;

	constructor(steps, save) {
		this.#steps = steps;
		this.#save = save;
	}

	get(name) {
		return this.#steps[name];
	}

	begin(name, attempt) {
		(this.#steps[name] ??= { attempts: [] }).attempts.push(attempt);
		this.#save();
	}

	// The chain refused it: it is not on its way.
	withdraw(name) {
		const step = this.#steps[name];
		step.attempts.pop();
		if (step.attempts.length === 0) delete this.#steps[name];
		this.#save();
	}

	finish(name, address) {
		this.#steps[name] = { attempts: [], ...this.#steps[name], done: true, ...(address && { address }) };
		this.#save();
	}

	// [name, address] of what was created.
	created() {
		return Object.entries(this.#steps).filter(([, step]) => step.done && step.address).map(([name, { address }]) => [name, address]);
	}
}
