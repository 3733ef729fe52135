// SPDX-License-Identifier: BSD-3-Clause-Clear
// SIGKILL at seeded moments under load: nothing lost, nothing answered twice, nothing sent twice. The long form, with users'
// requests and keys, on both databases: ./dev soak.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { Requester } from './load.mjs';
import { query, seeded, statesOf, withNetwork } from './harness.mjs';
import { judge } from './judge.mjs';
import { Hits, SqliteReader } from './states.mjs';

const kills = 20;
const outstandingMin = 50;
const mustHit = ['computing', 'answered', 'sending'];
const terminal = ['done', 'refused', 'failed', 'aborted', 'expired'];
const victim = 'kms-connector';

const outstanding = (devnet, requests) => requests - terminal.reduce((sum, state) => sum + (statesOf(devnet)[state] ?? 0), 0);

test('20 kills with at least 50 operations outstanding', { timeout: 900000 }, async (t) => {
	const random = seeded(t);
	await withNetwork({ portBase: 31100 }, async ({ network, devnet, publish }) => {
		const handles = (await publish([['uint64', '1'], ['uint8', '2'], ['bool', 'true']])).map(({ handle }) => handle);
		const requester = new Requester(devnet);
		const reader = SqliteReader.of(devnet);
		const hits = new Hits();
		await network.killConnector();

		for (let kill = 0; kill < kills; kill++) {
			const missing = 2 * outstandingMin - outstanding(devnet, requester.sent);
			if (missing > 0) await requester.burst(missing, () => [handles[random.below(handles.length)]]);
			assert.ok(outstanding(devnet, requester.sent) >= outstandingMin);
			const started = network.startConnectorProcess();
			// From the first instants of a start to the middle of the work: the moment is the seed's.
			await sleep(30 + random.below(700));
			await network.killConnector(started);
			hits.add(victim, await reader.live());
			t.diagnostic(`kill ${kill + 1}: ${outstanding(devnet, requester.sent)} outstanding of ${requester.sent}; ${JSON.stringify(statesOf(devnet))}`);
		}
		for (const line of hits.table([victim])) t.diagnostic(line);
		for (const state of mustHit) assert.ok(hits.of(victim, state).kills > 0, `no kill found a row in state ${state}: the test did not test it`);

		await network.startConnector();
		await waitFor('every request done', () => statesOf(devnet).done === requester.sent, { timeoutMs: 120000, intervalMs: 250 });

		const { requests, answers, nonces, lost, doubled, reverted } = await judge(devnet);
		assert.deepEqual([lost, doubled, reverted], [[], [], 0]);
		assert.deepEqual([requests, answers], [requester.sent, requester.sent], 'every request has its response event');
		assert.equal(nonces, requester.sent, 'as many transactions as requests: none sent twice, none reverted');
		assert.equal(query(devnet, "SELECT count(*) AS n FROM tx WHERE state = 'mined'")[0].n, requester.sent);
		t.diagnostic(`requests ${requester.sent}, kills ${kills}, lost 0, doubled 0`);
		requester.close();
	});
});
