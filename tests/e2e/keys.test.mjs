// SPDX-License-Identifier: BSD-3-Clause-Clear
// Keys that show only in a whole process: which endpoints of the second chain are asked, how many questions a host chain gets
// at once and for how long, how long a stop may take. And tests/connector-keys.md: every key of the reference stands there,
// with tests that are there, and which set it.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AbiCoder, id, keccak256, toBeHex, zeroPadValue } from 'ethers';
import { root } from '../../tools/devnet/network.mjs';
import { isRunning, start, stop, waitFor } from '../../tools/devnet/processes.mjs';

// ---- the page ----

const read = (name) => (existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8') : undefined);
// What one test says, from its first line to the next test's, and everything that stands outside of tests.
const unitText = (text, name) => {
	const pieces = text.split(/^(?=static void \w+\(void \*\*state\)$)/m);
	const own = pieces.find((piece) => piece.startsWith(`static void ${name}(`));
	return own && [...pieces.map((piece) => (/^static void \w+\(void \*\*state\)$/m.test(piece) ? piece.replace(/^[^]*?^}$/m, '') : piece)), own].join('\n');
};

test('every key of the reference stands in tests/connector-keys.md, with tests that set it', () => {
	const reference = read('docs/operations/configuration.md');
	const rows = [...reference.matchAll(/^\| `([a-z0-9_.]+)` \|.*\| (.*) \|$/gm)].map(([, key, meaning]) => ({ key, older: /^Older form/.test(meaning), moot: /Has no effect here/.test(meaning) }));
	assert.ok(rows.length > 100);
	const page = new Map([...read('tests/connector-keys.md').matchAll(/^\| `([a-z0-9_.]+)` \| (.+) \| (.+) \|$/gm)].map(([, key, tests, what]) => [key, { tests, what }]));
	const wanted = rows.filter(({ older, moot }) => !older && !moot).map(({ key }) => key);
	assert.deepEqual([...page.keys()].sort(), [...new Set(wanted)].sort());
	for (const [key, { tests, what }] of page) {
		const names = key.split('.');
		const leaf = names.at(-1);
		assert.ok(what.length > 10, key);
		const unit = [...tests.matchAll(/`([a-z]+)\/(\w+) (\w+)`/g)];
		const e2e = [...tests.matchAll(/`e2e\/(\w+) "([^"`]+)"`/g)];
		assert.ok(unit.length + e2e.length > 0, `${key} has no test`);
		let sets = false;
		for (const [name, folder, file, t] of unit) {
			const text = read(`tests/unit/${folder}/test_${file}.c`);
			const own = text && unitText(text, t);
			assert.ok(own && new RegExp(`\\b${t}[,)]`).test(text.slice(text.indexOf('int main'))), `${name} is no test that runs`);
			// As it stands there: the member of the configuration, or of what a service is given for it.
			sets ||= new RegExp(`\\b${leaf}(_ms)?\\b`).test(own) || (names.length > 1 && new RegExp(`\\b${names[0].replace(/_config$/, '')}\\w*\\b`).test(own));
		}
		for (const [name, file, t] of e2e) {
			const text = read(`tests/e2e/${file}.test.mjs`);
			assert.ok(text?.includes(`test('${t}'`) || text?.includes(`test("${t}"`), `${name} is no test`);
			sets ||= new RegExp(`\\b${leaf}\\b`, 'i').test(text);
		}
		assert.ok(sets, `${key}: no test that is named sets it`);
	}
});

// ---- a chain that is asked, and remembers ----

const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const scratch = mkdtempSync(join(tmpdir(), 'claviger-keys-'));
after(() => rmSync(scratch, { recursive: true }));
const address = (n) => `0x${n.toString(16).padStart(2, '0').repeat(20)}`;
const decryption = address(0xde);
const blockHash = (n) => keccak256(toBeHex(n, 32));

class Chain {
	constructor(port, chainId, logs = []) {
		Object.assign(this, { port, chainId, logs, asked: [], running: 0, most: 0, callMs: 0, ended: [] });
	}

