// SPDX-License-Identifier: BSD-3-Clause-Clear
// Two tx-senders with one key on one PostgreSQL database: the one at work is paused under load, the other follows, the
// first goes on where its clock stood; in the end the one at work is killed. Nothing is lost, nothing is sent twice.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { JsonRpcProvider } from 'ethers';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { Requester } from './load.mjs';
import { seeded, withNetwork } from './harness.mjs';
import { Postgres } from './postgres.mjs';

const pauses = 4;
const secondPort = 29048;

// What the account sent: calls and empty transfers, and how many of them failed.
async function sentBy(provider, account) {
	const sent = { calls: 0, transfers: 0, reverted: 0 };
	for (let number = await provider.getBlockNumber(); number > 0; number--) {
		const { prefetchedTransactions } = await provider.getBlock(number, true);
		for (const transaction of prefetchedTransactions.filter(({ from }) => from === account)) {
			sent[transaction.data === '0x' ? 'transfers' : 'calls'] += 1;
			const { status } = await provider.getTransactionReceipt(transaction.hash);
			if (status !== 1) sent.reverted += 1;
		}
	}
	return sent;
}

test('two senders with one key, each paused in turn and let go on, one killed', { timeout: 900000 }, async (t) => {
	const random = seeded(t);
	const postgres = await Postgres.start(29049, 'a password of the test');
	try {
		await withNetwork({ portBase: 29000, separate: true, automine: false, connector: { database_url: postgres.url } }, async ({ network, devnet, publish }) => {
			const handles = (await publish([['uint64', '1'], ['uint8', '2']])).map(({ handle }) => handle);
			const requester = new Requester(devnet);
			const senders = [network.processes.find(({ name }) => name === 'tx-sender'), network.startConnectorProcess('tx-sender', secondPort)];
			const allAnswered = async () => (await requester.outcome()).answered.size === requester.sent;
			// Both write to it. Each has a sender for the host chain as well, which has nothing to do.
			const said = (words) => readFileSync(senders[0].log, 'utf8').split('\n').filter((line) => line.includes(words) && /\bchain"?[=:]"?gateway\b/.test(line)).length;
			const took = () => said('Started sending answers');
			await waitFor('second sender', async () => (await fetch(`http://127.0.0.1:${secondPort}/liveness`)).ok, { entry: senders[1] });
			assert.equal(took(), 1, 'one of them sends');

			let active = 0;
			for (let pause = 0; pause < pauses; pause++) {
				const before = took();
				const load = requester.burst(40, () => [handles[random.below(2)]]);
				await sleep(500 + random.below(2500)); // answers are at every step of their way
				process.kill(senders[active].pid, 'SIGSTOP');
				try {
					await load;
					await waitFor('the other one at work', () => took() > before, { timeoutMs: 40000, intervalMs: 200 });
					await waitFor('every request answered', allAnswered, { timeoutMs: 60000, intervalMs: 250 });
				} finally {
					process.kill(senders[active].pid, 'SIGCONT');
				}
				await sleep(2000);
				active = 1 - active;
			}
			await requester.burst(5, () => [handles[0]]);
			await waitFor('the last ones answered', allAnswered, { timeoutMs: 60000, intervalMs: 250 });

			// Killed under load: the other one does not wait for the end of the lease, 15 s after it was renewed last.
			const before = took();
			const load = requester.burst(40, () => [handles[random.below(2)]]);
			await sleep(500 + random.below(1000));
			const killed = performance.now();
			process.kill(senders[active].pid, 'SIGKILL');
			await waitFor('the other one at work', () => took() > before, { timeoutMs: 40000, intervalMs: 50 });
			const followedMs = Math.round(performance.now() - killed);
			assert.ok(followedMs < 10000, `followed after ${followedMs} ms`);
			await load;
			await waitFor('what the killed one had answered', allAnswered, { timeoutMs: 60000, intervalMs: 250 });

			const { answered, calls } = await requester.outcome();
			for (const [id, n] of answered) assert.equal(n, 1, `request ${id} has one response event`);
			for (const [id, n] of calls) assert.equal(n, 1, `request ${id} was answered by one call`);
			const provider = new JsonRpcProvider(devnet.gateway.rpc, undefined, { cacheTimeout: -1 });
			const sent = await sentBy(provider, devnet.nodes[0].txSender);
			provider.destroy();
			assert.equal(sent.calls, requester.sent, 'as many calls as requests');
			assert.equal(sent.reverted, 0);
			assert.equal(said('Another sender has taken over'), pauses, 'who was paused notices it');
			t.diagnostic(`followed ${followedMs} ms after SIGKILL; requests ${requester.sent}, pauses ${pauses}, lost 0, doubled 0, empty transfers ${sent.transfers}`);
			requester.close();
		});
	} finally {
		await postgres.stop();
	}
});
