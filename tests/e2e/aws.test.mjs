// SPDX-License-Identifier: BSD-3-Clause-Clear
// Transactions signed by AWS KMS: the real connector against a stand-in that verifies every signature of a request. Each
// source of credentials, refusals with words, and a whole network whose only transaction key is in that KMS.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { computeAddress } from 'ethers';
import { root } from '../../tools/devnet/network.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { Aws, verifySignature } from './aws.mjs';
import { withNetwork } from './harness.mjs';

const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const scratch = mkdtempSync(join(tmpdir(), 'claviger-aws-'));
const key = `0x${'5a'.repeat(32)}`;
const aws = new Aws({ port: 29690, keys: { 'alias/node': key, 'key/1234abcd': key } });
const staticKeys = { AWS_ACCESS_KEY_ID: 'AKIASTATIC', AWS_SECRET_ACCESS_KEY: 'static/secret+key' };

before(() => aws.start());
after(async () => {
	await aws.stop();
	rmSync(scratch, { recursive: true });
});

// ---- the stand-in's own computation, against AWS's published example ----

test('the stand-in verifies what AWS published, and nothing else', () => {
	const request = {
		method: 'GET',
		url: '/?Action=ListUsers&Version=2010-05-08',
		rawHeaders: [
			'Host', 'iam.amazonaws.com',
			'Content-Type', 'application/x-www-form-urlencoded; charset=utf-8',
			'X-Amz-Date', '20150830T123600Z',
			'Authorization', 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
		],
		body: '',
	};
	const keys = new Map([['AKIDEXAMPLE', { secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', principal: 'example' }]]);
	const context = { keys, region: 'us-east-1', service: 'iam', nowMs: Date.parse('2015-08-30T12:36:00Z') };
	assert.equal(verifySignature(request, context).principal, 'example');
	for (const changed of [{ body: 'x' }, { url: '/?Action=ListUsers&Version=2010-05-09' }, { method: 'POST' }, { rawHeaders: request.rawHeaders.with(1, 'sts.amazonaws.com') }, { rawHeaders: [...request.rawHeaders, 'x-amz-target', 'y'] }])
		assert.throws(() => verifySignature({ ...request, ...changed }, context));
	assert.throws(() => verifySignature(request, { ...context, nowMs: context.nowMs + 301000 }), /expired/);
});

// ---- one start of the sender ----

const config = (kms) => `gateway_url = "http://127.0.0.1:29697"
gateway_chain_id = 54321
database_url = "sqlite:${join(scratch, 'a.db')}"
monitoring_endpoint = "127.0.0.1:29698"
[decryption_contract]
address = "0x${'1'.repeat(40)}"
${kms}`;
const kmsTable = (settings) => ['[aws_kms_config]', ...Object.entries(settings).map(([name, value]) => `${name} = "${value}"`), ''].join('\n');
const table = (more = {}) => kmsTable({ key_id: 'alias/node', endpoint: aws.url, region: 'eu-west-1', ...more });

const environment = (more) => ({ ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS_|KMS_CONNECTOR_|STATE_DIRECTORY|CREDENTIALS_DIRECTORY|HOME$)/i.test(name))), HOME: join(scratch, 'home'), ...more });

let serial = 0;
// Until it says `wanted`, or ends; its log, and the status if it ended by itself.
async function start(text, env, wanted = /Monitoring/) {
	const file = join(scratch, `connector-${++serial}.toml`);
	writeFileSync(file, text, { mode: 0o600 });
	const child = spawn(join(programs, 'tx-sender'), ['start', '-c', file], { cwd: scratch, env: environment(env) });
	let log = '';
	let ended;
	for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (piece) => (log += piece));
	const end = once(child, 'close').then(([status]) => (ended = status));
	try {
		await waitFor('the sender to speak', () => ended !== undefined || wanted.test(log));
	} finally {
		if (ended === undefined) child.kill('SIGTERM');
		var status = await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 8000, 'alive'))]);
		if (status === 'alive') child.kill('SIGKILL');
	}
	return { log, status };
}

const signsAs = (log, source) => {
	assert.match(log, new RegExp(`INFO +.*Transactions are signed by AWS KMS address=${computeAddress(key)} key=\\S+ region=eu-west-1 credentials="?${source}"?`, 'i'));
	assert.doesNotMatch(log, /static\/secret/);
};

// ---- credentials ----

const files = (credentials, configuration) => {
	const home = join(scratch, 'home', '.aws');
	mkdirSync(home, { recursive: true });
	writeFileSync(join(home, 'credentials'), credentials);
	writeFileSync(join(home, 'config'), configuration);
	return () => rmSync(home, { recursive: true });
};

