#!/usr/bin/env node
/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Deploys on real chains and takes a public decryption all the way: commitments, permission, request, answers, proof
 * on the host chain; then user decryptions of every kind, and an encrypted input. Signatures are made by ethers, which
 * knows nothing of our encoders. Prints TAP.
 *
 * Needs `forge build` first, and anvil on the PATH. Usage: node contracts/test/deploy.mjs
 */
import { AbiCoder, concat, getBytes, id, keccak256, toBeHex } from "ethers";
import { FIRST_CONTEXT_ID, FIRST_EPOCH_ID } from "../../tools/devnet/deploy.mjs";
import { account, contractAt, deployNetwork, makeHandle, startAnvil } from "./chain.mjs";
import { domainOf, USER_TYPES, userRequest } from "./user.mjs";

const GATEWAY_ID = 54321;
const HOST_ID = 12345;
const THRESHOLDS = { publicDecryption: 2, userDecryption: 3, kmsGen: 3, mpc: 1 };
const KEY_ID = (4n << 248n) + 1n;
const TYPES = {
	PublicDecryptVerification: [
		{ name: "ctHandles", type: "bytes32[]" },
		{ name: "decryptedResult", type: "bytes" },
		{ name: "extraData", type: "bytes" },
	],
};

let number = 0;
let failed = 0;
function check(name, good, detail = "") {
	number++;
	if (!good) failed++;
	console.log(`${good ? "ok" : "not ok"} ${number} - ${name}`);
	if (!good && detail) console.log(`# ${detail}`);
}
const same = (name, a, b) => {
	const text = (x) => JSON.stringify(x, (_, v) => (typeof v === "bigint" ? v.toString() : v));
	check(name, text(a) === text(b), `${text(a)} is not ${text(b)}`);
};
const done = async (sent) => (await sent).wait();

/** What a transaction told of Decryption; the token tells of the fee besides, also of one of nothing. */
const decryptionLogs = (net, receipt) =>
	receipt.logs.filter((l) => l.address === net.gateway.contracts.Decryption);

/** The name of the custom error a call would revert with. */
async function refusal(contract, method, args) {
	try {
		await contract[method].staticCall(...args);
	} catch (error) {
		return contract.interface.parseError(error.data ?? "0x")?.name ?? error.shortMessage;
	}
	return "accepted";
}

async function twoChains() {
	const gateway = await startAnvil(GATEWAY_ID);
	try {
		return { gateway, host: await startAnvil(HOST_ID) };
	} catch (error) {
		await gateway.stop();
		throw error;
	}
}

