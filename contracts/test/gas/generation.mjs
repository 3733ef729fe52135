/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Gas of key and CRS generation, on the host and on the gateway, and of the handshakes of contexts and epochs. */
import { ContractFactory, Interface, concat, toBeHex } from "ethers";
import { FIRST_CONTEXT_ID, FIRST_EPOCH_ID, artifact } from "../../../tools/devnet/deploy.mjs";
import { account, contractAt } from "../chain.mjs";

const WHEN = ["first", "next", "deciding", "late"];
const MAX_BITS = 2048;
const DEFAULT_PARAMS = 0;
/* Digests have 32 bytes. The published figures of the gateway's contract are of shorter ones, which storage keeps in one
 * word instead of two; so those are measured besides. */
const SIZES = [["", 32], [", short digests", 20]];
const keyDigestsOf = (size) => [[0, `0x${"aa".repeat(size)}`], [1, `0x${"bb".repeat(size)}`]];
const crsDigestOf = (size) => `0x${"cc".repeat(size)}`;
const tagged = (kind, number) => (BigInt(kind) << 248n) + BigInt(number);
const extraV2 = (contextId, epochId) => concat(["0x02", toBeHex(contextId, 32), toBeHex(epochId, 32)]);

const fields = (text) => text.split(",").map((field) => {
	const [type, name] = field.split(" ");
	return { type, name };
});
const TYPES = {
	prep: { PrepKeygenVerification: fields("uint256 prepKeygenId") },
	key: {
		KeygenVerification: fields("uint256 prepKeygenId,uint256 keyId,KeyDigest[] keyDigests"),
		KeyDigest: fields("uint8 keyType,bytes digest"),
	},
	crs: { CrsgenVerification: fields("uint256 crsId,uint256 maxBitLength,bytes crsDigest") },
};

/* What a node signs; extraData undefined: the older types, which have none. */
function sign({ signer }, domain, kind, value, extraData) {
	const [primary, ...others] = Object.entries(TYPES[kind]);
	if (extraData === undefined) return signer.signTypedData(domain, TYPES[kind], value);
	const types = { [primary[0]]: [...primary[1], { name: "extraData", type: "bytes" }], ...Object.fromEntries(others) };
	return signer.signTypedData(domain, types, { ...value, extraData });
}
const keyValue = (prepKeygenId, keyId, digests) => ({
	prepKeygenId, keyId, keyDigests: digests.map(([keyType, digest]) => ({ keyType, digest })),
});
const crsValue = (crsId, crsDigest) => ({ crsId, maxBitLength: MAX_BITS, crsDigest });
const domainOf = (name, chain, verifyingContract) => ({
	name, version: "1", chainId: chain.chainId, verifyingContract,
});

/* The first key and the first CRS of a deployment, with every answer. `at`: the contract, called from an account. */
async function generate(measure, label, { at, owner, nodes, domain, extraData, size = 32 }) {
	const [keyDigests, crsDigest] = [keyDigestsOf(size), crsDigestOf(size)];
	const answers = async (kind, value, call) => {
		for (const [i, node] of nodes.entries()) {
			const signature = await sign(node, domain, kind, value, extraData);
			await call(at(node.wallet), signature, WHEN[i]);
		}
	};
	const [prep, key, crs] = [tagged(3, 1), tagged(4, 1), tagged(5, 1)];
	await measure(`${label}.keygen`, at(owner).keygen(DEFAULT_PARAMS));
	await answers("prep", { prepKeygenId: prep }, (contract, signature, when) =>
		measure(`${label}.prepKeygenResponse, ${when}`, contract.prepKeygenResponse(prep, signature)));
	await answers("key", keyValue(prep, key, keyDigests), (contract, signature, when) =>
		measure(`${label}.keygenResponse, 2 digests, ${when}`, contract.keygenResponse(key, keyDigests, signature)));
	await measure(`${label}.crsgenRequest`, at(owner).crsgenRequest(MAX_BITS, DEFAULT_PARAMS));
	await answers("crs", crsValue(crs, crsDigest), (contract, signature, when) =>
		measure(`${label}.crsgenResponse, ${when}`, contract.crsgenResponse(crs, crsDigest, signature)));
}

/* KMSGeneration of one side, behind a proxy. */
async function deploy(side, emptyArgs, args, wallet, chain) {
	const create = async (name, file, constructorArgs) => {
		const { abi, bytecode } = artifact(name, file);
		const contract = await new ContractFactory(abi, bytecode, wallet).deploy(...constructorArgs);
		return (await contract.waitForDeployment()).getAddress();
	};
	const [emptyFile, file] = [`${side}EmptyUUPSProxy`, `${side}KMSGeneration`];
	const initialize = new Interface(artifact("EmptyUUPSProxy", emptyFile).abi).encodeFunctionData("initialize");
	const empty = await create("EmptyUUPSProxy", emptyFile, emptyArgs);
	const implementation = await create("KMSGeneration", file, args);
	const proxy = await create("ERC1967Proxy", "ERC1967Proxy", [empty, initialize]);
	const contract = contractAt(proxy, "KMSGeneration", wallet, chain, file);
	const init = contract.interface.encodeFunctionData("initializeFromEmptyProxy");
	await (await contract.upgradeToAndCall(implementation, init)).wait();
	return proxy;
}

