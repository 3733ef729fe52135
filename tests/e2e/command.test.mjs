// SPDX-License-Identifier: BSD-3-Clause-Clear
// The commands as a person types them: what is wrong is said, with exit code 2, and nothing is started for it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../../tools/devnet/network.mjs';
import { isRunning, start, stop, waitFor } from '../../tools/devnet/processes.mjs';

const run = (program, args, options = {}) => spawnSync(program, args, { encoding: 'utf8', timeout: 60000, ...options });
const script = (name, ...args) => run(process.execPath, [join(root, 'tools/devnet', `${name}.mjs`), ...args]);
const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const program = (name, ...args) => run(join(programs, name), args);

const refusals = [
	['encrypt', ['--type', 'uint8', '--value', '256'], /256 does not fit uint8: at most 255/],
	['encrypt', ['--type', 'euint9', '--value', '1'], /no type "euint9"/],
	['encrypt', ['--type', 'uint8', '--value', '-1'], /ambiguous|not a value/],
	['encrypt', ['--type', 'uint8', '--value=-1'], /"-1" is not a value of type uint8/],
	['encrypt', ['--type', 'address', '--value', '0x12'], /not an address/],
	['encrypt', ['--type', 'bool', '--value', '2'], /2 does not fit bool/],
	['encrypt', ['--type', 'uint8'], /--type and --value are needed/],
	['encrypt', ['--type', 'uint8', '--value', '1', '--allow-user', '0x12'], /"0x12" is not an address/],
	['encrypt', ['--type', 'uint8', '--value', '1', '--contract', `0x${'11'.repeat(20)}`], /--contract comes with --allow-user/],
	['decrypt', ['0x1234'], /one handle is needed/],
	['decrypt', [`0x${'00'.repeat(30)}0500`, '--user', '0x12'], /--user takes a private key/],
	['decrypt', [`0x${'00'.repeat(30)}0500`, '--contract', `0x${'11'.repeat(20)}`], /--contract comes with --user/],
	['decrypt', [`0x${'00'.repeat(30)}5a00`], /type that cannot be decrypted/],
	['demo', ['--value', '1'], /come together/],
	['demo', ['--type', 'uint8', '--value', '300'], /does not fit uint8/],
	['demo', ['--frobnicate'], /frobnicate/],
	['demo', ['--parameters', 'test'], /--parameters comes with --keygen/],
	['demo', ['--keygen', '--parameters', 'v1_6'], /"v1_6" are no parameters: test or default/],
	['up', ['--parameters', 'default'], /--parameters comes with --keygen/],
	['up', ['--keygen', '--parameters', 'small'], /"small" are no parameters/],
	['up', ['--nodes', '5'], /"5" KMS nodes: 1, or .*: 4, 7, 10, 13/],
	['up', ['--nodes', '4', '--keygen'], /--keygen is for one node/],
	['demo', ['--nodes', 'many'], /"many" KMS nodes/],
	['up', ['--port-base', '80'], /not a port base/],
];
for (const [name, args, expected] of refusals)
	test(`${name} ${args.join(' ')} is refused`, () => {
		const { status, stderr } = script(name, ...args);
		assert.match(stderr, expected);
		assert.equal(status, 2);
	});

// ---- ./dev ----

// A tree in which nothing is installed or built: only the commands themselves.
const bare = mkdtempSync(join(tmpdir(), 'claviger-dev-'));
after(() => rmSync(bare, { recursive: true }));
cpSync(join(root, 'dev'), join(bare, 'dev'));
cpSync(join(root, 'tools/dev'), join(bare, 'tools/dev'), { recursive: true });
const dev = (...args) => run(join(bare, 'dev'), args, { cwd: tmpdir() });
const commands = readdirSync(join(root, 'tools/dev/help')).map((name) => name.replace(/\.txt$/, ''));

test('./dev names every command', () => {
	for (const args of [[], ['help'], ['--help'], ['-h']]) {
		const { status, stdout } = dev(...args);
		assert.equal(status, 0);
		for (const command of commands) assert.match(stdout, new RegExp(`^  ([a-z]+ / )?${command}\\b`, 'm'));
	}
	for (const wrong of ['frobnicate', 'common', '../dev/test', 'help/test']) {
		const { status, stderr } = dev(wrong);
		assert.equal(status, 2);
		assert.match(stderr, /unknown command/);
	}
});

