#!/usr/bin/env node
/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Recomputes what docs/protocol says, from what stands beside it there, without our contracts: type hashes, domain
 * separators and digests twice (by the rules of the page, and by ethers), selectors and topics by their signatures.
 * Compares digests with the golden ones and signatures with the published interfaces, and follows the links. Looks whether
 * docs/contracts-review.md names every function that changes state. Prints TAP.
 *
 * Needs `forge build` first. Usage: node contracts/test/docs.mjs
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { AbiCoder, Interface, TypedDataEncoder, concat, id, keccak256, toUtf8Bytes } from "ethers";

const root = new URL("../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
const PAGES = readdirSync(new URL("docs/protocol/", root)).filter((name) => name.endsWith(".md")).sort();
/* These are also references: without their tables something is wrong with this test. */
const REFERENCES = ["decryption.md", "key-generation.md"];
const encode = (types, values) => AbiCoder.defaultAbiCoder().encode(types, values);

let number = 0;
function check(name, good, detail = "") {
	number++;
	console.log(`${good ? "ok" : "not ok"} ${number} - ${name}`);
	if (!good && detail) console.log(`# ${detail}`);
}
const same = (name, a, b) => check(name, a === b, `${a} is not ${b}`);

/* Rows of cells of every table of a text, the rulers left out; code() is what stands between backquotes in a cell. */
const tables = (text) => (text.match(/(?:^\|.*\|\n)+/gm) ?? [])
	.map((table) => table.trim().split("\n").map((row) => row.slice(1, -1).split("|").map((cell) => cell.trim())))
	.map((rows) => rows.filter((row) => !/^-+$/.test(row[0])));
const code = (cell) => [...cell.matchAll(/`([^`]*)`/g)].map((match) => match[1]);
const word = (cell) => code(cell)[0];
const tableOf = (text, head) => tables(text).find((rows) => rows[0][0] === head);

/* A type string: the name, its fields, and the fields of the one struct that is used inside. */
function parseType(string) {
	const types = {};
	for (const [, name, fields] of string.matchAll(/(\w+)\(([^)]*)\)/g)) {
		types[name] = fields.split(",").map((field) => {
			const [type, label] = field.split(" ");
			return { type, name: label };
		});
	}
	return types;
}

/* The value of an example's cell, by the type of its field. */
function parseValue(type, cell) {
	const list = cell === "none" ? [] : code(cell);
	if (type === "KeyDigest[]") {
		return list.map((element) => {
			const [keyType, digest] = element.split(" ");
			return { keyType: Number(keyType), digest };
		});
	}
	return type.endsWith("[]") ? list : list[0];
}

/* The word of a field, by the rules of the page. */
function wordOf(types, type, value) {
	if (type === "bytes") return keccak256(value);
	if (type.endsWith("[]")) {
		return keccak256(concat(value.map((element) => {
			const inner = type.slice(0, -2);
			return types[inner] ? structHash(types, inner, element) : encode([inner], [element]);
		})));
	}
	return encode([type], [value]);
}
const typeString = (types, name) => `${name}(${types[name].map((f) => `${f.type} ${f.name}`).join(",")})`;
function structHash(types, name, value) {
	const others = Object.keys(types).filter((other) => other !== name && typeString(types, name).includes(other));
	const typehash = id([name, ...others].map((one) => typeString(types, one)).join(""));
	return keccak256(concat([typehash, ...types[name].map((f) => wordOf(types, f.type, value[f.name]))]));
}

const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const separator = ({ name, version, chainId, verifyingContract }) => keccak256(encode(
	["bytes32", "bytes32", "bytes32", "uint256", "address"],
	[id(DOMAIN_TYPE), id(name), id(version), chainId, verifyingContract]));

function domains(page) {
	const byLabel = new Map();
	for (const [label, name, chainId, verifyingContract, documented] of tableOf(page, "example domain").slice(1)) {
		const domain = {
			name: word(name), version: "1", chainId: BigInt(word(chainId)), verifyingContract: word(verifyingContract),
		};
		same(`domain separator of ${label}`, separator(domain), word(documented));
		byLabel.set(label, domain);
	}
	return byLabel;
}

/* Every message of the page: { title, type, typehash, domain, primary, value, digest }. */
function messages(page, byLabel) {
	return page.split(/^### /m).slice(1).flatMap((section) => {
		const property = Object.fromEntries(tableOf(section, "property") ?? []);
		if (!property.type) return [];
		const type = word(property.type);
		const types = parseType(type);
		const primary = type.slice(0, type.indexOf("("));
		const example = Object.fromEntries(tableOf(section, "example"));
		const value = Object.fromEntries(
			types[primary].map((f) => [f.name, parseValue(f.type, example[f.name] ?? "")]));
		return [{
			title: section.slice(0, section.indexOf("\n")), type, types, primary, value, typehash: word(property.typehash),
			label: property.domain.replace(/ \(.*/, ""), domain: byLabel.get(property.domain), digest: word(example.digest),
		}];
	});
}

function eip712(page) {
	const byLabel = domains(page);
	const all = messages(page, byLabel);
	check("the page has every message", all.length === 15, `${all.length} messages`);
	for (const m of all) {
		same(`${m.title}: type hash`, id(m.type), m.typehash);
		check(`${m.title}: its domain has an example`, m.domain !== undefined, m.label);
		const byRules = keccak256(concat(["0x1901", separator(m.domain), structHash(m.types, m.primary, m.value)]));
		same(`${m.title}: digest, by the rules`, byRules, m.digest);
		same(`${m.title}: digest, by ethers`, TypedDataEncoder.hash(m.domain, m.types, m.value), m.digest);
	}

	const golden = JSON.parse(read("tests/vectors/eth/contracts.json")).eip712;
	for (const m of all) {
		const ofType = golden.filter((v) => v.typeString === m.type
			&& v.domain.verifyingContract === m.domain.verifyingContract && BigInt(v.domain.chainId) === m.domain.chainId);
		if (ofType.length > 0) {
			check(`${m.title}: a golden digest`, ofType.some((v) => v.digest === m.digest));
		}
	}
	const missing = golden.filter((v) => !all.some((m) => m.type === v.typeString));
	check("no golden type is missing", missing.length === 0, missing.map((v) => v.name).join(", "));

	check("the hash of no bytes", page.includes(keccak256("0x")));
	check("the domain type", page.includes(`\`${DOMAIN_TYPE}\``));
	const key = all.find((m) => m.title === "KeygenVerification, of an epoch");
	const crs = all.find((m) => m.title === "CrsgenVerification, of an epoch").value;
	const keyHash = keccak256(encode(["uint256", "uint256", "bytes32"],
		[key.value.prepKeygenId, key.value.keyId, wordOf(key.types, "KeyDigest[]", key.value.keyDigests)]));
	const crsHash = keccak256(encode(["uint256", "uint256", "bytes"], [crs.crsId, crs.maxBitLength, crs.crsDigest]));
	check("the hash that counts epoch activations",
		page.includes(keccak256(encode(["bytes32[]", "bytes32[]"], [[keyHash], [crsHash]]))));
	attestation(page);
}