async function flow(chains, net) {
	const g = (name, wallet) => contractAt(net.gateway.contracts[name], name, wallet, chains.gateway);
	const h = (name, wallet) => contractAt(net.host.contracts[name], name, wallet, chains.host);
	const handle = makeHandle(HOST_ID, 5, 1);
	const digests = [id("ciphertext"), id("squashed ciphertext")];

	for (const c of net.copro.slice(0, 2)) {
		await done(g("CiphertextCommits", c.wallet).addCiphertextMaterial(handle, KEY_ID, ...digests));
	}
	check("two coprocessors commit a ciphertext", await g("Decryption").isPublicDecryptionReady([handle], "0x"));

	const executor = h("ACL", account(4));
	same("a stranger cannot allow a decryption", await refusal(h("ACL", account(5)), "allowForDecryption", [[handle]]),
		"SenderNotAllowed");
	await done(executor.multicall([
		executor.interface.encodeFunctionData("allowTransient", [handle, account(4).address]),
		executor.interface.encodeFunctionData("allow", [handle, account(5).address]),
		executor.interface.encodeFunctionData("allowForDecryption", [[handle]]),
	]));
	check("the executor allows a decryption in one transaction", await h("ACL").isAllowedForDecryption(handle));
	check("what was allowed for a transaction ends with it", !(await h("ACL").isAllowed(handle, account(4).address)));
	check("what was allowed for good stays", await h("ACL").isAllowed(handle, account(5).address));

	const domain = { name: "Decryption", version: "1", chainId: GATEWAY_ID,
		verifyingContract: net.gateway.contracts.Decryption };
	const result = AbiCoder.defaultAbiCoder().encode(["uint256"], [424242n]);
	const extraData = [
		["empty", "0x"],
		["version 0", "0x00"],
		["version 1", concat(["0x01", toBeHex(FIRST_CONTEXT_ID, 32)])],
		["version 2", concat(["0x02", toBeHex(FIRST_CONTEXT_ID, 32), toBeHex(FIRST_EPOCH_ID, 32)])],
	];
	let requests = 0n;
	for (const [name, extra] of extraData) {
		const asked = await done(g("Decryption", account(5)).publicDecryptionRequest([handle], extra));
		const decryptionId = (1n << 248n) + ++requests;
		same(`extra data ${name}: the legacy event comes first, then the one with handles`,
			decryptionLogs(net, asked).map((l) => [l.topics[0], BigInt(l.topics[1])]), [
				[id("PublicDecryptionRequest(uint256,(bytes32,uint256,bytes32,address[])[],bytes)"), decryptionId],
				[id("PublicDecryptionRequest(uint256,bytes32[],bytes)"), decryptionId],
			]);

		const value = { ctHandles: [handle], decryptedResult: result, extraData: extra };
		const signatures = [];
		for (const [i, k] of net.kms.entries()) {
			signatures.push(await k.signer.signTypedData(domain, TYPES, value));
			const answered = await done(g("Decryption", k.wallet)
				.publicDecryptionResponse(decryptionId, result, signatures[i], extra));
			const decisions = answered.logs.filter((l) =>
				l.topics[0] === id("PublicDecryptionResponse(uint256,bytes,bytes[],bytes)"));
			const expected = i === THRESHOLDS.publicDecryption - 1 ? 1 : 0;
			same(`extra data ${name}: answer ${i + 1} of ${net.kms.length} makes ${expected} decision`,
				decisions.length, expected);
		}
		const proof = concat([toBeHex(2, 1), signatures[0], signatures[1], extra]);
		const verify = h("KMSVerifier").verifyDecryptionEIP712KMSSignatures;
		same(`extra data ${name}: the host chain takes the proof`, await verify.staticCall([handle], result, proof), true);
		const forged = getBytes(result);
		forged[31] ^= 1;
		same(`extra data ${name}: the host chain refuses another value`,
			await refusal(h("KMSVerifier"), "verifyDecryptionEIP712KMSSignatures", [[handle], forged, proof]),
			"KMSInvalidSigner");
	}

	const told = await h("KMSVerifier").eip712Domain();
	same("the host chain reports the gateway's domain",
		[told.fields, told.name, told.version, told.chainId, told.verifyingContract],
		["0x0f", "Decryption", "1", BigInt(GATEWAY_ID), net.gateway.contracts.Decryption]);
	same("context and epoch are the first ones", [...(await h("ProtocolConfig").getCurrentKmsContextAndEpoch())],
		[FIRST_CONTEXT_ID, FIRST_EPOCH_ID]);
	const anchor = await h("ProtocolConfig").getKmsContextAnchor(FIRST_CONTEXT_ID);
	const [event] = await h("ProtocolConfig").queryFilter("NewKmsContext");
	same("the context's anchor is the hash of its event", anchor.contextInfoHash, keccak256(event.data));
	same("the event of the first context names no predecessor", event.args.previousContextId, 7n << 248n);
	check("an epoch of another context is not valid",
		!(await h("ProtocolConfig").isValidEpochForContext(FIRST_CONTEXT_ID + 1n, FIRST_EPOCH_ID)) &&
		await h("ProtocolConfig").isValidEpochForContext(FIRST_CONTEXT_ID, FIRST_EPOCH_ID));
}

