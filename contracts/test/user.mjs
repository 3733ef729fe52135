/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* User decryption requests as a client makes them: what is signed, and the call that carries it. */
import { hexlify } from "ethers";

const field = (text) => {
	const [type, name] = text.split(" ");
	return { type, name };
};
const fields = (text) => text.split(", ").map(field);

/** EIP-712 types, by what they are for. Two share a name and differ in their fields. */
export const USER_TYPES = {
	direct: { UserDecryptRequestVerification: fields(
		"bytes publicKey, address[] contractAddresses, uint256 startTimestamp, uint256 durationDays, bytes extraData") },
	delegated: { DelegatedUserDecryptRequestVerification: fields("bytes publicKey, address[] contractAddresses, " +
		"address delegatorAddress, uint256 startTimestamp, uint256 durationDays, bytes extraData") },
	unified: { UserDecryptRequestVerification: fields("address userAddress, bytes publicKey, " +
		"address[] allowedContracts, uint256 startTimestamp, uint256 durationSeconds, bytes extraData") },
	input: { CiphertextVerification: fields("bytes32[] ctHandles, address userAddress, address contractAddress, " +
		"uint256 contractChainId, bytes extraData") },
	response: { UserDecryptResponseVerification: fields(
		"bytes publicKey, bytes32[] ctHandles, bytes userDecryptedShare, bytes extraData") },
};

const METHODS = {
	direct: "userDecryptionRequest((bytes32,address)[],(uint256,uint256),(uint256,address[]),address,bytes,bytes,bytes)",
	delegated: "delegatedUserDecryptionRequest",
	unified: "userDecryptionRequest((bytes32,address,address)[],address,bytes,address[],(uint256,uint256),bytes,bytes)",
};

/** Requests are signed for the host chain, answers for the gateway; both name the gateway's contract. */
export const domainOf = (decryption, chainId) => ({
	name: "Decryption", version: "1", chainId, verifyingContract: decryption,
});

/**
 * A signed request of a kind (direct, delegated, unified): { method, args, publicKey }.
 *
 * options.decryption, options.hostChainId, options.handles, options.dapp, options.startTimestamp, options.extraData
 * options.user                wallet of the user or delegate
 * options.delegator           delegated: whose ciphertexts; unified: owner of every second one
 * options.publicKeySize?      bytes; default 800
 */
export async function userRequest(kind, options) {
	const { handles, dapp, user, delegator, startTimestamp, extraData } = options;
	const publicKey = hexlify(new Uint8Array(options.publicKeySize ?? 800).map((_, i) => 1 + i % 255));
	const contractAddresses = [dapp];
	const message = {
		userAddress: user.address, publicKey, contractAddresses, allowedContracts: contractAddresses,
		delegatorAddress: delegator, startTimestamp, durationDays: 10, durationSeconds: 864000, extraData,
	};
	const signature = await user.signTypedData(domainOf(options.decryption, options.hostChainId), USER_TYPES[kind],
		message);
	const pairs = handles.map((handle) => [handle, dapp]);
	const contracts = [options.hostChainId, contractAddresses];
	const tail = [publicKey, signature, extraData];
	const args = {
		direct: [pairs, [startTimestamp, 10], contracts, user.address, ...tail],
		delegated: [pairs, [startTimestamp, 10], [delegator, user.address], contracts, ...tail],
		unified: [handles.map((handle, i) => [handle, dapp, i % 2 ? delegator : user.address]), user.address, publicKey,
			contractAddresses, [startTimestamp, 864000], signature, extraData],
	};
	return { method: METHODS[kind], args: args[kind], publicKey };
}