function attestation(page) {
	const rows = Object.fromEntries(tableOf(page, "attestation example") ?? []);
	const bytes = concat([
		toUtf8Bytes("FHEVMCTA"), "0x01", word(rows.handle), encode(["uint256", "uint256"],
			[word(rows["key id"]), word(rows["coprocessor context id"])]),
		word(rows["ciphertext digest"]), word(rows["digest of the squashed ciphertext"]),
		`0x${Number(word(rows.format)).toString(16).padStart(2, "0")}`,
	]);
	same("an attestation has 170 bytes", (bytes.length - 2) / 2, 170);
	same("an attestation's digest", keccak256(bytes), word(rows.digest));
}

/* Signatures of the published interfaces, with the hash they are known by. */
function published() {
	const known = new Set();
	const folder = "tests/vectors/abi/";
	for (const file of readdirSync(new URL(folder, root)).filter((name) => name.endsWith(".json"))) {
		for (const abi of Object.values(JSON.parse(read(folder + file)))) {
			for (const fragment of new Interface(abi).fragments) {
				if (["function", "event", "error"].includes(fragment.type)) known.add(fragment.format("sighash"));
			}
		}
	}
	return known;
}

/* Every row with a signature and a hash: four bytes of it, or all. */
function signatures(name, page, known) {
	let rows = 0;
	for (const row of tables(page).flat()) {
		const [signature, hash] = [word(row[0]), word(row[1] ?? "")];
		if (!/^\w+\(.*\)$/.test(signature ?? "") || !/^0x([0-9a-f]{8}|[0-9a-f]{64})$/.test(hash ?? "")) continue;
		rows++;
		same(`${name}: ${signature.slice(0, signature.indexOf("("))} ${hash.slice(0, 10)}`,
			id(signature).slice(0, hash.length), hash);
		check(`${name}: ${signature} is published`, known.has(signature));
	}
	return rows;
}

