// SPDX-License-Identifier: BSD-3-Clause-Clear
// Many requests at once from one account, with the nonces counted here.
import { setTimeout as sleep } from 'node:timers/promises';
import { Interface, JsonRpcProvider, Wallet } from 'ethers';
import { decryptionAbi, userMethods } from '../../tools/devnet/request.mjs';

const abi = new Interface(decryptionAbi);

export class Requester {
	sent = 0;

	constructor(devnet) {
		this.devnet = devnet;
		this.provider = new JsonRpcProvider(devnet.gateway.rpc, undefined, { cacheTimeout: -1 });
		this.wallet = new Wallet(devnet.accounts.at(-1).privateKey);
		this.address = devnet.gateway.contracts.Decryption;
	}

	// n requests, each for the handles that pick() gives; resolves when all are in blocks.
	async burst(n, pick, extraData = '0x00') {
		await this.#send(Array.from({ length: n }, () => abi.encodeFunctionData('publicDecryptionRequest', [pick(), extraData])));
	}

	// The same for what users have signed (private.mjs). What one signed may come many times: each is a request of its own.
	async burstUser(signed) {
		await this.#send(signed.map(({ kind, args }) => abi.encodeFunctionData(userMethods[kind], args)));
	}

	async #send(calls) {
		this.counted ??= this.provider.getTransactionCount(this.wallet.address).then((n) => (this.nonce = n));
		await this.counted; // bursts may come at once
		const raw = await Promise.all(
			calls.map((data) =>
				this.wallet.signTransaction({
					type: 2,
					chainId: this.devnet.gateway.chainId,
					nonce: this.nonce++,
					to: this.address,
					gasLimit: 1_500_000,
					maxFeePerGas: 100n * 10n ** 9n,
					maxPriorityFeePerGas: 10n ** 9n,
					data,
				}),
			),
		);
		const hashes = [];
		for (const transaction of raw) hashes.push(await this.provider.send('eth_sendRawTransaction', [transaction]));
		for (const hash of hashes) {
			let receipt;
			while (!(receipt = await this.provider.send('eth_getTransactionReceipt', [hash]))) await sleep(100);
			if (receipt.status !== '0x1') throw new Error(`request transaction ${hash} reverted`);
		}
		this.sent += calls.length;
	}

	// Counts by request id of public decryptions: response events, and answer calls.
	async outcome() {
		const count = async (name) => {
			const counts = new Map();
			const { topicHash } = abi.getEvent(name);
			for (const { topics } of await this.provider.getLogs({ address: this.address, topics: [topicHash], fromBlock: 0 }))
				counts.set(topics[1], (counts.get(topics[1]) ?? 0) + 1);
			return counts;
		};
		return { answered: await count('PublicDecryptionResponse'), calls: await count('PublicDecryptionResponseCall') };
	}

	close() {
		this.provider.destroy();
	}
}
