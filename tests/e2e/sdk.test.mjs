// SPDX-License-Identifier: BSD-3-Clause-Clear
// The client that dapps use, npm @zama-fhe/relayer-sdk as published, against the local network: it gets what devnet.json says
// and nothing else, and talks HTTP to the relayer and RPC to the host chain.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createInstance } from '@zama-fhe/relayer-sdk/node';
import { Contract, Wallet, getAddress, hexlify } from 'ethers';
import { exampleContract } from '../../tools/devnet/private.mjs';
import { connect } from '../../tools/devnet/request.mjs';
import { withNetwork } from './harness.mjs';

const contract = exampleContract;
const aclAbi = ['function delegateForUserDecryption(address delegate, address contractAddress, uint64 expirationDate)'];
const verifierAbi = ['function verifyDecryptionEIP712KMSSignatures(bytes32[] handlesList, bytes decryptedResult, bytes decryptionProof) returns (bool)'];
const inputVerifierAbi = ['function verifyInput((address userAddress, address contractAddress) context, bytes32 inputHandle, bytes inputProof) returns (bytes32)'];

// Every type, with a value whose every byte counts, and what the client gives for it.
const values = [
	['bool', 'true', true],
	['uint8', '251', 251n],
	['uint16', '65521', 65521n],
	['uint32', '4294967291', 4294967291n],
	['uint64', '18446744073709551557', 18446744073709551557n],
	['uint128', '340282366920938463463374607431768211297', 340282366920938463463374607431768211297n],
	['address', '0x8ba1f109551bD432803012645Ac136ddd64DBA72', '0x8ba1f109551bD432803012645Ac136ddd64DBA72'],
	['uint256', `0x${'f1e2d3c4'.repeat(8)}`, BigInt(`0x${'f1e2d3c4'.repeat(8)}`)],
];
const given = values.map(([name, text]) => [name, text]);
const expected = (handles) => Object.fromEntries(handles.map((handle, index) => [handle, values[index][2]]));

// The error of a refusal by the relayer, as the client shows it.
const refusal = (label, pattern) => (error) => {
	assert.equal(error.relayerApiError?.label, label, error.stack);
	assert.match(error.message, pattern);
	return true;
};

async function signed(instance, wallet, { delegator, days = 1, start = Math.floor(Date.now() / 1000) } = {}) {
	const { publicKey, privateKey } = instance.generateKeypair();
	const message = delegator
		? instance.createDelegatedUserDecryptEIP712(publicKey, [contract], delegator, start, days)
		: instance.createEIP712(publicKey, [contract], start, days);
	const { EIP712Domain, ...types } = message.types;
	assert.ok(EIP712Domain);
	return { publicKey, privateKey, signature: await wallet.signTypedData(message.domain, types, message.message), start, days };
}

const pairsOf = (handles) => handles.map((handle) => ({ handle, contractAddress: contract }));

function userDecrypt(instance, handles, user, { privateKey, publicKey, signature, start, days }) {
	return instance.userDecrypt(pairsOf(handles), privateKey, publicKey, signature, [contract], user, start, days);
}

function delegatedDecrypt(instance, handles, delegator, delegate, { privateKey, publicKey, signature, start, days }) {
	return instance.delegatedUserDecrypt(pairsOf(handles), privateKey, publicKey, signature, [contract], delegator, delegate, start, days);
}

