// SPDX-License-Identifier: BSD-3-Clause-Clear
// What an operator sees of a connector that runs: its metrics by promtool, its status, its audit log, what it tells the
// service manager, how it stops. No chain answers it: nothing here waits for one.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root } from '../../tools/devnet/network.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { Postgres } from './postgres.mjs';

const port = Number(process.env.CLAVIGER_TEST_PORT ?? 29710);
const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const connector = join(programs, 'kms-connector');
const folder = mkdtempSync(join(tmpdir(), 'claviger-operation-'));
const endpoint = `127.0.0.1:${port}`;
const run = (...args) => spawnSync(connector, args, { encoding: 'utf8', timeout: 30000, cwd: folder });

// A socket of the service manager: node has no datagrams there.
const manager = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
	print(s.recv(4096).decode().replace('\\n', ' '), flush=True)
`;

let service, told = [], listening, log = '';

before(async () => {
	writeFileSync(
		join(folder, 'c.toml'),
		`gateway_url = "http://127.0.0.1:${port + 1}"
gateway_chain_id = 54321
monitoring_endpoint = "${endpoint}"
kms_core_endpoints = ["unix:${folder}/core.sock"]
private_key = "0x${'01'.repeat(32)}"
database_url = "sqlite:${folder}/c.db"
log_format = "json"
[decryption_contract]
address = "0x${'11'.repeat(20)}"
[gateway_config_contract]
address = "0x${'22'.repeat(20)}"
[[host_chains]]
url = "http://127.0.0.1:${port + 2}"
chain_id = 12345
acl_address = "0x${'33'.repeat(20)}"
`,
		{ mode: 0o600 },
	);
	listening = spawn('python3', ['-c', manager, join(folder, 'n.sock')], { stdio: ['ignore', 'pipe', 'inherit'] });
	listening.stdout.on('data', (text) => told.push(...String(text).trim().split('\n')));
	await waitFor('manager', async () => told.includes('listening'));
	service = spawn(connector, ['start', '-c', join(folder, 'c.toml')], {
		stdio: ['ignore', 'ignore', 'pipe'],
		env: { ...process.env, NOTIFY_SOCKET: join(folder, 'n.sock'), WATCHDOG_USEC: '1000000' },
	});
	service.stderr.on('data', (text) => (log += text));
	await waitFor('connector', async () => (await fetch(`http://${endpoint}/liveness`)).ok);
});

after(() => {
	service?.kill('SIGKILL');
	listening?.kill('SIGKILL');
	rmSync(folder, { recursive: true });
});

const metrics = async () => (await fetch(`http://${endpoint}/metrics`)).text();

// Their names are what dashboards read; what promtool says of them is not ours to change.
const theirs = /^kms_connector_(gw_listener_event|worker_|tx_sender_)/;
const tool = [process.env.PROMTOOL, join(root, 'build/tools/promtool'), 'promtool'].find((name) => name && spawnSync(name, ['--version']).status === 0);

test('promtool finds nothing in our metrics', { skip: tool ? false : 'no promtool: PROMTOOL names one, Debian has it in prometheus' }, async () => {
	const { status, stdout, stderr } = spawnSync(tool, ['check', 'metrics'], { input: await metrics(), encoding: 'utf8' });
	const said = (stdout + stderr).split('\n').filter((line) => line && !(theirs.test(line) && /should have "_total" suffix|should not include type/.test(line)));
	assert.deepEqual(said, []);
	assert.ok(status === 0 || status === 3, `exit code ${status}`); // 3: it has only said something
	const broken = spawnSync(tool, ['check', 'metrics'], { input: `${await metrics()}\nkms{a="b} 1\n`, encoding: 'utf8' });
	assert.equal(broken.status, 1);
});

