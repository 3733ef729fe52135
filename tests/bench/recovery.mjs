// SPDX-License-Identifier: BSD-3-Clause-Clear
// SIGKILL in the middle of work, and a start at once: how long until something useful is done again.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Proxy, accepted } from './proxy.mjs';
import { Load } from './load.mjs';
import { percentile } from './figures.mjs';
import { StandinNetwork, withEngine } from './standin.mjs';

const kills = 6;
const rate = 100; // requests a second, all the time
const pauseMs = 3000; // from the first transaction to the next kill
const targetMs = 1000;

const asked = (method) => (what) => what.method === method && what.phase === 'request';
const ms = (list) => `p50 ${percentile(list, 50).toFixed(0)}, max ${Math.max(...list).toFixed(0)} ms`;

// A second's requests at a time, signed when they are needed, until stop() is called.
function keepAsking(load, handles) {
	let going = true;
	const ended = (async () => {
		for (let i = 0, due = performance.now(); going; due += 1000) {
			await load.send(await load.sign(rate, () => [handles[i++ % handles.length]]));
			await sleep(Math.max(0, due + 1000 - performance.now()));
		}
	})();
	ended.catch(() => {}); // told by stop()
	return () => ((going = false), ended);
}

async function measure(figures, engine, network, gateway, host) {
	const devnet = await network.start();
	const { handles } = await network.publish(16);
	const load = new Load(devnet);
	const stop = keepAsking(load, handles);
	const times = { reading: [], permission: [], sent: [] };
	await gateway.next(accepted);
	for (let kill = 0; kill < kills; kill++) {
		await sleep(pauseMs + Math.random() * 1000);
		const begun = performance.now();
		await network.killConnector();
		const waits = [gateway.next(asked('eth_getLogs'), 60000), host.next(asked('eth_call'), 60000), gateway.next(accepted, 60000)];
		network.startConnectorProcess();
		const seen = await Promise.all(waits);
		Object.values(times).forEach((list, index) => list.push(seen[index].at - begun));
	}
	await stop();
	load.close();
	console.log(`\nrecovery, ${engine}: ${kills} times SIGKILL at ${rate} requests/s, and a start at once; from the kill to`);
	console.log(`  the first eth_getLogs ${ms(times.reading)}; the first question to an ACL, for an operation that waited, ${ms(times.permission)}; the first answer that the gateway takes ${ms(times.sent)}`);
	const useful = times.permission.map((time, index) => Math.min(time, times.sent[index]));
	figures.add(`recovery, ${engine}: SIGKILL to the first work on an operation`, `<= ${targetMs} ms`, `${ms(useful)}; first transaction ${ms(times.sent)}`);
}

export async function recovery(figures, portBase, engines = ['SQLite', 'PostgreSQL']) {
	for (const engine of engines)
		await withEngine(engine, portBase + 30, async (postgres) => {
			const dir = mkdtempSync(join(tmpdir(), 'claviger-bench-'));
			const fronts = { gateway: portBase + 21, host: portBase + 22 };
			const gateway = new Proxy(`http://127.0.0.1:${portBase}`);
			const host = new Proxy(`http://127.0.0.1:${portBase + 1}`);
			const network = new StandinNetwork({ dir, portBase, postgres, fronts });
			try {
				await gateway.listen(fronts.gateway);
				await host.listen(fronts.host);
				await measure(figures, engine, network, gateway, host);
			} finally {
				await network.stop();
				gateway.close();
				host.close();
				rmSync(dir, { recursive: true, force: true });
			}
		});
}
