// SPDX-License-Identifier: BSD-3-Clause-Clear
// Both generations of the connector's configuration, as an operator has them: the one process of the first (start, list,
// validate; flat keys) and the three services of the second (tables, nested variables), from the environment alone, from a
// file alone, and from both. Nothing answers at the endpoints: what is shown is what was understood.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../../tools/devnet/network.mjs';
import { isRunning, start, stop, waitFor } from '../../tools/devnet/processes.mjs';

const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const scratch = mkdtempSync(join(tmpdir(), 'claviger-config-'));
after(() => rmSync(scratch, { recursive: true }));

const ours = /^(KMS_CONNECTOR_|STATE_DIRECTORY|CREDENTIALS_DIRECTORY)/i;
const bare = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
for (const name of Object.keys(process.env)) if (ours.test(name)) delete process.env[name];
const variables = (o) => Object.fromEntries(Object.entries(o).map(([key, value]) => [`KMS_CONNECTOR_${key.replaceAll('.', '__').toUpperCase()}`, String(value)]));
const run = (program, args, env = {}, cwd = scratch) => spawnSync(join(programs, program), args, { encoding: 'utf8', timeout: 60000, cwd, env: { ...bare, ...env } });

let files = 0;
const file = (text) => {
	const name = join(scratch, `${++files}.toml`);
	writeFileSync(name, text);
	return name;
};
const value = (v) => (typeof v === 'number' || typeof v === 'boolean' ? v : Array.isArray(v) ? JSON.stringify(v) : JSON.stringify(v));
// { 'a.b': 1 } as tables, top-level keys first.
const toml = (o) => {
	const tables = new Map([['', []]]);
	for (const [key, v] of Object.entries(o)) {
		const dot = key.lastIndexOf('.');
		const table = dot < 0 ? '' : key.slice(0, dot);
		tables.set(table, [...(tables.get(table) ?? []), `${key.slice(dot + 1)} = ${value(v)}`]);
	}
	return [...tables].map(([name, lines]) => `${name ? `[${name}]\n` : ''}${lines.join('\n')}\n`).join('');
};

let port = 29800;
const address = (n) => `0x${String(n).repeat(40)}`;
const key = '22'.repeat(32);
const hosts = [{ url: 'http://127.0.0.1:29898', chain_id: 12345, acl_address: address(3) }];
const hostTables = hosts.map((h) => `[[host_chains]]\nurl = "${h.url}"\nchain_id = ${h.chain_id}\nacl_address = "${h.acl_address}"\n`).join('');

// ---- the two forms ----

const first = {
	gateway_url: 'ws://127.0.0.1:29899',
	kms_core_endpoint: 'http://127.0.0.1:29897',
	private_key: key,
	chain_id: 31337,
	decryption_address: address(1),
	gateway_config_address: address(2),
	channel_size: 1000,
	service_name: 'kms-connector',
	public_decryption_timeout_secs: 300,
	user_decryption_timeout_secs: 300,
	retry_interval_secs: 5,
	decryption_domain_name: 'Decryption',
	decryption_domain_version: '1',
	gateway_config_domain_name: 'GatewayConfig',
	gateway_config_domain_version: '1',
	verify_coprocessors: false,
	gas_limit: 600000,
	's3_config.region': 'us-east-1',
	's3_config.bucket': 'ciphertexts',
	's3_config.endpoint': 'http://127.0.0.1:29896',
};
const second = {
	gateway_url: 'http://127.0.0.1:29899',
	gateway_chain_id: 54321,
	ethereum_url: 'http://127.0.0.1:29895',
	ethereum_chain_id: 12345,
	private_key: key,
	kms_core_endpoints: ['http://127.0.0.1:29897'],
	decryption_polling: '500ms',
	'decryption_contract.address': address(1),
	'decryption_contract.domain_name': 'Decryption',
	'decryption_contract.domain_version': '1',
	'gateway_config_contract.address': address(2),
	'kms_generation_contract.address': address(4),
	'protocol_config_contract.address': address(5),
};
// Three services of v0.10: numbers of seconds and milliseconds.
const middle = {
	gateway_url: 'http://127.0.0.1:29899',
	chain_id: 54321,
	private_key: key,
	kms_core_endpoint: 'http://127.0.0.1:29897',
	healthcheck_timeout_secs: 3,
	decryption_polling_ms: 1000,
	key_management_polling_ms: 30000,
	from_block_number: 12,
	db_fast_event_polling_secs: 3,
	db_long_event_polling_secs: 60,
	s3_ciphertext_retrieval_retries: 3,
	s3_connect_timeout: 2,
	database_polling_timeout_secs: 5,
	tx_retry_interval_ms: 100,
	gauge_update_interval_secs: 10,
	'decryption_contract.address': address(1),
	'gateway_config_contract.address': address(2),
};
const asVariables = (o) => variables({ ...Object.fromEntries(Object.entries(o).map(([k, v]) => [k, Array.isArray(v) ? v.join(',') : v])), host_chains: JSON.stringify(hosts) });
const asFile = (o) => toml(o) + hostTables;
const half = (o) => {
	const entries = Object.entries(o);
	return [Object.fromEntries(entries.filter((_, i) => i % 2 === 0)), Object.fromEntries(entries.filter((_, i) => i % 2 === 1))];
};
const forms = { first, second, middle };
const sources = {
	'environment only': (o) => ({ args: [], env: asVariables(o) }),
	'file only': (o) => ({ args: ['-c', file(asFile(o))], env: {} }),
	combined: (o) => {
		const [left, right] = half(o);
		return { args: ['--config', file(toml(left))], env: asVariables(right) };
	},
};

