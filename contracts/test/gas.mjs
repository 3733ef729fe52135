#!/usr/bin/env node
/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Gas of the calls of public and user decryptions, from receipts on anvil, beside the protocol's own contracts
 * measured in the same scenario: 4 nodes, thresholds 2 (public) and 3 (user); 3 coprocessors, threshold 2; solc 0.8.24
 * with 800 runs.
 *
 * Needs `forge build` first, and anvil on the PATH. Usage: node contracts/test/gas.mjs
 */
import { AbiCoder, concat, id, toBeHex } from "ethers";
import { FIRST_CONTEXT_ID, FIRST_EPOCH_ID } from "../../tools/devnet/deploy.mjs";
import { account, contractAt, deployNetwork, makeHandle, startAnvil } from "./chain.mjs";
import { domainOf, USER_TYPES, userRequest } from "./user.mjs";

const GATEWAY_ID = 54321;
const HOST_ID = 12345;
const KEY_ID = (4n << 248n) + 1n;
const EXTRA_V2 = concat(["0x02", toBeHex(FIRST_CONTEXT_ID, 32), toBeHex(FIRST_EPOCH_ID, 32)]);
const TYPES = {
	PublicDecryptVerification: [
		{ name: "ctHandles", type: "bytes32[]" },
		{ name: "decryptedResult", type: "bytes" },
		{ name: "extraData", type: "bytes" },
	],
};

/* Figures of the protocol's main branch. */
const PUBLISHED = {
	"addCiphertextMaterial, first": 164668,
	"addCiphertextMaterial, deciding": 225054,
	"addCiphertextMaterial, late": 107019,
	"publicDecryptionRequest, 1 handle": 211846,
	"publicDecryptionRequest, 3 handles": 298111,
	"publicDecryptionResponse, 1 handle, first": 271657,
	"publicDecryptionResponse, 1 handle, deciding": 296038,
	"publicDecryptionResponse, 1 handle, late": 233505,
	"publicDecryptionResponse, 3 handles, first": 276993,
	"publicDecryptionResponse, 3 handles, deciding": 301881,
	"publicDecryptionResponse, 3 handles, late": 238829,
	"userDecryptionRequest direct, key 800 B": 822472,
	"userDecryptionRequest direct, key 869 B": 891867,
	"userDecryptionRequest unified, 1 handle, key 800 B": 820242,
	"userDecryptionRequest unified, 3 handles, key 800 B": 928929,
	"userDecryptionResponse, share 1024 B, first": 248600,
	"userDecryptionResponse, share 1024 B, next": 231500,
	"userDecryptionResponse, share 1024 B, threshold": 252835,
	"userDecryptionResponse, share 1024 B, late": 227578,
	"userDecryptionResponse, share 2048 B, first": 267533,
	"userDecryptionResponse, share 2048 B, next": 250433,
	"userDecryptionResponse, share 2048 B, threshold": 271768,
	"userDecryptionResponse, share 2048 B, late": 246523,
	"userDecryptionResponse, share 4096 B, first": 324851,
	"userDecryptionResponse, share 4096 B, next": 307751,
	"userDecryptionResponse, share 4096 B, threshold": 329074,
	"userDecryptionResponse, share 4096 B, late": 303841,
	"userDecryptionResponse, share 16384 B, first": 679870,
	"KMSVerifier.verify, 2 signatures, no extra data": 143606,
	"KMSVerifier.verify, 2 signatures, extra data v2": 157177,
};

const figures = new Map();
async function measure(name, sent) {
	const { gasUsed } = await (await sent).wait();
	if (!figures.has(name)) figures.set(name, Number(gasUsed));
}

async function users(g, net, handles, chains) {
	const decryption = net.gateway.contracts.Decryption;
	const { timestamp } = await chains.gateway.provider.getBlock("latest");
	let requests = 0n;
	const ask = async (label, kind, list, publicKeySize) => {
		const { method, args, publicKey } = await userRequest(kind, {
			decryption, hostChainId: HOST_ID, handles: list, dapp: account(8).address, user: account(6),
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
			const signature = await signer.signTypedData(domainOf(decryption, GATEWAY_ID), USER_TYPES.response,
				{ publicKey, ctHandles: list, userDecryptedShare, extraData: "0x00" });
			await measure(`userDecryptionResponse, share ${size} B, ${when}`, g("Decryption", wallet)
				.userDecryptionResponse(decryptionId, userDecryptedShare, signature, "0x00"));
		}
	}
}

async function run(chains, net) {
	const g = (name, wallet) => contractAt(net.gateway.contracts[name], name, wallet, chains.gateway);
	const handles = [1, 2, 3].map((i) => makeHandle(HOST_ID, 5, i));
	for (const handle of handles) {
		for (const [i, when] of ["first", "deciding", "late"].entries()) {
			await measure(`addCiphertextMaterial, ${when}`, g("CiphertextCommits", net.copro[i].wallet)
				.addCiphertextMaterial(handle, KEY_ID, id(`ct ${handle}`), id(`sns ${handle}`)));
		}
	}
	const domain = { name: "Decryption", version: "1", chainId: GATEWAY_ID,
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
	await users(g, net, handles, chains);
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

const chains = { gateway: await startAnvil(GATEWAY_ID) };
try {
	chains.host = await startAnvil(HOST_ID);
	const net = await deployNetwork(chains.gateway, chains.host, {
		n: 4, thresholds: { publicDecryption: 2, userDecryption: 3, kmsGen: 3, mpc: 1 }, coprocessorThreshold: 2,
		prices: { inputVerification: 10n ** 19n, publicDecryption: 10n ** 18n, userDecryption: 10n ** 18n },
	});
	await run(chains, net);
} finally {
	await chains.gateway.stop();
	await chains.host?.stop();
}

const pad = (text, width) => String(text).padStart(width);
console.log(`${"call".padEnd(52)}${pad("gas", 9)}${pad("published", 11)}${pad("ratio", 8)}`);
for (const [name, published] of Object.entries(PUBLISHED)) {
	const gas = figures.get(name);
	console.log(`${name.padEnd(52)}${pad(gas, 9)}${pad(published, 11)}${pad((gas / published).toFixed(3), 8)}`);
}
