// SPDX-License-Identifier: BSD-3-Clause-Clear
// An encrypted input as a client makes it, step by step: with a proof over the CRS, which the coprocessor verifies before it
// computes on what is in it.
import { Contract, Wallet, hexlify } from 'ethers';
import { exampleContract } from './private.mjs';
import { waitFor } from './processes.mjs';
import { connect } from './request.mjs';
import { short } from './transcript.mjs';
import { formatValue } from './types.mjs';
import { encryptProven } from './user.mjs';

const timeoutMs = 1_800_000; // with production parameters the coprocessor takes seconds a value, where nothing else runs

const aclAbi = ['function allowForDecryption(bytes32[] handlesList)'];

async function sizeOf({ objectStore: { url, bucket } }, handle) {
	const reply = await fetch(`${url}/${bucket}/ct128/${handle.slice(2)}/1`);
	if (!reply.ok) throw new Error(`no ct128 of ${handle}: HTTP ${reply.status}`);
	return (await reply.arrayBuffer()).byteLength;
}

// The owner of the values lets everybody have them decrypted.
async function allowPublic(host, { privateKey }, handles) {
	const provider = connect(host.rpc);
	try {
		const receipt = await (await new Contract(host.contracts.ACL, aclAbi, new Wallet(privateKey, provider)).allowForDecryption(handles)).wait();
		return { block: receipt.blockNumber, transaction: receipt.hash };
	} finally {
		provider.destroy();
	}
}

// [{type, value}] -> their handles. The user may read them through exampleContract, and everybody may have them decrypted.
export async function publishProven(t, devnet, relayer, items) {
	const [host] = devnet.hosts;
	const [user] = devnet.accounts;
	const input = { contract: exampleContract, user: user.address, acl: host.contracts.ACL, chainId: host.chainId };
	const begun = performance.now();
	const blob = encryptProven(devnet.keys, items, input);
	const seconds = ((performance.now() - begun) / 1000).toFixed(1);
	t.hop('user', `encrypts ${items.map(({ type, value }) => `${type.name} ${formatValue(type, value)}`).join(', ')} under this key, with a proof over this CRS (${blob.length} bytes, ${seconds} s)`);
	const request = await relayer.requestProof({ ...input, ciphertext: hexlify(blob), extraData: '0x00' });
	const { block, transaction } = request;
	t.hop('relayer', `sends verifyProofRequest: input ${request.id} of ${user.address} for contract ${exampleContract}`, { block, transaction });
	const { accepted, handles } = await waitFor(`an answer to input ${request.id}`, () => relayer.proofResponse(request), { timeoutMs, intervalMs: 200 });
	if (!accepted) throw new Error('the coprocessor rejects the proof');
	t.hop('coprocessor', 'verified the proof; expanded, squashed and compressed with the server keys: it holds no secret');
	for (const handle of handles) t.hop('coprocessor', `stored ct128 of ${short(handle)}: ${await sizeOf(devnet, handle)} bytes; its user and one contract may use it`);
	t.hop('user', `allows everybody to have ${handles.length > 1 ? 'them' : 'it'} decrypted`, await allowPublic(host, user, handles));
	return handles;
}
