// SPDX-License-Identifier: BSD-3-Clause-Clear
// One chain's deployer: sends transactions of one account and knows after an interruption which of them are done. Every
// transaction has a name, its step; a step is done once.
import { Contract, ContractFactory, FetchRequest, JsonRpcProvider, Wallet, getCreateAddress, keccak256 } from 'ethers';
import { artifact } from './set.mjs';

const callTimeoutMs = 20000;
const blockTimeoutMs = 180000;

export class ChainError extends Error {}

// What may be shown of a URL: paths and queries carry the keys of providers.
export const shownUrl = (url) => new URL(url).origin;

function reasonOf(error, abi) {
	const named = error.revert ?? (error.data && new Contract('0x0000000000000000000000000000000000000001', abi).interface.parseError(error.data));
	return named ? `${named.name}(${named.args.map(String).join(', ')})` : (error.shortMessage ?? error.message);
}

export class Sender {
	#pending = [];
	#nonce;

	// where: "gateway" or "host chain"; hooks: for tests, what happens around a transaction
	static async open({ rpc, chainId, deployerKey, inFlight = 1 }, where, hooks = {}) {
		const self = new Sender();
		const request = new FetchRequest(rpc);
		request.timeout = callTimeoutMs;
		Object.assign(self, { where: `${where} ${chainId ?? ''}`.trim(), inFlight, hooks, url: shownUrl(rpc) });
		self.provider = new JsonRpcProvider(request, chainId, { pollingInterval: 50, cacheTimeout: -1, staticNetwork: chainId !== undefined });
		self.wallet = new Wallet(deployerKey, self.provider);
		try {
			await self.#check(chainId);
		} catch (error) {
			self.close();
			throw error;
		}
		return self;
	}

	async #check(expected) {
		let found;
		try {
			found = Number(await this.provider.send('eth_chainId', []));
			this.genesis = (await this.provider.send('eth_getBlockByNumber', ['0x0', false]))?.hash ?? null;
		} catch (error) {
			throw new ChainError(`${this.where}: ${this.url} does not answer: ${error.shortMessage ?? error.message}`);
		}
		if (expected !== undefined && found !== expected) throw new ChainError(`${this.where}: ${this.url} serves chain ${found}, expected ${expected}; nothing was sent`);
		this.chainId = found;
	}

	// Takes up what an earlier run left.
	async resume(steps) {
		this.steps = steps;
		for (const [name, address] of steps.created())
			if ((await this.provider.getCode(address)) === '0x') throw new ChainError(`${this.where}: no code at ${address}, where "${name}" was deployed: has the chain been reset? (to deploy anew use another --out, or move away both the journal and the result)`);
	}

	close() {
		this.provider.destroy();
	}

	contract(name, file, address) {
		return new Contract(address, artifact(name, file).abi, this.wallet);
	}

	// Begins to create a contract; its address is address(step) after settle().
	async create(step, name, file, args) {
		const { abi, bytecode } = artifact(name, file);
		const factory = new ContractFactory(abi, bytecode, this.wallet);
		await this.#step(step, abi, () => factory.getDeployTransaction(...args));
	}

	// Begins to call a method. already: says from the chain's state that there is nothing left to do.
	async call(step, contract, method, args, already) {
		await this.#step(step, JSON.parse(contract.interface.formatJson()), () => contract[method].populateTransaction(...args), already);
	}

	isDone(step) {
		return this.steps.get(step)?.done === true;
	}

	address(step) {
		return this.steps.get(step)?.address;
	}

	// Waits for everything that was begun.
	async settle() {
		while (this.#pending.length > 0) await this.#oldest();
	}

	async #step(name, abi, make, already) {
		const known = this.steps.get(name);
		if (known?.done || (known && (await this.#settled(name, known)))) return;
		if (already && (await already())) return this.steps.finish(name);
		try {
			await this.#send(name, await make());
		} catch (error) {
			if (error.code === undefined) throw error;
			if (error.code === 'INSUFFICIENT_FUNDS') throw new ChainError(`${this.where}: ${this.wallet.address} has not enough funds for "${name}"`);
			throw new ChainError(`${this.where}: "${name}" cannot be sent: ${reasonOf(error, abi)}`);
		}
		if (this.#pending.length >= this.inFlight) await this.#oldest();
	}

	// Written down before it is sent: its hash is known then, and of a creation the address.
	async #send(name, transaction) {
		this.#nonce ??= await this.provider.getTransactionCount(this.wallet.address, 'pending');
		const populated = await this.wallet.populateTransaction({ ...transaction, nonce: this.#nonce });
		const signed = await this.wallet.signTransaction({ ...populated, from: undefined });
		const address = transaction.to ? undefined : getCreateAddress({ from: this.wallet.address, nonce: this.#nonce });
		const attempt = { nonce: this.#nonce, hash: keccak256(signed), ...(address && { address }) };
		this.steps.begin(name, attempt);
		await this.hooks.written?.(name);
		await this.provider.broadcastTransaction(signed).catch((error) => {
			if (error.code === 'INSUFFICIENT_FUNDS') this.steps.withdraw(name);
			throw error;
		});
		this.#nonce++;
		this.#pending.push({ name, attempt });
		await this.hooks.sent?.(name);
	}

	async #oldest() {
		const { name, attempt } = this.#pending.shift();
		const receipt = await this.provider.waitForTransaction(attempt.hash, 1, blockTimeoutMs).catch((error) => {
			if (error.code !== 'TIMEOUT') throw error;
		});
		if (!receipt) throw new ChainError(`${this.where}: "${name}", transaction ${attempt.hash}, is in no block after ${blockTimeoutMs / 1000} s; the same command goes on from here`);
		await this.#finish(name, attempt, receipt);
	}

	async #finish(name, attempt, receipt) {
		if (receipt.status !== 1) throw new ChainError(`${this.where}: "${name}" was reverted in transaction ${attempt.hash}`);
		this.steps.finish(name, attempt.address);
		await this.hooks.finished?.(name);
	}

	// An interrupted step: true when it turns out to be done. A transaction that the chain does not know, or that failed,
	// is sent again; whether it got lost or its nonce was used by another makes no difference to what is deployed.
	async #settled(name, { attempts }) {
		for (const attempt of attempts) {
			const { hash } = attempt;
			const receipt = (await this.provider.getTransactionReceipt(hash)) ?? ((await this.provider.getTransaction(hash)) && (await this.provider.waitForTransaction(hash, 1, blockTimeoutMs)));
			if (receipt?.status !== 1) continue;
			await this.#finish(name, attempt, receipt);
			return true;
		}
		return false;
	}
}
