// SPDX-License-Identifier: BSD-3-Clause-Clear
// A coprocessor stand-in that computes on ciphertexts alone: what users encrypt is expanded, squashed and compressed with the
// public key set, and the KMS decrypts that. The stand-in and its program are never given the client key.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { verify } from '../../tools/devnet/verify.mjs';
import { withNetwork } from './harness.mjs';

const everyType = [
	['bool', 'true'],
	['uint8', '167'],
	['bool', 'false'],
	['uint16', '65535'],
	['uint32', '4294967295'],
	['uint64', '0x0123456789abcdef'],
	['uint128', '0x0123456789abcdef0123456789abcdef'],
	['address', '0x00000000000000000000000000000000DeaDBeef'],
	['uint256', `0x${'f0'.repeat(32)}`],
];
const shown = ([type, text]) => [type, /^(true|false)$/.test(text) || type === 'address' ? text : BigInt(text).toString()];

// The bytes of a list beside its words are 284, 8 fewer for a Boolean; the tag is the key's id.
const sizeOf = (mask, [type]) => mask * 16 + 284 + 32 + (type === 'bool' ? 16 - 8 : (16 * Math.max(8, type === 'address' ? 160 : Number(/\d+$/.exec(type)))) / 4);

async function decryptsTo(devnet, relayer, published, items) {
	const request = await relayer.request(published.map(({ handle }) => handle));
	await relayer.response(request);
	assert.deepEqual((await verify(devnet, request.idHex)).values.map(({ type, value }) => [type, value]), items.map(shown));
}

test('a coprocessor without secrets, test parameters', { timeout: 900000 }, async (t) => {
	await withNetwork({ portBase: 26000, parameters: 'test' }, async ({ network, devnet, relayer, publish }) => {
		await t.test('it has no client key', () => {
			assert.deepEqual(Object.keys(devnet.coprocessor), ['privateKey', 'socket']);
			const { pid } = network.processes.find(({ name }) => name === 'kms-dev-coprocessor');
			assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /^[^\0]*kms-dev-coprocessor\0serve\0--key-set\0[^\0]*key_set.bin\0--socket\0[^\0]*\0$/);
		});

		await t.test('every type, together and alone', async () => {
			const published = await publish(everyType);
			for (const [index, { size }] of published.entries()) assert.equal(size, sizeOf(256, everyType[index]));
			await decryptsTo(devnet, relayer, published, everyType);
			for (const [index, one] of published.entries()) await decryptsTo(devnet, relayer, [one], [everyType[index]]);
		});

		await t.test('what is no list is refused, and the next one is served', async () => {
			const { Coprocessor } = await import('../../tools/devnet/coprocessor.mjs');
			const coprocessor = new Coprocessor(devnet);
			try {
				await assert.rejects(coprocessor.publish(Buffer.from('nonsense'), { accounts: [] }), /kms-dev-coprocessor: /);
			} finally {
				coprocessor.close();
			}
			const items = [['uint8', '1']];
			await decryptsTo(devnet, relayer, await publish(items), items);
		});
	});
});

test('a coprocessor without secrets, production parameters', { timeout: 900000 }, async () => {
	await withNetwork({ portBase: 26050, computing: true }, async ({ devnet, relayer, publish }) => {
		const items = [['bool', 'true'], ['uint8', '167']];
		const published = await publish(items);
		for (const [index, { size }] of published.entries()) assert.equal(size, sizeOf(6144, items[index]));
		await decryptsTo(devnet, relayer, published, items);
	});
});