	async start() {
		this.server = createServer((request, response) => this.#serve(request, response));
		await new Promise((resolve, reject) => this.server.once('error', reject).listen(this.port, '127.0.0.1', resolve));
		return this;
	}

	stop() {
		this.server.closeAllConnections();
		return new Promise((resolve) => this.server.close(resolve));
	}

	get url() {
		return `http://127.0.0.1:${this.port}`;
	}

	of(method) {
		return this.asked.filter((q) => q.method === method);
	}

	block(tag) {
		const number = /^0x/.test(tag) ? Number(tag) : 20;
		return { number: toBeHex(number), hash: blockHash(number), parentHash: blockHash(number - 1), timestamp: toBeHex(Math.floor(Date.now() / 1000)), baseFeePerGas: '0x1' };
	}

	answer({ method, params }) {
		if (method === 'eth_chainId') return toBeHex(this.chainId);
		if (method === 'eth_blockNumber') return '0x14';
		if (method === 'eth_getBlockByNumber') return this.block(params[0]);
		if (method === 'eth_getLogs') return this.logs.filter(({ blockNumber }) => Number(blockNumber) >= Number(params[0].fromBlock) && Number(blockNumber) <= Number(params[0].toBlock));
		if (method === 'eth_getTransactionCount' || method === 'eth_getBalance') return '0x0';
		return undefined;
	}

	async #serve(request, response) {
		const pieces = [];
		for await (const piece of request) pieces.push(piece);
		const question = JSON.parse(Buffer.concat(pieces));
		const begun = Date.now();
		this.asked.push(question);
		if (this.silent) return;
		if (question.method === 'eth_call') {
			this.most = Math.max(this.most, ++this.running);
			// Its end, whoever brings it about.
			let over = false;
			response.on('close', () => {
				over = true;
				this.running--;
				this.ended.push(Date.now() - begun);
			});
			for (let left = this.callMs; left > 0 && !over; left -= 20) await sleep(20);
			if (over) return;
		}
		const result = this.answer(question);
		response.setHeader('content-type', 'application/json');
		response.end(JSON.stringify({ jsonrpc: '2.0', id: question.id, ...(result === undefined ? { error: { code: 3, message: 'execution reverted' } } : { result }) }));
	}
}

const requestLog = (n) => ({
	address: decryption,
	topics: [id('PublicDecryptionRequest(uint256,bytes32[],bytes)'), zeroPadValue(toBeHex(n), 32)],
	data: AbiCoder.defaultAbiCoder().encode(['bytes32[]', 'bytes'], [[`0x${n.toString(16).padStart(2, '0').repeat(22)}${(777).toString(16).padStart(16, '0')}0500`], '0x00']),
	blockNumber: '0xa', blockHash: blockHash(10), transactionHash: zeroPadValue(toBeHex(n), 32), transactionIndex: toBeHex(n), logIndex: toBeHex(n), removed: false,
});

let serial = 0;
// One process on these chains, until the body is done; then its log.
async function withConnector({ gateway, host, settings = {} }, body) {
	const port = 23230 + serial;
	const name = `connector-${++serial}`;
	const keys = {
		gateway_url: gateway.url, gateway_chain_id: gateway.chainId, kms_core_endpoints: ['unix:/nonexistent/core.sock'], private_key: '22'.repeat(32),
		database_url: `sqlite:${join(scratch, `${name}.db`)}`, monitoring_endpoint: `127.0.0.1:${port}`, decryption_polling: '50ms', decryption_from_block_number: 0, shutdown_grace: '0s', ...settings,
	};
	const file = join(scratch, `${name}.toml`);
	const text = [
		...Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
		`[decryption_contract]\naddress = "${decryption}"`, `[gateway_config_contract]\naddress = "${address(0x6c)}"`, ...(settings.ethereum_url ? [`[protocol_config_contract]\naddress = "${address(0x9c)}"`] : []),
		`[[host_chains]]\nurl = "${host.url}"\nchain_id = ${host.chainId}\nacl_address = "${address(0xac)}"\n`,
	].join('\n');
	writeFileSync(file, text, { mode: 0o600 });
	const log = join(scratch, `${name}.log`);
	const entry = start(name, join(programs, 'kms-connector'), ['start', '-c', file], { log, cwd: scratch });
	const read = () => readFileSync(log, 'utf8');
	try {
		const monitoring = `http://127.0.0.1:${port}`;
		await waitFor('the start', async () => (await fetch(`${monitoring}/liveness`)).ok || !isRunning(entry), { entry });
		await body({ entry, log: read, monitoring });
	} finally {
		await stop(entry);
	}
	return read();
}

