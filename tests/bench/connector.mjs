// SPDX-License-Identifier: BSD-3-Clause-Clear
// The connector's figures: start to first eth_getLogs, added latency of a request, memory when idle. Run by ./dev bench.
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, request as httpRequest } from 'node:http';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JsonRpcProvider, Interface, Wallet } from 'ethers';
import { Coprocessor } from '../../tools/devnet/coprocessor.mjs';
import { Network } from '../../tools/devnet/network.mjs';
import { decryptionAbi } from '../../tools/devnet/request.mjs';
import { parseValue, typeByName } from '../../tools/devnet/types.mjs';
import { encryptList } from '../../tools/devnet/user.mjs';

const portBase = Number(process.env.PORT_BASE ?? 26040);
const starts = 10;
const requests = Number(process.env.REQUESTS ?? 60);
const idleMs = 5000;

const sorted = (list) => [...list].sort((a, b) => a - b);
const percentile = (list, p) => sorted(list)[Math.min(list.length - 1, Math.floor((list.length * p) / 100))];
const ms = (value) => `${value.toFixed(1)} ms`;
const spread = (list) => `p50 ${ms(percentile(list, 50))}, p90 ${ms(percentile(list, 90))}, min ${ms(Math.min(...list))}, max ${ms(Math.max(...list))}`;

// Stands between the connector and the gateway, passes everything on, and remembers when what came and was answered.
class Proxy {
	constructor(target) {
		this.target = new URL(target);
		this.agent = new Agent({ keepAlive: true, maxSockets: 64 });
		this.watchers = new Set();
		this.server = createServer((req, res) => this.#pass(req, res));
	}

	listen(port) {
		return new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
	}

	async #pass(req, res) {
		const parts = [];
		for await (const part of req) parts.push(part);
		const body = Buffer.concat(parts);
		const { method } = JSON.parse(body);
		this.#tell({ method, phase: 'request' });
		const { hostname, port } = this.target;
		const headers = { 'content-type': 'application/json', 'content-length': body.length };
		const onward = httpRequest({ hostname, port, method: 'POST', path: '/', agent: this.agent, headers }, async (reply) => {
			const chunks = [];
			for await (const chunk of reply) chunks.push(chunk);
			const text = Buffer.concat(chunks);
			if (method === 'eth_sendRawTransaction') this.#tell({ method, phase: 'reply', reply: JSON.parse(text) });
			res.writeHead(reply.statusCode, { 'content-type': 'application/json', 'content-length': text.length });
			res.end(text);
		});
		onward.on('error', () => res.destroy());
		onward.end(body);
	}

	#tell(what) {
		for (const watcher of this.watchers) watcher({ ...what, at: performance.now() });
	}

	// The first thing that fits; rejects after 20 s.
	next(fits) {
		return new Promise((resolve, reject) => {
			const end = (settle, value) => {
				clearTimeout(timer);
				this.watchers.delete(watcher);
				settle(value);
			};
			const watcher = (what) => fits(what) && end(resolve, what);
			const timer = setTimeout(() => end(reject, new Error('the connector did not ask within 20 s')), 20000);
			this.watchers.add(watcher);
		});
	}

	close() {
		this.server.closeAllConnections();
		this.server.close();
		this.agent.destroy();
	}
}

const accepted = ({ method, phase, reply }) => method === 'eth_sendRawTransaction' && phase === 'reply' && reply.result;

// exec to the first eth_getLogs, the database already there as after any restart but the first.
async function timeStarts(network, proxy) {
	const times = [];
	for (let i = 0; i < starts; i++) {
		await network.killConnector();
		const asked = proxy.next(({ method }) => method === 'eth_getLogs');
		const begun = performance.now();
		network.startConnectorProcess();
		times.push((await asked).at - begun);
	}
	return times;
}

// One request after the other, at any phase of the polling. From the log's first visibility to the accepted answer.
class Latency {
	constructor(devnet, proxy, handle) {
		this.devnet = devnet;
		this.proxy = proxy;
		// No waiting for more calls to send along: it would move what we call visible.
		this.provider = new JsonRpcProvider(devnet.gateway.rpc, undefined, { cacheTimeout: -1, batchMaxCount: 1 });
		this.wallet = new Wallet(devnet.accounts.at(-1).privateKey);
		this.data = new Interface(decryptionAbi).encodeFunctionData('publicDecryptionRequest', [[handle], '0x00']);
	}