for (const [form, keys] of Object.entries(forms))
	for (const [source, make] of Object.entries(sources)) {
		test(`validate: ${form} form, ${source}`, () => {
			const { args, env } = make(keys);
			const { status, stdout, stderr } = run('kms-connector', ['validate', ...args], env);
			assert.equal(status, 0, stderr);
			assert.match(stdout, /valid for listener, worker and sender\n$/);
			assert.doesNotMatch(stderr, /not known|is not set|2222/);
			for (const name of ['chain_id', 'kms_core_endpoint', 'decryption_address', 'from_block_number'])
				assert.equal(new RegExp(`^kms-connector: ${name} is an older name of`, 'm').test(stderr), name in keys, stderr);
		});
		test(`start: ${form} form, ${source}`, async () => {
			const { args, env } = make({ ...keys, monitoring_endpoint: `127.0.0.1:${++port}`, database_url: `sqlite:${join(scratch, `${port}.db`)}` });
			const log = join(scratch, `${port}.log`);
			const entry = start('kms-connector', join(programs, 'kms-connector'), ['start', ...args], { log, cwd: scratch, env });
			await waitFor('the start', () => /Monitoring/.test(readFileSync(log, 'utf8')) || !isRunning(entry));
			const answer = await fetch(`http://127.0.0.1:${port}/version`).catch(() => null);
			await stop(entry);
			const text = readFileSync(log, 'utf8');
			assert.equal(answer?.status, 200, text);
			assert.match(text, /Starting/);
			assert.match(text, /Stopped/);
			assert.doesNotMatch(text, /2222222222/);
			assert.equal(/chain_id is an older name of gateway_chain_id/.test(text), 'chain_id' in keys, text);
		});
	}

test('each of the three services takes the whole configuration of both forms', () => {
	for (const program of ['gw-listener', 'kms-worker', 'tx-sender', 'transaction-sender'])
		for (const keys of [second, middle])
			for (const make of Object.values(sources)) {
				const { args, env } = make(keys);
				const { status, stderr } = run(program, ['validate', ...args], env);
				assert.equal(status, 0, `${program}: ${stderr}`);
			}
});

for (const program of ['gw-listener', 'kms-worker', 'tx-sender', 'transaction-sender'])
	test(`start: ${program}, from each source`, async () => {
		for (const [form, keys] of Object.entries({ second, middle }))
			for (const [source, make] of Object.entries(sources)) {
				const { args, env } = make({ ...keys, monitoring_endpoint: `127.0.0.1:${++port}`, database_url: `sqlite:${join(scratch, `${port}.db`)}` });
				const log = join(scratch, `${port}.log`);
				const entry = start(program, join(programs, program), ['start', ...args], { log, cwd: scratch, env });
				await waitFor('the start', () => /Monitoring/.test(readFileSync(log, 'utf8')) || !isRunning(entry));
				const answer = await fetch(`http://127.0.0.1:${port}/version`).catch(() => null);
				await stop(entry);
				assert.equal(answer?.status, 200, `${form}, ${source}: ${readFileSync(log, 'utf8')}`);
			}
	});