test('promtool takes the alert rules, each has a line in the runbook, and each metric in them is there', { skip: tool ? false : 'no promtool' }, async () => {
	const file = join(root, 'packaging/prometheus/claviger.rules.yml');
	const { status, stdout, stderr } = spawnSync(tool, ['check', 'rules', file], { encoding: 'utf8' });
	assert.equal(status, 0, stdout + stderr);
	const rules = readFileSync(file, 'utf8');
	const runbook = readFileSync(join(root, 'docs/operations/runbook.md'), 'utf8');
	for (const [, name] of rules.matchAll(/alert: (\w+)/g)) assert.ok(runbook.includes(`| ${name} |`), name);
	const text = await metrics();
	for (const [name] of rules.matchAll(/\b(kms_connector|process)_\w+/g)) assert.match(text, new RegExp(`^${name}[{ ]`, 'm'), name);
});

test('metrics tell of endpoints, process and limits', async () => {
	const text = await metrics();
	for (const line of [
		`kms_connector_rpc_endpoint_usable{part="rpc",chain="gateway",chain_id="54321",endpoint="0",host="127.0.0.1:${port + 1}"} 0`,
		'kms_connector_operations{state="seen"} 0',
		'kms_connector_limit{name="HTTP_IN_FLIGHT_MAX"} 256',
	])
		assert.ok(text.includes(`\n${line}\n`), line);
	const value = (name) => Number(text.match(new RegExp(`^${name} (.*)$`, 'm'))[1]);
	assert.ok(Math.abs(value('process_start_time_seconds') - Date.now() / 1000) < 600);
	assert.ok(value('process_resident_memory_bytes') > 1e6 && value('process_resident_memory_bytes') < 1e9);
	assert.ok(value('process_open_fds') > 3 && value('process_threads') >= 2);
});

test('status says where it stands, to programs and to people', async () => {
	await waitFor('breaker', async () => (await (await fetch(`http://${endpoint}/status`)).json()).chains[0].endpoints[0].breaker !== 'closed');
	const { stdout, status } = run('status', '--json', '-e', endpoint);
	assert.equal(status, 0);
	const told = JSON.parse(stdout);
	assert.deepEqual(told.services, ['listener', 'worker', 'sender']);
	assert.equal(told.database, 'connected');
	assert.equal(told.engine, 'sqlite');
	assert.deepEqual(told.chains.map(({ name, chain_id }) => [name, chain_id]), [['gateway', 54321], ['host', 12345]]);
	assert.ok(told.chains[0].endpoints[0].failures >= 5);
	assert.equal(told.quarantined, 0);
	const { stdout: text } = run('status', '-e', `http://${endpoint}/status`);
	assert.match(text, /^kms-connector 0.* up .*: listener worker sender$/m);
	assert.match(text, /^ {2}endpoint {4}127\.0\.0\.1:\d+: not verified, breaker (open|half-open), /m);
	assert.deepEqual(Object.keys(told.signer), ['kind', 'account']);
	assert.equal(told.signer.kind, 'raw key');
	assert.match(text, /^signer {8}raw key, account 0x[0-9a-fA-F]{40}$/m);
	assert.match(text, /^core {10}unix:.*: breaker (closed|open|half-open), opened \d+ times$/m);
	assert.match(text, /^audit head {4}\d+:0x[0-9a-f]{64}, \d+ not sealed yet$/m);
	const nobody = run('status', '-e', '127.0.0.1:1');
	assert.equal(nobody.status, 1);
	assert.equal(run('status', '--nonsense').status, 2);
});

test('the audit log is verified beside the running service, and its head is in the log', async () => {
	const head = await waitFor('a sealed head', async () => log.split('\n').map((line) => line && JSON.parse(line)).find(({ message }) => message === "The audit log's head"));
	const seen = `${head.seq}:${head.hash}`;
	const { status, stdout } = run('audit', 'verify', '-d', join(folder, 'c.db'), '--head', seen, '--json');
	assert.equal(status, 0, stdout);
	assert.equal(JSON.parse(stdout).ok, true);
	assert.match(run('audit', 'verify', '-c', join(folder, 'c.toml')).stdout, /^as it was written: \d+ records/);
	const other = run('audit', 'verify', '-d', join(folder, 'c.db'), '--head', `${head.seq}:0x${'ab'.repeat(32)}`, '--json');
	assert.equal(other.status, 1);
	assert.equal(JSON.parse(other.stdout).ok, false);
	assert.equal(run('audit').status, 2);
	assert.equal(run('audit', 'verify', '--head', 'nonsense').status, 2);
	assert.equal(run('audit', 'verify', '-d', join(folder, 'none.db')).status, 1);
});

