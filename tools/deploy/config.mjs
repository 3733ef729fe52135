// SPDX-License-Identifier: BSD-3-Clause-Clear
// The file of a deployment: read, checked as a whole, and made into one object. What is wrong with it is told all at
// once, each with the key, what was found and what is expected. The parser knows no defaults but those in the tables.
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Wallet, getAddress, isAddress } from 'ethers';
import { parse } from 'smol-toml';

const chainIdMax = BigInt(Number.MAX_SAFE_INTEGER); // JSON files carry chain ids as numbers
const uint256Max = (1n << 256n) - 1n;
const nodesMax = 255; // a proof counts its signatures in one byte
const chainsMax = 64;

// What cannot be deployed: every line names a key of the file.
export class ConfigError extends Error {
	constructor(file, problems) {
		super([...new Set(problems)].map((problem) => `${file}: ${problem}`).join('\n'));
		this.problems = [...new Set(problems)];
	}
}

// ---- kinds of values: expected says it to a person, read gives undefined for anything else ----

const integer = (expected, min, max) => ({
	expected,
	read(value) {
		const number = typeof value === 'string' && /^[0-9]+$/.test(value) ? BigInt(value) : value;
		return typeof number === 'bigint' && number >= min && number <= max ? number : undefined;
	},
});

const text = (expected, test) => ({ expected, read: (value) => (typeof value === 'string' && test(value) ? value : undefined) });

const kinds = {
	address: {
		expected: 'an address other than zero: 0x and 40 hexadecimal digits, with a right checksum if it has one',
		read: (value) => (typeof value === 'string' && /^0x[0-9a-fA-F]{40}$/.test(value) && isAddress(value) && BigInt(value) !== 0n ? getAddress(value) : undefined),
	},
	bool: { expected: 'true or false', read: (value) => (typeof value === 'boolean' ? value : undefined) },
	bytes: text('0x and an even number of hexadecimal digits', (value) => /^0x([0-9a-fA-F]{2})*$/.test(value)),
	chainId: integer('a chain id: a whole number from 1 to 2^53 - 1', 1n, chainIdMax),
	environment: text('the name of an environment variable', (value) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(value) && !/[0-9a-fA-F]{64}/.test(value)),
	name: text('a text that is not empty', (value) => value.length > 0),
	node: integer(`a whole number from 0 to ${nodesMax}`, 0n, BigInt(nodesMax)),
	price: integer('a whole number in the token\'s smallest unit (in quotes above 2^63 - 1)', 0n, uint256Max),
	text: text('a text', () => true),
	threshold: integer(`a whole number from 1 to ${nodesMax}`, 1n, BigInt(nodesMax)),
	token: {
		expected: 'the address of the fee token, or "local" for one that anybody can make, never to be used on a real network',
		read: (value) => (value === 'local' ? value : kinds.address.read(value)),
	},
	inFlight: integer('a whole number from 1 to 64', 1n, 64n),
	url: text('an http or https URL', (value) => /^https?:$/.test(URL.canParse(value) ? new URL(value).protocol : '')),
};

const list = (kind) => ({
	expected: `a list, each ${kind.expected}`,
	read(value) {
		if (!Array.isArray(value)) return undefined;
		const items = value.map((item) => kind.read(item));
		return items.includes(undefined) ? undefined : items;
	},
});

// ---- the tables of the file: key -> kind, and a default where there is one ----

const needed = (kind) => ({ kind });
const optional = (kind, fallback) => ({ kind, optional: true, fallback });

// One of the two, in the chain's own table, in [host_defaults] or in [gateway].
const key = { deployer_key_file: optional(kinds.name), deployer_key_env: optional(kinds.environment) };
const chain = { owner: optional(kinds.address), pausers: optional(list(kinds.address)), transactions_in_flight: optional(kinds.inFlight), ...key };

