// SPDX-License-Identifier: BSD-3-Clause-Clear
// User decryption on a whole local network: every type, every way to ask, and who is refused. Answers are opened by the
// real client library with all of its checks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Contract, NonceManager, Wallet, concat, getAddress, toBeHex } from 'ethers';
import { inspect, stateOf } from '../../tools/devnet/inspect.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { PrivateClient, exampleContract } from '../../tools/devnet/private.mjs';
import { connect } from '../../tools/devnet/request.mjs';
import { formatValue, parseValue, typeByName } from '../../tools/devnet/types.mjs';
import { query, withNetwork } from './harness.mjs';

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
const valueOf = ([type, text]) => parseValue(typeByName(type), text);

const otherContract = getAddress('0x000000000000000000000000000000000000beef');

const aclAbi = ['function delegateForUserDecryption(address delegate, address contractAddress, uint64 expirationDate)'];

async function coreRequests(devnet) {
	const text = await (await fetch(`${devnet.nodes[0].coreMonitoring}/metrics`)).text();
	return Number(/^kms_operations_total\{operation="user_decrypt_request"\} (\d+)$/m.exec(text)[1]);
}

// A contract of the local network from its code: init code that returns the rest of itself.
async function deploy(wallet, code) {
	const size = toBeHex((code.length - 2) / 2, 1);
	const sent = await wallet.sendTransaction({ data: concat(['0x60', size, '0x80600a3d393df300', code]) });
	return (await sent.wait()).contractAddress;
}