for (const command of commands)
	test(`./dev ${command} explains itself, and refuses what it does not know, before it installs or builds anything`, () => {
		for (const args of [['--help'], ['-h'], ['x', '--help']]) {
			const { status, stdout, stderr } = dev(command, ...args);
			assert.equal(status, 0, stderr);
			assert.match(stdout, new RegExp(`^usage: \\./dev ${command}\\b.*\\n\\n[^]*\\.\\n`));
			assert.equal(stderr, '');
		}
		for (const wrong of ['--frobnicate', '--frobnicate=1', '-x']) {
			const { status, stdout, stderr } = dev(command, wrong);
			assert.equal(status, 2);
			assert.match(stderr, new RegExp(`^dev: ${command} has no option ${wrong.replace(/=.*/, '')}\\n\\nusage: \\./dev ${command}`));
			assert.equal(stdout, '');
		}
		assert.deepEqual(readdirSync(bare).sort(), ['dev', 'tools']);
	});

for (const command of commands)
	test(`./dev ${command} knows which of its options stand alone`, () => {
		const help = readFileSync(join(bare, 'tools', 'dev', 'help', `${command}.txt`), 'utf8');
		for (const [, option, word] of help.matchAll(/^  (--[a-z-]+)( [A-Z]+\b)?/gm)) {
			const { stderr } = dev(command, option, '--frobnicate');
			assert.match(stderr, word ? new RegExp(`${option} wants a word behind it: ${option}${word}`) : /has no option --frobnicate/, `${command} ${option}`);
		}
	});

for (const [command, args, expected] of [
	['test', ['unti'], /no test suite "unti": unit contracts/],
	['bench', ['crypo'], /no benchmark "crypo": audit crypto fhe/],
	['fuzz', ['--seconds', 'x'], /--seconds wants a number/],
	['build', ['x'], /"x" is one argument too many/],
	['demo', ['--json'], /^dev: demo: --json wants a word behind it: --json FILE \(/],
	['encrypt', ['--type', 'uint8', '--value', '-1'], /--value wants a word behind it: --value V, or --value=-1/],
	['up', ['--hosts', '9'], /--hosts wants a number from 1 to 3, not "9"/],
	['up', ['--hosts=0'], /--hosts wants a number from 1 to 3, not "0"/],
	['demo', ['--nodes', '14'], /--nodes wants a number from 1 to 13, not "14"/],
	['demo', ['--port-base', '80'], /--port-base wants a number from 1024 to 65500, not "80"/],
	['lint', ['x'], /"x" is one argument too many/],
])
	test(`./dev ${command} ${args.join(' ')} is refused at once`, () => {
		const { status, stderr } = dev(command, ...args);
		assert.match(stderr, expected);
		assert.match(stderr, new RegExp(`\\./dev ${command} --help`));
		assert.equal(status, 2);
		assert.equal(existsSync(join(bare, 'node_modules')), false);
	});

// ---- the programs ----

for (const name of ['kms-connector', 'gw-listener', 'kms-worker', 'tx-sender', 'transaction-sender', 'kms-server', 'kms-gen-keys', 'kms-client', 'kms-dev-dealer', 'kms-dev-coprocessor'])
	test(`${name} explains itself`, () => {
		const help = program(name, '--help');
		assert.equal(help.status, 0, help.stderr);
		assert.match(help.stdout, /^usage: /im);
		const version = program(name, '--version');
		assert.equal(version.status, 0, version.stderr);
		assert.match(version.stdout, /\d+\.\d+\.\d+/);
		assert.equal(program(name, '--no-such-option').status, 2);
	});

test('a command that there is not is told so', () => {
	const { status, stderr } = program('kms-connector', 'foo');
	assert.equal(status, 2);
	assert.match(stderr, /^kms-connector: "foo" is no command, expected start, validate, .* or replay\n/);
});

// ---- the connector's configuration ----

const scratch = mkdtempSync(join(tmpdir(), 'claviger-command-'));
after(() => rmSync(scratch, { recursive: true }));

const key = '11'.repeat(32);
const address = (n) => `0x${String(n).repeat(40)}`;
const top = {
	database_url: `"sqlite:${join(scratch, 'a.db')}"`,
	gateway_url: '"http://127.0.0.1:28098"',
	gateway_chain_id: '54321',
	kms_core_endpoints: '["http://127.0.0.1:28097"]',
	private_key: `"${key}"`,
	monitoring_endpoint: '"127.0.0.1:28096"',
};
const tables = `[decryption_contract]
address = "${address(1)}"
[gateway_config_contract]
address = "${address(2)}"
[[host_chains]]
url = "http://127.0.0.1:28098"
chain_id = 12345
acl_address = "${address(3)}"
`;
const toml = (changes = {}, before = '') =>
	`${before}${Object.entries({ ...top, ...changes }).filter(([, value]) => value !== null).map(([name, value]) => `${name} = ${value}\n`).join('')}${tables}`;

// Environment without any of ours, and what the case adds.
const environment = (more = {}) => ({ ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KMS_CONNECTOR_|STATE_DIRECTORY)/i.test(name))), ...more });

