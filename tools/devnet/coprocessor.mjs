// SPDX-License-Identifier: BSD-3-Clause-Clear
// Coprocessor stand-in of the local network.
//
// It takes the values out of the user's CompactCiphertextList, squashes their noise and packs each into a ct128 object. With
// devnet.coprocessor.socket that is computed on ciphertexts alone, with the public key set (kms-dev-coprocessor, as a real
// coprocessor does it: seconds a value with production parameters). Else with the network's client key: the values are
// decrypted and encrypted anew (kms-dev-dealer). All that it publishes has production format: the objects, where they lie,
// the digests on the gateway, the attestation, the permission on the host chain.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Contract, JsonRpcProvider, NonceManager, Wallet, concat, getBytes, hexlify, keccak256, toBeHex, toUtf8Bytes } from 'ethers';

const run = promisify(execFile);

export const contextId = 1n; // the coprocessor context: one so far
export const format = { name: 'compressed_on_cpu', code: 11 };

const commitsAbi = [
	'function addCiphertextMaterial(bytes32 ctHandle, uint256 keyId, bytes32 ciphertextDigest, bytes32 snsCiphertextDigest)',
	'function isCiphertextMaterialAdded(bytes32 ctHandle) view returns (bool)',
];
const aclAbi = [
	'function multicall(bytes[] data) returns (bytes[])',
	'function allowTransient(bytes32 ctHandle, address account)',
	'function allow(bytes32 ctHandle, address account)',
	'function allowForDecryption(bytes32[] handlesList)',
];

// The handle of value `index` of an input blob, as the protocol derives it for user inputs.
export function inputHandle({ blob, index, acl, chainId, fheType }) {
	const blobHash = keccak256(concat([toUtf8Bytes('ZK-w_rct'), blob]));
	const hash = keccak256(concat([toUtf8Bytes('ZK-w_hdl'), blobHash, toBeHex(index, 1), acl, toBeHex(chainId, 32)]));
	return concat([hash.slice(0, 2 + 42), toBeHex(index, 1), toBeHex(chainId, 8), toBeHex(fheType, 1), '0x00']);
}

// The 170 bytes of a ciphertext attestation (RFC-023), signed raw: no EIP-191 prefix.
export const attestationBytes = ({ handle, keyId, digest, snsDigest }) =>
	concat([toUtf8Bytes('FHEVMCTA'), '0x01', handle, toBeHex(keyId, 32), toBeHex(contextId, 32), digest, snsDigest, toBeHex(format.code, 1)]);

// One JSON line there, one back.
async function ask(socket, request) {
	const connection = connect(socket);
	connection.end(`${JSON.stringify(request)}\n`);
	const parts = [];
	for await (const part of connection) parts.push(part);
	if (parts.length === 0) throw new Error(`${socket}: no answer`);
	return JSON.parse(Buffer.concat(parts).toString());
}

export class Coprocessor {
	// devnet: what devnet.json says; devnet.coprocessor adds what only the stand-in may know.
	// host: the chain whose executor it plays.
	constructor(devnet, host = devnet.hosts[0]) {
		const { privateKey } = devnet.coprocessor;
		this.devnet = devnet;
		this.host = host;
		this.wallet = new Wallet(privateKey);
		this.providers = [devnet.gateway.rpc, this.host.rpc].map((url) => new JsonRpcProvider(url, undefined, { pollingInterval: 50, cacheTimeout: -1 }));
		const [gateway, chain] = this.providers.map((provider) => new NonceManager(new Wallet(privateKey, provider)));
		this.commits = new Contract(devnet.gateway.contracts.CiphertextCommits, commitsAbi, gateway);
		this.acl = new Contract(this.host.contracts.ACL, aclAbi, chain);
	}

