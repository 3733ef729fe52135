/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Deploys the contracts for a network. Needs the artifacts of `forge build`.
 *
 * Every contract gets its proxy first, on an empty implementation, so that all
 * addresses are known; then the real implementation is installed and
 * initialised in one transaction. The transactions are sent one after the
 * other from one account: with the same key, a fresh chain gets the same
 * addresses each time.
 *
 * Order for a network: deployGateway, deployHost (needs the address of
 * Decryption), addHostChain (needs the address of the ACL).
 */
import { readFileSync } from "node:fs";
import { Contract, ContractFactory, Interface, JsonRpcProvider, MaxUint256, Wallet } from "ethers";

const ARTIFACTS = new URL("../../build/contracts/", import.meta.url);

/** Id of a deployment's first context and first epoch. */
export const FIRST_CONTEXT_ID = (7n << 248n) + 1n;
export const FIRST_EPOCH_ID = (8n << 248n) + 1n;

/** The compiled contract `name` of the source file `file`.sol: { abi, bytecode }. */
export function artifact(name, file = name) {
	const json = JSON.parse(readFileSync(new URL(`${file}.sol/${name}.json`, ARTIFACTS), "utf8"));
	return { abi: json.abi, bytecode: json.bytecode.object };
}

/** A chain's deployer: sends one transaction at a time and counts its own nonces. */
class Deployer {
	static async open(rpc, key) {
		const self = new Deployer();
		self.rpc = rpc;
		self.provider = new JsonRpcProvider(rpc, undefined, { pollingInterval: 20, cacheTimeout: -1 });
		self.wallet = new Wallet(key, self.provider);
		self.nonce = await self.provider.getTransactionCount(self.wallet.address);
		self.chainId = Number((await self.provider.getNetwork()).chainId);
		return self;
	}

	close() {
		this.provider.destroy();
	}

	async create(name, file, args = []) {
		const { abi, bytecode } = artifact(name, file);
		const factory = new ContractFactory(abi, bytecode, this.wallet);
		const contract = await factory.deploy(...args, { nonce: this.nonce++ });
		await contract.waitForDeployment();
		return contract.getAddress();
	}

	async call(name, address, method, args) {
		const contract = new Contract(address, artifact(name).abi, this.wallet);
		const tx = await contract[method](...args, { nonce: this.nonce++ });
		await tx.wait();
	}

	/** A proxy on an empty implementation. */
	async proxy(empty, emptyName, emptyFile, args = []) {
		const init = new Interface(artifact(emptyName, emptyFile).abi).encodeFunctionData("initialize", args);
		return this.create("ERC1967Proxy", "ERC1967Proxy", [empty, init]);
	}

	/**
	 * What `make` creates, at another address than `other`. One deployer's contracts on two chains can meet there, and
	 * clients refuse a verifier that has the address of the gateway's contract it verifies for.
	 */
	async apart(other, make) {
		const address = await make();
		return address === other ? make() : address;
	}

	/** The real implementation of a proxy, initialised. */
	async install(proxy, name, constructorArgs, initArgs = []) {
		const implementation = await this.create(name, name, constructorArgs);
		const init = new Interface(artifact(name).abi).encodeFunctionData("initializeFromEmptyProxy", initArgs);
		await this.call(name, proxy, "upgradeToAndCall", [implementation, init]);
	}
}

