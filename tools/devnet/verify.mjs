// SPDX-License-Identifier: BSD-3-Clause-Clear
// A separate verifier: believes nobody. Given devnet.json, a request id and the handles it asked for, it reads the chains
// and the object store and recomputes what everybody else claims. usage: verify.mjs DEVNET.JSON ID-HEX
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AbiCoder, Contract, TypedDataEncoder, concat, getBytes, keccak256, recoverAddress, toBeHex } from 'ethers';
import { attestationBytes, format, inputHandle } from './coprocessor.mjs';
import { connect, decryptionAbi } from './request.mjs';
import { formatValue, hostOf, typeByNumber } from './types.mjs';

const commitsAbi = [
	'function getCiphertextMaterials(bytes32[] ctHandles) view returns (tuple(bytes32 ctHandle, uint256 keyId, bytes32 ciphertextDigest, address[] coprocessorTxSenderAddresses)[])',
	'function getSnsCiphertextMaterials(bytes32[] ctHandles) view returns (tuple(bytes32 ctHandle, uint256 keyId, bytes32 snsCiphertextDigest, address[] coprocessorTxSenderAddresses)[])',
];
const configAbi = [
	'function getCoprocessor(address coprocessorTxSenderAddress) view returns (tuple(address txSenderAddress, address signerAddress, string s3BucketUrl))',
	'function getKmsSigners() view returns (address[])',
];
const aclAbi = ['function isAllowedForDecryption(bytes32 handle) view returns (bool)'];
const verifierAbi = ['function verifyDecryptionEIP712KMSSignatures(bytes32[] handlesList, bytes decryptedResult, bytes decryptionProof) returns (bool)'];

const responseTypes = {
	PublicDecryptVerification: [
		{ name: 'ctHandles', type: 'bytes32[]' },
		{ name: 'decryptedResult', type: 'bytes' },
		{ name: 'extraData', type: 'bytes' },
	],
};

async function getObject(url) {
	const reply = await fetch(url);
	if (!reply.ok) throw new Error(`GET ${url}: HTTP ${reply.status}`);
	return { headers: reply.headers, body: new Uint8Array(await reply.arrayBuffer()) };
}

// Handle, ciphertext digests and attestation of one handle; throws what does not hold.
async function verifyCiphertext(handle, devnet, contracts, expect) {
	const [[ct], [sns]] = await Promise.all([contracts.commits.getCiphertextMaterials([handle]), contracts.commits.getSnsCiphertextMaterials([handle])]);
	expect(toBeHex(ct.keyId, 32).slice(2) === devnet.keys.keyId, `key id of ${handle}`);
	const coprocessor = await contracts.config.getCoprocessor(sns.coprocessorTxSenderAddresses[0]);
	const bucket = coprocessor.s3BucketUrl;
	const [blob, byDigest, byHandle] = await Promise.all([
		getObject(`${bucket}/${ct.ciphertextDigest.slice(2)}`),
		getObject(`${bucket}/${sns.snsCiphertextDigest.slice(2)}`),
		getObject(`${bucket}/ct128/${handle.slice(2)}/1`),
	]);
	expect(keccak256(blob.body) === ct.ciphertextDigest, `digest of the input of ${handle}`);
	expect(keccak256(byDigest.body) === sns.snsCiphertextDigest, `digest of the ct128 of ${handle}, by digest`);
	expect(keccak256(byHandle.body) === sns.snsCiphertextDigest, `digest of the ct128 of ${handle}, by handle`);
	const bytes = getBytes(handle);
	const host = hostOf(devnet, handle);
	const again = inputHandle({ blob: blob.body, index: bytes[21], acl: host.contracts.ACL, chainId: host.chainId, fheType: bytes[30] });
	expect(again === handle, `handle ${handle} recomputed from the input`);
	const attestation = JSON.parse(byHandle.headers.get('x-amz-meta-ct-attestation'));
	const signed = attestationBytes({ handle, keyId: ct.keyId, digest: ct.ciphertextDigest, snsDigest: sns.snsCiphertextDigest });
	expect(attestation.format === format.name, `format of ${handle}`);
	expect(recoverAddress(keccak256(signed), attestation.signature) === coprocessor.signerAddress, `attestation of ${handle}`);
	expect(await contracts.acls.get(host).isAllowedForDecryption(handle), `host ACL allows ${handle}`);
	return { handle, size: byHandle.body.length, digest: sns.snsCiphertextDigest, coprocessor: coprocessor.signerAddress };
}