async function withChains(body, { logs = [] } = {}) {
	const chains = { gateway: new Chain(23200, 54321, logs), host: new Chain(23201, 777), ethereum: new Chain(23202, 888), second: new Chain(23203, 888) };
	await Promise.all(Object.values(chains).map((chain) => chain.start()));
	try {
		await body(chains);
	} finally {
		await Promise.all(Object.values(chains).map((chain) => chain.stop()));
	}
}

// ---- the chain that holds ProtocolConfig ----

test('the second chain: its endpoints, its id, its quorum, its finality, its pace and its first block', () =>
	withChains(async ({ gateway, host, ethereum, second }) => {
		const settings = { ethereum_url: ethereum.url, ethereum_chain_id: 888, key_management_polling: '100ms', kms_operation_from_block_number: 3 };
		const polls = (chain) => chain.of('eth_getLogs').length;

		// One endpoint: it alone is asked, with the tag and the block of the configuration.
		await withConnector({ gateway, host, settings }, () => waitFor('questions', () => polls(ethereum) > 0));
		assert.equal(polls(second), 0);
		assert.equal(Number(ethereum.of('eth_getLogs')[0].params[0].fromBlock), 3);
		assert.ok(ethereum.of('eth_getBlockByNumber').some(({ params }) => params[0] === 'finalized'));
		ethereum.asked = [];
		await withConnector({ gateway, host, settings: { ...settings, ethereum_finality: 'safe' } }, () => waitFor('questions', () => polls(ethereum) > 0));
		assert.ok(ethereum.of('eth_getBlockByNumber').some(({ params }) => params[0] === 'safe'));
		assert.ok(!ethereum.of('eth_getBlockByNumber').some(({ params }) => params[0] === 'finalized'));

		// A quorum of two: both.
		await withConnector({ gateway, host, settings: { ...settings, ethereum_urls: [second.url], ethereum_quorum: 2 } }, () => waitFor('questions', () => polls(second) > 0));

		// The first is away: the other.
		second.asked = [];
		await withConnector({ gateway, host, settings: { ...settings, ethereum_url: 'http://127.0.0.1:1', ethereum_urls: [second.url] } }, () => waitFor('questions', () => polls(second) > 0));

		// Another id: nothing is read.
		ethereum.asked = [];
		const log = await withConnector({ gateway, host, settings: { ...settings, ethereum_chain_id: 889 } }, ({ log }) => waitFor('the warning', () => /serves another chain/.test(log())));
		assert.match(log, /ERROR .*An endpoint serves another chain, nothing is read from it endpoint=127\.0\.0\.1:23202 chain_id=888/);
		assert.equal(polls(ethereum), 0);
	}));

test('the gateway: its finality', () =>
	withChains(async ({ gateway, host }) => {
		const tags = () => new Set(gateway.of('eth_getBlockByNumber').map(({ params }) => params[0]));
		await withConnector({ gateway, host }, () => waitFor('questions', () => gateway.of('eth_getLogs').length > 0));
		assert.ok(!tags().has('safe'));
		gateway.asked = [];
		await withConnector({ gateway, host, settings: { gateway_finality: 'safe' } }, () => waitFor('questions', () => gateway.of('eth_getLogs').length > 0));
		assert.ok(tags().has('safe'));
	}));

test('the parent chain of the gateway: its endpoint, its id, its contract', () =>
	withChains(async ({ gateway, host, ethereum, second }) => {
		const settings = { gateway_finality: 'arbitrum-l1-confirmed', gateway_parent_url: ethereum.url, gateway_parent_chain_id: 888, gateway_parent_rollup: address(0xa0) };
		const names = (chain, rollup) => JSON.stringify(chain.asked).includes(rollup);
		await withConnector({ gateway, host, settings }, () => waitFor('the question', () => names(ethereum, address(0xa0))));
		await withConnector({ gateway, host, settings: { ...settings, gateway_parent_url: second.url, gateway_parent_rollup: address(0xa1) } }, () => waitFor('the question', () => names(second, address(0xa1))));
		assert.ok(!names(second, address(0xa0)) && !names(ethereum, address(0xa1)));
		const log = await withConnector({ gateway, host, settings: { ...settings, gateway_parent_chain_id: 889 } }, ({ log }) => waitFor('the warning', () => /serves another chain/.test(log())));
		assert.match(log, /An endpoint serves another chain, nothing is read from it endpoint=127\.0\.0\.1:23202 chain_id=888/);
	}));

// ---- a host chain ----