test('user decryption', { timeout: 900000 }, async (t) => {
	await withNetwork({ portBase: 27000 }, async ({ network, devnet, relayer, publish }) => {
		const host = connect(devnet.hosts[0].rpc);
		const owner = new Wallet(devnet.accounts[0].privateKey, host);
		const user = Wallet.createRandom();
		const published = await publish(everyType, false, [user.address, owner.address, exampleContract]);
		const entries = published.map(({ handle }) => ({ handle, contract: exampleContract }));

		const ask = async (wallet, kind, some, options) => {
			const client = new PrivateClient(devnet, wallet);
			const signed = await client.sign(kind, some, options);
			const request = await relayer.requestUser(signed);
			return { request, open: async () => client.open(some, signed, await relayer.userResponse(request)) };
		};
		// Refused for this reason, and the core never heard of it.
		const assertRefused = async (asked, reason) => {
			const { idHex } = asked.request;
			await waitFor('refused', async () => (await stateOf(devnet, idHex)) === 'refused', { timeoutMs: 30000 });
			assert.match(await inspect(devnet, idHex), reason);
			assert.deepEqual(await relayer.userResponses(asked.request), { reached: false, answers: [] });
		};

		await t.test('every type, alone', async () => {
			for (const [index, entry] of entries.entries()) {
				const [value] = await (await ask(user, 'direct', [entry])).open();
				assert.equal(formatValue(typeByName(everyType[index][0]), value), formatValue(typeByName(everyType[index][0]), valueOf(everyType[index])));
			}
		});

		await t.test('several handles in one request, one of them twice', async () => {
			const some = [5, 0, 5, 8];
			const values = await (await ask(user, 'direct', some.map((index) => entries[index]))).open();
			assert.deepEqual(values, some.map((index) => valueOf(everyType[index])));
		});

		await t.test('two event generations of one request are one operation and one answer', async () => {
			const { request, open } = await ask(user, 'direct', [entries[3]]);
			await open();
			const rows = query(devnet, 'SELECT kind, state FROM operation WHERE request_id = ?', Buffer.from(request.idHex, 'hex'));
			assert.deepEqual(rows.map(({ kind }) => kind), ['user_decryption_request']);
			assert.equal((await relayer.userResponses(request)).answers.length, 1);
		});

		await t.test('nobody else can open an answer', async () => {
			const { request } = await ask(user, 'direct', [entries[3]]);
			const answers = await relayer.userResponse(request);
			const other = new PrivateClient(devnet, user);
			const signed = await other.sign('direct', [entries[3]]);
			await assert.rejects(other.open([entries[3]], signed, answers));
		});

		await t.test('a delegate, after the owner delegated to it', async () => {
			const delegate = Wallet.createRandom();
			const acl = new Contract(devnet.hosts[0].contracts.ACL, aclAbi, owner);
			const expiration = Math.floor(Date.now() / 1000) + 86400;
			await (await acl.delegateForUserDecryption(delegate.address, exampleContract, expiration)).wait();
			const [value] = await (await ask(delegate, 'delegated', [entries[5]], { delegator: owner.address })).open();
			assert.equal(value, valueOf(everyType[5]));

			// The unified form, own ciphertexts and the owner's in one request.
			const [{ handle }] = await publish([['uint32', '77']], false, [delegate.address, exampleContract]);
			const mixed = [{ handle, contract: exampleContract }, { ...entries[8], owner: owner.address }];
			assert.deepEqual(await (await ask(delegate, 'unified', mixed)).open(), [77n, valueOf(everyType[8])]);
		});

		await t.test('a contract wallet signs by ERC-1271', async () => {
			// Answers every call with the magic value of isValidSignature(bytes32,bytes).
			const address = await deploy(owner, '0x631626ba7e60e01b60005260206000f3');
			const wallet = { address, signTypedData: async () => '0xc0ffee' };
			const [{ handle }] = await publish([['uint64', '4711']], false, [address, exampleContract]);
			const [value] = await (await ask(wallet, 'unified', [{ handle, contract: exampleContract }])).open();
			assert.equal(value, 4711n);
		});

		const before = await coreRequests(devnet);

		await t.test('another user is refused', async () => {
			const other = Wallet.createRandom();
			await assertRefused(await ask(other, 'direct', [entries[0]]), new RegExp(`reason\\s+handle ${entries[0].handle} is not allowed for user ${other.address}`));
		});

		await t.test('a contract without permission is refused', async () => {
			const entry = { ...entries[0], contract: otherContract };
			await assertRefused(await ask(user, 'direct', [entry]), new RegExp(`is not allowed for contract ${otherContract}`));
		});

		await t.test('one handle of several is enough to refuse', async () => {
			const [{ handle }] = await publish([['uint8', '1']], false);
			await assertRefused(await ask(user, 'direct', [entries[0], { handle, contract: exampleContract }]), /is not allowed for (user|contract)/);
		});

		await t.test('a delegate without delegation is refused', async () => {
			const delegate = Wallet.createRandom();
			await assertRefused(await ask(delegate, 'delegated', [entries[5]], { delegator: owner.address }), /is not delegated by/);
		});

		await t.test('a signature of somebody else is refused', async () => {
			const thief = { address: user.address, signTypedData: (...args) => Wallet.createRandom().signTypedData(...args) };
			await assertRefused(await ask(thief, 'unified', [entries[0]]), /the signature is not user .* nor vouched for/);
		});

		await t.test('a signature that no longer holds is refused', async () => {
			const start = Math.floor(Date.now() / 1000) - 5;
			const asked = await ask(user, 'unified', [entries[0]], { start, duration: 10 });
			await (await asked).open(); // it holds now
			const late = new PrivateClient(devnet, user);
			await assert.rejects(relayer.requestUser(await late.sign('unified', [entries[0]], { start: start - 100, duration: 10 })));
		});

		await t.test('a request that came through another contract is refused', async () => {
			const gateway = connect(devnet.gateway.rpc);
			const decryption = devnet.gateway.contracts.Decryption;
			const wallet = new NonceManager(new Wallet(devnet.accounts[0].privateKey, gateway));
			// Forwards its calldata to Decryption and reverts when that does.
			const forwarder = await deploy(wallet, concat(['0x363d3d373d3d363d3d73', decryption, '0x5af115602557005b3d3dfd']));
			const client = new PrivateClient(devnet, user);
			const request = await relayer.requestUser(await client.sign('direct', [entries[0]]), forwarder);
			await assertRefused({ request }, /the transaction of the request is not to the Decryption contract/);
			gateway.destroy();
		});

		await t.test('of all the refused, the core was asked nothing', async () => {
			// One was answered: the one whose signature still held.
			assert.equal((await coreRequests(devnet)) - before, 1);
		});

		await t.test('a core that is killed gives the answer that it had accepted', async () => {
			const asked = [];
			for (let i = 0; i < 4; i++) asked.push(await ask(user, 'direct', [entries[8], entries[7]]));
			await network.restartCore('SIGKILL');
			for (const one of asked) assert.deepEqual(await one.open(), [valueOf(everyType[8]), valueOf(everyType[7])]);
		});
		host.destroy();
	});
});