const file = join(scratch, 'connector.toml');
const withConfig = (text, name, args, env) => {
	writeFileSync(file, text);
	return run(join(programs, name), [...args, '-c', file], { cwd: scratch, env: environment(env) });
};

test('a configuration error names file, line and key, and the process exits 1', () => {
	const { status, stderr } = withConfig('gateway_url = "http://127.0.0.1:1"\ngateway_chain_id = "many"\n', 'kms-connector', ['start']);
	assert.equal(status, 1);
	assert.match(stderr, new RegExp(`${file}:2: gateway_chain_id: found "many", expected a whole number`));
	assert.equal(existsSync(join(scratch, 'kms-connector.db')), false);
});

const validations = [
	['a whole configuration', toml(), /valid for listener, worker and sender/, /^$/],
	['a database of another kind', toml({ database_url: '"mysql://u:hush@h/d"' }), null, /connector\.toml:\d+: database_url: found something else \(not shown.*expected sqlite:PATH or postgres:/],
	['a log level', toml({ log_level: '"loud"' }), null, /connector\.toml:\d+: log_level: found "loud", expected error, warn, info or debug/],
	['no endpoints of cores', toml({ kms_core_endpoints: '[]' }), null, /connector\.toml:\d+: kms_core_endpoints: found none, expected at least one/],
	['a quorum of more than there are', toml({ gateway_quorum: '3' }), null, /connector\.toml:\d+: gateway_quorum: found 3, but there are only 1 endpoints/],
	['a host chain that is the gateway', toml({ gateway_chain_id: '12345' }), null, /connector\.toml:13: host_chains\[0\]\.chain_id: found 12345, which is gateway_chain_id/],
	['the address of an ACL', toml().replace(address(3), '0x33'), null, /connector\.toml:14: host_chains\[0\]\.acl_address: found "0x33", expected 0x and 40 hexadecimal digits/],
	['the URL of a host chain', toml().replace(/\[\[host_chains\]\]\nurl = .*/, '[[host_chains]]\nurl = "ftp://hush@h"'), null, /connector\.toml:12: host_chains\[0\]\.url: found another text \(not shown: it may hold a key\), expected an http/],
	['a misspelt key that is needed', toml({ gateway_chain_id: null, gateway_chian_id: '5' }), null, /connector\.toml:\d+: unknown key gateway_chian_id, did you mean gateway_chain_id\? .*gateway_chain_id is required/],
	['a misspelt key beside another that is missing', toml({ gateway_url: null, task_limt: '5' }), null, /^kms-connector: [^ ]*connector\.toml: gateway_url is required/],
	['a missing key', toml({ gateway_url: null }), null, /gateway_url is required: found nothing there nor in KMS_CONNECTOR_GATEWAY_URL/],
	['no signer', toml({ private_key: null }), null, /private_key: the sender needs one/],
	['a slip of the pen', toml({ task_limt: '5' }), /valid/, /:\d+: task_limt is not known and has no effect, did you mean task_limit\?/],
	['an unknown key', toml({ frobnicate: '5' }), /valid/, /:7: frobnicate is not known and has no effect\n/],
	['keys under a table', toml({}, '[aws_kms_config]\nkey_id = "alias/x"\n'), /valid/, /:4: aws_kms_config.gateway_url stands under a table; it is taken for gateway_url/],
];
for (const [what, text, said, warned] of validations)
	test(`validate: ${what}`, () => {
		const { status, stdout, stderr } = withConfig(text, 'kms-connector', ['validate']);
		assert.equal(status, said ? 0 : 1, stderr);
		assert.match(stdout, said ?? /^$/);
		assert.match(stderr, warned);
		assert.doesNotMatch(stderr, /hush|1111111111/);
	});

test('each program needs what its service needs', () => {
	const needs = { 'gw-listener': ['gateway_url', 'decryption_contract'], 'kms-worker': ['gateway_config_contract', 'host_chains', 'kms_core_endpoints'], 'tx-sender': ['private_key'], 'transaction-sender': ['private_key'] };
	const minimal = `gateway_url = "http://h"\ngateway_chain_id = 1\n[decryption_contract]\naddress = "${address(1)}"\n`;
	for (const [name, keys] of Object.entries(needs)) {
		const { status, stderr, stdout } = withConfig(minimal, name, ['validate']);
		if (name === 'gw-listener') assert.equal(stdout, `${file}: valid for listener\n`);
		else assert.match(stderr, new RegExp(keys.join('|')));
		assert.equal(status, name === 'gw-listener' ? 0 : 1);
		for (const missing of name === 'gw-listener' ? keys : []) {
			const rest = missing === 'gateway_url' ? minimal.replace(/^.*\n/, '') : minimal.replace(/\[.*/s, '');
			assert.match(withConfig(rest, name, ['validate']).stderr, new RegExp(missing));
		}
		assert.equal(withConfig(toml(), name, ['validate']).status, 0);
	}
});

test('list, and bare names of its files', () => {
	const dir = join(scratch, 'environments');
	mkdirSync(dir);
	writeFileSync(join(dir, 'one.toml'), toml());
	writeFileSync(join(dir, 'two.toml'), 'gateway_chain_id = "many"\n');
	writeFileSync(join(dir, 'README'), '');
	const call = (...args) => run(join(programs, 'kms-connector'), args, { cwd: scratch, env: environment({ KMS_CONNECTOR_CONFIG_DIR: dir }) });
	assert.equal(call('list').stdout, 'one.toml\ntwo.toml\n');
	assert.equal(call('list', '--full-path').stdout, `${join(dir, 'one.toml')}\n${join(dir, 'two.toml')}\n`);
	const one = call('validate', '-c', 'one.toml');
	assert.equal(one.stderr, '');
	assert.equal(one.stdout, `${join(dir, 'one.toml')}: valid for listener, worker and sender\n`);
	assert.match(call('validate', '-c', 'two.toml').stderr, /two\.toml: gateway_url is required/);
	// One that the directory does not have, and without it.
	writeFileSync(join(scratch, 'here.toml'), toml());
	assert.equal(call('validate', '-c', 'here.toml').stdout, 'here.toml: valid for listener, worker and sender\n');
	const nowhere = call('validate', '-c', 'nowhere.toml');
	assert.equal(nowhere.status, 1);
	assert.equal(nowhere.stderr, `kms-connector: nowhere.toml: found neither here nor in ${dir} (KMS_CONNECTOR_CONFIG_DIR names another directory)\n`);
	const none = run(join(programs, 'kms-connector'), ['list'], { cwd: scratch, env: environment() });
	assert.equal(none.status, 1);
	assert.match(none.stderr, /config\/environments: No such file or directory \(KMS_CONNECTOR_CONFIG_DIR names another directory\)/);
});

// ---- starting ----

// Starts a program and waits until its log says what is expected; returns it and the log.
async function starting(name, text, expected, env = {}) {
	const own = join(scratch, `${name}-${Math.random()}.toml`);
	const log = `${own}.log`;
	writeFileSync(own, text);
	const entry = start(name, join(programs, name), ['start', '-c', own], { log, cwd: scratch, env });
	await waitFor(`${name}: ${expected}`, () => expected.test(readFileSync(log, 'utf8')) || !isRunning(entry));
	return { entry, log: readFileSync(log, 'utf8') };
}

test('without database_url: $STATE_DIRECTORY, else here; printed', async () => {
	const state = join(scratch, 'state');
	mkdirSync(state);
	const first = await starting('kms-connector', toml({ database_url: null }), /Monitoring/, { STATE_DIRECTORY: `${state}:/nowhere` });
	await stop(first.entry);
	assert.match(first.log, new RegExp(`Database url=sqlite:${state}/kms-connector.db`));
	assert.ok(existsSync(join(state, 'kms-connector.db')));
	const second = await starting('kms-connector', toml({ database_url: null }), /Monitoring/);
	await stop(second.entry);
	assert.match(second.log, /Database url=sqlite:\.\/kms-connector\.db/);
	assert.ok(existsSync(join(scratch, 'kms-connector.db')));
});

test('a taken monitoring port is fatal', async () => {
	const server = createServer();
	await new Promise((resolve) => server.listen(28095, '127.0.0.1', resolve));
	const { status, stderr } = withConfig(toml({ monitoring_endpoint: '"127.0.0.1:28095"' }), 'kms-connector', ['start']);
	server.close();
	assert.equal(status, 1);
	assert.match(stderr, /monitoring_endpoint: .*127\.0\.0\.1:28095.*in use/i);
});

test('SQLite serves one process: a second service is told so, and to use PostgreSQL', async () => {
	const text = toml({ database_url: `"sqlite:${join(scratch, 'one.db')}"` });
	const { entry, log } = await starting('gw-listener', text, /Monitoring/);
	try {
		assert.match(log, /SQLite serves one process/);
		const { status, stderr } = withConfig(text, 'tx-sender', ['start']);
		assert.equal(status, 1);
		assert.match(stderr, new RegExp(`^tx-sender: database_url: database \\S+one\\.db is in use by process ${entry.pid}.*postgres://`, 'm'));
	} finally {
		await stop(entry);
	}
});

test('warnings about keys are in the log, with the line', async () => {
	const { entry, log } = await starting('kms-connector', toml({ task_limt: '5' }, '[aws_kms_config]\n'), /Monitoring/);
	await stop(entry);
	assert.match(log, /WARN .*stands under a table.* key=aws_kms_config\.gateway_url where=\S+:3 taken_for=gateway_url/);
});

// ---- health ----

test('health: what the service says, and exit 1 for anything but well', async () => {
	const answers = { '/well': [200, '{"healthy":true}'], '/ill': [503, '{"healthy":false}'], '/odd': [200, 'fine'], '/healthz': [200, '{"healthy":true}'] };
	const server = createServer((request, response) => {
		const [status, body] = answers[request.url];
		response.writeHead(status);
		response.end(body);
	});
	await new Promise((resolve) => server.listen(28094, '127.0.0.1', resolve));
	const ask = async (args, env) => {
		const child = spawn(join(programs, 'kms-connector'), ['health', ...args], { env: environment(env) });
		let text = '';
		for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (piece) => (text += piece));
		const [status] = await once(child, 'close');
		return { status, text };
	};
	const url = 'http://127.0.0.1:28094';
	try {
		assert.deepEqual(await ask(['-e', `${url}/well`]), { status: 0, text: '{"healthy":true}\n' });
		assert.deepEqual(await ask([], { KMS_CONNECTOR_MONITORING_ENDPOINT: '0.0.0.0:28094' }), { status: 0, text: '{"healthy":true}\n' });
		assert.deepEqual(await ask([], { KMS_CONNECTOR_MONITORING_ENDPOINT: `${url}/well` }), { status: 0, text: '{"healthy":true}\n' });
		assert.deepEqual(await ask(['-e', url]), { status: 0, text: '{"healthy":true}\n' });
		assert.deepEqual(await ask(['-e', `${url}/`]), { status: 0, text: '{"healthy":true}\n' });
		const ill = await ask(['--endpoint', `${url}/ill`]);
		assert.equal(ill.status, 1);
		assert.match(ill.text, /"healthy":false[^]*status 503/);
		assert.match((await ask(['-e', `${url}/odd`])).text, /not a JSON object/);
	} finally {
		server.close();
	}
	const gone = await ask(['-e', 'http://127.0.0.1:28093/']);
	assert.equal(gone.status, 1);
	assert.match(gone.text, /28093/);
	assert.deepEqual(await ask(['-e', 'ftp://x']), { status: 1, text: 'kms-connector: ftp://x: found ftp, expected http://HOST:PORT, https://HOST:PORT or HOST:PORT\n' });
});

test('inspect takes ids, handles and transaction hashes, and nothing else', () => {
	for (const wrong of ['12z', '0x', '', `0x${'1'.repeat(65)}`]) assert.equal(program('kms-connector', 'inspect', wrong, '-d', join(scratch, 'none.db')).status, 2);
	for (const good of ['1', '0x1f', '7'.repeat(64), `0x${'ab'.repeat(32)}`]) {
		const { status, stderr } = program('kms-connector', 'inspect', good, '-d', join(scratch, 'none.db'));
		assert.equal(status, 1);
		assert.match(stderr, /none\.db/);
	}
});