const tables = {
	protocol: { keys: { name: optional(kinds.text, 'local network'), website: optional(kinds.text, ''), software_version: optional(kinds.text, '') } },
	gateway: { needed: true, keys: { rpc_url: needed(kinds.url), chain_id: needed(kinds.chainId), ...chain } },
	thresholds: {
		needed: true,
		keys: {
			public_decryption: needed(kinds.threshold),
			user_decryption: needed(kinds.threshold),
			kms_generation: needed(kinds.threshold),
			mpc: needed(kinds.node),
			coprocessor: needed(kinds.threshold),
		},
	},
	fees: {
		needed: true,
		keys: {
			token: needed(kinds.token),
			receiver: optional(kinds.address),
			input_verification: optional(kinds.price, 0n),
			public_decryption: optional(kinds.price, 0n),
			user_decryption: optional(kinds.price, 0n),
		},
	},
	host_defaults: { keys: { fhevm_executor: optional(kinds.address), ...chain } },
	kms_node: {
		many: [1, nodesMax],
		keys: {
			tx_sender: needed(kinds.address),
			signer: needed(kinds.address),
			storage_url: optional(kinds.text, ''),
			ip_address: optional(kinds.text, '127.0.0.1'),
			party_id: optional(kinds.threshold),
			mpc_identity: optional(kinds.text, ''),
			ca_cert: optional(kinds.bytes, '0x'),
			storage_prefix: optional(kinds.text, ''),
		},
	},
	coprocessor: { many: [1, nodesMax], keys: { tx_sender: needed(kinds.address), signer: needed(kinds.address), s3_bucket_url: needed(kinds.name) } },
	custodian: { many: [1, nodesMax], keys: { tx_sender: needed(kinds.address), signer: needed(kinds.address), encryption_key: optional(kinds.bytes, '0x') } },
	pcr_values: { many: [0, 64], keys: { pcr0: needed(kinds.bytes), pcr1: needed(kinds.bytes), pcr2: needed(kinds.bytes) } },
	host: {
		many: [0, chainsMax],
		keys: {
			rpc_url: needed(kinds.url),
			chain_id: needed(kinds.chainId),
			fhevm_executor: optional(kinds.address),
			name: optional(kinds.text),
			website: optional(kinds.text, ''),
			...chain,
		},
	},
};

// ---- reading ----

const shown = (value) => {
	if (typeof value === 'bigint') return value.toString();
	if (typeof value === 'string' && /[0-9a-fA-F]{64}/.test(value)) return 'a text with 64 hexadecimal digits (not shown: it may be a key)';
	const words = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? v.toString() : v)) ?? String(value);
	return words.length > 80 ? `${words.slice(0, 77)}...` : words;
};

// Letters to change, add or take away to get from one word to the other.
function distance(a, b) {
	let row = Array.from({ length: b.length + 1 }, (_, j) => j);
	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
		row = next;
	}
	return row[b.length];
}

function unknown(name, where, known) {
	const [near] = known.map((one) => [distance(name, one), one]).sort(([a], [b]) => a - b);
	const hint = near && near[0] <= 2 ? `did you mean ${near[1]}?` : `expected one of ${known.join(', ')}`;
	return `${where}${name}: found a key that means nothing here, ${hint}`;
}