test('credentials of the environment; no word of a raw key', async () => {
	const { log, status } = await start(config(table()), staticKeys);
	signsAs(log, 'the environment');
	assert.equal(status, 0);
	assert.doesNotMatch(log, /raw private key/);
	assert.equal(aws.calls.at(-1).principal, 'static');
});

test('credentials of a profile, its region and its endpoint', async () => {
	const remove = files('[work]\naws_access_key_id = AKIASTATIC\naws_secret_access_key = static/secret+key\n', `[profile work]\nregion = eu-west-1\nendpoint_url = ${aws.url}\n`);
	try {
		const { log } = await start(config(kmsTable({ key_id: 'alias/node' })), { AWS_PROFILE: 'work' });
		signsAs(log, 'the profile');
		const missing = await start(config(table()), { AWS_PROFILE: 'play' });
		assert.equal(missing.status, 1);
		assert.match(missing.log, /AWS_PROFILE: no file has a profile of this name: play/);
	} finally {
		remove();
	}
});

test('credentials of a web identity', async () => {
	const token = join(scratch, 'token');
	aws.webIdentity.token = 'eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJzdHMifQ.c2ln';
	writeFileSync(token, `${aws.webIdentity.token}\n`);
	const env = { AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ROLE_ARN: aws.webIdentity.role, AWS_ROLE_SESSION_NAME: 'party-1', AWS_ENDPOINT_URL_STS: aws.url, AWS_REGION: 'eu-west-1' };
	const { log } = await start(config(kmsTable({ key_id: 'alias/node', endpoint: aws.url })), env);
	signsAs(log, 'a web identity');
	assert.equal(aws.calls.at(-1).principal, 'web identity party-1');
	const refused = await start(config(table()), { ...env, AWS_ROLE_ARN: 'arn:aws:iam::1:role/other' });
	assert.equal(refused.status, 1);
	assert.match(refused.log, /aws_kms_config: AWS credentials of a web identity: AccessDenied: Not authorized/);
	writeFileSync(token, 'eyJ.another.one');
	assert.match((await start(config(table()), env)).log, /a web identity: InvalidIdentityToken/);
});

test('credentials of a container', async () => {
	const token = join(scratch, 'pod-token');
	aws.containerToken = 'pod-token-1';
	writeFileSync(token, aws.containerToken);
	const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.url}/container`, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: token };
	signsAs((await start(config(table()), env)).log, 'the container');
	assert.equal(aws.calls.at(-1).principal, 'container');
	signsAs((await start(config(table()), { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.url}/container`, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'pod-token-1' })).log, 'the container');
	const far = await start(config(table()), { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://anybody.example/c' });
	assert.equal(far.status, 1);
	assert.match(far.log, /AWS_CONTAINER_CREDENTIALS_FULL_URI: expected https/);
});

test('credentials and region of the machine; no proxy is asked for them', async () => {
	const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: aws.url, AWS_ENDPOINT_URL_KMS: aws.url, http_proxy: 'http://127.0.0.1:1', no_proxy: '127.0.0.9' };
	const asked = aws.count('metadata keys');
	// KMS itself goes by the proxy, which is not there: first the machine, then a failure that is not the machine's.
	const { log } = await start(config(kmsTable({ key_id: 'alias/node' })), env, /AWS KMS does not sign/);
	assert.equal(aws.count('metadata keys'), asked + 1);
	assert.match(log, /AWS KMS does not sign, trying again detail=".*(127\.0\.0\.1 port 1|[Cc]onnect)/);
	const { http_proxy, no_proxy, ...direct } = env;
	signsAs((await start(config(kmsTable({ key_id: 'alias/node' })), direct)).log, 'the metadata of the machine');
	assert.equal(aws.calls.at(-1).principal, 'machine');
	const off = await start(config(table()), { AWS_EC2_METADATA_DISABLED: 'true' });
	assert.equal(off.status, 1);
	assert.match(off.log, /aws_kms_config: no AWS credentials/);
});

// ---- refusals ----

const refusals = [
	['another region', table({ region: 'eu-west-2' }), {}, /InvalidSignatureException: Credential should be scoped to a valid region/],
	['a key that is not there', table({ key_id: 'alias/nobody' }), {}, /NotFoundException: Alias or key alias\/nobody is not found/],
	['a key of another curve', table({ key_id: 'alias/p256' }), {}, /the key is not of spec ECC_SECG_P256K1/],
	['a wrong secret', table(), { AWS_SECRET_ACCESS_KEY: 'hush' }, /InvalidSignatureException: The request signature we calculated/],
	['an access key that is not known', table(), { AWS_ACCESS_KEY_ID: 'AKIANOBODY' }, /UnrecognizedClientException: The security token/],
	['half of a pair', table(), { AWS_SECRET_ACCESS_KEY: '' }, /AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not/],
	['the ARN of another region', table({ key_id: 'arn:aws:kms:eu-west-2:123456789012:key/1234abcd' }), {}, /:\d+: aws_kms_config\.region: the ARN of key_id is of another region/],
	['no signer at all', '', {}, /private_key: the sender needs one .*or aws_kms_config\.key_id/],
];
for (const [what, text, env, said] of refusals)
	test(`refused with words: ${what}`, async () => {
		const { log, status } = await start(config(text), { ...staticKeys, ...env });
		assert.equal(status, 1);
		assert.match(log, said);
		assert.doesNotMatch(log, /hush|static\/secret|Transactions are signed/);
	});