test('the file by each of its names: -c and --config, a path and a bare name; the name of the service: -n and --name', async () => {
	const directory = join(scratch, 'named');
	mkdirSync(directory);
	for (const [args, keys] of [
		[['-c', join(directory, 'one.toml'), '-n', 'called'], first],
		[['--config', 'named/one.toml', '--name', 'called'], second],
		[[`--config=${join(directory, 'one.toml')}`, '--name=called'], middle],
		[['-c', 'one.toml', '-n', 'called'], first],
	]) {
		const name = join(directory, 'one.toml');
		writeFileSync(name, asFile({ ...keys, log_format: 'json', monitoring_endpoint: `127.0.0.1:${++port}`, database_url: `sqlite:${join(scratch, `${port}.db`)}` }));
		const log = join(scratch, `${port}.log`);
		const entry = start('kms-connector', join(programs, 'kms-connector'), ['start', ...args], { log, cwd: scratch, env: { KMS_CONNECTOR_CONFIG_DIR: directory } });
		await waitFor('the start', () => /Monitoring/.test(readFileSync(log, 'utf8')) || !isRunning(entry));
		await stop(entry);
		const [line] = readFileSync(log, 'utf8').split('\n').filter((text) => /"Monitoring"/.test(text));
		assert.equal(JSON.parse(line ?? '{}').service, 'called', readFileSync(log, 'utf8'));
		assert.equal(run('kms-connector', ['validate', ...args.slice(0, args[0].includes('=') ? 1 : 2)], { KMS_CONNECTOR_CONFIG_DIR: directory }).status, 0);
	}
});

// One configuration in each way that TOML and variables have of saying it: the same mistake is found under the same key.
test('TOML: tables, dotted keys, inline tables, texts for numbers; variables: __ and any letter case', () => {
	const top = Object.entries(second).filter(([name]) => !name.includes('.')).map(([name, v]) => `${name} = ${value(v)}\n`).join('');
	const d = address(1);
	const g = address(2);
	const h = hosts[0];
	const host = `{ url = "${h.url}", chain_id = ${h.chain_id}, acl_address = "${h.acl_address}" }`;
	const ways = {
		tables: [`${top}[decryption_contract]\naddress = "${d}"\n[gateway_config_contract]\naddress = "${g}"\n${hostTables}`, {}],
		'dotted keys': [`${top}decryption_contract.address = "${d}"\ngateway_config_contract.address = "${g}"\n${hostTables}`, {}],
		'inline tables': [`${top}decryption_contract = { address = "${d}" }\ngateway_config_contract = { address = "${g}" }\nhost_chains = [${host}]\n`, {}],
		'texts for numbers': [`${top.replace('54321', '"54321"')}decryption_contract.address = "${d}"\ngateway_config_contract.address = "${g}"\n${hostTables.replace('12345', '"12345"')}`, {}],
		'variables in capitals': ['', asVariables(second)],
		'variables in small letters': ['', Object.fromEntries(Object.entries(asVariables(second)).map(([name, v]) => [`KMS_CONNECTOR_${name.slice(14).toLowerCase()}`, v]))],
		'camelCase in host_chains': ['', { ...asVariables(second), KMS_CONNECTOR_HOST_CHAINS: JSON.stringify([{ url: h.url, chainId: String(h.chain_id), aclAddress: h.acl_address }]) }],
	};
	for (const [way, [text, env]] of Object.entries(ways)) {
		const args = text ? ['validate', '-c', file(text)] : ['validate'];
		assert.equal(run('kms-connector', args, env).status, 0, `${way}: ${run('kms-connector', args, env).stderr}`);
		// The same with an address that is none: whatever says it, it is that key.
		const spoilt = Object.fromEntries(Object.entries(env).map(([name, v]) => [name, v.replace(d, '0x12')]));
		const bad = run('kms-connector', text ? ['validate', '-c', file(text.replace(d, '0x12'))] : ['validate'], spoilt);
		assert.equal(bad.status, 1, way);
		assert.match(bad.stderr, /(decryption_contract\.address|KMS_CONNECTOR_DECRYPTION_CONTRACT__ADDRESS): found "0x12"/i, way);
	}
});