const node = (n) => [n.txSender, n.signer, n.ipAddress ?? "127.0.0.1", n.storageUrl ?? ""];

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
	const d = await Deployer.open(options.rpc, options.deployerKey);
	try {
		const owner = d.wallet.address;
		const { thresholds: t, coprocessors } = options;
		const custodians = options.custodians ?? [{ txSender: owner, signer: owner, encryptionKey: "0x" }];
		const metadata = options.metadata ?? { name: "local network", website: "" };
		const prices = options.prices ?? { inputVerification: 0, publicDecryption: 0, userDecryption: 0 };

		const emptyConfig = await d.create("EmptyUUPSProxyGatewayConfig", "EmptyUUPSProxyGatewayConfig");
		const config = await d.proxy(emptyConfig, "EmptyUUPSProxyGatewayConfig", undefined, [owner]);
		const empty = await d.create("EmptyUUPSProxy", "GatewayEmptyUUPSProxy", [config]);
		const commits = await d.proxy(empty, "EmptyUUPSProxy", "GatewayEmptyUUPSProxy");
		const decryption = await d.proxy(empty, "EmptyUUPSProxy", "GatewayEmptyUUPSProxy");
		const pauserSet = await d.create("PauserSet", "GatewayPauserSet", [config]);
		const inputs = await d.proxy(empty, "EmptyUUPSProxy", "GatewayEmptyUUPSProxy");
		const payment = await d.proxy(empty, "EmptyUUPSProxy", "GatewayEmptyUUPSProxy");
		const token = await d.create("ZamaOFT", "ZamaOFT", ["Zama", "ZAMA", 0]);

		await d.install(config, "GatewayConfig", [pauserSet, decryption, inputs], [
			options.kmsContextId ?? FIRST_CONTEXT_ID,
			[metadata.name, metadata.website],
			[t.mpc, t.publicDecryption, t.userDecryption, t.kmsGen, options.coprocessorThreshold],
			options.kmsNodes.map(node),
			coprocessors.map((c) => [c.txSender, c.signer, c.s3BucketUrl]),
			custodians.map((c) => [c.txSender, c.signer, c.encryptionKey]),
		]);
		await d.install(commits, "CiphertextCommits", [config]);
		await d.install(decryption, "Decryption", [config, commits, payment]);
		await d.install(inputs, "InputVerification", [config, payment]);
		await d.install(payment, "ProtocolPayment", [config, token, options.feesReceiver ?? owner, inputs, decryption], [
			prices.inputVerification, prices.publicDecryption, prices.userDecryption,
		]);
		await addPausers(d, "GatewayPauserSet", pauserSet, options.pausers);
		return {
			rpc: options.rpc,
			chainId: d.chainId,
			contracts: {
				GatewayConfig: config,
				Decryption: decryption,
				CiphertextCommits: commits,
				PauserSet: pauserSet,
				InputVerification: inputs,
				ProtocolPayment: payment,
				ZamaOFT: token,
			},
		};
	} finally {
		d.close();
	}
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
	const d = await Deployer.open(options.rpc, options.deployerKey);
	try {
		const { gateway, thresholds: t } = options;

		const emptyAcl = await d.create("EmptyUUPSProxyACL", "EmptyUUPSProxyACL");
		const acl = await d.proxy(emptyAcl, "EmptyUUPSProxyACL", undefined, [d.wallet.address]);
		const empty = await d.create("EmptyUUPSProxy", "HostEmptyUUPSProxy", [acl]);
		const protocolConfig = await d.proxy(empty, "EmptyUUPSProxy", "HostEmptyUUPSProxy");
		const verifier = await d.apart(gateway.contracts.Decryption, () => d.proxy(empty, "EmptyUUPSProxy", "HostEmptyUUPSProxy"));
		const pauserSet = await d.create("PauserSet", "HostPauserSet", [acl]);
		const inputVerifier = await d.apart(gateway.contracts.InputVerification, () => d.proxy(empty, "EmptyUUPSProxy", "HostEmptyUUPSProxy"));

		await d.install(acl, "ACL", [options.fhevmExecutor, NO_BRIDGE, pauserSet]);
		await d.install(protocolConfig, "ProtocolConfig", [acl], [
			options.kmsNodes.map((n, i) => [
				...node(n), n.partyId ?? i + 1, n.mpcIdentity ?? "", n.caCert ?? "0x", n.storagePrefix ?? "",
			]),
			[t.publicDecryption, t.userDecryption, t.kmsGen, Math.max(1, Number(t.mpc))],
			options.softwareVersion ?? "",
			(options.pcrValues ?? []).map((p) => [p.pcr0, p.pcr1, p.pcr2]),
		]);
		await d.install(verifier, "KMSVerifier", [acl, protocolConfig], [
			gateway.contracts.Decryption, gateway.chainId,
		]);
		const coprocessors = await coprocessorsOf(gateway);
		await d.install(inputVerifier, "InputVerifier", [acl], [
			gateway.contracts.InputVerification, gateway.chainId, coprocessors.signers, coprocessors.threshold,
		]);
		await addPausers(d, "HostPauserSet", pauserSet, options.pausers);
		return {
			rpc: options.rpc,
			chainId: d.chainId,
			contracts: {
				ACL: acl,
				KMSVerifier: verifier,
				ProtocolConfig: protocolConfig,
				PauserSet: pauserSet,
				InputVerifier: inputVerifier,
			},
		};
	} finally {
		d.close();
	}
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
	const d = await Deployer.open(gateway.rpc, options.deployerKey);
	try {
		await d.call("GatewayConfig", gateway.contracts.GatewayConfig, "addHostChain", [[
			host.chainId, options.fhevmExecutor, host.contracts.ACL,
			options.name ?? `host ${host.chainId}`, options.website ?? "",
		]]);
	} finally {
		d.close();
	}
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
	const d = await Deployer.open(rpc, options.payerKey);
	try {
		await d.call("ZamaOFT", contracts.ZamaOFT, "mint", [d.wallet.address, options.amount]);
		await d.call("ZamaOFT", contracts.ZamaOFT, "approve", [contracts.ProtocolPayment, MaxUint256]);
	} finally {
		d.close();
	}
}

const NO_BRIDGE = "0x0000000000000000000000000000000000000000";

/** The keys of the coprocessors and how many must sign, as the gateway has them. */
async function coprocessorsOf(gateway) {
	const provider = new JsonRpcProvider(gateway.rpc);
	try {
		const config = new Contract(gateway.contracts.GatewayConfig, artifact("GatewayConfig").abi, provider);
		return {
			signers: [...await config.getCoprocessorSigners()],
			threshold: await config.getCoprocessorMajorityThreshold(),
		};
	} finally {
		provider.destroy();
	}
}

async function addPausers(d, file, pauserSet, pausers = [d.wallet.address]) {
	const contract = new Contract(pauserSet, artifact("PauserSet", file).abi, d.wallet);
	for (const account of pausers) {
		const tx = await contract.addPauser(account, { nonce: d.nonce++ });
		await tx.wait();
	}
}
