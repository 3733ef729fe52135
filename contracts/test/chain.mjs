/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A chain of its own for a test script, and a small network on it. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { Contract, HDNodeWallet, JsonRpcProvider, Mnemonic, Wallet, id } from "ethers";
import { addHostChain, artifact, deployGateway, deployHost, fundPayer } from "../../tools/devnet/deploy.mjs";

export const MNEMONIC = "test test test test test test test test test test test junk";
export const account = (i) =>
	HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), `m/44'/60'/0'/0/${i}`);

function freePort() {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.on("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}

/** Starts anvil on a free port of the loopback interface: { rpc, provider, stop }. */
export async function startAnvil(chainId) {
	const port = await freePort();
	const rpc = `http://127.0.0.1:${port}`;
	const child = spawn("anvil", [
		"--port", port, "--host", "127.0.0.1", "--chain-id", chainId, "--accounts", 20,
		"--mnemonic", MNEMONIC, "--silent",
	].map(String), { stdio: ["ignore", "ignore", "inherit"] });
	let ended = false;
	child.on("exit", () => { ended = true; });
	child.on("error", () => { ended = true; });
	const provider = new JsonRpcProvider(rpc, chainId, {
		pollingInterval: 20, cacheTimeout: -1, staticNetwork: true,
	});
	for (let tries = 0; ; tries++) {
		if (ended || tries > 300) throw new Error("anvil did not start; is it on the PATH?");
		const up = await fetch(rpc, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
		}).then((r) => r.ok, () => false);
		if (up) break;
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
	return {
		rpc, chainId, provider,
		stop: () => new Promise((resolve) => {
			provider.destroy();
			if (ended) return resolve();
			child.on("exit", resolve);
			child.kill("SIGTERM");
		}),
	};
}

/**
 * A gateway and a host chain with n nodes and three coprocessors. Accounts: 0 deployer, 1-3 coprocessors,
 * 4 executor, 5 requester, who can pay if there are prices, 9 gets the fees, 10... nodes. A node's or coprocessor's
 * signing key is not its account's.
 */
export async function deployNetwork(gatewayChain, hostChain, { n, thresholds, coprocessorThreshold = 2, prices }) {
	const deployerKey = account(0).privateKey;
	const signer = (kind, i) => new Wallet(id(`${kind} signer ${i}`));
	const kms = Array.from({ length: n }, (_, i) => ({ wallet: account(10 + i), signer: signer("kms", i) }));
	const copro = [0, 1, 2].map((i) => ({ wallet: account(1 + i), signer: signer("coprocessor", i) }));
	const kmsNodes = kms.map((k, i) => ({
		txSender: k.wallet.address, signer: k.signer.address, storageUrl: `http://127.0.0.1/kms/${i}`,
	}));
	const coprocessors = copro.map((c, i) => ({
		txSender: c.wallet.address, signer: c.signer.address, s3BucketUrl: `http://127.0.0.1/ct/${i}`,
	}));
	const fhevmExecutor = account(4).address;
	const gateway = await deployGateway({
		rpc: gatewayChain.rpc, deployerKey, kmsNodes, thresholds, coprocessors, coprocessorThreshold, prices,
		feesReceiver: account(9).address,
	});
	const host = await deployHost({ rpc: hostChain.rpc, deployerKey, gateway, fhevmExecutor, kmsNodes, thresholds });
	await addHostChain({ gateway, host, deployerKey, fhevmExecutor });
	if (prices) await fundPayer({ gateway, payerKey: account(5).privateKey, amount: 10n ** 24n });
	return { gateway, host, kms, copro };
}

/** A deployed contract, called from an account. `file`: where it is compiled from, if not from one of its name. */
export const contractAt = (address, name, wallet, chain, file = name) =>
	new Contract(address, artifact(name, file).abi, wallet ? wallet.connect(chain.provider) : chain.provider);

/** A handle of a chain with the type byte, told apart from others by a number. */
export function makeHandle(chainId, fheType, number) {
	const hash = id(`handle ${number}`).slice(2, 44);
	return `0x${hash}ff${BigInt(chainId).toString(16).padStart(16, "0")}${fheType.toString(16).padStart(2, "0")}00`;
}
