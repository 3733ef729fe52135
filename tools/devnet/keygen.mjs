// SPDX-License-Identifier: BSD-3-Clause-Clear
// Key and CRS as a real network gets them: the owner asks for them on the host chain, the KMS makes them and signs their digests,
// the chain puts them into use. Everybody then fetches them from where the chain says, and believes the digests alone.
import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pipeline } from 'node:stream/promises';
import { Contract, TypedDataEncoder, Wallet, recoverAddress, toBeHex } from 'ethers';
import { accountOf, inspect, stateOf } from './inspect.mjs';
import { waitFor } from './processes.mjs';
import { connect } from './request.mjs';
import { short } from './transcript.mjs';

export const paramsTypes = { default: 0, test: 1 }; // as the contract has them
export const storagePrefix = 'PUB';
const crsBits = 2048;
const timeoutMs = 1_800_000; // a production key takes seconds, where nothing else runs
const sizeMax = 2 ** 31;

const abi = [
	'function keygen(uint8 paramsType)',
	'function crsgenRequest(uint256 maxBitLength, uint8 paramsType)',
	'function getActiveKeyId() view returns (uint256)',
	'function getActiveCrsId() view returns (uint256)',
	'function getKeyMaterials(uint256 keyId) view returns (string[] urls, (uint8 keyType, bytes digest)[] digests)',
	'function getCrsMaterials(uint256 crsId) view returns (string[] urls, bytes digest)',
	'event PrepKeygenRequest(uint256 prepKeygenId, uint8 paramsType, bytes extraData)',
	'event PrepKeygenResponse(uint256 prepKeygenId, bytes signature, address kmsTxSender)',
	'event KeygenRequest(uint256 prepKeygenId, uint256 keyId, bytes extraData)',
	'event KeygenResponse(uint256 keyId, (uint8 keyType, bytes digest)[] keyDigests, bytes signature, address kmsTxSender)',
	'event ActivateKey(uint256 keyId, string[] kmsNodeStorageUrls, (uint8 keyType, bytes digest)[] keyDigests)',
	'event CrsgenRequest(uint256 crsId, uint256 maxBitLength, uint8 paramsType, bytes extraData)',
	'event CrsgenResponse(uint256 crsId, bytes crsDigest, bytes signature, address kmsTxSender)',
	'event ActivateCrs(uint256 crsId, string[] kmsNodeStorageUrls, bytes crsDigest)',
];

const fields = (...texts) => texts.map((text) => ({ type: text.split(' ')[0], name: text.split(' ')[1] }));
const signedTypes = {
	PrepKeygenVerification: { PrepKeygenVerification: fields('uint256 prepKeygenId', 'bytes extraData') },
	KeygenVerification: {
		KeygenVerification: fields('uint256 prepKeygenId', 'uint256 keyId', 'KeyDigest[] keyDigests', 'bytes extraData'),
		KeyDigest: fields('uint8 keyType', 'bytes digest'),
	},
	CrsgenVerification: { CrsgenVerification: fields('uint256 crsId', 'uint256 maxBitLength', 'bytes crsDigest', 'bytes extraData') },
};

// What the chain names, as the public vault has it. The number is the contract's KeyType.
const keyObjects = { 1: 'PublicKey', 3: 'CompressedXofKeySet' };

const hex64 = (id) => toBeHex(id, 32).slice(2);
const shortId = (id) => short(toBeHex(id, 32));

const generationOf = (host, runner) => new Contract(host.contracts.KMSGeneration, abi, runner);

// One object into a file, if what comes has the digest; the first place that has it is enough.
async function fetchObject(urls, { type, id, digest, domain, file }) {
	const problems = [];
	for (const base of urls) {
		const url = `${base}/${storagePrefix}/${type}/${hex64(id)}`;
		const reply = await fetch(url);
		const length = Number(reply.headers.get('content-length'));
		if (!reply.ok || !(length <= sizeMax)) {
			problems.push(`${url}: HTTP ${reply.status}, ${length} bytes`);
			continue;
		}
		const hash = createHash('shake256', { outputLength: 32 }).update(domain);
		let size = 0;
		await pipeline(
			reply.body,
			async function* digested(pieces) {
				for await (const piece of pieces) {
					hash.update(piece);
					size += piece.length;
					yield piece;
				}
			},
			createWriteStream(file),
		);
		const found = `0x${hash.digest('hex')}`;
		if (found === digest) return { type, file, size, digest, url };
		problems.push(`${url}: its digest is ${found}, and ${digest} on the chain`);
	}
	throw new Error(`${type} ${shortId(id)} cannot be had:\n  ${problems.join('\n  ')}`);
}

