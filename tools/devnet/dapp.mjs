// SPDX-License-Identifier: BSD-3-Clause-Clear
// The example dapp of contracts/examples/SealedNumber.sol, as its user sees it.
import { Contract, ContractFactory, NonceManager, Wallet } from 'ethers';
import { connect } from './request.mjs';
import { artifact } from '../deploy/set.mjs';

export const states = ['none', 'sealed', 'requested', 'opened'];

// The contract on a host chain, called from an account; without an address it is deployed first.
export class SealedNumber {
	static async open({ host, privateKey, address }) {
		const self = new SealedNumber();
		self.provider = connect(host.rpc);
		const wallet = new NonceManager(new Wallet(privateKey, self.provider));
		const { abi, bytecode } = artifact('SealedNumber');
		if (address) self.contract = new Contract(address, abi, wallet);
		else {
			self.contract = await new ContractFactory(abi, bytecode, wallet).deploy(host.contracts.ACL, host.contracts.KMSVerifier);
			await self.contract.waitForDeployment();
		}
		self.address = await self.contract.getAddress();
		return self;
	}

	async #sent(method, args, event) {
		const receipt = await (await this.contract[method](...args)).wait();
		const found = receipt.logs.map((log) => this.contract.interface.parseLog(log)).find((log) => log?.name === event);
		return { id: found.args.id, block: receipt.blockNumber, transaction: receipt.hash };
	}

	seal(handle) {
		return this.#sent('seal', [handle], 'Sealed');
	}

	request(id) {
		return this.#sent('request', [id], 'DecryptionRequested');
	}

	bring(id, value, proof) {
		return this.#sent('open', [id, value, proof], 'Opened');
	}

	// The name of the error with which `open` would end; undefined if it would not. KMSVerifier's errors come through.
	async refusal(id, value, proof) {
		try {
			await this.contract.open.staticCall(id, value, proof);
			return undefined;
		} catch (error) {
			const { abi } = artifact('KMSVerifier');
			const { interface: verifier } = new Contract(this.address, abi);
			const found = error.data && (this.contract.interface.parseError(error.data) ?? verifier.parseError(error.data));
			return found?.name ?? error.shortMessage;
		}
	}

	// What the chain knows of a number: {handle, owner, state, value}.
	async number(id) {
		const { handle, owner, state, value } = await this.contract.getNumber(id);
		return { handle, owner, state: states[Number(state)], value };
	}

	// Numbers that were asked for from a block on: [{id, handle, block, transaction}].
	async requested(fromBlock) {
		const events = await this.contract.queryFilter(this.contract.filters.DecryptionRequested(), fromBlock);
		return events.map(({ args, blockNumber, transactionHash }) => ({ id: args.id, handle: args.handle, block: blockNumber, transaction: transactionHash }));
	}

	close() {
		this.provider.destroy();
	}
}