	// A user's list -> published ciphertexts: [{handle, fheType, digest, snsDigest, size}] in list order. The accounts may
	// use them; with allowPublic everybody may have them decrypted. `list` is what is in the blob when that has a proof besides.
	async publish(blob, { accounts, allowPublic = false, list = blob }) {
		const digest = keccak256(blob);
		await this.#put(hexlify(digest).slice(2), blob, {});
		const objects = await this.#squash(list);
		return Promise.all(objects.map((object) => this.#publishOne(object, { blob, digest, accounts, allowPublic })));
	}

	// The executor may use any handle within its own transaction, and so pass it on for good. Here the stand-in's account
	// is the executor: it admits what a real one admits after checking the coprocessors' signatures on the input.
	admit(handle, accounts, allowPublic) {
		const { interface: abi } = this.acl;
		const calls = [abi.encodeFunctionData('allowTransient', [handle, this.wallet.address])];
		for (const account of accounts) calls.push(abi.encodeFunctionData('allow', [handle, account]));
		if (allowPublic) calls.push(abi.encodeFunctionData('allowForDecryption', [[handle]]));
		return this.acl.multicall(calls);
	}

	close() {
		for (const provider of this.providers) provider.destroy();
	}

	async #squash(bytes) {
		const dir = mkdtempSync(join(tmpdir(), 'claviger-squash-'));
		try {
			const list = join(dir, 'list.bin');
			writeFileSync(list, bytes);
			const objects = this.devnet.coprocessor.socket ? await this.#compute(list, dir) : await this.#deal(list, dir);
			return objects.map(({ index, fhe_type: fheType, file }) => ({ index, fheType, bytes: readFileSync(file) }));
		} finally {
			rmSync(dir, { recursive: true });
		}
	}

	async #deal(list, out) {
		const { dealer, clientKey } = this.devnet.coprocessor;
		const { stdout } = await run(dealer, ['squash', '--client-key', clientKey, '--list', list, '--out', out]);
		return stdout.trim().split('\n').map((line) => JSON.parse(line));
	}

	async #compute(list, out) {
		const answer = await ask(this.devnet.coprocessor.socket, { list, out });
		if (answer.error) throw new Error(`kms-dev-coprocessor: ${answer.error}`);
		return answer.objects;
	}

	async #publishOne({ index, fheType, bytes }, { blob, digest, accounts, allowPublic }) {
		const keyId = BigInt(`0x${this.devnet.keys.keyId}`);
		const handle = inputHandle({ blob, index, acl: this.host.contracts.ACL, chainId: this.host.chainId, fheType });
		if (await this.commits.isCiphertextMaterialAdded(handle)) return this.#admitOnly({ handle, fheType, digest }, accounts, allowPublic);
		const snsDigest = keccak256(bytes);
		const signature = this.wallet.signingKey.sign(keccak256(attestationBytes({ handle, keyId, digest, snsDigest }))).serialized;
		const metadata = {
			'x-amz-meta-ct-format': format.name,
			'x-amz-meta-ct-attestation': JSON.stringify({
				version: 1,
				key_id: toBeHex(keyId, 32),
				ciphertext_digest: digest,
				sns_ciphertext_digest: snsDigest,
				format: format.name,
				signer: this.wallet.address,
				signature,
			}),
		};
		await Promise.all([
			this.#put(snsDigest.slice(2), bytes, metadata),
			this.#put(`ct128/${handle.slice(2)}/${contextId}`, bytes, metadata),
		]);
		const sent = await Promise.all([
			this.commits.addCiphertextMaterial(handle, keyId, digest, snsDigest),
			this.admit(handle, accounts, allowPublic),
		]);
		await Promise.all(sent.map((transaction) => transaction.wait()));
		return { handle, fheType, digest, snsDigest, size: getBytes(bytes).length };
	}

	// The same input once more. Its ciphertexts are published already; where they are encrypted anew they would not be what was
	// committed to.
	async #admitOnly(published, accounts, allowPublic) {
		await (await this.admit(published.handle, accounts, allowPublic)).wait();
		return published;
	}

	async #put(key, body, headers) {
		const { url, bucket } = this.devnet.objectStore;
		const reply = await fetch(`${url}/${bucket}/${key}`, { method: 'PUT', body, headers });
		if (!reply.ok) throw new Error(`object store: PUT ${key}: HTTP ${reply.status}: ${await reply.text()}`);
	}
}
