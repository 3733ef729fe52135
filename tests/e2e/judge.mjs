// SPDX-License-Identifier: BSD-3-Clause-Clear
// What the chains have in the end of a node: which requests it answered, how often, and what it sent for that. The node's own
// database is not asked.
import { Interface, JsonRpcProvider, getAddress } from 'ethers';
import { artifact } from '../../tools/deploy/set.mjs';
import { decryptionAbi } from '../../tools/devnet/request.mjs';

const decryption = new Interface(decryptionAbi);
const generation = new Interface(artifact('KMSGeneration', 'HostKMSGeneration').abi);
const blocksAtOnce = 100;

const count = (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1);

async function eachLog(provider, address, fn) {
	const last = await provider.getBlockNumber();
	for (let from = 0; from <= last; from += blocksAtOnce)
		for (const log of await provider.getLogs({ address, fromBlock: from, toBlock: Math.min(last, from + blocksAtOnce - 1) })) fn(log);
}

// What an account sent: by the request that the call answers, the first word behind the selector.
async function sentBy(provider, account) {
	const sent = { calls: new Map(), transfers: 0, reverted: 0, blocks: 0 };
	sent.blocks = await provider.getBlockNumber();
	for (let number = sent.blocks; number > 0; number--) {
		const { transactions } = await provider.send('eth_getBlockByNumber', [`0x${number.toString(16)}`, true]);
		for (const { hash, from, input } of transactions) {
			if (getAddress(from) !== account) continue;
			if (input === '0x') sent.transfers += 1;
			else count(sent.calls, input.slice(0, 74));
			const { status } = await provider.send('eth_getTransactionReceipt', [hash]);
			if (status !== '0x1') sent.reverted += 1;
		}
	}
	return sent;
}

// Requests with what came of them: {requested: Map(id -> block), answered, closed: Map(id -> times), …}.
async function decryptions(provider, address) {
	const requested = new Map();
	const answered = new Map();
	const closed = new Map();
	const latencies = []; // blocks from the request to its answer
	await eachLog(provider, address, (log) => {
		const { name } = decryption.parseLog(log) ?? {};
		const id = log.topics[1];
		if (name === 'PublicDecryptionRequest' || name === 'UserDecryptionRequest') requested.set(id, log.blockNumber);
		else if (name === 'PublicDecryptionResponseCall' || name === 'UserDecryptionResponse') {
			count(answered, id);
			latencies.push(log.blockNumber - requested.get(id));
		} else if (name === 'PublicDecryptionResponse' || name === 'UserDecryptionResponseThresholdReached') count(closed, id);
	});
	return { requested, answered, closed, latencies };
}

async function keys(provider, address) {
	const requested = new Map();
	const answered = new Map();
	const given = new Set(); // up, by somebody
	const keyOf = new Map();
	await eachLog(provider, address, (log) => {
		const { name, args } = generation.parseLog(log) ?? {};
		if (name === 'PrepKeygenRequest') requested.set(args.prepKeygenId, log.blockNumber);
		else if (name === 'KeygenRequest') {
			requested.set(args.keyId, log.blockNumber);
			keyOf.set(args.prepKeygenId, args.keyId);
		} else if (name === 'PrepKeygenResponse') count(answered, args.prepKeygenId);
		else if (name === 'KeygenResponse') count(answered, args.keyId);
		else if (name === 'AbortKeygen') for (const id of [args.prepKeygenId, keyOf.get(args.prepKeygenId)]) if (id && !answered.has(id)) given.add(id);
	});
	for (const id of given) requested.delete(id);
	return { requested, answered, given: given.size };
}

const missing = ({ requested, answered }) => [...requested.keys()].filter((id) => !answered.has(id));
const several = (counts) => [...counts].filter(([, n]) => n > 1).map(([id]) => id);

// Who of these accounts answered what: Map("account request" -> times); and how many such transactions were reverted.
async function callsBy(provider, accounts) {
	const calls = new Map();
	let reverted = 0;
	for (let number = await provider.getBlockNumber(); number > 0; number--) {
		const at = `0x${number.toString(16)}`;
		const [{ transactions }, receipts] = await Promise.all([provider.send('eth_getBlockByNumber', [at, true]), provider.send('eth_getBlockReceipts', [at])]);
		transactions.forEach(({ from, input }, index) => {
			if (!accounts.has(getAddress(from)) || input === '0x') return;
			if (receipts[index].status === '0x1') count(calls, `${getAddress(from)} 0x${input.slice(10, 74)}`);
			else reverted += 1;
		});
	}
	return { calls, reverted };
}

// Of a committee, the gateway alone: each request has one decision, and of each node one answer at most. `absent`: answers that
// a node owes.
export async function judgeCommittee(devnet) {
	const accounts = new Set(devnet.nodes.map(({ txSender }) => txSender));
	const provider = new JsonRpcProvider(devnet.gateway.rpc, undefined, { cacheTimeout: -1, batchMaxCount: 1 });
	try {
		const { requested, answered, closed } = await decryptions(provider, devnet.gateway.contracts.Decryption);
		const { calls, reverted } = await callsBy(provider, accounts);
		const ids = [...requested.keys()];
		return {
			requests: ids.length,
			decisions: closed.size,
			answers: [...answered.values()].reduce((sum, n) => sum + n, 0),
			undecided: ids.filter((id) => !closed.has(id)),
			decidedTwice: several(closed),
			answeredTwice: several(calls),
			absent: ids.flatMap((id) => [...accounts].filter((account) => !calls.has(`${account} ${id}`)).map((account) => `${account} ${id}`)),
			reverted,
		};
	} finally {
		provider.destroy();
	}
}

// Both chains. `lost`: requests without this node's answer; `doubled`: answered twice, or two mined transactions for one.
export async function judge(devnet) {
	const account = devnet.nodes[0].txSender;
	const total = { requests: 0, keyRequests: 0, keysGivenUp: 0, answers: 0, calls: 0, transfers: 0, reverted: 0, nonces: 0, lost: [], doubled: [], latencies: [] };
	const [host] = devnet.hosts;
	for (const { rpc, address, read } of [
		{ rpc: devnet.gateway.rpc, address: devnet.gateway.contracts.Decryption, read: decryptions },
		{ rpc: host.rpc, address: host.contracts.KMSGeneration, read: keys },
	]) {
		const provider = new JsonRpcProvider(rpc, undefined, { cacheTimeout: -1, batchMaxCount: 1 });
		try {
			const found = await read(provider, address);
			const sent = await sentBy(provider, account);
			total[read === keys ? 'keyRequests' : 'requests'] = found.requested.size;
			total.keysGivenUp += found.given ?? 0;
			total.answers += [...found.answered.values()].reduce((sum, n) => sum + n, 0);
			total.calls += [...sent.calls.values()].reduce((sum, n) => sum + n, 0);
			total.transfers += sent.transfers;
			total.reverted += sent.reverted;
			total.nonces += await provider.getTransactionCount(account);
			total.lost.push(...missing(found));
			total.doubled.push(...several(found.answered), ...several(found.closed ?? new Map()), ...several(sent.calls));
			total.latencies.push(...(found.latencies ?? []));
		} finally {
			provider.destroy();
		}
	}
	total.wasted = total.nonces - total.answers; // nonces that answered nothing
	return total;
}
