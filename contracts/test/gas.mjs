#!/usr/bin/env node
/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Gas of every call that a node, a coprocessor, a relayer or an owner makes in normal operation, from receipts on
 * anvil: 4 nodes, thresholds 2 (public), 3 (user) and 3 (key generation); 3 coprocessors, threshold 2; solc 0.8.24 with
 * 800 runs. gas-snapshot.json has our figures of last time, and beside them those of the protocol's own contracts in the
 * same scenario, where they are known. Prints TAP: no figure is above the protocol's by more than 2 %, none is above
 * last time's by more than 1 %; one that became lower by more than that is to be written down (--update).
 *
 * Needs `forge build` first, and anvil on the PATH. Usage: node contracts/test/gas.mjs [--update]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dataSlice } from "ethers";
import { artifact } from "../../tools/devnet/deploy.mjs";
import { deployNetwork, startAnvil } from "./chain.mjs";
import { measureDecryptions } from "./gas/decryptions.mjs";
import { measureGatewayGeneration, measureHostGeneration } from "./gas/generation.mjs";

const SNAPSHOT = new URL("gas-snapshot.json", import.meta.url);
const ABOVE_PUBLISHED = 1.02;
const ABOVE_SNAPSHOT = 1.01;
const BELOW_SNAPSHOT = 0.99;
const UPGRADE_TO_AND_CALL = "0x4f1ef286";

const figures = new Map();
async function measure(name, sent) {
	const { gasUsed } = await (await sent).wait();
	// A call whose label was left empty is only made, as is one of a name that was measured before.
	if (!/^$| $|, ,/.test(name) && !figures.has(name)) figures.set(name, Number(gasUsed));
}

/* What the deployment itself cost: creation of implementations, and the initialisation with all operators. */
async function measureDeployment({ provider }, contracts) {
	const codes = ["Decryption", "GatewayConfig"].map((name) => [name, artifact(name).bytecode]);
	for (let number = await provider.getBlockNumber(); number > 0; number--) {
		for (const tx of (await provider.getBlock(number, true)).prefetchedTransactions) {
			const { gasUsed } = await provider.getTransactionReceipt(tx.hash);
			const created = codes.find(([, code]) => tx.to === null && tx.data.startsWith(code));
			if (created) figures.set(`deployment of ${created[0]}`, Number(gasUsed));
			if (tx.to === contracts.GatewayConfig && dataSlice(tx.data, 0, 4) === UPGRADE_TO_AND_CALL) {
				figures.set("GatewayConfig.upgradeToAndCall, first initialisation", Number(gasUsed));
			}
		}
	}
}

async function run() {
	const chains = { gateway: await startAnvil(54321) };
	try {
		chains.host = await startAnvil(12345);
		const net = await deployNetwork(chains.gateway, chains.host, {
			n: 4, thresholds: { publicDecryption: 2, userDecryption: 3, kmsGen: 3, mpc: 1 }, coprocessorThreshold: 2,
			prices: { inputVerification: 10n ** 19n, publicDecryption: 10n ** 18n, userDecryption: 10n ** 18n },
		});
		await measureDeployment(chains.gateway, net.gateway.contracts);
		await measureDecryptions(measure, chains, net);
		await measureGatewayGeneration(measure, chains, net);
		await measureHostGeneration(measure, chains, net);
	} finally {
		await chains.gateway.stop();
		await chains.host?.stop();
	}
}

let number = 0;
function check(name, good, detail) {
	number++;
	console.log(`${good ? "ok" : "not ok"} ${number} - ${name}`);
	if (!good) console.log(`# ${detail}`);
}

function compare(snapshot) {
	for (const [name, gas] of figures) {
		const { published, gas: before } = snapshot[name] ?? {};
		console.log(`# ${name}: ${gas}${published ? `, published ${published}, ratio ${(gas / published).toFixed(3)}` : ""}`);
		if (published) {
			check(`${name}: not above the published figure`, gas <= published * ABOVE_PUBLISHED,
				`${gas} is more than ${ABOVE_PUBLISHED} times ${published}`);
		}
		check(`${name}: as in the snapshot`, gas <= before * ABOVE_SNAPSHOT && gas >= before * BELOW_SNAPSHOT,
			before === undefined ? "not in the snapshot: node contracts/test/gas.mjs --update"
				: gas > before ? `${gas} is more than ${ABOVE_SNAPSHOT} times ${before}`
					: `became lower, ${before} to ${gas}: node contracts/test/gas.mjs --update, and the README`);
	}
	const gone = Object.keys(snapshot).filter((name) => !figures.has(name));
	check("everything in the snapshot was measured", gone.length === 0, gone.join("; "));
}

const snapshot = JSON.parse(readFileSync(SNAPSHOT, "utf8"));
await run();
if (process.argv.includes("--update")) {
	const next = Object.fromEntries([...figures].map(([name, gas]) => [name, { ...snapshot[name], gas }]));
	writeFileSync(SNAPSHOT, `${JSON.stringify(next, null, "\t")}\n`);
}
compare(JSON.parse(readFileSync(SNAPSHOT, "utf8")));