const isTable = (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

function readTable(value, keys, where, problems) {
	const result = {};
	if (!isTable(value)) {
		problems.push(`${where.slice(0, -1)}: found ${shown(value)}, expected a table`);
		return result;
	}
	for (const name of Object.keys(value)) {
		if (name === 'deployer_key') problems.push(`${where}${name}: found a key in the file itself, expected deployer_key_file or deployer_key_env`);
		else if (!Object.hasOwn(keys, name)) problems.push(unknown(name, where, Object.keys(keys)));
	}
	for (const [name, { kind, optional: may, fallback }] of Object.entries(keys)) {
		if (!Object.hasOwn(value, name)) {
			if (!may) problems.push(`${where}${name}: found nothing, expected ${kind.expected}`);
			result[name] = fallback;
			continue;
		}
		result[name] = kind.read(value[name]);
		if (result[name] === undefined) problems.push(`${where}${name}: found ${shown(value[name])}, expected ${kind.expected}`);
	}
	return result;
}

function readMany(value, { many: [least, most], keys }, name, problems) {
	const items = value ?? [];
	if (!Array.isArray(items) || items.length < least || items.length > most) {
		const found = Array.isArray(items) ? `${items.length} of them` : shown(items);
		problems.push(`[[${name}]]: found ${found}, expected ${least} to ${most} tables`);
		return [];
	}
	return items.map((item, index) => readTable(item, keys, `${name}[${index}].`, problems));
}

function readTables(document, problems) {
	const result = {};
	for (const name of Object.keys(document)) if (!Object.hasOwn(tables, name)) problems.push(unknown(name, '', Object.keys(tables)));
	for (const [name, table] of Object.entries(tables)) {
		if (table.many) result[name] = readMany(document[name], table, name, problems);
		else if (table.needed && document[name] === undefined) problems.push(`[${name}]: found nothing, expected a table with ${Object.keys(table.keys).join(', ')}`);
		else result[name] = readTable(document[name] ?? {}, table.keys, `${name}.`, problems);
	}
	return result;
}

// ---- what no single value shows ----

function checkUnique(items, table, field, problems) {
	const seen = new Map();
	for (const [index, item] of items.entries()) {
		const value = item[field];
		if (value === undefined) continue;
		if (seen.has(value)) problems.push(`${table}[${index}].${field}: found ${shown(value)}, which is ${table}[${seen.get(value)}]'s, expected each once`);
		else seen.set(value, index);
	}
}

function checkWhole(read, problems) {
	const { thresholds: t = {}, kms_node: nodes, coprocessor: coprocessors, host: hosts, gateway } = read;
	for (const [table, items] of [['kms_node', nodes], ['coprocessor', coprocessors], ['custodian', read.custodian]])
		for (const field of ['tx_sender', 'signer']) checkUnique(items, table, field, problems);
	checkUnique(nodes, 'kms_node', 'party_id', problems);
	checkUnique(hosts, 'host', 'chain_id', problems);
	const most = { public_decryption: nodes, user_decryption: nodes, kms_generation: nodes, coprocessor: coprocessors };
	for (const [name, of] of Object.entries(most))
		if (of.length > 0 && t[name] > BigInt(of.length)) problems.push(`thresholds.${name}: found ${t[name]}, expected at most ${of.length}, because there are no more ${of === nodes ? 'KMS nodes' : 'coprocessors'}`);
	if (nodes.length > 0 && t.mpc >= BigInt(nodes.length)) problems.push(`thresholds.mpc: found ${t.mpc}, expected less than the ${nodes.length} KMS nodes`);
	for (const [index, host] of hosts.entries()) {
		if (host.chain_id !== undefined && host.chain_id === gateway?.chain_id) problems.push(`host[${index}].chain_id: found ${host.chain_id}, which is the gateway's, expected another chain`);
		if (host.fhevm_executor === undefined && read.host_defaults.fhevm_executor === undefined)
			problems.push(`host[${index}].fhevm_executor: found nothing, neither here nor in [host_defaults], expected ${kinds.address.expected}`);
	}
}

// ---- the deployer's key ----

// The first table that says anything about the key says everything; where none does, the last one could for all.
function readKey(chainTables, file, problems) {
	const [where, table] = chainTables.find(([, one]) => one.deployer_key_file !== undefined || one.deployer_key_env !== undefined) ?? [];
	const problem = (name, found) => void problems.push(`${where}.${name}: found ${found}, expected a private key: 64 hexadecimal digits`);
	if (!table) return void problems.push(`${chainTables.at(-1)[0]}.deployer_key_file: found nothing, nor deployer_key_env, expected one of the two`);
	if (table.deployer_key_file !== undefined && table.deployer_key_env !== undefined)
		return void problems.push(`${where}.deployer_key_env: found beside deployer_key_file, expected one of the two`);
	if (table.deployer_key_env !== undefined) {
		const value = process.env[table.deployer_key_env];
		if (value === undefined) return problem('deployer_key_env', `no environment variable ${table.deployer_key_env}`);
		return asKey(value) ?? problem('deployer_key_env', `something else in ${table.deployer_key_env}`);
	}
	const path = resolve(dirname(file), table.deployer_key_file);
	try {
		if ((statSync(path).mode & 0o077) !== 0) return void problems.push(`${where}.deployer_key_file: found ${path} readable by others, expected a file of the owner's alone (chmod 600)`);
		return asKey(readFileSync(path, 'utf8')) ?? problem('deployer_key_file', `something else in ${path}`);
	} catch (error) {
		return problem('deployer_key_file', `${path} (${error.code})`);
	}
}

function asKey(words) {
	const digits = /^(?:0x)?([0-9a-fA-F]{64})$/.exec(words.trim())?.[1];
	try {
		return digits && new Wallet(`0x${digits}`).privateKey;
	} catch {
		return undefined; // zero, or not below the group's order
	}
}

// ---- the object that a deployment takes ----

function chainOf(table, where, parents, file, problems) {
	const from = [[where, table], ...parents];
	const inherited = (name) => from.find(([, one]) => one?.[name] !== undefined)?.[1][name];
	const deployerKey = readKey(from.filter(([, one]) => one), file, problems);
	const deployer = deployerKey && new Wallet(deployerKey).address;
	const owner = inherited('owner') ?? deployer;
	return { rpc: table.rpc_url, chainId: Number(table.chain_id), deployerKey, deployer, owner, pausers: inherited('pausers') ?? [owner], inFlight: Number(inherited('transactions_in_flight') ?? 1n) };
}

const nodeOf = (node, index) => ({
	txSender: node.tx_sender, signer: node.signer, ipAddress: node.ip_address, storageUrl: node.storage_url,
	partyId: Number(node.party_id ?? index + 1), mpcIdentity: node.mpc_identity, caCert: node.ca_cert, storagePrefix: node.storage_prefix,
});

function assemble(read, file, problems) {
	const { thresholds: t, fees, protocol } = read;
	const gateway = chainOf(read.gateway, 'gateway', [], file, problems);
	const hosts = read.host.map((host, index) => ({
		...chainOf(host, `host[${index}]`, [['host_defaults', read.host_defaults], ['gateway', read.gateway]], file, problems),
		fhevmExecutor: host.fhevm_executor ?? read.host_defaults.fhevm_executor,
		name: host.name ?? `host ${host.chain_id}`,
		website: host.website,
		canonical: index === 0, // has what the protocol keeps on one chain only
	}));
	return {
		gateway: { ...gateway, token: fees.token, feesReceiver: fees.receiver ?? gateway.owner },
		hosts,
		metadata: { name: protocol.name, website: protocol.website },
		softwareVersion: protocol.software_version,
		thresholds: { publicDecryption: Number(t.public_decryption), userDecryption: Number(t.user_decryption), kmsGen: Number(t.kms_generation), mpc: Number(t.mpc) },
		coprocessorThreshold: Number(t.coprocessor),
		prices: { inputVerification: fees.input_verification, publicDecryption: fees.public_decryption, userDecryption: fees.user_decryption },
		kmsNodes: read.kms_node.map(nodeOf),
		coprocessors: read.coprocessor.map((one) => ({ txSender: one.tx_sender, signer: one.signer, s3BucketUrl: one.s3_bucket_url })),
		custodians: read.custodian.map((one) => ({ txSender: one.tx_sender, signer: one.signer, encryptionKey: one.encryption_key })),
		pcrValues: read.pcr_values,
	};
}

// The deployment that a file describes; throws a ConfigError with everything that is wrong with it.
export function readConfig(file) {
	let document;
	try {
		document = parse(readFileSync(file, 'utf8'), { integersAsBigInt: true });
	} catch (error) {
		if (error.code) throw new ConfigError(file, [`cannot be read (${error.code})`]);
		// Only the first line: the others show the file's, and that may be a key.
		throw new ConfigError(file, [`line ${error.line}, column ${error.column}: ${error.message.split('\n')[0]}`]);
	}
	const problems = [];
	const read = readTables(document, problems);
	checkWhole(read, problems);
	const config = problems.length === 0 ? assemble(read, file, problems) : undefined;
	if (problems.length > 0) throw new ConfigError(file, problems);
	return config;
}
