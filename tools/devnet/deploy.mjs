/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Deployments for tests: straight from objects to a chain that was made a moment ago, the same contracts in the same
 * way as ./dev deploy, without a file and without a journal.
 *
 * Order for a network: deployGateway, deployHost (needs the address of Decryption), addHostChain (needs the address of
 * the ACL). The transactions come one after the other from one account: with the same key, a fresh chain gets the same
 * addresses each time.
 */
import { Contract, MaxUint256, Wallet } from "ethers";
import { deploySet, todayOf } from "../deploy/deploy.mjs";
import { Journal } from "../deploy/journal.mjs";
import { Sender } from "../deploy/sender.mjs";
import { artifact, gatewaySet, hostSet } from "../deploy/set.mjs";

export { artifact, FIRST_CONTEXT_ID, FIRST_EPOCH_ID } from "../deploy/set.mjs";

/** Runs body(sender) for the key's account on the chain behind rpc. */
async function withSender(rpc, deployerKey, body) {
	const sender = await Sender.open({ rpc, deployerKey }, "chain");
	try {
		const facts = { genesis: sender.genesis, deployer: sender.wallet.address };
		await sender.resume(new Journal(undefined, {}).chain(sender.chainId, facts));
		const result = await body(sender);
		await sender.settle();
		return result;
	} finally {
		sender.close();
	}
}

/**
 * Deploys the gateway's contracts and returns { rpc, chainId, contracts }.
 *
 * options.rpc                 URL of the chain
 * options.deployerKey         private key; its account becomes the owner
 * options.kmsNodes            [{ txSender, signer, ipAddress?, storageUrl? }], in party order
 * options.thresholds          { publicDecryption, userDecryption, kmsGen, mpc }
 * options.coprocessors        [{ txSender, signer, s3BucketUrl }]
 * options.coprocessorThreshold
 * options.custodians?         [{ txSender, signer, encryptionKey }]; default: the deployer alone
 * options.pausers?            addresses; default: the deployer alone
 * options.kmsContextId?       default FIRST_CONTEXT_ID
 * options.metadata?           { name, website }
 * options.prices?             { inputVerification, publicDecryption, userDecryption }; default: requests are free
 * options.feesReceiver?       where fees go; default: the deployer
 */
export async function deployGateway(options) {
	const owner = new Wallet(options.deployerKey).address;
	const { chainId, contracts } = await withSender(options.rpc, options.deployerKey, async (sender) => ({
		chainId: sender.chainId,
		...(await deploySet(sender, gatewaySet, {
			metadata: { name: "local network", website: "" },
			custodians: [{ txSender: owner, signer: owner, encryptionKey: "0x" }],
			prices: { inputVerification: 0, publicDecryption: 0, userDecryption: 0 },
			pausers: [owner],
			...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
			gateway: { token: "local", feesReceiver: options.feesReceiver ?? owner },
		})),
	}));
	return { rpc: options.rpc, chainId, contracts };
}

/**
 * Deploys a host chain's contracts and returns { rpc, chainId, contracts }.
 *
 * options.rpc                 URL of the chain
 * options.deployerKey         private key; its account becomes the owner
 * options.gateway             as deployGateway returns it; its coprocessors are asked for there
 * options.fhevmExecutor       the account that makes handles and may allow any of them within its transaction
 * options.kmsNodes            as for the gateway; also partyId?, mpcIdentity?, caCert?, storagePrefix?
 * options.thresholds          as for the gateway; mpc is at least 1 here
 * options.pausers?            addresses; default: the deployer alone
 * options.softwareVersion?    what the nodes are to run
 * options.pcrValues?          [{ pcr0, pcr1, pcr2 }]
 */
export async function deployHost(options) {
	const { gateway, fhevmExecutor, pausers } = options;
	const live = await withSender(gateway.rpc, options.deployerKey, (sender) => todayOf(sender, gateway));
	const { chainId, contracts } = await withSender(options.rpc, options.deployerKey, async (sender) => ({
		chainId: sender.chainId,
		...(await deploySet(sender, hostSet, {
			canonical: true, ...options, ...live, host: { fhevmExecutor }, pausers: pausers ?? [sender.wallet.address],
		})),
	}));
	return { rpc: options.rpc, chainId, contracts };
}

/**
 * Makes a host chain known to the gateway.
 *
 * options.gateway             as deployGateway returns it
 * options.host                as deployHost returns it
 * options.deployerKey         private key of the gateway's owner
 * options.fhevmExecutor       as for deployHost
 * options.name?, options.website?
 */
export async function addHostChain(options) {
	const { gateway, host } = options;
	await withSender(gateway.rpc, options.deployerKey, (sender) => {
		const config = sender.contract("GatewayConfig", undefined, gateway.contracts.GatewayConfig);
		return sender.call("host chain", config, "addHostChain", [[
			host.chainId, options.fhevmExecutor, host.contracts.ACL,
			options.name ?? `host ${host.chainId}`, options.website ?? "",
		]]);
	});
}

/**
 * Lets an account pay for requests: makes tokens for it, which anybody can on a local network, and approves.
 *
 * options.gateway             as deployGateway returns it
 * options.payerKey            private key of the account
 * options.amount              in the token's smallest unit
 */
export async function fundPayer(options) {
	const { rpc, contracts } = options.gateway;
	await withSender(rpc, options.payerKey, async (sender) => {
		const token = new Contract(contracts.ZamaOFT, artifact("ZamaOFT").abi, sender.wallet);
		await sender.call("tokens made", token, "mint", [sender.wallet.address, options.amount]);
		await sender.call("fees approved", token, "approve", [contracts.ProtocolPayment, MaxUint256]);
	});
}