test('list and validate of the first generation: --full-path, and a name in its directory', () => {
	const directory = join(scratch, 'config', 'environments');
	mkdirSync(directory, { recursive: true });
	writeFileSync(join(directory, 'config-base.toml'), asFile(first));
	writeFileSync(join(directory, 'config-2.toml'), asFile({ ...first, chain_id: 'many' }));
	assert.equal(run('kms-connector', ['list']).stdout, 'config-2.toml\nconfig-base.toml\n');
	assert.equal(run('kms-connector', ['list', '--full-path']).stdout, `${join(directory, 'config-2.toml')}\n${join(directory, 'config-base.toml')}\n`);
	assert.match(run('kms-connector', ['validate', '-c', 'config-base.toml']).stdout, /valid for/);
	assert.match(run('kms-connector', ['validate', '--config', 'config/environments/config-base.toml']).stdout, /valid for/);
	const bad = run('kms-connector', ['validate', '-c', 'config-2.toml']);
	assert.equal(bad.status, 1);
	assert.match(bad.stderr, /config-2\.toml:\d+: chain_id: found "many"/);
});

test('start -n names the service, and service_name does', async () => {
	for (const [args, env, name] of [
		[['-n', 'by-option'], {}, 'by-option'],
		[[], variables({ service_name: 'by-key' }), 'by-key'],
	]) {
		const log = join(scratch, `${++port}.log`);
		const entry = start('kms-connector', join(programs, 'kms-connector'), ['start', ...args], {
			log,
			cwd: scratch,
			env: { ...asVariables({ ...second, log_format: 'json', monitoring_endpoint: `127.0.0.1:${port}`, database_url: `sqlite:${join(scratch, `${port}.db`)}` }), ...env },
		});
		await waitFor('the start', () => /Monitoring/.test(readFileSync(log, 'utf8')) || !isRunning(entry));
		await stop(entry);
		assert.match(readFileSync(log, 'utf8'), new RegExp(name));
	}
});

test('the environment wins over the file, key by key and also inside tables', () => {
	const name = file(asFile({ ...second, 'decryption_contract.domain_version': 'x'.repeat(3) }));
	const { status, stderr } = run('kms-connector', ['validate', '-c', name], variables({ gateway_chain_id: 'many' }));
	assert.equal(status, 1);
	assert.match(stderr, /environment: KMS_CONNECTOR_GATEWAY_CHAIN_ID: found "many"/);
	const nested = run('kms-connector', ['validate', '-c', name], variables({ 'decryption_contract.address': '0x12' }));
	assert.match(nested.stderr, /environment: KMS_CONNECTOR_DECRYPTION_CONTRACT__ADDRESS: found "0x12"/);
});

test('an old and a new name that say two things are refused, wherever they stand', () => {
	for (const [text, env] of [
		[asFile({ ...second, chain_id: 1 }), {}],
		[asFile(second), variables({ chain_id: 1 })],
		[asFile(middle), variables({ gateway_chain_id: 1 })],
		[asFile({ ...second, decryption_address: address(7) }), {}],
	]) {
		const { status, stderr } = run('kms-connector', ['validate', '-c', file(text)], env);
		assert.equal(status, 1, stderr);
		assert.match(stderr, /is an older name of \S+, which is set as well and says something else/);
	}
	assert.equal(run('kms-connector', ['validate', '-c', file(asFile({ ...second, chain_id: second.gateway_chain_id }))]).status, 0);
});

test("the first generation's defaults hold in its form, each with a warning, and nowhere else", () => {
	const { status, stderr } = run('kms-connector', ['validate'], variables({ private_key: key, retry_interval_secs: 5 }));
	assert.equal(status, 0, stderr);
	for (const line of [
		'gateway_url is not set: ws://localhost:8545, ',
		'chain_id is not set: 31337, ',
		'kms_core_endpoint is not set: http://[::1]:50052, ',
		'decryption_address is not set: 0x5fbdb2315678afecb367f032d93f642f64180aa3, ',
		'gateway_config_address is not set: 0x0000000000000000000000000000000000000001, ',
		'host_chains is not set',
	])
		assert.equal(stderr.split(line).length, 2, line);
	const without = run('kms-connector', ['validate'], variables({ private_key: key }));
	assert.equal(without.status, 1);
	assert.match(without.stderr, /gateway_url is required/);
});

test('a key that has no effect says so and why', () => {
	const { status, stderr } = run('kms-connector', ['validate', '-c', file(asFile({ ...second, tx_retries: 9, database_pool_size: 3 }))]);
	assert.equal(status, 0, stderr);
	assert.match(stderr, /tx_retries has no effect here: a transaction is tried until/);
	assert.match(stderr, /database_pool_size has no effect here: /);
});