// What a client does: which key and CRS are in use, where they are, and with which digests, says the host chain alone.
// Returns {keyId, crsId, objects: {PublicKey, CompressedXofKeySet, CRS}}; throws if a digest differs.
export async function fetchKeys(host, dir) {
	mkdirSync(dir, { recursive: true });
	const provider = connect(host.rpc);
	const objects = {};
	try {
		const generation = generationOf(host, provider);
		const [keyId, crsId] = await Promise.all([generation.getActiveKeyId(), generation.getActiveCrsId()]);
		const key = await generation.getKeyMaterials(keyId);
		for (const { keyType, digest } of key.digests) {
			const type = keyObjects[keyType];
			if (!type) throw new Error(`key ${shortId(keyId)} has an object of type ${keyType}, which nobody here knows`);
			objects[type] = await fetchObject(key.urls, { type, id: keyId, digest, domain: 'PDAT_KEY', file: join(dir, type) });
		}
		const crs = await generation.getCrsMaterials(crsId);
		objects.CRS = await fetchObject(crs.urls, { type: 'CRS', id: crsId, digest: crs.digest, domain: 'PDAT_CRS', file: join(dir, 'CRS') });
		return { keyId: hex64(keyId), crsId: hex64(crsId), objects };
	} finally {
		provider.destroy();
	}
}

class Generations {
	constructor(devnet, owner, story) {
		const [host] = devnet.hosts;
		Object.assign(this, { devnet, host, story });
		this.provider = connect(host.rpc);
		this.contract = generationOf(host, new Wallet(owner.privateKey, this.provider));
		this.domain = { name: 'KMSGeneration', version: '1', chainId: host.chainId, verifyingContract: host.contracts.KMSGeneration };
	}

	async key(parameters) {
		const { story } = this;
		const asked = await this.#ask('PrepKeygenRequest', this.contract.keygen(paramsTypes[parameters]));
		const { prepKeygenId, extraData } = asked.args;
		story.hop('owner', `calls keygen on the host chain: PrepKeygenRequest ${shortId(prepKeygenId)}, ${parameters} parameters`, asked.at);
		const prepared = await this.#event('PrepKeygenResponse', prepKeygenId, asked);
		const requested = await this.#event('KeygenRequest', prepKeygenId, asked);
		const { keyId } = requested.args;
		await this.#answered(prepKeygenId, prepared, 'KeyGenPreproc', 'prepares nothing: a node that is alone needs nothing beforehand', 'PrepKeygenVerification', { prepKeygenId, extraData });
		story.hop('host', `KMSGeneration checks the signature, has its quorum: KeygenRequest for key ${shortId(keyId)}`, requested.at);

		const made = await this.#event('KeygenResponse', keyId, asked);
		const keyDigests = made.args.keyDigests.map(({ keyType, digest }) => ({ keyType, digest }));
		const objects = keyDigests.map(({ keyType, digest }) => `${keyObjects[keyType]} (digest ${short(digest)})`).join(' and ');
		const active = await this.#event('ActivateKey', keyId, asked);
		await this.#answered(keyId, made, 'KeyGen', `makes and audits the key; ${objects} in its public vault`, 'KeygenVerification', { prepKeygenId, keyId, keyDigests, extraData });
		story.hop('host', `ActivateKey: the key is in use; it is at ${active.args.kmsNodeStorageUrls.join(', ')}`, active.at);
	}