/* The anchor of a heading, as it is made for readers of the page. */
const anchor = (heading) => heading.trim().toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");

function links(folder, name, page) {
	for (const [, target] of page.matchAll(/\]\(([^)\s]+)\)/g)) {
		if (/^[a-z]+:/.test(target)) continue;
		const [file, fragment] = target.split("#");
		const path = file === "" ? `${folder}${name}` : `${folder}${file}`;
		const found = existsSync(new URL(path, root));
		const inside = !fragment || (found
			&& [...read(path).matchAll(/^#+ (.*)$/gm)].some((match) => anchor(match[1]) === fragment));
		check(`${name}: link to ${target}`, found && inside);
	}
}

/* Every state-changing function of every contract is in the review; needs `forge build`. */
const REVIEWED = [
	"GatewayConfig", "Decryption", "CiphertextCommits", "InputVerification", "ProtocolPayment", "GatewayPauserSet:PauserSet",
	"GatewayKMSGeneration:KMSGeneration", "GatewayEmptyUUPSProxy:EmptyUUPSProxy", "EmptyUUPSProxyGatewayConfig", "ACL",
	"ProtocolConfig", "HostKMSGeneration:KMSGeneration", "KMSVerifier", "InputVerifier", "HostPauserSet:PauserSet",
	"HostEmptyUUPSProxy:EmptyUUPSProxy", "EmptyUUPSProxyACL", "ZamaOFT",
];
function review(page) {
	for (const place of REVIEWED) {
		const [file, name = file] = place.split(":");
		const { abi } = JSON.parse(read(`build/contracts/${file}.sol/${name}.json`));
		const changing = abi.filter((f) => f.type === "function" && !["view", "pure"].includes(f.stateMutability));
		const missing = changing.filter((f) => !page.includes(`\`${f.name}\``)).map((f) => f.name);
		check(`the review has every function of ${file}`, changing.length > 0 && missing.length === 0, missing.join(", "));
	}
	const known = new Set(REVIEWED.map((place) => place.split(":")[0]));
	const deployed = ["gateway", "host", "devnet"].flatMap((folder) =>
		readdirSync(new URL(`contracts/src/${folder}/`, root)).filter((file) =>
			/^contract /m.test(read(`contracts/src/${folder}/${file}`))).map((file) => file.replace(/\.sol$/, "")));
	const unknown = deployed.filter((file) => !known.has(file));
	check("the review has every contract", deployed.length > 10 && unknown.length === 0, unknown.join(", "));
	const tests = page.match(/`(test_|invariant_)\w+`/g).map((name) => name.slice(1, -1));
	const sources = readdirSync(new URL("contracts/test/gateway/", root)).map((file) => read(`contracts/test/gateway/${file}`)).join();
	for (const name of tests) check(`the review's test ${name}`, sources.includes(`function ${name}(`));
}

function run() {
	check("the pages are there", ["eip712.md", ...REFERENCES].every((name) => PAGES.includes(name)));
	eip712(read("docs/protocol/eip712.md"));
	review(read("docs/contracts-review.md"));
	links("docs/", "contracts-review.md", read("docs/contracts-review.md"));
	links("docs/guides/", "dapp.md", read("docs/guides/dapp.md"));
	const known = published();
	for (const name of PAGES) {
		const page = read(`docs/protocol/${name}`);
		const rows = signatures(name, page, known);
		if (REFERENCES.includes(name)) check(`${name}: has signatures`, rows > 30, `${rows}`);
		links("docs/protocol/", name, page);
	}
}

// What stands otherwise than it is read must count as a failure, too.
try {
	run();
} catch (error) {
	check("the pages can be read", false, error.stack.replaceAll("\n", "\n# "));
}
