// SPDX-License-Identifier: BSD-3-Clause-Clear
// The constructor that asks an ACL many questions in one eth_call (worker/acl_many.c), on a real EVM: each answer is what
// the contract says to that question alone, and whatever is no bool is no answer.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root } from '../../tools/devnet/network.mjs';
import { start, stop, waitFor } from '../../tools/devnet/processes.mjs';

const port = 29890;
const scratch = mkdtempSync(join(tmpdir(), 'claviger-multicall-'));
const source = readFileSync(join(root, 'src/connector/worker/acl_many.c'), 'utf8');
const table = source.slice(source.indexOf('acl_many_code[ACL_MANY_CODE_SIZE] = {'), source.indexOf('};')).replaceAll(/\/\*[^]*?\*\//g, '');
const code = [...table.matchAll(/0x([0-9a-f]{2})\b/g)].map((m) => m[1]).join('');

const rpc = async (method, ...params) => {
	const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) });
	return response.json();
};
let anvil;
before(async () => {
	anvil = start('anvil', join(root, 'node_modules/.bin/anvil'), ['--port', String(port), '--silent'], { log: join(scratch, 'log') });
	await waitFor('anvil', () => rpc('eth_chainId').then(({ result }) => result, () => false));
});
after(async () => {
	await stop(anvil);
	rmSync(scratch, { recursive: true });
});

// Answers the low two bits of its argument (0 to 3) as a word; to 9 it reverts, to 8 it returns nothing.
const contract = `0x${'00'.repeat(19)}aa`;
const question = (n) => `002411223344${n.toString(16).padStart(64, '0')}`;
const ask = (numbers, to = contract) => rpc('eth_call', { data: `0x${code}${to.slice(2)}${numbers.map(question).join('')}` }, 'latest');

test('a byte for each question', async () => {
	assert.equal(code.length, 2 * 90);
	// JUMPDESTs at 0x20 and 0x26.
	const at = (text, n, piece) => text.slice(0, 2 * n) + piece + text.slice(2 * n + piece.length);
	let bytes = '00'.repeat(0x2c);
	bytes = at(bytes, 0, '600435' + '8060091460205780600814602657600316600052' + '60206000f3');
	bytes = at(bytes, 0x20, '5b60006000fd');
	bytes = at(bytes, 0x26, '5b60006000f3');
	await rpc('anvil_setCode', contract, `0x${bytes}`);
	assert.equal((await ask([1, 0, 5, 4])).result, '0x01000100');
	assert.equal((await ask([1, 2, 3, 9, 8, 1])).result, '0x010202020201', 'no bool, a revert and nothing are no answers');
	const many = Array.from({ length: 192 }, (_, i) => (i * 7) % 2);
	assert.equal((await ask(many)).result, `0x${many.map((n) => `0${n}`).join('')}`);
});

test('a contract that is not there says nothing', async () => {
	assert.equal((await ask([1, 0], `0x${'00'.repeat(19)}bb`)).result, '0x0202');
});

test('at a block that the node does not have there is no answer at all', async () => {
	const { error } = await rpc('eth_call', { data: `0x${code}${contract.slice(2)}${question(1)}` }, '0xffffff');
	assert.ok(error);
});
