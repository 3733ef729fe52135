// SPDX-License-Identifier: BSD-3-Clause-Clear
// The coprocessor stand-in's service: watches the gateway for encrypted inputs, verifies their proofs, publishes the
// ciphertexts of good ones and signs their handles, rejects bad ones. One after the other, in the order of the chain.
// usage: service.mjs CONFIG.JSON (what network.mjs writes)
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Contract, Wallet, concat, getBytes, isError, toBeHex } from 'ethers';
import { Coprocessor } from '../coprocessor.mjs';
import { connect, inputVerificationAbi } from '../request.mjs';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const pollMs = 200;
const retriesMax = 3;
const say = (line) => console.log(`${new Date().toISOString()} ${line}`);

const signedTypes = {
	CiphertextVerification: [
		{ name: 'ctHandles', type: 'bytes32[]' },
		{ name: 'userAddress', type: 'address' },
		{ name: 'contractAddress', type: 'address' },
		{ name: 'contractChainId', type: 'uint256' },
		{ name: 'extraData', type: 'bytes' },
	],
};

// The worker as a function: input -> {list} or {reason}.
class Prover {
	#waiting = new Map();
	#next = 0;

	constructor(keys) {
		this.keys = keys;
	}

	verify(input) {
		this.worker ??= this.#start(); // with the first input: many networks never see one
		const id = this.#next++;
		return new Promise((resolve) => {
			this.#waiting.set(id, resolve);
			this.worker.postMessage({ id, ...input });
		});
	}

	#start() {
		const worker = new Worker(new URL('./proof.mjs', import.meta.url), { workerData: this.keys });
		worker.on('message', ({ id, ...outcome }) => {
			this.#waiting.get(id)(outcome);
			this.#waiting.delete(id);
		});
		worker.on('error', (error) => {
			say(`verifier: ${error.stack}`);
			process.exit(1);
		});
		return worker;
	}
}

class Service {
	constructor() {
		const { rpc, contracts } = config.gateway;
		this.provider = connect(rpc);
		this.wallet = new Wallet(config.coprocessor.privateKey, this.provider);
		this.inputs = new Contract(contracts.InputVerification, inputVerificationAbi, this.wallet);
		this.domain = { name: 'InputVerification', version: '1', chainId: config.gateway.chainId, verifyingContract: contracts.InputVerification };
		this.prover = new Prover(config.keys);
	}

	async run() {
		for (let next = 0; ; await sleep(pollMs)) {
			try {
				const last = await this.provider.getBlockNumber();
				if (last < next) continue;
				for (const { args } of await this.inputs.queryFilter(this.inputs.filters.VerifyProofRequest(), next, last)) await this.#handle(args);
				next = last + 1;
			} catch (error) {
				say(`gateway: ${error.shortMessage ?? error.stack}`); // asked again from the same block
			}
		}
	}

	// Idempotent: what is decided is left alone, also after a restart.
	async #handle(request) {
		const id = request.zkProofId;
		if ((await this.inputs.isProofVerified(id)) || (await this.inputs.isProofRejected(id))) return;
		const begun = Date.now();
		const host = config.hosts.find(({ chainId }) => BigInt(chainId) === request.contractChainId);
		let outcome = host ? await this.#verify(host, request) : { reason: `host chain ${request.contractChainId} is not served` };
		for (let tries = 1; ; tries++) {
			try {
				const done = outcome.list ? await this.#accept(host, request, outcome.list) : await this.#reject(request);
				say(`input ${id}: ${outcome.list ? `accepted, ${done} handles` : `rejected: ${outcome.reason}`} (${Date.now() - begun} ms)`);
				return;
			} catch (error) {
				if (tries === retriesMax) return say(`input ${id}: given up: ${error.stack}`);
				// What the dealer cannot read is no input of this network; of the rest, only the nonce may be tried again:
				// ./dev encrypt sends from the same account.
				if (error.cmd) outcome = { reason: error.stderr.trim() };
				else if (!isError(error, 'NONCE_EXPIRED') && !isError(error, 'REPLACEMENT_UNDERPRICED')) return say(`input ${id}: given up: ${error.stack}`);
				await sleep(pollMs);
			}
		}
	}

	// What the proof is bound to: contract, user, ACL, chain.
	#verify(host, { contractAddress, userAddress, contractChainId, ciphertextWithZKProof }) {
		const metadata = getBytes(concat([contractAddress, userAddress, host.contracts.ACL, toBeHex(contractChainId, 32)]));
		return this.prover.verify({ ciphertext: getBytes(ciphertextWithZKProof), metadata });
	}

	async #accept(host, { zkProofId, contractAddress, userAddress, contractChainId, ciphertextWithZKProof, extraData }, list) {
		const coprocessor = new Coprocessor(config, host); // a fresh count of the account's transactions
		try {
			// The stand-in's account plays the host chain's executor, too: what that lets the contract do when it is called
			// with the input, keep the handles for itself and its user, is done here at once.
			const accounts = userAddress === contractAddress ? [userAddress] : [userAddress, contractAddress];
			const published = await coprocessor.publish(getBytes(ciphertextWithZKProof), { accounts, list });
			const ctHandles = published.map(({ handle }) => handle);
			const signature = await this.wallet.signTypedData(this.domain, signedTypes, { ctHandles, userAddress, contractAddress, contractChainId, extraData });
			await (await this.inputs.verifyProofResponse(zkProofId, ctHandles, signature, extraData)).wait();
			return ctHandles.length;
		} finally {
			coprocessor.close();
		}
	}

	async #reject({ zkProofId, extraData }) {
		await (await this.inputs.rejectProofResponse(zkProofId, extraData)).wait();
	}
}

process.on('SIGTERM', () => process.exit(0));
await new Service().run();