/** The three kinds of user decryption, and a delegation on the host chain. */
async function userFlow(chains, net) {
	const g = (name, wallet) => contractAt(net.gateway.contracts[name], name, wallet, chains.gateway);
	const h = (name, wallet) => contractAt(net.host.contracts[name], name, wallet, chains.host);
	const [relayer, user, owner] = [account(5), account(6), account(7)];
	const dapp = account(8).address;
	const handle = makeHandle(HOST_ID, 5, 1);
	const { timestamp } = await chains.gateway.provider.getBlock("latest");
	const decryption = net.gateway.contracts.Decryption;

	const executor = h("ACL", account(4));
	const call = (name, args) => executor.interface.encodeFunctionData(name, args);
	await done(executor.multicall([
		call("allowTransient", [handle, account(4).address]),
		call("allow", [handle, owner.address]),
		call("allow", [handle, dapp]),
	]));
	const delegated = () => h("ACL").isHandleDelegatedForUserDecryption(owner.address, user.address, dapp, handle);
	check("nothing is delegated at first", !(await delegated()));
	await done(h("ACL", owner).delegateForUserDecryption(user.address, dapp, timestamp + 86400));
	check("the owner delegates to the user", await delegated());
	check("a user decryption is ready", await g("Decryption")["isUserDecryptionReady((bytes32,address)[],bytes)"](
		[[handle, dapp]], "0x"));

	let requests = 0n;
	for (const kind of ["direct", "delegated", "unified"]) {
		const { method, args, publicKey } = await userRequest(kind, {
			decryption, hostChainId: HOST_ID, handles: [handle], dapp, user, delegator: owner.address,
			startTimestamp: timestamp - 10, extraData: "0x",
		});
		const asked = await done(g("Decryption", relayer)[method](...args));
		const decryptionId = (2n << 248n) + ++requests;
		same(`${kind}: two events, one request of the common counter`,
			decryptionLogs(net, asked).map((l) => BigInt(l.topics[1])), [decryptionId, decryptionId]);
		if (kind !== "unified") {
			const forged = [...args];
			forged[forged.length - 2] = await account(9).signMessage("something else");
			same(`${kind}: somebody else's signature is refused`, await refusal(g("Decryption", relayer), method, forged),
				"InvalidUserSignature");
		}
		const reached = [];
		for (const [i, k] of net.kms.entries()) {
			const share = id(`share ${i}`);
			const signature = await k.signer.signTypedData(domainOf(decryption, GATEWAY_ID), USER_TYPES.response,
				{ publicKey, ctHandles: [handle], userDecryptedShare: share, extraData: "0x" });
			const answered = await done(g("Decryption", k.wallet)
				.userDecryptionResponse(decryptionId, share, signature, "0x"));
			reached.push(answered.logs.length - 1);
		}
		same(`${kind}: the threshold is told once, with the share that reaches it`, reached, [0, 0, 1, 0]);
	}
	await done(h("ACL", owner).revokeDelegationForUserDecryption(user.address, dapp));
	check("the owner takes the delegation back", !(await delegated()));
	await done(h("ACL", user).invalidateDecryptionSignaturesBefore(0));
	check("the user declares older signatures void",
		await h("ACL").decryptionSignatureInvalidatedBefore(user.address) > 0n);
}

/** An encrypted input: coprocessors sign its handles on the gateway, the host chain takes their signatures. */
async function inputFlow(chains, net) {
	const g = (name, wallet) => contractAt(net.gateway.contracts[name], name, wallet, chains.gateway);
	const verifier = contractAt(net.host.contracts.InputVerifier, "InputVerifier", account(5), chains.host);
	const [user, dapp] = [account(6).address, account(8).address];
	const handles = [0, 1].map((i) => `${makeHandle(HOST_ID, 5, 50 + i).slice(0, 44)}0${i}${
		makeHandle(HOST_ID, 5, 0).slice(46)}`);
	await done(g("InputVerification", account(5)).verifyProofRequest(HOST_ID, dapp, user, "0x1234", "0x00"));
	const told = await verifier.eip712Domain();
	const domain = { name: told.name, version: told.version, chainId: told.chainId,
		verifyingContract: told.verifyingContract };
	const signatures = [];
	for (const c of net.copro.slice(0, 2)) {
		const signature = await c.signer.signTypedData(domain, USER_TYPES.input, { ctHandles: handles, userAddress: user,
			contractAddress: dapp, contractChainId: HOST_ID, extraData: "0x00" });
		signatures.push(signature);
		await done(g("InputVerification", c.wallet).verifyProofResponse(1, handles, signature, "0x00"));
	}
	check("two coprocessors verify an input", await g("InputVerification").isProofVerified(1));
	const proof = concat(["0x0202", ...handles, ...signatures, "0x00"]);
	same("the host chain takes the input", await verifier.verifyInput.staticCall([user, dapp], handles[1], proof),
		handles[1]);
	same("the host chain refuses it to another user",
		await refusal(verifier, "verifyInput", [[dapp, dapp], handles[1], proof]), "InvalidSigner");
}

console.log("TAP version 13");
const options = { n: 4, thresholds: THRESHOLDS };
const first = await twoChains();
try {
	const net = await deployNetwork(first.gateway, first.host, options);
	await flow(first, net);
	await userFlow(first, net);
	await inputFlow(first, net);
	const second = await twoChains();
	try {
		const again = await deployNetwork(second.gateway, second.host, options);
		same("a second fresh chain gets the same addresses",
			[again.gateway.contracts, again.host.contracts], [net.gateway.contracts, net.host.contracts]);
	} finally {
		await second.gateway.stop();
		await second.host.stop();
	}
} finally {
	await first.gateway.stop();
	await first.host.stop();
}
console.log(`1..${number}`);
process.exitCode = failed > 0 ? 1 : 0;
