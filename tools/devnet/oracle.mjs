// SPDX-License-Identifier: BSD-3-Clause-Clear
// The oracle of the example dapp: hears on the host chain which numbers are wanted, has them decrypted on the gateway and
// brings value and proof back. It is believed nothing: the contract checks the proof. So there may be any number of them,
// and one that was killed starts again at the first block.
// usage: oracle.mjs CONTRACT [CHAIN-ID]   serves the contract on the network of ./dev up until it is stopped
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { AbiCoder, concat, toBeHex } from 'ethers';
import { interruptible } from './cli.mjs';
import { SealedNumber } from './dapp.mjs';
import { readDevnet } from './network.mjs';
import { Relayer } from './request.mjs';

// What KMSVerifier takes: number of signatures, signatures, extra data.
export const proofOf = (signatures, extraData) => concat([toBeHex(signatures.length, 1), ...signatures, extraData]);

export const valueOf = (result) => AbiCoder.defaultAbiCoder().decode(['uint64'], result)[0];

const signedTypes = {
	PublicDecryptVerification: [
		{ name: 'ctHandles', type: 'bytes32[]' },
		{ name: 'decryptedResult', type: 'bytes' },
		{ name: 'extraData', type: 'bytes' },
	],
};

// A proof as it would be if this wallet were the KMS: what a forger can make.
export async function proofBy(wallet, devnet, handle, value, extraData = '0x00') {
	const domain = { name: 'Decryption', version: '1', chainId: devnet.gateway.chainId, verifyingContract: devnet.gateway.contracts.Decryption };
	const decryptedResult = AbiCoder.defaultAbiCoder().encode(['uint64'], [value]);
	return proofOf([await wallet.signTypedData(domain, signedTypes, { ctHandles: [handle], decryptedResult, extraData })], extraData);
}

export class Oracle {
	#block = 0;

	// dapp: SealedNumber, called from the oracle's account; tell: gets {number, step, ...} of each hop
	constructor(dapp, relayer, tell = () => {}) {
		Object.assign(this, { dapp, relayer, tell });
	}

	// Answers everything that is wanted now; returns how many numbers it opened.
	async round() {
		const head = await this.dapp.provider.getBlockNumber();
		let opened = 0;
		for (const { id, handle, block, transaction } of await this.dapp.requested(this.#block)) {
			if ((await this.dapp.number(id)).state !== 'requested') continue; // somebody has answered it
			this.tell({ number: id, step: 'heard', handle, block, transaction });
			await this.#answer(id, handle);
			opened++;
		}
		this.#block = head + 1;
		return opened;
	}

	async #answer(id, handle) {
		const request = await this.relayer.request([handle]);
		this.tell({ number: id, step: 'asked', ...request });
		const { result, signatures, extraData, ...decided } = await this.relayer.response(request);
		this.tell({ number: id, step: 'decided', signatures, ...decided });
		const brought = await this.dapp.bring(id, valueOf(result), proofOf(signatures, extraData));
		this.tell({ number: id, step: 'brought', value: valueOf(result), ...brought });
	}

	async serve(signal) {
		for (; !signal.aborted; await sleep(200)) await this.round();
	}
}

async function serve(address, chainId) {
	const devnet = readDevnet();
	const host = devnet.hosts.find((one) => String(one.chainId) === chainId) ?? devnet.hosts[0];
	const dapp = await SealedNumber.open({ host, address, privateKey: devnet.accounts.at(-1).privateKey });
	const oracle = new Oracle(dapp, new Relayer(devnet), ({ number, step, block, transaction, value }) =>
		console.log(`number ${number}: ${step}${value === undefined ? '' : ` ${value}`} in block ${block}, transaction ${transaction}`));
	console.log(`oracle of ${address} on chain ${host.chainId}`);
	await interruptible(() => oracle.serve(new AbortController().signal));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const [address, chainId] = process.argv.slice(2);
	await serve(address, chainId).catch((error) => {
		console.error(`oracle: ${error.shortMessage ?? error.message}`);
		process.exit(1);
	});
}
