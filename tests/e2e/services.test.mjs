// SPDX-License-Identifier: BSD-3-Clause-Clear
// Listener, worker and sender as processes of their own on PostgreSQL: each is killed while it works, and two workers
// share the work; nothing is lost, nothing is answered twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { Requester } from './load.mjs';
import { withNetwork } from './harness.mjs';
import { Postgres } from './postgres.mjs';

test('three services on PostgreSQL, each killed under load, a second worker beside the first', { timeout: 900000 }, async (t) => {
	const postgres = await Postgres.start(28049, 'a password of the test');
	try {
		await withNetwork({ portBase: 28040, separate: true, automine: false, connector: { database_url: postgres.url } }, async ({ network, devnet, publish }) => {
			const { connectorMonitoring, workerMonitoring, senderMonitoring } = network.ports;
			const ports = { 'gw-listener': connectorMonitoring, 'kms-worker': workerMonitoring, 'tx-sender': senderMonitoring };
			const handles = (await publish([['uint64', '1'], ['uint8', '2']])).map(({ handle }) => handle);
			const requester = new Requester(devnet);
			const running = (name) => network.processes.find((entry) => entry.name === name);
			const killed = [];

			const second = network.startConnectorProcess('kms-worker', 28048);
			await waitFor('second worker', async () => (await fetch('http://127.0.0.1:28048/healthz')).ok, { entry: second });
			for (const [name, port] of Object.entries(ports)) {
				await requester.burst(20, () => [handles[killed.length % 2]]);
				await network.killConnector(running(name));
				killed.push(name);
				network.startConnectorProcess(name, port);
			}
			await requester.burst(5, () => [handles[0]]);

			// What the dead had is free when their leases end.
			await waitFor('every request answered', async () => (await requester.outcome()).answered.size === requester.sent, { timeoutMs: 150000, intervalMs: 500 });
			const { answered, calls } = await requester.outcome();
			for (const [id, n] of answered) assert.equal(n, 1, `request ${id} has one response event`);
			for (const [id, n] of calls) assert.equal(n, 1, `request ${id} was answered by one call`);

			// One service each: the listener's process counts events, the workers' count requests to the core.
			const counted = async (port, name) => {
				const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
				return [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)$`, 'gm'))].reduce((sum, [, n]) => sum + Number(n), 0);
			};
			const sent = 'kms_connector_worker_grpc_request_sent_counter';
			const work = [await counted(workerMonitoring, sent), await counted(28048, sent)];
			assert.equal(await counted(connectorMonitoring, sent), 0);
			t.diagnostic(`requests ${requester.sent}, killed ${killed.join(', ')}, lost 0, doubled 0; requests to the core by the workers alive: ${work.join(' and ')}`);
			requester.close();
		});
	} finally {
		await postgres.stop();
	}
});
