// SPDX-License-Identifier: BSD-3-Clause-Clear
// What can be asked of the relayer. Each operation takes a request's body, refuses at once what is wrong with its fields, and
// returns the work that is left: checks against the chains, the transaction, the wait. That work gives what v2 calls `result`.
import { invalid } from './errors.mjs';
import { address, bytes, chainOf, checkBits, contractsMax, extraData, handle, handlesMax, list, needs, number } from './fields.mjs';

const signatureMax = 4096; // of a contract wallet
const publicKeyMax = 4096;
const daySeconds = 86_400n;

const plain = (hex) => hex.slice(2);
const toShares = (answers) => ({
	result: answers.map(({ share, signature, extraData: extra }) => ({ payload: plain(share), signature: plain(signature), extraData: extra })),
});

const mayUse = (contract, hex) => [
	'isAllowed', [hex, contract],
	`contract ${contract} has no permission for handle ${hex}: it must keep it for itself (FHE.allowThis) before its user can decrypt`,
];

export class Operations {
	constructor(gateway, hosts) {
		Object.assign(this, { gateway, hosts });
	}

	publicDecrypt(body) {
		needs(body, ['ciphertextHandles', 'extraData']);
		const handles = list(body.ciphertextHandles, 'ciphertextHandles', handlesMax, handle);
		const extra = extraData(body.extraData);
		checkBits(handles, 'ciphertextHandles');
		const host = this.hosts.chainOfAll(handles, 'ciphertextHandles');
		return async () => {
			await this.hosts.require(
				host,
				handles.map((hex) => ['isAllowedForDecryption', [hex], `handle ${hex} may not be decrypted publicly: its contract must allow that first (FHE.makePubliclyDecryptable)`]),
			);
			await this.gateway.requireReady('isPublicDecryptionReady', [handles, extra], handles);
			const { result, signatures, extraData: signed } = await this.gateway.publicDecrypt(handles, extra);
			return { decryptedValue: plain(result), signatures: signatures.map(plain), extraData: signed };
		};
	}

