// SPDX-License-Identifier: BSD-3-Clause-Clear
// A public decryption as a relayer asks for it: send the request to the gateway, wait for the quorum's event.
import { Contract, JsonRpcProvider, Wallet, toBeHex } from 'ethers';

export const decryptionAbi = [
	'function publicDecryptionRequest(bytes32[] ctHandles, bytes extraData)',
	'event PublicDecryptionRequest(uint256 indexed decryptionId, bytes32[] ctHandles, bytes extraData)',
	'event PublicDecryptionResponseCall(uint256 indexed decryptionId, bytes decryptedResult, bytes signature, address kmsTxSender, bytes extraData)',
	'event PublicDecryptionResponse(uint256 indexed decryptionId, bytes decryptedResult, bytes[] signatures, bytes extraData)',
	'error CiphertextMaterialNotFound(bytes32 ctHandle)',
	'error HostChainNotRegistered(uint256 chainId)',
];

export const connect = (rpc) => new JsonRpcProvider(rpc, undefined, { pollingInterval: 50, cacheTimeout: -1 });

export class Relayer {
	constructor(devnet) {
		this.provider = connect(devnet.gateway.rpc);
		const account = devnet.accounts.at(-1);
		this.decryption = new Contract(devnet.gateway.contracts.Decryption, decryptionAbi, new Wallet(account.privateKey, this.provider));
	}

	// Sends the request; resolves when it is in a block: {id, idHex, block, transaction}.
	async request(handles, extraData = '0x00') {
		const sent = await this.decryption.publicDecryptionRequest(handles, extraData);
		const receipt = await sent.wait();
		const event = receipt.logs
			.map((log) => this.decryption.interface.parseLog(log))
			.find((log) => log?.signature === 'PublicDecryptionRequest(uint256,bytes32[],bytes)');
		const id = event.args.decryptionId;
		return { id, idHex: toBeHex(id, 32).slice(2), block: receipt.blockNumber, transaction: receipt.hash };
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