test('relayer-sdk 0.4.3 on the local network', { timeout: 900000 }, (t) =>
	withNetwork({ portBase: 28100, relayer: true }, async ({ devnet, publish }) => {
		const host = connect(devnet.hosts[0].rpc);
		const { contracts } = devnet.hosts[0];
		const wallet = new Wallet(devnet.accounts[0].privateKey, host);
		const user = wallet.address;
		const stranger = Wallet.createRandom();
		const instance = await createInstance(devnet.sdk);
		const published = await publish(given, true, [user, contract]);
		const handles = published.map(({ handle }) => handle);
		const [secret] = (await publish([['uint64', '7']], false, [contract])).map(({ handle }) => handle);

		await t.test('public decryption of every type, and its proof on the host chain', async () => {
			const { clearValues, abiEncodedClearValues, decryptionProof } = await instance.publicDecrypt(handles);
			assert.deepEqual({ ...clearValues }, expected(handles));
			const verifier = new Contract(contracts.KMSVerifier, verifierAbi, host);
			assert.equal(await verifier.verifyDecryptionEIP712KMSSignatures.staticCall(handles, abiEncodedClearValues, decryptionProof), true);
			const [one] = handles.slice(4);
			assert.equal((await instance.publicDecrypt([one])).clearValues[one], values[4][2]);
		});

		await t.test('public decryption without permission', async () => {
			await assert.rejects(instance.publicDecrypt([secret]), /not allowed for public decryption/);
		});

		await t.test('user decryption of one handle, and of every type at once', async () => {
			const one = handles.slice(7);
			assert.deepEqual({ ...(await userDecrypt(instance, one, user, await signed(instance, wallet))) }, { [one[0]]: values[7][2] });
			assert.deepEqual({ ...(await userDecrypt(instance, handles, user, await signed(instance, wallet))) }, expected(handles));
		});

		await t.test('user decryption signed by somebody else', async () => {
			await assert.rejects(
				userDecrypt(instance, handles.slice(0, 1), user, await signed(instance, stranger)),
				refusal('validation_failed', new RegExp(`signature: is not ${user}'s over this request \\(it is ${stranger.address}'s`)),
			);
		});

		await t.test('user decryption without permission', async () => {
			await assert.rejects(userDecrypt(instance, [secret], user, await signed(instance, wallet)), /is not authorized to user decrypt handle/);
		});

		await t.test('user decryption after its time', async () => {
			const start = Math.floor(Date.now() / 1000) - 3 * 86400;
			await assert.rejects(userDecrypt(instance, handles.slice(0, 1), user, await signed(instance, wallet, { start })), /expired/);
		});

		await t.test('delegated user decryption, refused until the delegation', async () => {
			const some = [handles[0], handles[6]];
			const permission = await signed(instance, stranger, { delegator: user });
			await assert.rejects(delegatedDecrypt(instance, some, user, stranger.address, permission), refusal('not_allowed_on_host_acl', /delegateForUserDecryption/));
			const acl = new Contract(contracts.ACL, aclAbi, wallet);
			await (await acl.delegateForUserDecryption(stranger.address, contract, Math.floor(Date.now() / 1000) + 7200)).wait();
			const result = await delegatedDecrypt(instance, some, user, stranger.address, permission);
			assert.deepEqual({ ...result }, { [some[0]]: values[0][2], [some[1]]: values[6][2] });
		});

		await t.test('encrypted input: accepted, verified on the host chain, decrypted; for somebody else rejected', async () => {
			const input = instance.createEncryptedInput(contract, user).add64(1234567890123456789n).addBool(true).addAddress(stranger.address);
			const proof = input.generateZKProof();
			const { handles: made, inputProof } = await instance.requestZKProofVerification(proof);
			const inputHandles = made.map((bytes) => hexlify(bytes));
			const verifier = new Contract(contracts.InputVerifier, inputVerifierAbi, host);
			for (const handle of inputHandles) assert.equal(await verifier.verifyInput.staticCall([user, contract], handle, inputProof), handle);
			await assert.rejects(verifier.verifyInput.staticCall([stranger.address, contract], inputHandles[0], inputProof), /revert/);
			const result = await userDecrypt(instance, inputHandles, user, await signed(instance, wallet));
			assert.deepEqual(Object.values(result), [1234567890123456789n, true, getAddress(stranger.address)]);
			const { chainId, aclContractAddress, contractAddress, ciphertextWithZKProof, encryptionBits } = proof;
			const stolen = { chainId, aclContractAddress, contractAddress, userAddress: stranger.address, ciphertextWithZKProof, encryptionBits };
			await assert.rejects(instance.requestZKProofVerification(stolen), /InputProof rejected/);
			// The same once more is no other ciphertext.
			const again = await instance.requestZKProofVerification(proof);
			assert.deepEqual(again.handles.map((bytes) => hexlify(bytes)), inputHandles);
		});

		host.destroy();
		instance.config.ethersProvider.destroy();
	}));
