// SPDX-License-Identifier: BSD-3-Clause-Clear
// Cores of the local network alone, n kms-servers with mutual TLS between them, and what can be seen of them from outside.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Network } from '../../tools/devnet/network.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { parseValue, typeByName } from '../../tools/devnet/types.mjs';
import { encryptList } from '../../tools/devnet/user.mjs';
import { memoryOf, program } from './standin.mjs';

const run = promisify(execFile);
const setupMs = 30 * 60 * 1000;

const sum = (list) => list.reduce((a, b) => a + b, 0);

// Clock ticks of all its threads: user and system, as seconds.
function cpuOf(pid) {
	const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
	const [user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13).map(Number);
	return (user + system) / 100;
}

const peakOf = (pid) => 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

export class Committee extends Network {
	constructor({ dir, portBase, nodes, value }) {
		super({ dir, portBase, nodes, relayer: false });
		this.value = value;
	}

	// Keys, certificates, shares and the one ciphertext that is decrypted again and again.
	async prepare() {
		await this.makeFolders();
		await this.makeKeys();
		const { publicKey } = this.keys;
		const type = typeByName('uint64');
		const list = this.path('list.bin');
		writeFileSync(list, encryptList(publicKey, [{ type, value: parseValue(type, String(this.value)) }]));
		const { stdout } = await run(join(this.programs, 'kms-dev-dealer'), ['squash', '--client-key', join(dirname(publicKey), 'client_key.bin'), '--list', list, '--out', this.dir]);
		this.ciphertext = JSON.parse(stdout).file;
	}

	get pids() {
		return this.nodes.map((node) => node.entry('kms-server').pid);
	}

	async startCores() {
		await Promise.all(this.nodes.map((node) => node.startCore()));
	}

	async stopCores() {
		await Promise.all(this.nodes.map((node) => node.stopCore('SIGTERM')));
	}

	// Until every node has its part of the epoch.
	async epochReady() {
		if (!this.committee) return;
		for (const node of this.nodes) await waitFor(`the epoch at node ${node.party}`, () => node.epochIsSetUp(), { entry: node.entry('kms-server'), timeoutMs: setupMs, intervalMs: 100 });
	}

	// Of all nodes together, since they were started.
	async counts() {
		const texts = await Promise.all(this.nodes.map(async (node) => (await fetch(`http://127.0.0.1:${node.port('coreMonitoring')}/metrics`)).text()));
		const total = (name) => sum(texts.map((text) => Number(new RegExp(`^kms_${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)));
		return {
			messages: total('peer_sent_total'),
			bytes: total('peer_sent_bytes_total'),
			wireBytes: await this.#wireBytes(),
			cpu: sum(this.pids.map(cpuOf)),
		};
	}

	// What their TCP connections have sent, TLS and gRPC included, as the kernel counts it; of a node that is alone there are
	// none. NaN without ss.
	async #wireBytes() {
		const ports = new Set(this.nodes.map((node) => (this.committee ? node.port('peer') : 0)));
		try {
			const { stdout } = await run('ss', ['-tinHO', 'state', 'established'], { maxBuffer: 1 << 26 });
			const ours = stdout.split('\n').filter((line) => line.trim().split(/\s+/).slice(2, 4).some((end) => ports.has(Number(end.slice(end.lastIndexOf(':') + 1)))));
			return sum(ours.map((line) => Number(/bytes_sent:(\d+)/.exec(line)?.[1] ?? 0)));
		} catch {
			return NaN;
		}
	}

	// Of the largest node.
	memory() {
		const all = this.pids.map(memoryOf);
		return { resident: Math.max(...all.map(({ resident }) => resident)), anonymous: Math.max(...all.map(({ anonymous }) => anonymous)), peak: Math.max(...this.pids.map(peakOf)) };
	}

	// So many requests at a time for so long; see bench_core.c. With what it cost each node.
	async load(flight, seconds) {
		const { keys, value, ciphertext, nodes } = this;
		const before = await this.counts();
		const { stdout } = await run(program('bench_core'), [keys.keyId, String(value), ciphertext, String(flight), String(seconds), ...nodes.map(({ coreUrl }) => coreUrl)]);
		const after = await this.counts();
		const result = JSON.parse(stdout);
		const each = (name) => (after[name] - before[name]) / (result.count * nodes.length);
		return { ...result, messages: each('messages'), bytes: each('bytes'), wireBytes: each('wireBytes'), cpuMs: 1000 * each('cpu') };
	}
}
