// SPDX-License-Identifier: BSD-3-Clause-Clear
// Ciphertexts in a private bucket: the real connector against a stand-in that verifies every signature of a read. Anonymous
// and wrong reads are refused and say why; keys of the environment and of the machine, a clock that is off, another region.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { Aws, sha256, verifySignature } from './aws.mjs';
import { query, withNetwork } from './harness.mjs';
import { S3 } from './s3.mjs';

// ---- the stand-in's own computation, against AWS's published examples ----

test('the stand-in verifies what AWS published for S3, and nothing else', () => {
	const keys = new Map([['AKIAIOSFODNN7EXAMPLE', { secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', principal: 'example' }]]);
	const context = { keys, region: 'us-east-1', service: 's3', nowMs: Date.parse('2013-05-24T00:00:00Z') };
	const authorization = (names, signature) => ['Authorization', `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=${names}, Signature=${signature}`];
	const headers = (...more) => ['Host', 'examplebucket.s3.amazonaws.com', 'x-amz-date', '20130524T000000Z', 'x-amz-content-sha256', sha256(''), ...more];
	const plain = 'host;x-amz-content-sha256;x-amz-date';
	const get = {
		method: 'GET',
		url: '/test.txt',
		rawHeaders: headers('Range', 'bytes=0-9', ...authorization('host;range;x-amz-content-sha256;x-amz-date', 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41')),
		body: '',
	};
	const lifecycle = { ...get, url: '/?lifecycle', rawHeaders: headers(...authorization(plain, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543')) };
	const list = { ...get, url: '/?max-keys=2&prefix=J', rawHeaders: headers(...authorization(plain, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7')) };
	for (const request of [get, lifecycle, list, { ...list, url: '/?prefix=J&max-keys=2' }]) assert.equal(verifySignature(request, context).principal, 'example');
	const changes = [
		{ method: 'HEAD' },
		{ url: '/test.text' },
		{ url: '/test.txt?versionId=1' },
		{ body: 'x' },
		{ rawHeaders: get.rawHeaders.with(1, 'otherbucket.s3.amazonaws.com') },
		{ rawHeaders: get.rawHeaders.with(3, '20130524T000001Z') },
		{ rawHeaders: get.rawHeaders.with(5, 'UNSIGNED-PAYLOAD') },
		{ rawHeaders: get.rawHeaders.with(7, 'bytes=0-8') },
		{ rawHeaders: [...get.rawHeaders, 'x-amz-security-token', 't'] },
	];
	for (const change of changes) assert.throws(() => verifySignature({ ...get, ...change }, context), /.+/, JSON.stringify(change));
	const code = (more) => {
		try {
			return verifySignature(get, { ...context, ...more }).principal;
		} catch (error) {
			return `${error.status} ${error.code}`;
		}
	};
	assert.equal(code({ nowMs: context.nowMs + 16 * 60000 }), '403 RequestTimeTooSkewed');
	assert.equal(code({ nowMs: context.nowMs + 14 * 60000 }), 'example');
	assert.equal(code({ region: 'eu-west-1' }), '400 AuthorizationHeaderMalformed');
	assert.equal(code({ keys: new Map() }), '403 InvalidAccessKeyId');
	assert.equal(code({ keys: new Map([['AKIAIOSFODNN7EXAMPLE', { secret: 'another' }]]) }), '403 SignatureDoesNotMatch');
});

// ---- a network whose bucket is private ----

test('a private bucket', { timeout: 900000 }, async (t) => {
	const ports = { base: 23000, s3: 23020, aws: 23021 };
	const machine = await new Aws({ port: ports.aws, region: 'eu-west-1', lifetimeMs: 20000 }).start();
	const s3 = await new S3({ port: ports.s3, behind: `http://127.0.0.1:${ports.base + 2}`, keys: machine.credentials }).start();
	const bucket = `http://127.0.0.1:${ports.s3}/copro-1`;
	const env = { HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true' };
	const keys = { AWS_ACCESS_KEY_ID: 'AKIASTATIC', AWS_SECRET_ACCESS_KEY: 'static/secret+key', AWS_REGION: 'eu-west-1' };
	const fast = { retry_interval: '200ms', copro_registry_refresh: '1s', ciphertext_cache_size: 0, max_decryption_attempts: 10000 };
	try {
		await withNetwork({ portBase: ports.base, connector: fast, connectorEnv: env, fronts: { objectStore: ports.s3 } }, async ({ network, devnet, relayer, publish }) => {
			const log = () => readFileSync(join(devnet.logs, 'kms-connector.log'), 'utf8');
			const [{ handle }] = await publish([['uint64', '42']]);
			const restart = async (options, variables) => {
				await network.killConnector();
				network.connectorOptions = { ...fast, ...options };
				network.connectorEnv = { ...env, ...variables };
				network.startConnectorProcess();
			};
			const reason = () => query(devnet, "SELECT reason FROM operation WHERE state NOT IN ('answered', 'refused', 'expired') ORDER BY id DESC LIMIT 1")[0]?.reason ?? '';
			const waitsWith = async (said) => {
				const request = await relayer.request([handle]);
				await waitFor(`the reason ${said}`, () => said.test(reason()), { timeoutMs: 40000 }).catch((error) => {
					throw new Error(`${error.message}: it is ${reason()}`);
				});
				return request;
			};
			const signed = { s3_signed_buckets: [bucket] };

			let waiting;
			await t.test('anonymous reads are refused, and the request says so and what to set', async () => {
				waiting = await waitsWith(/ciphertext of handle 0: .*copro-1: HTTP 403: no permission to read it.*reads of it are not signed \(s3_signed_buckets\)/);
				assert.equal(s3.count(({ principal }) => principal), 0);
				assert.match(log(), /WARN .*A bucket refuses a read bucket=\S+copro-1 detail="HTTP 403: no permission/);
			});

			await t.test('with keys of the environment it is answered: each read verified', async () => {
				await restart(signed, keys);
				await relayer.response(waiting);
				assert.ok(s3.count(({ principal, method, status }) => principal === 'static' && method === 'HEAD' && status === 200) > 0);
				assert.ok(s3.count(({ principal, method, status }) => principal === 'static' && method === 'GET' && status === 200) > 0);
				assert.match(log(), /INFO .*Reads of buckets are signed buckets=1 credentials="the environment"/);
			});

			await t.test('a clock that is off by three hours is set by the date of the answer', async () => {
				s3.clockAheadMs = 3 * 3600 * 1000;
				const before = s3.reads.length;
				await relayer.response(await relayer.request([handle]));
				s3.clockAheadMs = 0;
				const since = s3.reads.slice(before);
				assert.equal(since.filter(({ code }) => code === 'RequestTimeTooSkewed').length, 1);
				assert.ok(since.some(({ method, status }) => method === 'GET' && status === 200));
				await relayer.response(await relayer.request([handle])); // and back again
			});

			await t.test('a wrong secret is refused', async () => {
				await restart(signed, { ...keys, AWS_SECRET_ACCESS_KEY: 'hush' });
				const before = s3.reads.length;
				waiting = await waitsWith(/copro-1: HTTP 403: no permission to read it/);
				assert.doesNotMatch(reason(), /not signed/);
				assert.ok(s3.reads.slice(before).every(({ code }) => code === 'SignatureDoesNotMatch'));
			});

			await t.test('a region that is not the bucket\'s is told with the one that is', async () => {
				await restart({ ...signed, s3_signing_region: 'eu-north-1' }, keys);
				await waitFor('the reason', () => /HTTP 400: .*another region.*the bucket is in eu-west-1/.test(reason()), { timeoutMs: 40000 });
				s3.moved = true;
				await waitFor('the reason', () => /HTTP 301: the bucket is in another region than its URL says; the bucket is in eu-west-1/.test(reason()), { timeoutMs: 40000 });
				s3.moved = false;
			});

			await t.test('the role of the machine, with tokens that end after 20 s and are revoked', async () => {
				await restart(signed, { AWS_EC2_METADATA_DISABLED: undefined, AWS_EC2_METADATA_SERVICE_ENDPOINT: machine.url });
				await relayer.response(waiting);
				assert.ok(s3.count(({ principal, token, status }) => principal === 'machine' && token && status === 200) > 0);
				const fetched = machine.count('metadata keys');
				machine.revoke();
				await relayer.response(await relayer.request([handle]));
				assert.ok(machine.count('metadata keys') > fetched);
			});

			t.diagnostic(`${s3.reads.length} reads, ${s3.count(({ status }) => status === 200)} served, ${s3.count(({ code }) => code)} refused`);
			assert.equal(s3.count(({ principal, status }) => !principal && status === 200), 0);
			assert.doesNotMatch(log(), /static\/secret|hush|Signature=|X-Amz-Security-Token/i);
		});
	} finally {
		await s3.stop();
		await machine.stop();
	}
});
