// SPDX-License-Identifier: BSD-3-Clause-Clear
// What the demo does and tells, hop by hop: ciphertexts published, decryptions for everybody and for one user, a refusal. With
// one KMS node or several.
import { setTimeout as sleep } from 'node:timers/promises';
import { Wallet } from 'ethers';
import { accountOf, inspect, stateOf } from './inspect.mjs';
import { PrivateClient, exampleContract } from './private.mjs';
import { waitFor } from './processes.mjs';
import { short } from './transcript.mjs';
import { formatValue, typeByName } from './types.mjs';
import { encryptList } from './user.mjs';

const answersMs = 60000;

const allowances = { contract: 'its user and one contract may use it', public: 'public decryption allowed', user: 'one user may read it, through one contract', nobody: 'NOT allowed for public decryption' };

const several = (n, what) => `${n} ${what}${n === 1 ? '' : 's'}`;

// The numbers 1, 2, 3, 7 as "1-3, 7".
function ranges(numbers) {
	const runs = [];
	for (const n of [...numbers].sort((a, b) => a - b)) {
		const last = runs.at(-1);
		if (last && last[1] === n - 1) last[1] = n;
		else runs.push([n, n]);
	}
	return runs.map(([from, to]) => (from === to ? `${from}` : to === from + 1 ? `${from}, ${to}` : `${from}-${to}`)).join(', ');
}

export const namesOf = (nodes) => `node${nodes.length === 1 ? '' : 's'} ${ranges(nodes.map(({ party }) => party))}`;

// allowed: public, user (then `accounts` are allowed) or nobody.
export async function publish(t, devnet, coprocessor, items, allowed, accounts = [devnet.accounts[0].address]) {
	const list = encryptList(devnet.keys.publicKey, items);
	t.hop('user', `encrypts ${items.map(({ type, value }) => `${type.name} ${formatValue(type, value)}`).join(', ')} under the public key (${list.length} bytes)`);
	const ciphertexts = await coprocessor.publish(list, { accounts, allowPublic: allowed === 'public' });
	for (const { handle, size, snsDigest } of ciphertexts)
		t.hop('coprocessor', `stores ct128 of ${short(handle)}: ${size} bytes, digest ${short(snsDigest)}; ${allowances[allowed]}`);
	return ciphertexts.map(({ handle }) => handle);
}

// Waits until each of these nodes has answered, and its connector is done with that: [{node, block, transaction, …}] in the
// order of the chain. look() gives all answers so far.
async function answersOf(nodes, devnet, idHex, look) {
	const bySender = new Map(nodes.map((node) => [node.txSender, node]));
	for (const end = Date.now() + answersMs; ; await sleep(50)) {
		const found = (await look()).map((answer) => ({ node: bySender.get(answer.sender), ...answer }));
		if (nodes.every((node) => found.some((answer) => answer.node === node))) {
			for (const node of nodes) await waitFor(`state done at node ${node.party}`, async () => (await stateOf(devnet, idHex, node)) === 'done');
			return found;
		}
		if (Date.now() > end) throw new Error(`request ${idHex}: ${found.length} of ${nodes.length} nodes answered within ${answersMs / 1000} s`);
	}
}

async function tellRequest(t, devnet, nodes, idHex) {
	const [node] = nodes;
	const account = await accountOf(devnet, idHex, node);
	const who = nodes.length > 1 ? `connector ${node.party}` : 'connector';
	t.hop(who, `saw the event (its clock: ${account.created[0]}) and stored it`, { block: Number(account.block[0]), transaction: account['event tx'][0] });
	for (const proof of account.proof) t.hop(who, `proved ${proof.replace(/0x[0-9a-f]{64}/g, short)}`);
	if (nodes.length > 1) t.hop('connectors', `of ${namesOf(nodes.slice(1))} did the same, each for itself`);
	return account;
}

// How the answers came to the chain.
function tellAnswers(t, what, answers, account) {
	if (answers.length === 1) return t.hop('connector', `sent ${what} with nonce ${account['tx nonce'][0]}`, { block: answers[0].block, transaction: answers[0].transaction });
	const [first, last] = [answers[0].block, answers.at(-1).block];
	return t.hop('connectors', `of ${namesOf(answers.map(({ node }) => node))} sent ${what}, one each, in block${first === last ? ` ${first}` : `s ${first} to ${last}`}`);
}

// nodes: those that are to answer.
export async function decryptOne(t, devnet, relayer, handles, nodes = devnet.nodes) {
	const request = await relayer.request(handles);
	const { block, transaction } = request;
	t.hop('relayer', `sends publicDecryptionRequest for ${several(handles.length, 'handle')}: id ${short(request.idHex)}`, { block, transaction, id: request.idHex });
	await finishOne(t, devnet, relayer, request, handles, nodes);
	return request;
}