	async crs(parameters) {
		const { story } = this;
		const asked = await this.#ask('CrsgenRequest', this.contract.crsgenRequest(crsBits, paramsTypes[parameters]));
		const { crsId, maxBitLength, extraData } = asked.args;
		story.hop('owner', `calls crsgenRequest on the host chain: CrsgenRequest ${shortId(crsId)}, for ${maxBitLength} bits`, asked.at);
		const made = await this.#event('CrsgenResponse', crsId, asked);
		const { crsDigest } = made.args;
		const active = await this.#event('ActivateCrs', crsId, asked);
		await this.#answered(crsId, made, 'CrsGen', `makes it and reads it back; CRS (digest ${short(crsDigest)}) in its public vault`, 'CrsgenVerification', { crsId, maxBitLength, crsDigest, extraData });
		story.hop('host', `ActivateCrs: the CRS is in use; it is at ${active.args.kmsNodeStorageUrls.join(', ')}`, active.at);
	}

	close() {
		this.provider.destroy();
	}

	async #ask(name, sending) {
		const receipt = await (await sending).wait();
		const { args } = receipt.logs.map((log) => this.contract.interface.parseLog(log)).find((log) => log?.name === name);
		return { args, at: { block: receipt.blockNumber, transaction: receipt.hash } };
	}

	// The event about an id, or what the connector says when there will be none.
	async #event(name, id, { at: { block } }) {
		const gone = new Set(['refused', 'failed', 'aborted', 'expired']);
		for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(100)) {
			const found = (await this.contract.queryFilter(name, block)).find(({ args }) => args[0] === id);
			if (found) return { args: found.args, at: { block: found.blockNumber, transaction: found.transactionHash } };
			if (gone.has(await stateOf(this.devnet, hex64(id)))) throw new Error(`no ${name}:\n${await inspect(this.devnet, hex64(id))}`);
		}
		throw new Error(`no ${name} for ${hex64(id)} within ${timeoutMs / 1000} s`);
	}

	// How long the core says that it took.
	#seconds(id) {
		const ms = new RegExp(`request_id=${hex64(id)} ms=(\\d+)`).exec(readFileSync(join(this.devnet.logs, 'kms-server.log'), 'utf8'))?.[1];
		return `${(Number(ms) / 1000).toFixed(2)} s by its log`;
	}

	// What connector and core did from the request's event to the answer's; the signature is computed again.
	async #answered(id, { args, at }, rpc, done, type, message) {
		const [node] = this.devnet.nodes;
		const signer = recoverAddress(TypedDataEncoder.hash(this.domain, signedTypes[type], message), args.signature);
		if (signer !== node.signer) throw new Error(`${type} is signed by ${signer}, and the node is ${node.signer}`);
		await waitFor('state done', async () => (await stateOf(this.devnet, hex64(id))) === 'done', { timeoutMs });
		const account = await accountOf(this.devnet, hex64(id));
		this.story.hop('connector', `saw the event (its clock: ${account.created[0]}), asks the core: ${rpc}`, { block: Number(account.block[0]), transaction: account['event tx'][0] });
		this.story.hop('core', `${done}; in ${this.#seconds(id)}`);
		this.story.hop('core', `signs ${type} as ${signer}`);
		this.story.hop('connector', `sent the answer with nonce ${account['tx nonce'][0]}`, at);
	}
}

// devnet: chains, contracts and the node, as devnet.json has them. story: {section, hop} (transcript.mjs).
// Returns what devnet.json says of keys.
export async function generateKeys(devnet, { owner, parameters, dir, story }) {
	const generations = new Generations(devnet, owner, story);
	try {
		story.section('A key, asked for on the host chain');
		await generations.key(parameters);
		story.section('A CRS, asked for on the host chain');
		await generations.crs(parameters);
	} finally {
		generations.close();
	}
	story.section('Fetch them, believing the chain alone');
	const { keyId, crsId, objects } = await fetchKeys(devnet.hosts[0], dir);
	for (const { type, size, digest, url } of Object.values(objects)) story.hop('client', `${type}, ${size} bytes from ${url.replace(/[0-9a-f]{64}$/, short)}: its digest is the chain's, ${short(digest)}`);
	return { keyId, crsId, publicKey: objects.PublicKey.file, keySet: objects.CompressedXofKeySet.file, crs: objects.CRS.file };
}
