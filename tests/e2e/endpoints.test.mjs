// SPDX-License-Identifier: BSD-3-Clause-Clear
// The listener's chain as an operator may configure it: a WebSocket alone, several endpoints of which one is dead, one that
// serves another chain, a quorum that one of them breaks; and blocks read once more by hand.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AbiCoder, id, zeroPadValue, toBeHex } from 'ethers';
import { root } from '../../tools/devnet/network.mjs';

const portBase = Number(process.env.ENDPOINTS_PORT_BASE ?? 27700);
const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const contract = '0xDe00000000000000000000000000000000000001';
// LOG2 of what it is called with: two topics, then the data.
const logger = '0x60403603806040600037602035600035826000a200';

async function rpc(port, method, params = []) {
	const reply = await fetch(`http://127.0.0.1:${port}`, {
		method: 'POST', headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
	});
	const { result, error } = await reply.json();

	if (error)
		throw new Error(`${method}: ${error.message}`);
	return result;
}

async function chain(t, port, chainId = 31337) {
	const anvil = spawn(join(root, 'node_modules/.bin/anvil'), ['--port', String(port), '--chain-id', String(chainId), '--silent']);

	t.after(() => anvil.kill('SIGKILL'));
	for (let i = 0; ; i++) {
		try {
			await rpc(port, 'anvil_setCode', [contract, logger]);
			return;
		} catch (e) {
			if (i === 100)
				throw e;
			await sleep(100);
		}
	}
}

async function request(port, number) {
	const [from] = await rpc(port, 'eth_accounts');
	const data = id('PublicDecryptionRequest(uint256,bytes32[],bytes)') + zeroPadValue(toBeHex(number), 32).slice(2) +
		AbiCoder.defaultAbiCoder().encode(['bytes32[]', 'bytes'], [[zeroPadValue(toBeHex(number), 32)], '0x00']).slice(2);
	const hash = await rpc(port, 'eth_sendTransaction', [{ from, to: contract, data, gas: '0x100000' }]);

	for (let i = 0; i < 50; i++) {
		const receipt = await rpc(port, 'eth_getTransactionReceipt', [hash]);
		if (receipt)
			return assert.equal(receipt.logs.length, 1);
		await sleep(50);
	}
	assert.fail('no receipt');
}

function configure(t, keys) {
	const folder = mkdtempSync(join(tmpdir(), 'claviger-endpoints-'));
	const file = join(folder, 'connector.toml');
	const all = {
		database_url: `sqlite:${join(folder, 'state.db')}`, gateway_chain_id: 31337, decryption_polling: '200ms',
		log_format: 'json', ...keys,
	};

	t.after(() => rmSync(folder, { recursive: true }));
	writeFileSync(file, Object.entries(all).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join('') +
		`[decryption_contract]\naddress = "${contract}"\n`);
	return file;
}

// Not spawnSync: servers of this process are asked meanwhile.
async function replay(file, ...args) {
	const child = spawn(join(programs, 'kms-connector'), ['replay', '-c', file, ...args], { timeout: 30000 });
	const out = { stdout: '', stderr: '' };

	for (const name of ['stdout', 'stderr'])
		child[name].on('data', (data) => { out[name] += data; });
	const [status] = await once(child, 'close');
	return { status, ...out };
}

// Runs a listener, and gives what it says.
async function listener(t, file, monitoring) {
	const child = spawn(join(programs, 'gw-listener'), ['start', '-c', file], {
		env: { ...process.env, KMS_CONNECTOR_MONITORING_ENDPOINT: `127.0.0.1:${monitoring}` },
	});
	const said = { text: '' };

	child.stderr.on('data', (data) => { said.text += data; });
	t.after(() => child.kill('SIGKILL'));
	said.wait = async (pattern, ms = 10000) => {
		for (const end = Date.now() + ms; !pattern.test(said.text); await sleep(20))
			if (Date.now() > end)
				assert.fail(`the listener does not say ${pattern}:\n${said.text}`);
	};
	said.received = async () => {
		const text = await (await fetch(`http://127.0.0.1:${monitoring}/metrics`)).text();
		return Number(/^kms_connector_gw_listener_event_received_counter\{event_type="public_decryption_request"\} (\d+)/m.exec(text)[1]);
	};
	said.until = async (count, ms) => {
		const began = Date.now();
		while (await said.received() !== count)
			if (Date.now() - began > ms)
				assert.fail(`${await said.received()} events instead of ${count}:\n${said.text}`);
			else
				await sleep(20);
		return Date.now() - began;
	};
	said.stop = async () => {
		child.kill('SIGTERM');
		await once(child, 'exit');
	};
	return said;
}