// From the request to the event with the result.
export async function finishOne(t, devnet, relayer, request, handles, nodes) {
	const response = await relayer.response(request);
	const look = async () => (await relayer.responseCalls(request)).map(({ args, blockNumber, transactionHash }) => ({ sender: args.kmsTxSender, block: blockNumber, transaction: transactionHash }));
	const answers = await answersOf(nodes, devnet, request.idHex, look);
	const account = await tellRequest(t, devnet, nodes, request.idHex);
	if (nodes.length === 1) t.hop('core', `decrypted ${several(handles.length, 'value')} and signed the result as ${nodes[0].signer}`);
	else t.hop('cores', `of ${namesOf(nodes)} opened ${several(handles.length, 'value')} together, by shares; each signed the result`);
	tellAnswers(t, 'publicDecryptionResponse', answers, account);
	const quorum = devnet.threshold === 1 ? 'the signature, reached its quorum of 1' : `${response.signatures.length} signatures, reached its quorum of ${devnet.threshold}`;
	t.hop('gateway', `checked ${quorum}: PublicDecryptionResponse`, { block: response.block, transaction: response.transaction });
	return response;
}

// For the eyes of one user: asked for with its wallet's signature, answered under a key that only its client has.
export async function decryptForUser(t, devnet, relayer, item, handle, nodes = devnet.nodes) {
	const { address, privateKey } = devnet.accounts[0];
	const client = new PrivateClient(devnet, new Wallet(privateKey));
	const entries = [{ handle, contract: exampleContract }];
	const signed = await client.sign('direct', entries);
	t.hop('user', `${address} makes a key for the answer (${(client.publicKey.length - 2) / 2} bytes) and signs: through contract ${exampleContract}, for one day`);
	const request = await relayer.requestUser(signed);
	const { block, transaction } = request;
	t.hop('relayer', `sends userDecryptionRequest for 1 handle: id ${short(request.idHex)}`, { block, transaction, id: request.idHex });
	const enough = await relayer.userResponse(request);
	const look = async () => Promise.all((await relayer.userResponses(request)).answers.map(async (answer) => ({ ...answer, sender: await relayer.senderOf(answer) })));
	const answers = await answersOf(nodes, devnet, request.idHex, look);
	const account = await tellRequest(t, devnet, nodes, request.idHex);
	if (nodes.length === 1) t.hop('core', `decrypted 1 value, sealed it for the user's key and signed the result as ${nodes[0].signer}`);
	else t.hop('cores', `of ${namesOf(nodes)} each sealed its share of the value for the user's key and signed that; none knows the value`);
	const [{ share }] = answers;
	tellAnswers(t, `userDecryptionResponse (${(share.length - 2) / 2} bytes)`, answers, account);
	const [value] = await client.open(entries, signed, enough);
	const shown = formatValue(item.type, value);
	if (value !== item.value) throw new Error(`private value: encrypted ${formatValue(item.type, item.value)}, opened ${shown}`);
	const how = nodes.length === 1 ? 'checks signature and link, opens the answer' : `checks ${enough.length} signatures and links, opens the shares and puts them together`;
	t.hop('user', `${how}: ${item.type.name} ${shown}; nobody else can`);
	return { ...request, id: request.idHex, handle, user: address, contract: exampleContract, value: shown };
}

// How many decryptions a core was ever asked for, by its own counter.
async function coreRequests({ party, coreMonitoring }) {
	const text = await (await fetch(`${coreMonitoring}/metrics`)).text();
	const counter = /^kms_operations_total\{operation="public_decrypt_request"\} (\d+)$/m.exec(text);
	if (!counter) throw new Error(`the core of node ${party} shows no counter of public decryption requests`);
	return Number(counter[1]);
}

const allRequests = async (nodes) => (await Promise.all(nodes.map(coreRequests))).reduce((sum, n) => sum + n, 0);

export async function refusal(t, devnet, coprocessor, relayer, type) {
	const { nodes } = devnet;
	const [handle] = await publish(t, devnet, coprocessor, [{ type: typeByName(type), value: 7n }], 'nobody');
	const before = await allRequests(nodes);
	const { idHex, block, transaction } = await relayer.request([handle]);
	t.hop('relayer', `asks for it all the same: id ${short(idHex)}`, { block, transaction, id: idHex });
	for (const node of nodes) await waitFor(`the refusal by node ${node.party}`, async () => (await stateOf(devnet, idHex, node)) === 'refused', { timeoutMs: 60000, intervalMs: 100 });
	const text = await inspect(devnet, idHex);
	const reason = /^reason\s+(.*)$/m.exec(text)?.[1];
	t.hop(nodes.length === 1 ? 'connector' : 'connectors', `${nodes.length === 1 ? 'refuses' : `refuse, all ${nodes.length}`}: ${reason}`, { id: idHex, reason });
	const asked = (await allRequests(nodes)) - before;
	if (asked !== 0) throw new Error(`the core was asked ${asked} times for a handle that is not allowed`);
	t.hop(nodes.length === 1 ? 'core' : 'cores', nodes.length === 1 ? 'was not asked' : 'were not asked');
	console.log(`\n  $ kms-connector inspect ${idHex}\n${text.trimEnd().replace(/^/gm, '    ')}`);
	return { id: idHex, handle, reason, coreAsked: asked };
}