test('every line of the log is a JSON object with time, level, service and message', () => {
	const lines = log.trim().split('\n').map((line) => JSON.parse(line));
	assert.ok(lines.length > 3);
	for (const line of lines) {
		assert.match(line.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
		assert.ok(['ERROR', 'WARN', 'INFO', 'DEBUG'].includes(line.level));
		assert.equal(line.service, 'kms-connector');
		assert.ok(line.message.length > 0);
	}
	assert.ok(!log.includes('01'.repeat(32)));
});

test('the service manager hears of start, life, reload and stop', async () => {
	await waitFor('READY', async () => told.includes('READY=1 STATUS=kms-connector'));
	const alive = () => told.filter((line) => line === 'WATCHDOG=1').length;
	const was = alive();
	await waitFor('WATCHDOG', async () => alive() > was + 1);
	service.kill('SIGHUP');
	await waitFor('RELOADING', async () => told.some((line) => /^RELOADING=1 MONOTONIC_USEC=\d+$/.test(line)) && told.includes('READY=1 STATUS=Certificates read anew'));
	service.kill('SIGTERM');
	const [code] = await once(service, 'exit');
	assert.equal(code, 0);
	await waitFor('STOPPING', async () => told.includes('STOPPING=1 STATUS=Stopping'));
	// However long shutdown_grace is: systemd would wait for TimeoutStopSec only.
	await waitFor('EXTEND_TIMEOUT_USEC', async () => told.includes('EXTEND_TIMEOUT_USEC=60000000'));
	const { status, stdout } = run('audit', 'verify', '-d', join(folder, 'c.db'), '--json');
	assert.equal(status, 0, stdout);
	assert.ok(existsSync(join(folder, 'c.db')) && readFileSync(join(folder, 'c.db')).length > 0);
});

test('the same on PostgreSQL: sealing, housekeeping and verification speak its SQL', { timeout: 900000 }, async () => {
	const postgres = await Postgres.start(port + 3, 'a password of the test');
	let said = '';
	const here = spawn(connector, ['start', '-c', join(folder, 'c.toml')], {
		stdio: ['ignore', 'ignore', 'pipe'],
		env: { ...process.env, KMS_CONNECTOR_DATABASE_URL: postgres.url, KMS_CONNECTOR_OPERATION_RECOVERY_RUN_INTERVAL: '1s', KMS_CONNECTOR_AUDIT_AGE: '1s' },
	});
	try {
		here.stderr.on('data', (text) => (said += text));
		const status = await waitFor('sealed records', async () => {
			const told = await (await fetch(`http://${endpoint}/status`)).json();
			return told.audit?.seq >= 3 && told;
		});
		assert.equal(status.engine, 'postgresql');
		const verify = (...args) => spawnSync(connector, ['audit', 'verify', '-c', join(folder, 'c.toml'), '--json', ...args], { encoding: 'utf8', env: { ...process.env, KMS_CONNECTOR_DATABASE_URL: postgres.url } });
		const kept = await waitFor('records given up for their age', async () => {
			const { given_up, ok } = JSON.parse(verify().stdout);
			return ok && given_up >= 3;
		});
		assert.ok(kept);
		assert.ok(!/Housekeeping failed|could not be sealed|could not be read/.test(said.replace(/list of coprocessors could not be read/g, '')), said);
		here.kill('SIGTERM');
		await once(here, 'exit');
		assert.equal(JSON.parse(verify().stdout).ok, true);
	} finally {
		here.kill('SIGKILL');
		await postgres.stop();
	}
});