test('a WebSocket alone, and its early signal', async (t) => {
	const port = portBase;
	await chain(t, port);
	const file = configure(t, { gateway_url: `ws://127.0.0.1:${port}`, decryption_polling: '30s' });
	const said = await listener(t, file, port + 50);

	await said.wait(/Started Decryption polling from block/);
	await sleep(1000); // the first round is over
	await request(port, 1);
	assert.ok(await said.until(1, 5000) < 5000);
	await request(port, 2);
	assert.ok(await said.until(2, 5000) < 5000);
	await said.stop();
});

test('one endpoint is dead, one serves another chain, one is right', async (t) => {
	const port = portBase + 1;
	await chain(t, port);
	await chain(t, port + 1, 999);
	const file = configure(t, {
		gateway_url: `http://127.0.0.1:${portBase + 99}`, gateway_urls: [`http://127.0.0.1:${port + 1}`, `http://127.0.0.1:${port}`],
	});
	await request(port + 1, 7);
	const said = await listener(t, file, port + 50);

	await said.wait(/serves another chain, nothing is read from it[^\n]*999/);
	await said.wait(/Started Decryption polling from block/);
	await sleep(500);
	await request(port, 1);
	await said.until(1, 5000);
	await said.stop();
	assert.match(said.text, /An endpoint fails and is left alone for a while/);
});

// Answers as the node does, but for one log that it makes up.
async function liar(t, port, upstream) {
	const server = createServer(async (req, res) => {
		let body = '';
		for await (const piece of req)
			body += piece;
		const { id: number, method, params } = JSON.parse(body);
		let result = null;
		try {
			result = await rpc(upstream, method, params);
		} catch (e) {
			res.end(JSON.stringify({ jsonrpc: '2.0', id: number, error: { code: -32000, message: e.message } }));
			return;
		}
		if (method === 'eth_getLogs' && result.length > 0) {
			const made = { ...result[0], logIndex: '0x63' };
			made.topics = [made.topics[0], zeroPadValue(toBeHex(666), 32)];
			result = [...result, made];
		}
		res.end(JSON.stringify({ jsonrpc: '2.0', id: number, result }));
	});

	await new Promise((done) => server.listen(port, '127.0.0.1', done));
	t.after(() => { server.close(); server.closeAllConnections(); });
}

test('a log that one of three makes up is not believed', async (t) => {
	const port = portBase + 4;
	await chain(t, port);
	await liar(t, port + 1, port);
	const urls = { gateway_url: `http://127.0.0.1:${port + 1}`, gateway_urls: [`http://127.0.0.1:${port}`, `ws://127.0.0.1:${port}`] };
	await request(port, 1);
	const head = String(Number(await rpc(port, 'eth_blockNumber')));

	// Alone it is believed: that is what the quorum is for.
	assert.match((await replay(configure(t, { gateway_url: urls.gateway_url }), '--from', '0', '--to', head)).stdout, /^2 events, 2 of them new/m);
	const file = configure(t, { ...urls, gateway_quorum: 2 });
	assert.match((await replay(file, '--from', '0', '--to', head)).stdout, /^1 events, 1 of them new/m);
	const said = await listener(t, file, port + 50);
	await said.wait(/Started Decryption polling from block/);
	await sleep(1500);
	await request(port, 2);
	await said.wait(/Endpoints of one chain contradict each other/);
	await said.until(1, 10000);
	await said.stop();
	assert.match((await replay(file, '--from', '0', '--to', String(Number(head) + 1))).stdout, /^2 events, 1 of them new/m);
});

test('replay', async (t) => {
	const port = portBase + 8;
	await chain(t, port);
	await request(port, 1);
	await request(port, 2);
	const file = configure(t, { gateway_url: `http://127.0.0.1:${port}` });

	for (let i = 0; i < 2; i++) { // nothing is changed
		const { status, stdout, stderr } = await replay(file, '--from', '0', '--to', '2');
		assert.equal(status, 0, stderr);
		assert.match(stdout, /^1 {2}public_decryption_request {2}0x0{63}1 {2}new$/m);
		assert.match(stdout, /^2 {2}public_decryption_request {2}0x0{63}2 {2}new$/m);
		assert.match(stdout, /^2 events, 2 of them new, 0 logs that cannot be decoded$/m);
	}
	assert.match((await replay(file, '--from', '2', '--to', '2', '--apply')).stdout, /^1 events, 1 of them new and now stored/m);
	const after = (await replay(file, '--from', '1', '--to', '2')).stdout;
	assert.match(after, /0x0{63}1 {2}new$/m);
	assert.match(after, /0x0{63}2 {2}seen$/m);
	assert.match((await replay(file, '--from', '2', '--to', '2', '--apply')).stdout, /^1 events, 0 of them new/m);

	const beyond = await replay(file, '--from', '1', '--to', '3');
	assert.equal(beyond.status, 1);
	assert.match(beyond.stderr, /does not have this block/);
	for (const args of [['--from', '1'], ['--from', '2', '--to', '1'], ['--from', 'x', '--to', '1'], ['--from', '1', '--to', '2', '--chain', 'moon']])
		assert.equal((await replay(file, ...args)).status, 2, args.join(' '));
});
