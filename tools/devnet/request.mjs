// SPDX-License-Identifier: BSD-3-Clause-Clear
// What a relayer asks of the gateway: a decryption, or the verification of an encrypted input. Sends the request, waits for
// the quorum's event.
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
	'function isPublicDecryptionReady(bytes32[] ctHandles, bytes extraData) view returns (bool)',
	'function isUserDecryptionReady((bytes32,address)[] ctHandleContractPairs, bytes extraData) view returns (bool)',
];

export const inputVerificationAbi = [
	'function verifyProofRequest(uint256 contractChainId, address contractAddress, address userAddress, bytes ciphertextWithZKProof, bytes extraData)',
	'function verifyProofResponse(uint256 zkProofId, bytes32[] ctHandles, bytes signature, bytes extraData)',
	'function rejectProofResponse(uint256 zkProofId, bytes extraData)',
	'function isProofVerified(uint256 zkProofId) view returns (bool)',
	'function isProofRejected(uint256 zkProofId) view returns (bool)',
	'event VerifyProofRequest(uint256 indexed zkProofId, uint256 indexed contractChainId, address contractAddress, address userAddress, bytes ciphertextWithZKProof, bytes extraData)',
	'event VerifyProofResponse(uint256 indexed zkProofId, bytes32[] ctHandles, bytes[] signatures)',
	'event RejectProofResponse(uint256 indexed zkProofId)',
];

// The request functions for users, by the way to ask.
export const userMethods = {
	direct: 'userDecryptionRequest((bytes32,address)[],(uint256,uint256),(uint256,address[]),address,bytes,bytes,bytes)',
	delegated: 'delegatedUserDecryptionRequest',
	unified: 'userDecryptionRequest((bytes32,address,address)[],address,bytes,address[],(uint256,uint256),bytes,bytes)',
};

export const connect = (rpc) => new JsonRpcProvider(rpc, undefined, { pollingInterval: 50, cacheTimeout: -1 });

export class Relayer {
	#turn = Promise.resolve();

	constructor(devnet, { account = devnet.accounts.at(-1) } = {}) {
		this.provider = connect(devnet.gateway.rpc);
		const wallet = new Wallet(account.privateKey, this.provider);
		this.decryption = new Contract(devnet.gateway.contracts.Decryption, decryptionAbi, wallet);
		this.inputs = new Contract(devnet.gateway.contracts.InputVerification, inputVerificationAbi, wallet);
	}

	// Sends the request; resolves when it is in a block: {id, idHex, block, transaction}.
	async request(handles, extraData = '0x00') {
		return this.#sent(this.decryption, () => this.decryption.publicDecryptionRequest(handles, extraData), 'PublicDecryptionRequest');
	}

	// The same for what a user has signed (private.mjs); `to` is another contract that passes it on.
	async requestUser({ kind, args }, to = this.decryption.target) {
		return this.#sent(this.decryption, () => this.decryption.attach(to)[userMethods[kind]](...args), 'UserDecryptionRequest');
	}

	// Asks the coprocessors to check an encrypted input.
	async requestProof({ chainId, contract, user, ciphertext, extraData }) {
		return this.#sent(this.inputs, () => this.inputs.verifyProofRequest(chainId, contract, user, ciphertext, extraData), 'VerifyProofRequest');
	}

	// One after the other until it is in the pool: each takes the account's next nonce.
	async #sent(contract, send, name) {
		const sending = this.#turn.then(send);
		this.#turn = sending.catch(() => {});
		const receipt = await (await sending).wait();
		const event = receipt.logs.map((log) => contract.interface.parseLog(log)).find((log) => log?.name === name);
		const id = event.args[0];
		return { id, idHex: toBeHex(id, 32).slice(2), block: receipt.blockNumber, transaction: receipt.hash };
	}

	// What the coprocessors decided so far: undefined, {accepted: false} or {accepted: true, handles, signatures}.
	async proofResponse({ id, block }) {
		const { filters } = this.inputs;
		const [[verified], [rejected]] = await Promise.all(
			[filters.VerifyProofResponse(id), filters.RejectProofResponse(id)].map((filter) => this.inputs.queryFilter(filter, block)),
		);
		if (rejected) return { accepted: false };
		return verified && { accepted: true, handles: [...verified.args.ctHandles], signatures: [...verified.args.signatures] };
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

	// Who sent an answer: the event does not say.
	async senderOf({ transaction }) {
		return (await this.provider.getTransaction(transaction)).from;
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
