// SPDX-License-Identifier: BSD-3-Clause-Clear
// What one request after the other takes, how long a start takes, and memory when idle: with nothing but the real parts.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JsonRpcProvider, Interface, Wallet } from 'ethers';
import { Coprocessor } from '../../tools/devnet/coprocessor.mjs';
import { Network } from '../../tools/devnet/network.mjs';
import { decryptionAbi } from '../../tools/devnet/request.mjs';
import { parseValue, typeByName } from '../../tools/devnet/types.mjs';
import { encryptList } from '../../tools/devnet/user.mjs';
import { percentile } from './figures.mjs';
import { Proxy, accepted } from './proxy.mjs';
import { mb, memoryOf } from './standin.mjs';

const starts = 10;
const requests = Number(process.env.REQUESTS ?? 200);
const idleMs = 5000;

const ms = (value) => `${value.toFixed(1)} ms`;
const spread = (list) => `p50 ${ms(percentile(list, 50))}, p99 ${ms(percentile(list, 99))}, min ${ms(Math.min(...list))}, max ${ms(Math.max(...list))}`;

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

async function withConnector(network, options) {
	await network.killConnector();
	Object.assign(network.connectorOptions, options);
	await network.startConnector();
}

async function run(figures, network, proxy, proxyPort) {
	await proxy.listen(proxyPort);
	const devnet = await network.start();
	const coprocessor = new Coprocessor(devnet);
	const type = typeByName('uint64');
	const list = encryptList(devnet.keys.publicKey, [{ type, value: parseValue(type, '42') }]);
	const [{ handle, size }] = await coprocessor.publish(list, { accounts: [devnet.accounts[0].address], allowPublic: true });
	coprocessor.close();

	console.log('\nconditions: anvil for both chains (a block per transaction), s3rver, kms-server (real, centralised; it fetches nothing and answers at once),');
	console.log(`  one uint64 per request (ct128 of ${size} bytes), SQLite with every commit synchronised; nothing is stubbed`);
	console.log('  a proxy in Node between connector and gateway takes the times: its own delay is in the figures');

	const startTimes = await timeStarts(network, proxy);
	console.log(`\nstart: exec to first eth_getLogs, ${starts} starts: ${spread(startTimes)}`);
	figures.add('start: exec to first eth_getLogs, p50', '<= 150 ms', ms(percentile(startTimes, 50)));

	for (const polling of ['100ms', '500ms']) {
		await withConnector(network, { decryption_polling: polling });
		const latency = new Latency(devnet, proxy, handle);
		const { added, own } = await latency.measure(parseInt(polling, 10));
		latency.close();
		const ratio = percentile(added, 50) / percentile(own, 50);
		console.log(`\nlatency at ${polling} polling: event visible to answer accepted, ${requests} requests one by one: ${spread(added)}`);
		console.log(`  baseline, the request's own way from sent to visible: ${spread(own)}; ratio of the medians ${ratio.toFixed(1)}`);
		console.log(`  of it, the polling alone is ${parseInt(polling, 10) / 2} ms in the mean`);
		if (polling === '100ms') figures.add('added latency at 100 ms polling, p50/p99', '<= 150/500 ms', `${percentile(added, 50).toFixed(0)}/${percentile(added, 99).toFixed(0)} ms`);
	}

	await withConnector(network, { decryption_polling: '500ms' });
	await sleep(idleMs);
	const { anonymous, resident } = memoryOf(network.devnet.nodes[0].pid.connector);
	console.log(`\nmemory after ${idleMs / 1000} s idle at 500ms polling: anonymous ${mb(anonymous)}, resident ${mb(resident)}`);
	figures.add('memory when idle, anonymous/resident', '<= 8/24 MB', `${mb(anonymous)}/${mb(resident)}`);
}

export async function latency(figures, portBase) {
	const dir = mkdtempSync(join(tmpdir(), 'claviger-bench-'));
	const proxy = new Proxy(`http://127.0.0.1:${portBase}`);
	const network = new Network({ dir, portBase, relayer: false, connector: { gateway_url: `http://127.0.0.1:${portBase + 20}` } });
	try {
		await run(figures, network, proxy, portBase + 20);
	} finally {
		await network.stop();
		proxy.close();
		rmSync(dir, { recursive: true, force: true });
	}
}