const six = { logs: [1, 2, 3, 4, 5, 6].map(requestLog) };

test('a host chain: questions at once', () =>
	withChains(async ({ gateway, host }) => {
		host.callMs = 400;
		await withConnector({ gateway, host, settings: { host_rpc_max_concurrent_calls: 1 } }, () => waitFor('questions', () => host.of('eth_call').length >= 6, { timeoutMs: 30000 }));
		assert.equal(host.most, 1);
		await withConnector({ gateway, host }, () => waitFor('questions', () => host.most >= 6, { timeoutMs: 30000 }));
	}, six));

test('a host chain: the time of a question', () =>
	withChains(async ({ gateway, host }) => {
		const longest = async (timeout) => {
			host.ended = [];
			host.callMs = 60000;
			await withConnector({ gateway, host, settings: { host_rpc_call_timeout: timeout } }, () => waitFor('ends', () => host.ended.length >= 6, { timeoutMs: 30000 }));
			return host.ended.slice(0, 6).sort((a, b) => a - b)[3];
		};
		const [short, long] = [await longest('300ms'), await longest('2s')];
		assert.ok(short >= 250 && short < 1800 && long >= 1900, `${short} and ${long} ms`);
	}, six));

// ---- what is said ----

test('the level of the log', () =>
	withChains(async ({ gateway, host }) => {
		const log = (settings) => withConnector({ gateway, host, settings }, () => waitFor('questions', () => gateway.of('eth_getLogs').length > 0));
		assert.match(await log({}), /^\S+ INFO [^]*^\S+ WARN /m);
		const warnings = await log({ log_level: 'warn' });
		assert.match(warnings, /^\S+ WARN /m);
		assert.doesNotMatch(warnings, /^\S+ INFO /m);
	}));

test('the time of a health check', () =>
	withChains(async ({ gateway, host }) => {
		const taken = async (timeout) => {
			let ms;
			gateway.silent = false;
			await withConnector({ gateway, host, settings: { healthcheck_timeout: timeout } }, async ({ monitoring }) => {
				gateway.silent = true;
				const begun = Date.now();
				const reply = await fetch(`${monitoring}/healthz`);
				ms = Date.now() - begun;
				assert.equal(reply.status, 503);
				assert.match(await reply.text(), /timed out/);
			});
			return ms;
		};
		const [short, long] = [await taken('300ms'), await taken('2s')];
		assert.ok(short >= 250 && short < 1800 && long >= 1900, `${short} and ${long} ms`);
	}));

test('traces: all of them, or none', () =>
	withChains(async ({ gateway, host }) => {
		let posts = 0;
		const collector = createServer((request, response) => request.resume().on('end', () => response.end(String((posts += request.url === '/v1/traces' ? 1 : 0)))));
		await new Promise((resolve) => collector.listen(23204, '127.0.0.1', resolve));
		const settings = { otlp_endpoint: 'http://127.0.0.1:23204', shutdown_grace: '1s' };
		try {
			await withConnector({ gateway, host, settings: { ...settings, otlp_sampling_percent: 0 } }, async () => {
				await waitFor('questions', () => host.of('eth_call').length >= 6);
				await sleep(1500);
			});
			assert.equal(posts, 0);
			await withConnector({ gateway, host, settings }, () => waitFor('traces', () => posts > 0));
		} finally {
			collector.closeAllConnections();
			collector.close();
		}
	}, six));

// ---- the end ----

test('a stop takes as long as shutdown_grace, where something has begun', () =>
	withChains(async ({ gateway, host }) => {
		const stopped = async (grace) => {
			host.callMs = 60000;
			host.asked = [];
			const log = await withConnector({ gateway, host, settings: { shutdown_grace: grace, host_rpc_call_timeout: '50s' } }, async ({ entry }) => {
				await waitFor('questions', () => host.of('eth_call').length > 0);
				process.kill(entry.pid, 'SIGTERM');
				await waitFor('the end', () => !isRunning(entry), { timeoutMs: 15000 });
			});
			const at = (event) => Date.parse(new RegExp(`^(\\S+) INFO \\S+ ${event}`, 'm').exec(log)[1]);
			return at('Stopped') - at('Stopping');
		};
		const [none, short, long] = [await stopped('0s'), await stopped('1s'), await stopped('4s')];
		assert.ok(none < 2500 && short >= 950 && short < 3500 && long >= 3950, `${none}, ${short} and ${long} ms`);
	}, six));