	async #request() {
		const { chainId, contracts } = this.devnet.gateway;
		this.nonce ??= await this.provider.getTransactionCount(this.wallet.address);
		const transaction = { type: 2, chainId, nonce: this.nonce++, to: contracts.Decryption, gasLimit: 1_500_000, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 9n, data: this.data };
		const raw = await this.wallet.signTransaction(transaction);
		const begun = performance.now();
		const hash = await this.provider.send('eth_sendRawTransaction', [raw]);
		for (;;) {
			const receipt = await this.provider.send('eth_getTransactionReceipt', [hash]);
			if (receipt?.status === '0x1') break;
			if (receipt) throw new Error('a request was reverted');
		}
		return { begun, visible: performance.now() };
	}

	async measure(pollingMs) {
		const added = [];
		const own = [];
		for (let i = 0; i < requests; i++) {
			await sleep(100 + Math.random() * pollingMs);
			const answer = this.proxy.next(accepted);
			const { begun, visible } = await this.#request();
			added.push((await answer).at - visible);
			own.push(visible - begun);
		}
		return { added, own };
	}

	close() {
		this.provider.destroy();
	}
}

function memory(pid) {
	const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
	const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)[1]);
	return { anonymous: kib('Anonymous'), rss: kib('Rss') };
}
const mb = (kib) => `${((kib * 1024) / 1e6).toFixed(1)} MB`;

async function withConnector(network, options) {
	await network.killConnector();
	Object.assign(network.connectorOptions, options);
	await network.startConnector();
}

async function run(network, proxy) {
	await proxy.listen(portBase + 10);
	const devnet = await network.start();
	const coprocessor = new Coprocessor(devnet);
	const type = typeByName('uint64');
	const list = encryptList(devnet.keys.publicKey, [{ type, value: parseValue(type, '42') }]);
	const [{ handle, size }] = await coprocessor.publish(list, { accounts: [devnet.accounts[0].address], allowPublic: true });
	coprocessor.close();

	console.log(`conditions: ${cpus()[0].model.trim()}, ${cpus().length} CPUs, Linux ${release()}; Node ${process.version}`);
	console.log('  anvil for both chains (a block per transaction), s3rver, kms-server (real, centralised; it fetches nothing and answers at once),');
	console.log(`  one uint64 per request (ct128 of ${size} bytes), SQLite with every commit synchronised; nothing is stubbed`);
	console.log('  a proxy in Node between connector and gateway takes the times: its own delay is in the figures');

	const startTimes = await timeStarts(network, proxy);
	console.log(`\nstart: exec to first eth_getLogs, ${starts} starts: ${spread(startTimes)} (target <= 150 ms)`);

	for (const [polling, target] of [['100ms', ' (target p50 <= 150 ms)'], ['500ms', ' (default polling)']]) {
		await withConnector(network, { decryption_polling: polling });
		const latency = new Latency(devnet, proxy, handle);
		const { added, own } = await latency.measure(parseInt(polling, 10));
		latency.close();
		const ratio = percentile(added, 50) / percentile(own, 50);
		console.log(`\nlatency at ${polling} polling: event visible to answer accepted, ${requests} requests one by one: ${spread(added)}${target}`);
		console.log(`  baseline, the request's own way from sent to visible: ${spread(own)}; ratio of the medians ${ratio.toFixed(1)}`);
		console.log(`  of it, the polling alone is ${parseInt(polling, 10) / 2} ms in the mean`);
	}

	await withConnector(network, { decryption_polling: '500ms' });
	await sleep(idleMs);
	const { anonymous, rss } = memory(network.devnet.nodes[0].pid.connector);
	console.log(`\nmemory after ${idleMs / 1000} s idle at 500ms polling: anonymous ${mb(anonymous)} (target <= 8 MB), resident ${mb(rss)} (target <= 24 MB)`);
}

const dir = mkdtempSync(join(tmpdir(), 'claviger-bench-'));
const proxy = new Proxy(`http://127.0.0.1:${portBase}`);
const network = new Network({ dir, portBase, connector: { gateway_url: `http://127.0.0.1:${portBase + 10}` } });
try {
	await run(network, proxy);
} finally {
	await network.stop();
	proxy.close();
	rmSync(dir, { recursive: true, force: true });
}
