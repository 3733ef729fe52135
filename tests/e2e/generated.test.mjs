// SPDX-License-Identifier: BSD-3-Clause-Clear
// A local network whose key and CRS come from its own KMS: what ./dev demo --keygen tells, hop by hop, and what ./dev up --keygen
// leaves running for clients. Test parameters; with production parameters: tests/slow.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createInstance } from '@zama-fhe/relayer-sdk/node';
import { Wallet, hexlify } from 'ethers';
import { fetchKeys } from '../../tools/devnet/keygen.mjs';
import { exampleContract as contract } from '../../tools/devnet/private.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { typeByName } from '../../tools/devnet/types.mjs';
import { encryptProven } from '../../tools/devnet/user.mjs';
import { verify } from '../../tools/devnet/verify.mjs';
import { assertTold, runDemo } from './demo.mjs';
import { withNetwork } from './harness.mjs';

const limit = { timeout: 1800000 }; // proofs are made and verified here, and the machine may have other work
const id = (kind) => `${kind}${'0'.repeat(61)}1`;

test('./dev demo --keygen', limit, async () => {
	const { code, output, facts } = await runDemo(['--keygen', '--type', 'uint8', '--value', '201', '--port-base', '28700']);
	assert.equal(code, 0, output);
	assertTold(output, [
		/^1\. A local network that has no FHE key/,
		/network +KMS signing key 0x[0-9a-fA-F]{40}; no FHE key yet/,
		/^2\. A key, asked for on the host chain/,
		/owner +calls keygen on the host chain: PrepKeygenRequest 0x03000000…00000001, test parameters/,
		/connector +saw the event .*, asks the core: KeyGenPreproc/,
		/core +signs PrepKeygenVerification as 0x/,
		/connector +sent the answer with nonce 0/,
		/host +KMSGeneration checks the signature, .*: KeygenRequest for key 0x04000000…00000001/,
		/connector +saw the event .*, asks the core: KeyGen$/,
		/core +makes and audits the key; PublicKey \(digest 0x.*\) and CompressedXofKeySet \(digest 0x.*\) in its public vault; in \d+\.\d\d s by its log/,
		/core +signs KeygenVerification as 0x/,
		/connector +sent the answer with nonce 1/,
		/host +ActivateKey: the key is in use; it is at http:\/\/127\.0\.0\.1:28707/,
		/^3\. A CRS, asked for on the host chain/,
		/owner +calls crsgenRequest on the host chain: CrsgenRequest 0x05000000…00000001, for 2048 bits/,
		/connector +saw the event .*, asks the core: CrsGen$/,
		/core +signs CrsgenVerification as 0x/,
		/host +ActivateCrs: the CRS is in use/,
		/^4\. Fetch them, believing the chain alone/,
		/client +PublicKey, \d+ bytes from http.*: its digest is the chain's/,
		/client +CompressedXofKeySet, \d+ bytes from http.*: its digest is the chain's/,
		/client +CRS, 2949352 bytes from http.*: its digest is the chain's/,
		/^5\. Encrypt, as a user does/,
		/user +encrypts uint8 201 under this key, with a proof over this CRS/,
		/coprocessor +verified the proof; expanded, squashed and compressed with the server keys: it holds no secret/,
		/coprocessor +stored ct128 of 0x.*: 4444 bytes/,
		/^6\. Decrypt, through the chain/,
		/gateway +checked the signature, reached its quorum of 1: PublicDecryptionResponse/,
		/^7\. Verify, believing nobody/,
		/verifier +uint8 201 is what the user encrypted/,
		/^8\. Decrypt for one user only/,
		/user +checks signature and link, opens the answer: uint8 201; nobody else can/,
		/^9\. A refusal/,
		/^Everything matched: uint8 201$/,
	]);
	assert.deepEqual([facts.keys.keyId, facts.keys.crsId, facts.keys.parameters], [id('04'), id('05'), 'test']);
	assert.deepEqual(facts.decryption.values, [{ type: 'uint8', value: '201' }]);
	assert.equal(facts.forUser.value, '201');
	assert.equal(facts.refused.coreAsked, 0);
});

