// SPDX-License-Identifier: BSD-3-Clause-Clear
// Two host chains, one gateway, one key: a value of each chain is decrypted, permission is asked for on the value's own
// chain, and a user's request that mixes the chains is refused by the gateway's contract.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Wallet } from 'ethers';
import { Coprocessor } from '../../tools/devnet/coprocessor.mjs';
import { inspect, stateOf } from '../../tools/devnet/inspect.mjs';
import { PrivateClient, exampleContract } from '../../tools/devnet/private.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { hostOf, typeByName } from '../../tools/devnet/types.mjs';
import { encryptList } from '../../tools/devnet/user.mjs';
import { verify } from '../../tools/devnet/verify.mjs';
import { withNetwork } from './harness.mjs';

const type = typeByName('uint64');

// The name of the error a call of the gateway reverts with.
async function refusal(relayer, promise) {
	try {
		await promise;
	} catch (error) {
		return relayer.decryption.interface.parseError(error.data ?? '0x')?.name ?? error.shortMessage;
	}
	return 'accepted';
}

test('two host chains', { timeout: 900000 }, async (t) => {
	await withNetwork({ portBase: 28400, hosts: 2 }, async ({ devnet, relayer }) => {
		const user = Wallet.createRandom();
		const coprocessors = devnet.hosts.map((host) => new Coprocessor(devnet, host));
		const publish = async (chain, value, allowPublic) => {
			const list = encryptList(devnet.keys.publicKey, [{ type, value }]);
			const [{ handle }] = await coprocessors[chain].publish(list, { accounts: [user.address, exampleContract], allowPublic });
			return handle;
		};
		const values = [1001n, 2002n];
		const handles = [await publish(0, values[0], true), await publish(1, values[1], true)];
		const entries = handles.map((handle) => ({ handle, contract: exampleContract }));
		try {
			await t.test('each chain has contracts, a handle names its chain, and there is one key', () => {
				assert.deepEqual(devnet.hosts.map(({ chainId }) => chainId), [12345, 12346]);
				for (const [chain, handle] of handles.entries()) assert.equal(hostOf(devnet, handle), devnet.hosts[chain]);
				const config = readFileSync(devnet.nodes[0].config.connector, 'utf8');
				assert.equal(config.match(/^\[\[host_chains\]\]\nurl = .*\nchain_id = .*\nacl_address = .*$/gm).length, 2);
			});

			await t.test('a public decryption of a value of each chain', async () => {
				for (const [chain, handle] of handles.entries()) {
					const request = await relayer.request([handle]);
					await relayer.response(request);
					const verified = await verify(devnet, request.idHex);
					assert.deepEqual(verified.values, [{ type: 'uint64', value: String(values[chain]) }]);
				}
			});

			await t.test('a user decryption of a value of each chain', async () => {
				for (const [chain, entry] of entries.entries()) {
					const client = new PrivateClient(devnet, user);
					const signed = await client.sign('direct', [entry]);
					const request = await relayer.requestUser(signed);
					assert.deepEqual(await client.open([entry], signed, await relayer.userResponse(request)), [values[chain]]);
				}
			});

			await t.test('permission on one chain is none on another', async () => {
				const handle = await publish(1, 7n, false);
				await (await coprocessors[0].admit(handle, [user.address], true)).wait(); // allowed, on the wrong chain
				const request = await relayer.request([handle]);
				await waitFor('refused', async () => (await stateOf(devnet, request.idHex)) === 'refused', { timeoutMs: 30000 });
				assert.match(await inspect(devnet, request.idHex), /reason\s+.*not allowed.* chain 12346/i);
				assert.equal((await relayer.responses(request)).length, 0);
			});

			await t.test('a user decryption that mixes the chains is refused by the contract', async () => {
				const client = new PrivateClient(devnet, user);
				for (const kind of ['direct', 'delegated', 'unified'])
					for (const mixed of [entries, [...entries].reverse()]) {
						const signed = await client.sign(kind, mixed, { delegator: devnet.accounts[0].address });
						assert.equal(await refusal(relayer, relayer.requestUser(signed)), 'CtHandleChainIdDiffersFromContractChainId', kind);
					}
			});

			// The protocol lets one public decryption name handles of several chains: every handle's own chain decides.
			await t.test('a public decryption that names both chains needs the permission of both', async () => {
				const request = await relayer.request(handles);
				await relayer.response(request);
				assert.deepEqual((await verify(devnet, request.idHex)).values.map(({ value }) => value), values.map(String));
				const half = await relayer.request([handles[0], await publish(1, 8n, false)]);
				await waitFor('refused', async () => (await stateOf(devnet, half.idHex)) === 'refused', { timeoutMs: 30000 });
				assert.match(await inspect(devnet, half.idHex), /chain 12346/);
			});

			await t.test('a handle of a chain that the gateway does not have is refused by the contract', async () => {
				const stranger = `${handles[0].slice(0, 46)}${(99999).toString(16).padStart(16, '0')}${handles[0].slice(62)}`;
				assert.equal(await refusal(relayer, relayer.request([stranger])), 'HostChainNotRegistered');
			});

		} finally {
			for (const coprocessor of coprocessors) coprocessor.close();
		}
	});
});