/** Releases up to 0.12: keys and CRSs on the gateway. */
export async function measureGatewayGeneration(measure, chains, net) {
	const owner = account(0).connect(chains.gateway.provider);
	for (const [suffix, size] of SIZES) {
		const config = net.gateway.contracts.GatewayConfig;
		const address = await deploy("Gateway", [config], [config], owner, chains.gateway);
		const at = (wallet) => contractAt(address, "KMSGeneration", wallet, chains.gateway, "GatewayKMSGeneration");
		const label = `gateway${suffix}: KMSGeneration`;
		await generate(measure, label, {
			at, owner, nodes: net.kms, domain: domainOf("KMSGeneration", chains.gateway, address), size,
		});
		await measure(`${label}.prssInit`, at(owner).prssInit());
		await measure(`${label}.keyReshareSameSet`, at(owner).keyReshareSameSet(tagged(4, 1)));
	}
}

/* Every node's attestation that it holds shares of the key and the CRS in an epoch. */
async function activate(measure, chains, net, { contextId, epochId, name }) {
	const { ProtocolConfig } = net.host.contracts;
	const domain = domainOf("ProtocolConfig", chains.host, ProtocolConfig);
	const extraData = extraV2(contextId, epochId);
	const [prep, key, crs, keyDigests, crsDigest] = [tagged(3, 1), tagged(4, 1), tagged(5, 1), keyDigestsOf(32), crsDigestOf(32)];
	for (const [i, node] of net.kms.entries()) {
		const keySignature = await sign(node, domain, "key", keyValue(prep, key, keyDigests), extraData);
		const crsSignature = await sign(node, domain, "crs", crsValue(crs, crsDigest), extraData);
		const when = i === 0 ? "first" : i === net.kms.length - 1 ? "last" : "next";
		await measure(`ProtocolConfig.confirmEpochActivation, ${name}, ${when}`,
			contractAt(ProtocolConfig, "ProtocolConfig", node.wallet, chains.host).confirmEpochActivation(
				epochId, [[prep, key, keyDigests, keySignature]], [[crs, MAX_BITS, crsDigest, crsSignature]]));
	}
}

/** Releases from 0.13 on: keys and CRSs on the host; then a new epoch, then a new context with the same nodes. */
export async function measureHostGeneration(measure, chains, net) {
	const { ACL, ProtocolConfig } = net.host.contracts;
	const owner = account(0);
	const KMSGeneration = await deploy("Host", [ACL], [ACL, ProtocolConfig], owner.connect(chains.host.provider), chains.host);
	const generation = (wallet) => contractAt(KMSGeneration, "KMSGeneration", wallet, chains.host, "HostKMSGeneration");
	const protocol = (wallet) => contractAt(ProtocolConfig, "ProtocolConfig", wallet, chains.host);
	await generate(measure, "host: KMSGeneration", {
		at: generation, owner, nodes: net.kms, domain: domainOf("KMSGeneration", chains.host, KMSGeneration),
		extraData: extraV2(FIRST_CONTEXT_ID, FIRST_EPOCH_ID),
	});
	await (await generation(owner).keygen(DEFAULT_PARAMS)).wait();
	await measure("host: KMSGeneration.abortKeygen", generation(owner).abortKeygen(tagged(3, 2)));

	await measure("ProtocolConfig.defineNewEpochForCurrentKmsContext",
		protocol(owner).defineNewEpochForCurrentKmsContext());
	await activate(measure, chains, net,
		{ contextId: FIRST_CONTEXT_ID, epochId: FIRST_EPOCH_ID + 1n, name: "same nodes" });

	const nodes = net.kms.map((node, i) => [
		node.wallet.address, node.signer.address, "127.0.0.1", `http://127.0.0.1/kms/${i}`, i + 1, `kms-${i}`, "0x", "PUB",
	]);
	await measure("ProtocolConfig.defineNewKmsContextAndEpoch, 4 nodes",
		protocol(owner).defineNewKmsContextAndEpoch(nodes, [2, 3, 3, 1], "v1", []));
	for (const [i, { wallet }] of net.kms.entries()) {
		const when = i === 0 ? "first" : i === net.kms.length - 1 ? "last" : "next";
		await measure(`ProtocolConfig.confirmKmsContextCreation, ${when}`,
			protocol(wallet).confirmKmsContextCreation(FIRST_CONTEXT_ID + 1n));
	}
	await activate(measure, chains, net,
		{ contextId: FIRST_CONTEXT_ID + 1n, epochId: FIRST_EPOCH_ID + 2n, name: "new context" });
}
