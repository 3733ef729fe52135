// SPDX-License-Identifier: BSD-3-Clause-Clear
// SIGTERM for each service in the middle of its work, as processes of their own on PostgreSQL: what was begun is ended
// within shutdown_grace or given back, the process ends with 0, and no request is lost or answered twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, waitFor } from '../../tools/devnet/processes.mjs';
import { withNetwork } from './harness.mjs';
import { Requester } from './load.mjs';
import { Postgres } from './postgres.mjs';

const portBase = Number(process.env.STOP_PORT_BASE ?? 24000);

test('each service is stopped in the middle of its work', { timeout: 900000 }, async (t) => {
	const postgres = await Postgres.start(portBase + 19, 'a password of the test');
	try {
		await withNetwork({ portBase, separate: true, connector: { database_url: postgres.url } }, async ({ network, devnet, publish }) => {
			const { connectorMonitoring, workerMonitoring, senderMonitoring } = network.ports;
			const ports = { 'gw-listener': connectorMonitoring, 'kms-worker': workerMonitoring, 'tx-sender': senderMonitoring };
			const running = (name) => network.processes.findLast((entry) => entry.name === name && isRunning(entry));
			const status = async (port = connectorMonitoring) => (await fetch(`http://127.0.0.1:${port}/status`)).json();
			const taken = async (state, port) => (await status(port)).operations.filter((row) => row.state === state).reduce((sum, row) => sum + row.taken, 0);
			const handles = (await publish(Array.from({ length: 6 }, (_, i) => ['uint64', String(i + 1)]))).map(({ handle }) => handle);
			const requester = new Requester(devnet);
			const seconds = {};

			// SIGTERM now; `meanwhile` while it drains. It ends with 0, and holds nothing any more.
			const stops = async (what, name, meanwhile = () => {}) => {
				const entry = running(name);
				const begun = Date.now();
				process.kill(entry.pid, 'SIGTERM');
				await meanwhile(entry);
				await waitFor(`${name} to end`, () => entry.ended !== undefined);
				seconds[what] = (Date.now() - begun) / 1000;
				assert.equal(entry.ended, 0, what);
				network.processes = network.processes.filter((other) => other !== entry);
			};
			const answered = async () => {
				await waitFor('every request answered', async () => (await requester.outcome()).answered.size === requester.sent, { timeoutMs: 60000, intervalMs: 200 });
				const { answered: events, calls } = await requester.outcome();
				for (const counts of [events, calls]) for (const [id, n] of counts) assert.equal(n, 1, `request ${id}`);
			};
			// What the worker needs stands still, then goes on while it drains.
			const frozen = async (what, name, state, handle) => {
				process.kill(running(name).pid, 'SIGSTOP');
				try {
					await requester.burst(3, () => [handle]);
					await waitFor(`jobs in ${state}`, async () => (await taken(state)) === 3);
					await stops(what, 'kms-worker', async (entry) => {
						await sleep(700);
						assert.ok(isRunning(entry), 'it waits for what has begun');
						process.kill(running(name).pid, 'SIGCONT');
					});
				} finally {
					process.kill(running(name).pid, 'SIGCONT');
				}
				for (const other of ['seen', 'ready', 'computing']) assert.equal(await taken(other), 0, other);
				// All of it was begun: the sender does the rest without a worker.
				await answered();
				network.startConnectorProcess('kms-worker', workerMonitoring);
			};
			await frozen('worker, calls to the core', 'kms-server', 'computing', handles[0]);
			await frozen('worker, downloads', 'object-store', 'ready', handles[1]);

			// Out of time: given back, and taken by the next at once, whose lease it would else have waited for.
			process.kill(running('kms-server').pid, 'SIGSTOP');
			try {
				await requester.burst(3, () => [handles[2]]);
				await waitFor('calls to the core', async () => (await taken('computing')) === 3);
				await stops('worker, out of time', 'kms-worker');
				assert.ok(seconds['worker, out of time'] >= 4.9 && seconds['worker, out of time'] < 9, `${seconds['worker, out of time']} s`);
				assert.equal(await taken('computing'), 0);
			} finally {
				process.kill(running('kms-server').pid, 'SIGCONT');
			}
			network.startConnectorProcess('kms-worker', workerMonitoring);
			await answered();

			// The listener while blocks with requests come, the sender while its transactions wait for theirs.
			for (const [name, rest] of [['gw-listener', 'listener, under load'], ['tx-sender', 'sender, transactions out']]) {
				const load = requester.burst(20, () => [handles[3]]);
				await sleep(name === 'tx-sender' ? 1500 : 200);
				await stops(rest, name);
				await load;
				network.startConnectorProcess(name, ports[name]);
				await answered();
			}
			await waitFor('nothing under way', async () => (await status()).operations.length === 0);
			t.diagnostic(`requests ${requester.sent}, lost 0, doubled 0; seconds to stop: ${Object.entries(seconds).map(([what, s]) => `${what} ${s.toFixed(1)}`).join('; ')}`);
			requester.close();
		});
	} finally {
		await postgres.stop();
	}
});