test('no permission: refused with words', async () => {
	aws.fault = (action) => action === 'GetPublicKey' && { code: 'AccessDeniedException', message: 'User: arn:aws:iam::1:user/x is not authorized to perform: kms:GetPublicKey' };
	const { log, status } = await start(config(table()), staticKeys);
	aws.fault = undefined;
	assert.equal(status, 1);
	assert.match(log, /aws_kms_config: AccessDeniedException: User: arn:aws:iam::1:user\/x is not authorized/);
});

test('what passes is waited for, and a signal ends the waiting', async () => {
	let left = 3;
	aws.fault = () => (left-- > 0 ? { code: 'ThrottlingException' } : undefined);
	const { log } = await start(config(table()), staticKeys);
	assert.match(log, /WARN +.*AWS KMS does not sign, trying again detail="ThrottlingException: by the test"/);
	assert.match(log, /AWS KMS answers again/);
	signsAs(log, 'the environment');
	aws.fault = () => ({ code: 'KMSInternalException', status: 500 });
	const stopped = await start(config(table()), staticKeys, /trying again/);
	aws.fault = undefined;
	assert.equal(stopped.status, 0);
	assert.match(stopped.log, /Stopping[^]*Stopped/);
});

test('a clock that is off by hours does not matter', async () => {
	aws.clockAheadMs = 3 * 3600 * 1000;
	try {
		signsAs((await start(config(table()), staticKeys)).log, 'the environment');
	} finally {
		aws.clockAheadMs = 0;
	}
});