	userDecrypt(body) {
		needs(body, ['requestValidity.startTimestamp', 'requestValidity.durationDays', 'userAddress']);
		const user = address(body.userAddress, 'userAddress');
		const { startTimestamp, durationDays } = body.requestValidity;
		return this.#byContracts(body, {
			kind: 'direct', signer: user, field: 'requestValidity', startTimestamp, durationDays, kept: user,
			questions: ({ handle: hex, contract }) => [
				['isAllowed', [hex, user], `${user} may not decrypt handle ${hex}: the contract that made it must allow that account first (FHE.allow)`],
				mayUse(contract, hex),
			],
			args: ({ pairs, validity, contracts, tail }) => [pairs, validity, contracts, user, ...tail],
		});
	}

	delegatedUserDecrypt(body) {
		needs(body, ['delegatorAddress', 'delegateAddress', 'startTimestamp', 'durationDays']);
		const delegator = address(body.delegatorAddress, 'delegatorAddress');
		const delegate = address(body.delegateAddress, 'delegateAddress');
		const { startTimestamp, durationDays } = body;
		return this.#byContracts(body, {
			kind: 'delegated', signer: delegate, field: 'durationDays', startTimestamp, durationDays, kept: delegator, delegator,
			questions: ({ handle: hex, contract }) => [delegated(delegator, delegate, contract, hex), mayUse(contract, hex)],
			args: ({ pairs, validity, contracts, tail }) => [pairs, validity, [delegator, delegate], contracts, ...tail],
		});
	}

	// What the two older forms share: the user signs for a list of contracts and for days. `kept` must not be a contract.
	#byContracts(body, { kind, signer, field, startTimestamp, durationDays, kept, delegator, questions, args }) {
		needs(body, ['handleContractPairs', 'contractsChainId', 'contractAddresses', 'signature', 'publicKey', 'extraData']);
		const pairs = list(body.handleContractPairs, 'handleContractPairs', handlesMax, (pair, at) => ({
			handle: handle(pair?.handle, `${at}.handle`),
			contract: address(pair?.contractAddress, `${at}.contractAddress`),
		}));
		const contracts = list(body.contractAddresses, 'contractAddresses', contractsMax, address);
		const stranger = pairs.find(({ contract }) => !contracts.includes(contract));
		if (stranger) throw invalid('contractAddresses', `does not name ${stranger.contract}, which handle ${stranger.handle} is asked for through`);
		if (contracts.includes(kept)) throw invalid('contractAddresses', `names ${kept}, whose values these are: only contracts belong here`);
		const handles = pairs.map((pair) => pair.handle);
		checkBits(handles, 'handleContractPairs');
		const host = this.hosts.chainOfAll(handles, 'handleContractPairs');
		const chainId = number(body.contractsChainId, 'contractsChainId');
		if (chainId !== BigInt(host.chainId)) throw invalid('contractsChainId', `is ${chainId}, but the handles are of chain ${chainOf(handles[0])}`);
		const start = number(startTimestamp, 'startTimestamp');
		const days = number(durationDays, 'durationDays');
		const publicKey = bytes(body.publicKey, 'publicKey', { max: publicKeyMax });
		const signature = bytes(body.signature, 'signature', { size: 65 });
		const extra = extraData(body.extraData);
		const message = { publicKey, contractAddresses: contracts, delegatorAddress: delegator, startTimestamp: start, durationDays: days, extraData: extra };
		return async () => {
			await this.gateway.requireValidity({ field, start, seconds: days * daySeconds });
			await this.hosts.requireSignature(host, { kind, signer, message, signature });
			await this.hosts.require(host, pairs.flatMap(questions));
			const given = pairs.map(({ handle: hex, contract }) => [hex, contract]);
			const signed = args({ pairs: given, validity: [start, days], contracts: [chainId, contracts], tail: [publicKey, signature, extra] });
			return this.#shares({ kind, args: signed }, given, extra);
		};
	}

	// One form for everything, also mixed; contract wallets may sign.
	unifiedUserDecrypt(body) {
		const payload = 'attestedPayload';
		needs(body, [
			'attestationType', 'signature', `${payload}.version`, `${payload}.type`, `${payload}.handles`, `${payload}.userAddress`, `${payload}.allowedContracts`,
			`${payload}.requestValidity.startTimestamp`, `${payload}.requestValidity.durationSeconds`, `${payload}.publicKey`, `${payload}.extraData`,
		]);
		const asked = body.attestedPayload;
		for (const [field, value, known] of [
			['attestationType', body.attestationType, 'eip712-unified-user-decrypt-v1'],
			[`${payload}.version`, asked.version, '2.0'],
			[`${payload}.type`, asked.type, 'user_decryption'],
		])
			if (value !== known) throw invalid(field, `is not ${known}`);
		const user = address(asked.userAddress, `${payload}.userAddress`);
		const allowed = list(asked.allowedContracts, `${payload}.allowedContracts`, contractsMax, address, { empty: true });
		if (allowed.includes(user)) throw invalid(`${payload}.allowedContracts`, `names the user ${user}: only contracts belong here`);
		const entries = list(asked.handles, `${payload}.handles`, handlesMax, (entry, at) => ({
			handle: handle(entry?.ctHandle, `${at}.ctHandle`),
			contract: address(entry?.contractAddress, `${at}.contractAddress`),
			owner: address(entry?.ownerAddress, `${at}.ownerAddress`),
		}));
		const stranger = entries.find(({ contract }) => allowed.length > 0 && !allowed.includes(contract));
		if (stranger) throw invalid(`${payload}.allowedContracts`, `does not name ${stranger.contract}, which handle ${stranger.handle} is asked for through`);
		const handles = entries.map((entry) => entry.handle);
		checkBits(handles, `${payload}.handles`);
		const host = this.hosts.chainOfAll(handles, `${payload}.handles`);
		const start = number(asked.requestValidity.startTimestamp, `${payload}.requestValidity.startTimestamp`);
		const seconds = number(asked.requestValidity.durationSeconds, `${payload}.requestValidity.durationSeconds`);
		const publicKey = bytes(asked.publicKey, `${payload}.publicKey`, { max: publicKeyMax });
		const signature = bytes(body.signature, 'signature', { max: signatureMax });
		const extra = extraData(asked.extraData);
		const message = { userAddress: user, publicKey, allowedContracts: allowed, startTimestamp: start, durationSeconds: seconds, extraData: extra };
		return async () => {
			await this.gateway.requireValidity({ field: `${payload}.requestValidity`, start, seconds });
			await this.hosts.requireSignature(host, { kind: 'unified', signer: user, message, signature }, { contractWallets: true });
			await this.hosts.requireNotInvalidated(host, user, start);
			await this.hosts.require(host, entries.flatMap(({ handle: hex, contract, owner }) => [
				owner === user ? ['isAllowed', [hex, user], `${user} may not decrypt handle ${hex}: the contract that made it must allow that account first (FHE.allow)`] : delegated(owner, user, contract, hex),
				mayUse(contract, hex),
			]));
			const args = [entries.map(({ handle: hex, contract, owner }) => [hex, contract, owner]), user, publicKey, allowed, [start, seconds], signature, extra];
			return this.#shares({ kind: 'unified', args }, entries.map(({ handle: hex, contract }) => [hex, contract]), extra);
		};
	}

	async #shares(signed, pairs, extra) {
		await this.gateway.requireReady('isUserDecryptionReady', [pairs, extra], pairs.map(([hex]) => hex));
		return toShares(await this.gateway.userDecrypt(signed, await this.hosts.userThreshold(extra)));
	}

	inputProof(body) {
		needs(body, ['contractChainId', 'contractAddress', 'userAddress', 'ciphertextWithInputVerification', 'extraData']);
		const input = {
			chainId: number(body.contractChainId, 'contractChainId'),
			contract: address(body.contractAddress, 'contractAddress'),
			user: address(body.userAddress, 'userAddress'),
			ciphertext: bytes(body.ciphertextWithInputVerification, 'ciphertextWithInputVerification'),
			extraData: extraData(body.extraData),
		};
		this.hosts.chain(input.chainId);
		return async () => ({ ...(await this.gateway.verifyProof(input)), extraData: input.extraData });
	}
}

const delegated = (delegator, delegate, contract, hex) => [
	'isHandleDelegatedForUserDecryption', [delegator, delegate, contract, hex],
	`${delegate} may not decrypt handle ${hex} for ${delegator} through ${contract}: ${delegator} must delegate first (ACL.delegateForUserDecryption), the ` +
		'delegation must not have expired, and both it and the contract must be allowed the handle',
];