test('./dev up --keygen: the network that it leaves running', limit, async (t) => {
	const told = [];
	const options = { portBase: 28750, keygen: true, parameters: 'test', relayer: { responseMs: 600000 }, report: (line) => told.push(line) };
	await withNetwork(options, async ({ devnet, relayer, publish }) => {
		const host = devnet.hosts[0];
		const vault = join(devnet.nodes[0].data, 'keys');
		const decrypted = async (handles) => {
			const request = await relayer.request(handles);
			await relayer.response(request, 600000);
			return (await verify(devnet, request.idHex)).values.map(({ type, value }) => [type, value]);
		};

		await t.test('no dealer made a key, and the coprocessor has no secret', () => {
			assert.deepEqual(readdirSync(vault).sort(), ['PRIV', 'PUB']);
			assert.deepEqual(readdirSync(join(vault, 'PRIV/FhePrivateKey'), { recursive: true }).filter((name) => name.includes('/')), [`${devnet.keys.epochId}/${id('04')}`]);
			assert.deepEqual(Object.keys(devnet.coprocessor), ['privateKey', 'socket']);
			assert.ok(told.some((line) => /^host: ActivateKey: the key is in use/.test(line)), told.join('\n'));
		});

		await t.test('./dev encrypt, ./dev decrypt', async () => {
			const [{ handle }] = await publish([['uint64', '81985529216486895']]);
			assert.deepEqual(await decrypted([handle]), [['uint64', '81985529216486895']]);
		});

		await t.test('a dapp, by relayer-sdk: key and CRS from keyurl, an input with a proof, read by its user', async () => {
			const wallet = new Wallet(devnet.accounts[0].privateKey);
			const { response } = await (await fetch(`${devnet.relayer}/v2/keyurl`)).json();
			assert.deepEqual([response.fheKeyInfo[0].fhePublicKey.dataId, response.crs[2048].dataId], [id('04'), id('05')]);
			const served = Buffer.from(await (await fetch(response.crs[2048].urls[0])).arrayBuffer());
			assert.deepEqual(served, readFileSync(join(vault, 'PUB/CRS', id('05'))));

			const instance = await createInstance(devnet.sdk);
			const { handles } = await instance.createEncryptedInput(contract, wallet.address).add16(4242).addBool(true).encrypt();
			const [number, flag] = handles.map((bytes) => hexlify(bytes));
			const { publicKey, privateKey } = instance.generateKeypair();
			const start = Math.floor(Date.now() / 1000) - 60;
			const message = instance.createEIP712(publicKey, [contract], start, 1);
			const { EIP712Domain, ...types } = message.types;
			assert.ok(EIP712Domain);
			const signature = await wallet.signTypedData(message.domain, types, message.message);
			const pairs = [number, flag].map((handle) => ({ handle, contractAddress: contract }));
			const values = await instance.userDecrypt(pairs, privateKey, publicKey, signature, [contract], wallet.address, start, 1);
			assert.deepEqual([values[number], values[flag]], [4242n, true]);
		});

		await t.test('a proof is of one input only: brought by another user, the coprocessor rejects it', async () => {
			const [user, other] = devnet.accounts;
			const input = { contract, user: user.address, acl: host.contracts.ACL, chainId: host.chainId };
			const ciphertext = hexlify(encryptProven(devnet.keys, [{ type: typeByName('uint8'), value: 5n }], input));
			const answer = async (brought) => {
				const request = await relayer.requestProof({ ...brought, ciphertext, extraData: '0x00' });
				return waitFor('the coprocessor', () => relayer.proofResponse(request), { timeoutMs: 900000, intervalMs: 200 });
			};
			assert.deepEqual(await answer({ ...input, user: other.address }), { accepted: false });
			assert.equal((await answer(input)).handles.length, 1);
		});

		await t.test('an object that was changed in the store is noticed by its digest', async () => {
			const dir = join(devnet.nodes[0].data, 'fetched');
			const good = await fetchKeys(host, dir);
			assert.deepEqual(Object.keys(good.objects), ['PublicKey', 'CompressedXofKeySet', 'CRS']);
			for (const { type, url, digest } of Object.values(good.objects)) {
				const file = join(vault, 'PUB', type, url.slice(-64));
				const bytes = readFileSync(file);
				const changed = Buffer.from(bytes);
				changed[bytes.length >> 1] ^= 1;
				for (const other of [changed, bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.alloc(1)])]) {
					writeFileSync(file, other);
					await assert.rejects(fetchKeys(host, dir), new RegExp(`^Error: ${type} 0x.* cannot be had:\n  ${url}: its digest is 0x[0-9a-f]{64}, and ${digest} on the chain$`));
				}
				writeFileSync(file, bytes);
			}
			assert.deepEqual(await fetchKeys(host, dir), good);
		});
	});
});
