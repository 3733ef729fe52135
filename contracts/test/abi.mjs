#!/usr/bin/env node
/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Compares the compiled interfaces with the protocol's published ones: every
 * function, event and error that we have must be there in the same form
 * (names and types of inputs and outputs, indexed, mutability). What we do
 * not have yet is listed in comments. Also checks that every contract fits
 * under the size limit of EIP-170, and that the tests which the README beside
 * this file names exist. Prints TAP.
 *
 * Needs `forge build` first. Usage: node contracts/test/abi.mjs
 */
import { readFileSync, readdirSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const load = (path) => JSON.parse(readFileSync(new URL(path, root), "utf8"));

/* contract, as published -> file that compiles to it */
const CONTRACTS = {
	gateway: {
		CiphertextCommits: "CiphertextCommits",
		Decryption: "Decryption",
		EmptyUUPSProxy: "GatewayEmptyUUPSProxy",
		EmptyUUPSProxyGatewayConfig: "EmptyUUPSProxyGatewayConfig",
		GatewayConfig: "GatewayConfig",
		InputVerification: "InputVerification",
		PauserSet: "GatewayPauserSet",
		ProtocolPayment: "ProtocolPayment",
		ZamaOFT: "ZamaOFT",
	},
	/* Later releases generate keys on the host chain; theirs of this name only reads what this one has left. */
	"gateway v0.11.0": {
		KMSGeneration: "GatewayKMSGeneration",
	},
	host: {
		ACL: "ACL",
		EmptyUUPSProxy: "HostEmptyUUPSProxy",
		EmptyUUPSProxyACL: "EmptyUUPSProxyACL",
		InputVerifier: "InputVerifier",
		KMSGeneration: "HostKMSGeneration",
		KMSVerifier: "KMSVerifier",
		PauserSet: "HostPauserSet",
		ProtocolConfig: "ProtocolConfig",
	},
};

/* side -> file of the published interfaces */
const PUBLISHED = { gateway: "gateway-main", "gateway v0.11.0": "gateway-v0.11.0", host: "host-main" };

/* Where a contract must be complete already, a missing item is a failure. */
const COMPLETE = new Set([
	"gateway CiphertextCommits", "gateway Decryption", "gateway EmptyUUPSProxy", "gateway EmptyUUPSProxyGatewayConfig",
	"gateway GatewayConfig", "gateway InputVerification", "gateway PauserSet", "gateway ProtocolPayment",
	"gateway ZamaOFT", "gateway v0.11.0 KMSGeneration", "host ACL", "host EmptyUUPSProxy", "host EmptyUUPSProxyACL",
	"host InputVerifier", "host KMSGeneration", "host KMSVerifier", "host PauserSet", "host ProtocolConfig",
]);

const types = (list = []) => list.map((p) =>
	p.type.startsWith("tuple") ? `(${types(p.components)})${p.type.slice(5)}` : p.type).join(",");

const params = (list = []) => list.map((p) => {
	const type = p.type.startsWith("tuple") ? `(${params(p.components)})${p.type.slice(5)}` : p.type;
	return `${type}${p.indexed ? " indexed" : ""} ${p.name}`.trim();
}).join(", ");

/* Two items with the same key are the same item; the text must then be equal. */
const keyOf = (item) => `${item.type} ${item.name}(${types(item.inputs)})`;
const textOf = (item) => {
	let text = `${item.type} ${item.name}(${params(item.inputs)})`;
	if (item.type === "function") text += ` ${item.stateMutability} returns (${params(item.outputs)})`;
	if (item.anonymous) text += " anonymous";
	return text;
};
const index = (abi, kind) => new Map(abi.filter((i) => i.type === kind).map((i) => [keyOf(i), textOf(i)]));

const CODE_SIZE_MAX = 24576;

let number = 0;
let failed = 0;

function report(name, problems) {
	number++;
	if (problems.length > 0) failed++;
	console.log(`${problems.length > 0 ? "not ok" : "ok"} ${number} - ${name}`);
	for (const line of problems) console.log(`# ${line}`);
}

console.log("TAP version 13");
for (const [side, list] of Object.entries(CONTRACTS)) {
	const published = load(`tests/vectors/abi/${PUBLISHED[side]}.json`);
	for (const [name, file] of Object.entries(list)) {
		const { abi, deployedBytecode } = load(`build/contracts/${file}.sol/${name}.json`);
		const size = (deployedBytecode.object.length - 2) / 2;
		report(`${side} ${name}: ${size} bytes of code`, size > CODE_SIZE_MAX ? [`more than ${CODE_SIZE_MAX}`] : []);
		for (const kind of ["function", "event", "error"]) {
			const ours = index(abi, kind);
			const theirs = index(published[name], kind);
			const problems = [];
			for (const [key, text] of ours) {
				if (!theirs.has(key)) problems.push(`not in the published interface: ${text}`);
				else if (theirs.get(key) !== text) problems.push(`ours: ${text}`, `published: ${theirs.get(key)}`);
			}
			const missing = [...theirs.keys()].filter((key) => !ours.has(key));
			if (COMPLETE.has(`${side} ${name}`)) problems.push(...missing.map((key) => `missing: ${key}`));
			report(`${side} ${name}: ${ours.size} ${kind}s as published`, problems);
			for (const key of missing) console.log(`# later: ${side} ${name} ${key}`);
		}
	}
}

const test = new URL("./", import.meta.url);
const tests = new Set(["gateway", "host"].flatMap((folder) => readdirSync(new URL(`${folder}/`, test)).flatMap((file) =>
	readFileSync(new URL(`${folder}/${file}`, test), "utf8").match(/(?<=function )(test|invariant)\w+/g) ?? [])));
const named = new Set(readFileSync(new URL("README.md", test), "utf8").match(/(?<=`)(test|invariant)\w*_\w+(?=`)/g));
named.delete("testFuzz_");
named.delete("invariant_");
report(`${named.size} tests that the README names exist`, [...named].filter((name) => !tests.has(name)));

console.log(`1..${number}`);
process.exitCode = failed > 0 ? 1 : 0;