test('an ARN says the region, too', async () => {
	const text = kmsTable({ key_id: 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd', endpoint: aws.url });
	signsAs((await start(config(text), { ...staticKeys, AWS_REGION: 'us-east-1' })).log, 'the environment');
});

// ---- raw keys ----

test('a raw key counts first, with a warning; from the environment, a file, a credential of systemd', async () => {
	const raw = `0x${'22'.repeat(32)}`;
	const address = computeAddress(raw);
	const file = join(scratch, 'private_key');
	const said = new RegExp(`WARN +.*Transactions are signed with a raw private key: for testing only address=${address}`, 'i');
	writeFileSync(file, `${raw}\n`, { mode: 0o600 });
	const before = aws.calls.length;
	for (const env of [{ KMS_CONNECTOR_PRIVATE_KEY: raw }, { KMS_CONNECTOR_PRIVATE_KEY_FILE: file }, { CREDENTIALS_DIRECTORY: scratch }]) {
		const { log } = await start(config(table()), { ...staticKeys, ...env });
		assert.match(log, said);
		assert.match(log, /WARN +.*aws_kms_config has no effect: private_key comes first/);
		assert.doesNotMatch(log, /holds private_key|22222222/);
	}
	assert.equal(aws.calls.length, before);
	const both = await start(config(''), { KMS_CONNECTOR_PRIVATE_KEY: raw, KMS_CONNECTOR_PRIVATE_KEY_FILE: file });
	assert.equal(both.status, 1);
	assert.match(both.log, /KMS_CONNECTOR_PRIVATE_KEY and KMS_CONNECTOR_PRIVATE_KEY_FILE are both set/);
	chmodSync(file, 0o644);
	assert.match((await start(config(''), { KMS_CONNECTOR_PRIVATE_KEY_FILE: file })).log, new RegExp(`WARN +.*holds private_key, and others can read or change it: chmod 600 file=${file} mode=0644`));
	rmSync(file);
	const gone = await start(config(''), { KMS_CONNECTOR_PRIVATE_KEY_FILE: file });
	assert.equal(gone.status, 1);
	assert.match(gone.log, new RegExp(`${file} \\(for private_key\\): is no file that can be read`));
});

// ---- a whole network ----

test('a network whose transaction key is in AWS KMS', { timeout: 900000 }, async (t) => {
	const machine = new Aws({ port: 29691, region: 'eu-central-1', lifetimeMs: 20000 });
	await machine.start();
	// Keys of 20 s: fetched again all the time. The account's key is known when the network is made.
	const connectorEnv = { AWS_EC2_METADATA_SERVICE_ENDPOINT: machine.url, HOME: scratch };
	const connector = { private_key: undefined, 'aws_kms_config.key_id': 'alias/node', 'aws_kms_config.endpoint': machine.url };
	try {
		const { Network } = await import('../../tools/devnet/network.mjs');
		const { privateKey } = new Network({ dir: scratch }).accounts.connector;
		machine.kms.set('alias/node', new Aws({ keys: { k: privateKey } }).kms.get('k'));
		await withNetwork({ portBase: 29600, connector, connectorEnv }, async ({ network, devnet, relayer, publish }) => {
			const log = () => readFileSync(join(devnet.logs, 'kms-connector.log'), 'utf8');
			const [{ handle }] = await publish([['uint64', '42']]);
			const decrypt = async () => relayer.response(await relayer.request([handle]));
			assert.match(log(), new RegExp(`Transactions are signed by AWS KMS address=${devnet.nodes[0].txSender} key=alias/node region=eu-central-1`, 'i'));

			await t.test('requests are answered', async () => {
				for (let i = 0; i < 8; i++) await decrypt();
				assert.ok(machine.count('Sign') >= 8);
				assert.ok(machine.calls.every(({ action, principal }) => action !== 'Sign' || principal === 'machine'));
			});

			await t.test('two signatures in three are throttled', async () => {
				let n = 0;
				machine.fault = (action) => (action === 'Sign' && ++n % 3 !== 0 ? { code: 'ThrottlingException' } : undefined);
				for (let i = 0; i < 4; i++) await decrypt();
				machine.fault = undefined;
				assert.ok(machine.count('Sign', ({ code }) => code === 'ThrottlingException') >= 4);
			});

			await t.test('credentials that are revoked are fetched again', async () => {
				const before = machine.count('metadata keys');
				machine.revoke();
				await decrypt();
				assert.ok(machine.count('metadata keys') > before);
			});

			await t.test('no permission for a while: the answer waits, the breaker opens, nothing is lost', async () => {
				machine.fault = (action) => (action === 'Sign' ? { code: 'AccessDeniedException', message: 'not now' } : undefined);
				const request = await relayer.request([handle]);
				await waitFor('the breaker', () => /AWS KMS does not sign, trying again detail="AccessDeniedException: not now"/.test(log()), { timeoutMs: 30000 });
				const metrics = await (await fetch(`${devnet.nodes[0].monitoring}/metrics`)).text();
				assert.match(metrics, /^kms_connector_breaker_state\{part="aws_kms"\} [12]$/m);
				assert.match(metrics, /^kms_connector_breaker_opened_total\{part="aws_kms"\} [1-9]/m);
				const { signer, parts } = await (await fetch(`${devnet.nodes[0].monitoring}/status`)).json();
				assert.equal(signer.account.toLowerCase(), devnet.nodes[0].txSender.toLowerCase());
				assert.deepEqual([signer.kind, signer.region], ['aws_kms', 'eu-central-1']);
				assert.match(signer.breaker, /^(open|half-open)$/);
				assert.ok(signer.opened >= 1 && signer.waiting + signer.in_flight >= 1);
				// Each core and each bucket besides, in both places.
				for (const part of ['core', 'bucket']) {
					assert.ok(parts.some((row) => row.part === part && row.breaker === 'closed'), part);
					assert.match(metrics, new RegExp(`^kms_connector_breaker_state\\{part="${part}",name="[^"]+"\\} 0$`, 'm'));
				}
				const told = spawnSync(join(programs, 'kms-connector'), ['status', '-e', devnet.nodes[0].monitoring], { encoding: 'utf8' });
				assert.match(told.stdout, /^signer {8}aws_kms, account 0x[0-9a-fA-F]{40}, region eu-central-1: breaker (open|half-open), opened \d+ times, \d+ waiting, \d+ under way$/m);
				machine.fault = undefined;
				await relayer.response(request);
				assert.match(log(), /AWS KMS answers again/);
			});

			await t.test('a restart takes up what was not signed', async () => {
				machine.fault = (action) => (action === 'Sign' ? { code: 'KMSInternalException', status: 500 } : undefined);
				const signed = machine.count('Sign');
				const request = await relayer.request([handle]);
				await waitFor('a first try', () => machine.count('Sign') > signed);
				await network.killConnector();
				network.startConnectorProcess();
				machine.fault = undefined;
				await relayer.response(request);
				assert.equal((await relayer.responseCalls(request)).length, 1);
			});

			const high = machine.count('Sign', (call) => call.high === true);
			const low = machine.count('Sign', (call) => call.high === false);
			t.diagnostic(`signatures with a high s ${high}, with a low s ${low}; credentials fetched ${machine.count('metadata keys')} times`);
			assert.ok(high > 0 && low > 0);
			assert.doesNotMatch(log(), new RegExp(privateKey.slice(2), 'i'));
		});
	} finally {
		await machine.stop();
	}
});
