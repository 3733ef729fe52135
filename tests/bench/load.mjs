// SPDX-License-Identifier: BSD-3-Clause-Clear
// Requests that are signed before they are needed, and sent many in one HTTP request: so that the one who makes the load
// costs the machine little.
import { Interface } from 'ethers';
import { decryptionAbi } from '../../tools/devnet/request.mjs';
import { Requester } from '../e2e/load.mjs';

export const abi = new Interface(decryptionAbi);

export class Load extends Requester {
	async sign(n, pick) {
		this.nonce ??= await this.provider.getTransactionCount(this.wallet.address);
		const raw = [];
		for (let i = 0; i < n; i++)
			raw.push(
				await this.wallet.signTransaction({
					type: 2,
					chainId: this.devnet.gateway.chainId,
					nonce: this.nonce++,
					to: this.address,
					gasLimit: 1_500_000,
					maxFeePerGas: 100n * 10n ** 9n,
					maxPriorityFeePerGas: 10n ** 9n,
					data: abi.encodeFunctionData('publicDecryptionRequest', [pick(), '0x00']),
				}),
			);
		return raw;
	}

	// Resolves when the node has taken them.
	async send(raw) {
		const body = JSON.stringify(raw.map((transaction, index) => ({ jsonrpc: '2.0', id: index + 1, method: 'eth_sendRawTransaction', params: [transaction] })));
		const reply = await fetch(this.devnet.gateway.rpc, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
		const refused = (await reply.json()).find(({ error }) => error);
		if (refused) throw new Error(`a request was refused: ${refused.error.message}`);
		this.sent += raw.length;
	}
}
