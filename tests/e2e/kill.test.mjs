// SPDX-License-Identifier: BSD-3-Clause-Clear
// SIGKILL at seeded moments under load: nothing lost, nothing answered twice, nothing sent twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { JsonRpcProvider } from 'ethers';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { Requester } from './load.mjs';
import { query, seeded, statesOf, withNetwork } from './harness.mjs';

const kills = 20;
const outstandingMin = 50;
const mustHit = ['computing', 'answered', 'sending'];
const terminal = ['done', 'refused', 'failed', 'aborted', 'expired'];

const outstanding = (devnet, requests) => requests - terminal.reduce((sum, state) => sum + (statesOf(devnet)[state] ?? 0), 0);

test('20 kills with at least 50 operations outstanding', { timeout: 600000 }, async (t) => {
	const random = seeded(t);
	await withNetwork({ portBase: 31100 }, async ({ network, devnet, publish }) => {
		const handles = (await publish([['uint64', '1'], ['uint8', '2'], ['bool', 'true']])).map(({ handle }) => handle);
		const requester = new Requester(devnet);
		const hits = Object.fromEntries(mustHit.map((state) => [state, 0]));
		await network.killConnector();

		for (let kill = 0; kill < kills; kill++) {
			const missing = 2 * outstandingMin - outstanding(devnet, requester.sent);
			if (missing > 0) await requester.burst(missing, () => [handles[random.below(handles.length)]]);
			assert.ok(outstanding(devnet, requester.sent) >= outstandingMin);
			const started = network.startConnectorProcess();
			// From the first instants of a start to the middle of the work: the moment is the seed's.
			await sleep(30 + random.below(700));
			await network.killConnector(started);
			const left = outstanding(devnet, requester.sent);
			const states = statesOf(devnet);
			for (const state of mustHit) if (states[state]) hits[state] += 1;
			t.diagnostic(`kill ${kill + 1}: ${left} outstanding of ${requester.sent}; ${JSON.stringify(states)}`);
		}
		for (const state of mustHit) assert.ok(hits[state] > 0, `no kill found a row in state ${state}: the test did not test it`);

		await network.startConnector();
		await waitFor('every request done', () => statesOf(devnet).done === requester.sent, { timeoutMs: 120000, intervalMs: 250 });

		const { answered, calls } = await requester.outcome();
		assert.equal(answered.size, requester.sent, 'every request has its response event');
		for (const [id, n] of answered) assert.equal(n, 1, `request ${id} has one response event`);
		for (const [id, n] of calls) assert.equal(n, 1, `request ${id} was answered by one call`);
		const provider = new JsonRpcProvider(devnet.gateway.rpc, undefined, { cacheTimeout: -1 });
		const nonce = await provider.getTransactionCount(devnet.nodes[0].txSender);
		provider.destroy();
		assert.equal(nonce, requester.sent, 'as many transactions as requests: none sent twice, none reverted');
		assert.equal(query(devnet, "SELECT count(*) AS n FROM tx WHERE state = 'mined'")[0].n, requester.sent);
		t.diagnostic(`requests ${requester.sent}, kills ${kills}, lost 0, doubled 0; hit ${JSON.stringify(hits)}`);
		requester.close();
	});
});
