// SPDX-License-Identifier: BSD-3-Clause-Clear
// A decryption as a relayer asks for it: send the request to the gateway, wait for the quorum's event.
import { Contract, JsonRpcProvider, Wallet, toBeHex } from 'ethers';

export const decryptionAbi = [
	'function publicDecryptionRequest(bytes32[] ctHandles, bytes extraData)',
	'event PublicDecryptionRequest(uint256 indexed decryptionId, bytes32[] ctHandles, bytes extraData)',
	'event PublicDecryptionResponseCall(uint256 indexed decryptionId, bytes decryptedResult, bytes signature, address kmsTxSender, bytes extraData)',
	'event PublicDecryptionResponse(uint256 indexed decryptionId, bytes decryptedResult, bytes[] signatures, bytes extraData)',
	'function userDecryptionRequest((bytes32,address)[] ctHandleContractPairs, (uint256,uint256) requestValidity, (uint256,address[]) contractsInfo, address userAddress, bytes publicKey, bytes signature, bytes extraData)',
	'function delegatedUserDecryptionRequest((bytes32,address)[] ctHandleContractPairs, (uint256,uint256) requestValidity, (address,address) delegationAccounts, (uint256,address[]) contractsInfo, bytes publicKey, bytes signature, bytes extraData)',
	'function userDecryptionRequest((bytes32,address,address)[] handles, address userAddress, bytes publicKey, address[] allowedContracts, (uint256,uint256) requestValidity, bytes signature, bytes extraData)',
	'event UserDecryptionRequest(uint256 indexed decryptionId, bytes32[] ctHandles, address userAddress, bytes publicKey, bytes extraData)',
	'event UserDecryptionRequest(uint256 indexed decryptionId, (bytes32,address,address)[] handles, (address,bytes,address[],(uint256,uint256),bytes,bytes) payload)',
	'event UserDecryptionResponse(uint256 indexed decryptionId, uint256 indexShare, bytes userDecryptedShare, bytes signature, bytes extraData)',
	'event UserDecryptionResponseThresholdReached(uint256 indexed decryptionId)',
	'error CiphertextMaterialNotFound(bytes32 ctHandle)',
	'error InvalidUserSignature(bytes signature)',
	'error UserAddressInContractAddresses(address userAddress, address[] contractAddresses)',
	'error HostChainNotRegistered(uint256 chainId)',
	'error CtHandleChainIdDiffersFromContractChainId(bytes32 ctHandle, uint256 chainId, uint256 contractChainId)',
];

// The request functions for users, by the way to ask.
const userMethods = {
	direct: 'userDecryptionRequest((bytes32,address)[],(uint256,uint256),(uint256,address[]),address,bytes,bytes,bytes)',
	delegated: 'delegatedUserDecryptionRequest',
	unified: 'userDecryptionRequest((bytes32,address,address)[],address,bytes,address[],(uint256,uint256),bytes,bytes)',
};

export const connect = (rpc) => new JsonRpcProvider(rpc, undefined, { pollingInterval: 50, cacheTimeout: -1 });

export class Relayer {
	constructor(devnet) {
		this.provider = connect(devnet.gateway.rpc);
		const account = devnet.accounts.at(-1);
		this.decryption = new Contract(devnet.gateway.contracts.Decryption, decryptionAbi, new Wallet(account.privateKey, this.provider));
	}

	// Sends the request; resolves when it is in a block: {id, idHex, block, transaction}.
	async request(handles, extraData = '0x00') {
		return this.#sent(await this.decryption.publicDecryptionRequest(handles, extraData), 'PublicDecryptionRequest');
	}

	// The same for what a user has signed (private.mjs); `to` is another contract that passes it on.
	async requestUser({ kind, args }, to = this.decryption.target) {
		return this.#sent(await this.decryption.attach(to)[userMethods[kind]](...args), 'UserDecryptionRequest');
	}

	async #sent(transaction, name) {
		const receipt = await transaction.wait();
		const event = receipt.logs.map((log) => this.decryption.interface.parseLog(log)).find((log) => log?.name === name);
		const id = event.args.decryptionId;
		return { id, idHex: toBeHex(id, 32).slice(2), block: receipt.blockNumber, transaction: receipt.hash };
	}

	// The answers to a user's request so far: [{share, signature, extraData, block, transaction}]; `reached` says whether they suffice.
	async userResponses({ id, block }) {
		const { filters } = this.decryption;
		const [reached] = await this.decryption.queryFilter(filters.UserDecryptionResponseThresholdReached(id), block);
		const events = await this.decryption.queryFilter(filters.UserDecryptionResponse(id), block);
		const answers = events.map(({ args, blockNumber, transactionHash }) => ({
			share: args.userDecryptedShare, signature: args.signature, extraData: args.extraData, block: blockNumber, transaction: transactionHash,
		}));
		return { reached: reached !== undefined, answers };
	}

	async userResponse(request, timeoutMs = 60000) {
		for (const end = Date.now() + timeoutMs; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
			const { reached, answers } = await this.userResponses(request);
			if (reached) return answers;
		}
		throw new Error(`request ${request.idHex}: no UserDecryptionResponseThresholdReached within ${timeoutMs} ms`);
	}

	// Every PublicDecryptionResponse of one request so far (there must never be two).
	async responses({ id, block }) {
		const filter = this.decryption.filters.PublicDecryptionResponse(id);
		return this.decryption.queryFilter(filter, block);
	}

	async responseCalls({ id, block }) {
		return this.decryption.queryFilter(this.decryption.filters.PublicDecryptionResponseCall(id), block);
	}

	// Waits for the quorum: {block, transaction, result, signatures, extraData}.
	async response(request, timeoutMs = 60000) {
		for (const end = Date.now() + timeoutMs; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
			const [event] = await this.responses(request);
			if (event)
				return {
					block: event.blockNumber,
					transaction: event.transactionHash,
					result: event.args.decryptedResult,
					signatures: [...event.args.signatures],
					extraData: event.args.extraData,
				};
		}
		throw new Error(`request ${request.idHex}: no PublicDecryptionResponse within ${timeoutMs} ms`);
	}

	close() {
		this.provider.destroy();
	}
}
