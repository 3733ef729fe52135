// SPDX-License-Identifier: BSD-3-Clause-Clear
// What the host chain of a request's handles says: who may have them decrypted, whose signature it is. The KMS asks the same
// again and is the one that counts; the relayer asks first so that nobody waits for an answer that will not come.
import { Contract, Interface, TypedDataEncoder, isError, recoverAddress } from 'ethers';
import { signedTypes } from '../private.mjs';
import { connect } from '../request.mjs';
import { RelayerError, invalid } from './errors.mjs';
import { chainOf } from './fields.mjs';

const acl = new Interface([
	'function multicall(bytes[] data) returns (bytes[])',
	'function isAllowedForDecryption(bytes32 handle) view returns (bool)',
	'function isAllowed(bytes32 handle, address account) view returns (bool)',
	'function isHandleDelegatedForUserDecryption(address delegator, address delegate, address contractAddress, bytes32 handle) view returns (bool)',
	'function decryptionSignatureInvalidatedBefore(address account) view returns (uint256)',
]);
const protocolAbi = [
	'function getCurrentKmsContextId() view returns (uint256)',
	'function getUserDecryptionThresholdForContext(uint256 kmsContextId) view returns (uint256)',
];
const walletAbi = ['function isValidSignature(bytes32 hash, bytes signature) view returns (bytes4)'];
const walletMagic = '0x1626ba7e'; // ERC-1271
const walletGasMax = 100_000; // of nodes, whose erc1271_gas_limit it is: more here would only promise what they refuse

export class Hosts {
	constructor({ gateway, hosts }) {
		this.decryption = gateway.contracts.Decryption;
		this.byChain = new Map(
			hosts.map((host) => {
				const provider = connect(host.rpc);
				return [BigInt(host.chainId), { ...host, provider, acl: new Contract(host.contracts.ACL, acl, provider) }];
			}),
		);
		[this.first] = this.byChain.values(); // KMS contexts live there
		this.protocol = new Contract(this.first.contracts.ProtocolConfig, protocolAbi, this.first.provider);
	}

	chain(chainId) {
		const host = this.byChain.get(chainId);
		if (!host)
			throw new RelayerError('host_chain_id_not_supported', `host chain ${chainId} is not served here: ${[...this.byChain.keys()].join(', ')} are`);
		return host;
	}

	// The chain of all of these handles: a request is for one.
	chainOfAll(handles, field) {
		const [first, ...rest] = handles.map(chainOf);
		const other = rest.find((chainId) => chainId !== first);
		if (other !== undefined) throw invalid(field, `handles of chains ${first} and ${other} in one request: ask for each chain by itself`);
		return this.chain(first);
	}

	// questions: [[function of the ACL, arguments, what to say when it is not so]], all asked in one call.
	async require(host, questions) {
		const answers = await this.#ask(host, questions.map(([name, args]) => acl.encodeFunctionData(name, args)));
		const no = questions.filter(([name], index) => !acl.decodeFunctionResult(name, answers[index])[0]).map(([, , text]) => text);
		if (no.length > 0) throw new RelayerError('not_allowed_on_host_acl', no.join('; '));
	}

	async requireNotInvalidated(host, user, startTimestamp) {
		const [answer] = await this.#ask(host, [acl.encodeFunctionData('decryptionSignatureInvalidatedBefore', [user])]);
		const [before] = acl.decodeFunctionResult('decryptionSignatureInvalidatedBefore', answer);
		if (startTimestamp < before) throw invalid('signature', `${user} has taken back what was signed before ${time(before)}: sign again`);
	}

	async #ask(host, calls) {
		return host.acl.multicall.staticCall(calls).catch((error) => unanswered(host, error));
	}

	// The wallet's signature over the request: of a key, or (for what allows it) of a contract that says so.
	async requireSignature(host, { kind, signer, message, signature }, { contractWallets = false } = {}) {
		const domain = { name: 'Decryption', version: '1', chainId: host.chainId, verifyingContract: this.decryption };
		const digest = TypedDataEncoder.hash(domain, signedTypes[kind], message);
		let found;
		try {
			found = recoverAddress(digest, signature);
		} catch {
			found = undefined;
		}
		if (found === signer) return;
		if (contractWallets && (await walletAgrees(host, signer, digest, signature))) return;
		throw invalid(
			'signature',
			`is not ${signer}'s over this request${found ? ` (it is ${found}'s, or of another request)` : ''}: sign exactly these fields ` +
				`with that account, in the EIP-712 domain of chain ${host.chainId} and contract ${this.decryption}`,
		);
	}

	// How many shares a user needs to put the values together.
	async userThreshold(extraData) {
		try {
			const context = extraData === '0x00' ? await this.protocol.getCurrentKmsContextId() : BigInt(`0x${extraData.slice(4, 68)}`);
			return Number(await this.protocol.getUserDecryptionThresholdForContext(context));
		} catch (error) {
			if (isError(error, 'CALL_EXCEPTION')) throw invalid('extraData', 'names a KMS context that is not valid (any more)');
			return unanswered(this.first, error);
		}
	}

	close() {
		for (const { provider } of this.byChain.values()) provider.destroy();
	}
}

function unanswered(host, error) {
	throw new RelayerError('host_acl_failed', `host chain ${host.chainId} does not answer: ${error.shortMessage ?? error.message}`);
}

async function walletAgrees(host, wallet, digest, signature) {
	const code = await host.provider.getCode(wallet).catch((error) => unanswered(host, error));
	if (code === '0x') return false;
	try {
		return (await new Contract(wallet, walletAbi, host.provider).isValidSignature(digest, signature, { gasLimit: walletGasMax })) === walletMagic;
	} catch (error) {
		if (isError(error, 'CALL_EXCEPTION') || isError(error, 'BAD_DATA')) return false; // it reverts, or is no such wallet
		return unanswered(host, error);
	}
}

export const time = (seconds) => {
	const date = new Date(Number(seconds) * 1000);
	return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString();
};
