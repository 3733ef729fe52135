// SPDX-License-Identifier: BSD-3-Clause-Clear
// A full disk: the databases of connector and core on a file system of 4 MiB. While it is full each says so and goes on;
// nothing is lost, nothing is answered twice; when there is room again all is answered. The file system is mounted where
// only this test sees it: by root, or by the root of a user namespace; where neither may, this test fails.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { JsonRpcProvider } from 'ethers';
import { isRunning, waitFor } from '../../tools/devnet/processes.mjs';
import { withNetwork } from './harness.mjs';
import { Requester } from './load.mjs';
import { inNamespaces } from './namespace.mjs';

const portBase = Number(process.env.DISK_PORT_BASE ?? 27440);
const perRound = 5; // a ciphertext is 100 KB, and stands in the core's database and in its log until it is answered

const names = ['kms-server', 'kms-connector']; // whose disks they are

// Takes all the room there is; free() gives it back.
function fill(dir) {
	const file = join(dir, 'filler');
	const fd = openSync(file, 'w');
	const bytes = Buffer.alloc(4096);
	let n = 0;
	try {
		for (;;) n += writeSync(fd, bytes);
	} catch (error) {
		assert.equal(error.code, 'ENOSPC');
	}
	closeSync(fd);
	return { n, free: () => unlinkSync(file) };
}

async function onSmallDisk(dir, report) {
	const [coreDisk, connectorDisk] = names.map((name) => join(dir, name));
	for (const disk of [coreDisk, connectorDisk]) {
		mkdirSync(disk, { mode: 0o700 });
		const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', disk], { encoding: 'utf8' });
		assert.equal(mount.status, 0, mount.stderr);
		assert.equal(statfsSync(disk).blocks * statfsSync(disk).bsize, 4 << 20);
	}
	const options = {
		portBase, relayer: false, coreStore: join(coreDisk, 'requests.db'),
		connector: { database_url: `sqlite:${join(connectorDisk, 'connector.db')}` },
	};
	await withNetwork(options, async ({ network, devnet, publish }) => {
		const running = (name) => network.processes.findLast((entry) => entry.name === name);
		const logOf = (name) => readFileSync(network.path('log', `${name}.log`), 'utf8');
		const [{ handle }] = await publish([['uint64', '7']]);
		const requester = new Requester(devnet);
		const answered = async () => (await requester.outcome()).answered.size;
		await requester.burst(2, () => [handle]);
		await waitFor('the first answers', async () => (await answered()) === requester.sent, { timeoutMs: 30000 });

		// Whose disk is full says so and goes on; the other goes on as well.
		for (const [index, name] of names.entries()) {
			const since = logOf(name).length;
			const started = names.map(running);
			const filler = fill([coreDisk, connectorDisk][index]);
			await requester.burst(perRound, () => [handle]);
			const says = () => logOf(name).slice(since).split('\n').find((line) => /database or disk is full/.test(line));
			await waitFor(`${name} to say that the disk is full`, says, { entry: running(name), timeoutMs: 30000 });
			for (const entry of started) assert.ok(isRunning(entry), `${entry.name} runs while the disk of ${name} is full`);
			const before = await answered();
			assert.ok(before < requester.sent, 'some wait for the disk');
			// Then a kill in the middle of it. (On a disk without any room a start may fail; it says why.)
			if (name === 'kms-connector') await network.killConnector();
			filler.free();
			if (name === 'kms-connector') await network.startConnector();
			await waitFor('every request answered', async () => (await answered()) === requester.sent, { timeoutMs: 90000, intervalMs: 200 });
			report(`${name}: ${filler.n} bytes taken, ${requester.sent - before} requests waited; "${says().slice(0, 200)}"`);
		}

		const { answered: events, calls } = await requester.outcome();
		assert.equal(events.size, requester.sent);
		for (const [id, n] of [...events, ...calls]) assert.equal(n, 1, `request ${id}`);
		const provider = new JsonRpcProvider(devnet.gateway.rpc, undefined, { cacheTimeout: -1 });
		assert.equal(await provider.getTransactionCount(devnet.nodes[0].txSender), requester.sent, 'as many transactions as requests');
		provider.destroy();
		for (const file of [join(coreDisk, 'requests.db'), join(connectorDisk, 'connector.db')]) {
			const db = new DatabaseSync(file);
			assert.deepEqual(db.prepare('PRAGMA integrity_check').all().map((row) => Object.values(row)[0]), ['ok'], file);
			db.close();
		}
		report(`${requester.sent} requests, lost 0, doubled 0`);
		requester.close();
	});
}

const inside = 'CLAVIGER_SMALL_DISK';

if (process.env[inside]) {
	const dir = process.env[inside];
	try {
		await onSmallDisk(dir, (text) => console.log(`# ${text}`));
	} finally {
		for (const name of names) spawnSync('umount', ['-l', join(dir, name)]);
	}
	process.exit(0);
}

test('a full disk of 4 MiB loses nothing', { timeout: 900000 }, (t) =>
	inNamespaces(t, {
		flags: ['-m'],
		probe: 'mount -t tmpfs -o size=4m tmpfs /mnt && umount /mnt',
		missing: 'no file system of 4 MiB can be mounted: this test needs root, or user namespaces (unshare -rm)',
		file: fileURLToPath(import.meta.url),
		inside,
		name: 'disk',
	}));
