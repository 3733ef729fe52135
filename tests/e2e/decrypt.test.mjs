// SPDX-License-Identifier: BSD-3-Clause-Clear
// One public decryption after the other on the real chain, object store, core and connector.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, toBeHex } from 'ethers';
import { inspect, stateOf } from '../../tools/devnet/inspect.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { verify } from '../../tools/devnet/verify.mjs';
import { query, withNetwork } from './harness.mjs';

const contextId = toBeHex((7n << 248n) + 1n, 32);
const epochId = toBeHex((8n << 248n) + 1n, 32);

const everyType = [
	['bool', 'true'],
	['bool', 'false'],
	['uint8', '255'],
	['uint16', '65535'],
	['uint32', '4294967295'],
	['uint64', '18446744073709551615'],
	['uint128', '0x0123456789abcdef0123456789abcdef'],
	['address', '0x00000000000000000000000000000000DeaDBeef'],
	['uint256', `0x${'f'.repeat(64)}`],
	['uint64', '0'],
];
const shown = (values) => values.map(({ type, value }) => [type, value]);
const expected = everyType.map(([type, text]) => [type, /^(true|false)$/.test(text) || type === 'address' ? text : BigInt(text).toString()]);

async function coreRequests(devnet) {
	const text = await (await fetch(`${devnet.nodes[0].coreMonitoring}/metrics`)).text();
	return Number(/^kms_operations_total\{operation="public_decrypt_request"\} (\d+)$/m.exec(text)[1]);
}

test('public decryption', { timeout: 900000 }, async (t) => {
	await withNetwork({ portBase: 31000 }, async ({ network, devnet, relayer, publish, coprocessor }) => {
		const published = await publish(everyType);
		const handles = published.map(({ handle }) => handle);

		await t.test('every type, alone, with every form of extra data', async () => {
			const forms = ['0x', '0x00', concat(['0x01', contextId]), concat(['0x02', contextId, epochId])];
			for (const [index, handle] of handles.entries()) {
				const request = await relayer.request([handle], forms[index % forms.length]);
				await relayer.response(request);
				assert.deepEqual(shown((await verify(devnet, request.idHex)).values), [expected[index]]);
			}
		});

		await t.test('several handles in one request, one of them twice', async () => {
			const some = [handles[5], handles[0], handles[5], handles[8]];
			const request = await relayer.request(some);
			await relayer.response(request);
			assert.deepEqual(shown((await verify(devnet, request.idHex)).values), [5, 0, 5, 8].map((index) => expected[index]));
		});

		await t.test('two event generations of one request are one operation and one answer', async () => {
			const request = await relayer.request([handles[3]]);
			await relayer.response(request);
			const rows = query(devnet, 'SELECT state FROM operation WHERE request_id = ?', Buffer.from(request.idHex, 'hex'));
			assert.equal(rows.length, 1);
			assert.equal((await relayer.responseCalls(request)).length, 1);
		});

		await t.test('a handle that nobody allowed is refused, with a reason, and the core is not asked', async () => {
			const [{ handle }] = await publish([['uint64', '7']], false);
			const before = await coreRequests(devnet);
			const request = await relayer.request([handle]);
			await waitFor('refused', async () => (await stateOf(devnet, request.idHex)) === 'refused', { timeoutMs: 30000 });
			const text = await inspect(devnet, request.idHex);
			assert.match(text, /reason\s+.*not allowed/i);
			assert.match(text, new RegExp(handle.slice(2, 12)));
			assert.equal(await coreRequests(devnet), before);
			assert.equal((await relayer.responses(request)).length, 0);
		});

		await t.test('permission that comes within the grace time is seen', async () => {
			const [{ handle }] = await publish([['uint32', '99']], false);
			const request = await relayer.request([handle]);
			await (await coprocessor.admit(handle, [devnet.accounts[0].address], true)).wait();
			await relayer.response(request);
			assert.deepEqual(shown((await verify(devnet, request.idHex)).values), [['uint32', '99']]);
		});

		await t.test('an object with another digest is not served; the right one under the other name is', async () => {
			const [{ handle, snsDigest }] = await publish([['uint16', '513']]);
			const { url, bucket } = devnet.objectStore;
			const put = await fetch(`${url}/${bucket}/${snsDigest.slice(2)}`, { method: 'PUT', body: 'not the ciphertext', headers: { 'x-amz-meta-ct-format': 'compressed_on_cpu' } });
			assert.ok(put.ok);
			const request = await relayer.request([handle]);
			const { result } = await relayer.response(request);
			assert.equal(BigInt(result), 513n);
		});

		await t.test('a core that is killed and started again answers what it had accepted', async () => {
			const requests = [];
			for (let i = 0; i < 6; i++) requests.push(await relayer.request([handles[8], handles[7]]));
			await network.restartCore('SIGKILL');
			for (const request of requests) {
				await relayer.response(request);
				assert.deepEqual(shown((await verify(devnet, request.idHex)).values), [expected[8], expected[7]]);
			}
		});
	});
});