// Returns {id, handles, values, signers, checks, …}; throws on the first thing that does not hold.
export async function verify(devnet, idHex) {
	const gateway = connect(devnet.gateway.rpc);
	const hosts = new Map(devnet.hosts.map((host) => [host, connect(host.rpc)]));
	const checks = [];
	const expect = (holds, what) => {
		if (!holds) throw new Error(`verifier: does not hold: ${what}`);
		checks.push(what);
	};
	try {
		const contracts = {
			decryption: new Contract(devnet.gateway.contracts.Decryption, decryptionAbi, gateway),
			commits: new Contract(devnet.gateway.contracts.CiphertextCommits, commitsAbi, gateway),
			config: new Contract(devnet.gateway.contracts.GatewayConfig, configAbi, gateway),
			acls: new Map([...hosts].map(([host, provider]) => [host, new Contract(host.contracts.ACL, aclAbi, provider)])),
			kmsVerifiers: [...hosts].map(([host, provider]) => new Contract(host.contracts.KMSVerifier, verifierAbi, provider)),
		};
		const id = BigInt(`0x${idHex}`);
		const { decryption } = contracts;
		const requests = await decryption.queryFilter(decryption.filters.PublicDecryptionRequest(id), 0);
		expect(requests.length === 1, 'one request event of this id on the gateway');
		const responses = await decryption.queryFilter(decryption.filters.PublicDecryptionResponse(id), 0);
		expect(responses.length === 1, 'one response event of this id on the gateway');
		const handles = [...requests[0].args.ctHandles];
		const { decryptedResult: result, signatures, extraData } = responses[0].args;

		const ciphertexts = [];
		for (const handle of handles) ciphertexts.push(await verifyCiphertext(handle, devnet, contracts, expect));

		const domain = { name: 'Decryption', version: '1', chainId: devnet.gateway.chainId, verifyingContract: devnet.gateway.contracts.Decryption };
		const digest = TypedDataEncoder.hash(domain, responseTypes, { ctHandles: handles, decryptedResult: result, extraData });
		const signers = signatures.map((signature) => recoverAddress(digest, signature));
		const registered = await contracts.config.getKmsSigners();
		expect(signers.every((signer) => registered.includes(signer)), 'every signature is by a registered KMS signer');
		expect(new Set(signers).size === signers.length && signers.length >= devnet.threshold, `distinct signers reach the threshold of ${devnet.threshold}`);

		const proof = concat([toBeHex(signatures.length, 1), ...signatures, extraData]);
		for (const kmsVerifier of contracts.kmsVerifiers)
			expect(await kmsVerifier.verifyDecryptionEIP712KMSSignatures.staticCall(handles, result, proof), 'KMSVerifier on the host chain accepts the proof');

		const words = AbiCoder.defaultAbiCoder().decode(handles.map(() => 'uint256'), result);
		expect(getBytes(result).length === 32 * handles.length, 'one word per handle');
		const values = handles.map((handle, index) => {
			const type = typeByNumber(getBytes(handle)[30]);
			expect(words[index] < 1n << BigInt(type.bits), `value ${index} fits ${type.name}`);
			return { type: type.name, value: formatValue(type, words[index]) };
		});
		return { id: idHex, handles, values, signers, ciphertexts, checks, extraData };
	} finally {
		gateway.destroy();
		for (const provider of hosts.values()) provider.destroy();
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const [file, idHex] = process.argv.slice(2);
	const { values, checks } = await verify(JSON.parse(readFileSync(file, 'utf8')), idHex.replace(/^0x/, ''));
	for (const check of checks) console.log(`ok: ${check}`);
	for (const { type, value } of values) console.log(`${type} ${value}`);
}
