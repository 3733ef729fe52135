/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Gas of the calls around decryptions: commitments, requests of every form, answers, the proof on the host chain. */
import { AbiCoder, concat, id, toBeHex } from "ethers";
import { FIRST_CONTEXT_ID, FIRST_EPOCH_ID } from "../../../tools/devnet/deploy.mjs";
import { account, contractAt, makeHandle } from "../chain.mjs";
import { domainOf, USER_TYPES, userRequest } from "../user.mjs";

const KEY_ID = (4n << 248n) + 1n;
const EXTRA_V2 = concat(["0x02", toBeHex(FIRST_CONTEXT_ID, 32), toBeHex(FIRST_EPOCH_ID, 32)]);
const TYPES = {
	PublicDecryptVerification: [
		{ name: "ctHandles", type: "bytes32[]" },
		{ name: "decryptedResult", type: "bytes" },
		{ name: "extraData", type: "bytes" },
	],
};

async function users(measure, g, net, handles, chains) {
	const decryption = net.gateway.contracts.Decryption;
	const { timestamp } = await chains.gateway.provider.getBlock("latest");
	let requests = 0n;
	const ask = async (label, kind, list, publicKeySize) => {
		const { method, args, publicKey } = await userRequest(kind, {
			decryption, hostChainId: chains.host.chainId, handles: list, dapp: account(8).address, user: account(6),
			delegator: account(7).address, startTimestamp: timestamp - 10, extraData: "0x00", publicKeySize,
		});
		await measure(`userDecryptionRequest ${label}`, g("Decryption", account(5))[method](...args));
		return { decryptionId: (2n << 248n) + ++requests, publicKey, list };
	};
	// The first request of a deployment is not counted.
	await ask("", "direct", handles.slice(0, 1));
	const asked = await ask("direct, key 800 B", "direct", handles.slice(0, 1));
	await ask("direct, key 869 B", "direct", handles.slice(0, 1), 869);
	await ask("unified, 1 handle, key 800 B", "unified", handles.slice(0, 1));
	await ask("unified, 3 handles, key 800 B", "unified", handles);
	for (const size of [1024, 2048, 4096, 16384]) {
		const { decryptionId, publicKey, list } = size === 1024 ? asked : await ask("", "direct", handles.slice(0, 1));
		for (const [i, when] of ["first", "next", "threshold", "late"].entries()) {
			const userDecryptedShare = concat(Array.from({ length: size / 32 }, (_, j) => id(`${i} ${j}`)));
			const { wallet, signer } = net.kms[i];
			const signature = await signer.signTypedData(domainOf(decryption, chains.gateway.chainId), USER_TYPES.response,
				{ publicKey, ctHandles: list, userDecryptedShare, extraData: "0x00" });
			await measure(`userDecryptionResponse, share ${size} B, ${when}`, g("Decryption", wallet)
				.userDecryptionResponse(decryptionId, userDecryptedShare, signature, "0x00"));
		}
	}
}

/* An encrypted input of two values: asked, found good by all coprocessors; and another one, found bad. */
async function inputs(measure, g, net, chains) {
	const domain = { name: "InputVerification", version: "1", chainId: chains.gateway.chainId,
		verifyingContract: net.gateway.contracts.InputVerification };
	const [dapp, user] = [account(8).address, account(6).address];
	const ctHandles = [0, 1].map((i) => makeHandle(chains.host.chainId, 5, 100 + i));
	const proof = concat(Array.from({ length: 512 }, (_, i) => id(`proof ${i}`)));
	const ask = (name) => measure(name, g("InputVerification", account(5))
		.verifyProofRequest(chains.host.chainId, dapp, user, proof, "0x00"));
	await ask("verifyProofRequest, 16384 B");
	await ask("");
	for (const [i, when] of ["first", "deciding", "late"].entries()) {
		const { wallet, signer } = net.copro[i];
		const signature = await signer.signTypedData(domain, USER_TYPES.input, {
			ctHandles, userAddress: user, contractAddress: dapp, contractChainId: chains.host.chainId, extraData: "0x00",
		});
		await measure(`verifyProofResponse, 2 handles, ${when}`, g("InputVerification", wallet)
			.verifyProofResponse(1, ctHandles, signature, "0x00"));
		await measure(`rejectProofResponse, ${when}`, g("InputVerification", wallet).rejectProofResponse(2, "0x00"));
	}
}

/** measure(name, sent) notes the gas of a call; net is what deployNetwork gave. */
export async function measureDecryptions(measure, chains, net) {
	const g = (name, wallet) => contractAt(net.gateway.contracts[name], name, wallet, chains.gateway);
	const handles = [1, 2, 3].map((i) => makeHandle(chains.host.chainId, 5, i));
	for (const handle of handles) {
		for (const [i, when] of ["first", "deciding", "late"].entries()) {
			await measure(`addCiphertextMaterial, ${when}`, g("CiphertextCommits", net.copro[i].wallet)
				.addCiphertextMaterial(handle, KEY_ID, id(`ct ${handle}`), id(`sns ${handle}`)));
		}
	}
	const domain = { name: "Decryption", version: "1", chainId: chains.gateway.chainId,
		verifyingContract: net.gateway.contracts.Decryption };
	let requests = 0n;
	// The first request of a deployment is not counted: later ones are the usual case.
	for (const [label, list, extra] of [
		["", handles.slice(0, 1), "0x00"],
		["1 handle", handles.slice(0, 1), "0x00"],
		["3 handles", handles, "0x00"],
	]) {
		await measure(`publicDecryptionRequest, ${label}`, g("Decryption", account(5)).publicDecryptionRequest(list, extra));
		const decryptionId = (1n << 248n) + ++requests;
		const result = AbiCoder.defaultAbiCoder().encode(list.map(() => "uint256"), list.map(() => 42n));
		for (const [i, when] of ["first", "deciding", "late"].entries()) {
			const { wallet, signer } = net.kms[i];
			const signature = await signer.signTypedData(domain, TYPES,
				{ ctHandles: list, decryptedResult: result, extraData: extra });
			await measure(`publicDecryptionResponse, ${label}, ${when}`, g("Decryption", wallet)
				.publicDecryptionResponse(decryptionId, result, signature, extra));
		}
	}
	await users(measure, g, net, handles, chains);
	await inputs(measure, g, net, chains);
	const result = AbiCoder.defaultAbiCoder().encode(["uint256"], [42n]);
	for (const [label, extraData] of [["no extra data", "0x"], ["extra data v2", EXTRA_V2]]) {
		const value = { ctHandles: [handles[0]], decryptedResult: result, extraData };
		const signatures = await Promise.all(net.kms.slice(0, 2).map((k) => k.signer.signTypedData(domain, TYPES, value)));
		const proof = concat(["0x02", ...signatures, extraData]);
		await measure(`KMSVerifier.verify, 2 signatures, ${label}`,
			contractAt(net.host.contracts.KMSVerifier, "KMSVerifier", account(5), chains.host)
				.verifyDecryptionEIP712KMSSignatures([handles[0]], result, proof));
	}
}
