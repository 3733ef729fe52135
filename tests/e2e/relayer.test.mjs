// SPDX-License-Identifier: BSD-3-Clause-Clear
// The relayer's HTTP interface by itself: what relayer-sdk does not send or does not let through, the older and the newer
// versions, and that it stays within its bounds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Contract, TypedDataEncoder, Wallet, hexlify, recoverAddress, toBeHex } from 'ethers';
import { FIRST_CONTEXT_ID } from '../../tools/devnet/deploy.mjs';
import { PrivateClient, exampleContract } from '../../tools/devnet/private.mjs';
import { Jobs } from '../../tools/devnet/relayer/jobs.mjs';
import { connect } from '../../tools/devnet/request.mjs';
import { withNetwork } from './harness.mjs';

const aclAbi = ['function delegateForUserDecryption(address delegate, address contractAddress, uint64 expirationDate)'];
const responseTypes = {
	PublicDecryptVerification: [
		{ name: 'ctHandles', type: 'bytes32[]' },
		{ name: 'decryptedResult', type: 'bytes' },
		{ name: 'extraData', type: 'bytes' },
	],
};
const day = 86400;
const now = () => Math.floor(Date.now() / 1000);
const plain = (hex) => hex.slice(2);

test('no kind of request keeps the others out', async () => {
	const jobs = new Jobs({ runningMax: 2 });
	const ends = [];
	const work = () => new Promise((resolve) => ends.push(resolve));
	const [first] = [jobs.start('inputProof', work), jobs.start('inputProof', work)];
	assert.throws(() => jobs.start('inputProof', work), /2 requests of this kind are being worked on/);
	jobs.start('publicDecrypt', work);
	ends[0]({});
	await first.done;
	jobs.start('inputProof', work);
	assert.throws(() => jobs.start('inputProof', work), /of this kind/);
});

test('relayer', { timeout: 900000 }, (t) =>
	withNetwork({ portBase: 28200, hosts: 2, relayer: { readinessMs: 1500 } }, async ({ network, devnet, publish, coprocessor }) => {
		const wallet = new Wallet(devnet.accounts[0].privateKey, connect(devnet.hosts[0].rpc));
		const user = wallet.address;
		const contract = exampleContract;
		const client = new PrivateClient(devnet, wallet);
		const handles = (await publish([['uint64', '42'], ['bool', 'true']], true, [user, contract])).map(({ handle }) => handle);
		const [secret] = (await publish([['uint8', '9']], false, [contract])).map(({ handle }) => handle);

		const send = async (path, body, options = {}) => {
			const reply = await fetch(`${devnet.relayer}${path}`, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), ...options });
			return { status: reply.status, headers: reply.headers, body: await reply.json() };
		};
		// As a client does: ask, then ask for the job until it is done.
		const work = async (path, body) => {
			const queued = await send(path, body);
			if (queued.status !== 202) return queued;
			assert.equal(queued.body.status, 'queued');
			assert.ok(Number(queued.headers.get('retry-after')) >= 1);
			for (;;) {
				const reply = await fetch(`${devnet.relayer}${path}/${queued.body.result.jobId}`);
				if (reply.status !== 202) return { status: reply.status, body: await reply.json() };
				await sleep(100);
			}
		};
		const refused = (reply, status, label, pattern) => {
			assert.deepEqual([reply.status, reply.body.status, reply.body.error?.label], [status, 'failed', label], JSON.stringify(reply.body));
			assert.match(reply.body.error.message, pattern);
		};
		const publicly = (list, extraData = '0x00') => ({ ciphertextHandles: list, extraData });

		// A user's request as v2 takes it.
		const asked = async (list, { signer = client, start = now() - 5, days = 1, extraData = '0x00', ...other } = {}) => {
			const { signature } = await signer.sign('direct', list.map((handle) => ({ handle, contract })), { start, duration: days, extraData });
			return {
				handleContractPairs: list.map((handle) => ({ handle, contractAddress: contract })),
				requestValidity: { startTimestamp: String(start), durationDays: String(days) },
				contractsChainId: String(devnet.hosts[0].chainId), contractAddresses: [contract], userAddress: user,
				signature: plain(signature), publicKey: plain(signer.publicKey), extraData, ...other,
			};
		};
		const unified = async (list, { start = now() - 5, seconds = day, signer = client, owner = user, allowed = [contract] } = {}) => {
			const { signature } = await signer.sign('unified', list.map((handle) => ({ handle, contract })), { start, duration: seconds, contracts: allowed });
			return {
				attestationType: 'eip712-unified-user-decrypt-v1',
				attestedPayload: {
					version: '2.0', type: 'user_decryption', userAddress: signer.wallet.address, allowedContracts: allowed,
					handles: list.map((ctHandle) => ({ ctHandle, contractAddress: contract, ownerAddress: owner })),
					requestValidity: { startTimestamp: String(start), durationSeconds: String(seconds) }, publicKey: signer.publicKey, extraData: '0x00',
				},
				signature,
			};
		};
		const opened = (reply, list, signer = client, signature = '0x') => {
			assert.equal(reply.status, 200, JSON.stringify(reply.body));
			const shares = reply.body.result.result.map(({ payload, signature: external, extraData }) => ({ share: `0x${payload}`, signature: `0x${external}`, extraData }));
			return signer.open(list.map((handle) => ({ handle, contract })), { signature }, shares);
		};

		await t.test('v1 answers when it is done', async () => {
			const { status, body } = await send('/v1/public-decrypt', publicly(handles));
			assert.equal(status, 200);
			const [{ decrypted_value: value, signatures }] = body.response;
			assert.equal(value, [42n, 1n].map((word) => word.toString(16).padStart(64, '0')).join(''));
			const domain = { name: 'Decryption', version: '1', chainId: devnet.gateway.chainId, verifyingContract: devnet.gateway.contracts.Decryption };
			const digest = TypedDataEncoder.hash(domain, responseTypes, { ctHandles: handles, decryptedResult: `0x${value}`, extraData: '0x' });
			assert.deepEqual(signatures.map((signature) => recoverAddress(digest, `0x${signature}`)), [devnet.nodes[0].signer]);
			const request = await asked(handles);
			const reply = await send('/v1/user-decrypt', request);
			assert.equal(reply.status, 200, JSON.stringify(reply.body));
			assert.deepEqual(await opened({ status: 200, body: { result: { result: reply.body.response } } }, handles), [42n, 1n]);
			assert.equal((await fetch(`${devnet.relayer}/v1/keyurl`)).status, 200);
		});

		await t.test('v3: one form for own and delegated values', async () => {
			const request = await unified(handles);
			assert.deepEqual(await opened(await work('/v3/user-decrypt', request), handles), [42n, 1n]);
			const delegate = new PrivateClient(devnet, Wallet.createRandom());
			refused(await work('/v3/user-decrypt', await unified(handles, { signer: delegate })), 400, 'not_allowed_on_host_acl', /delegateForUserDecryption/);
			const acl = new Contract(devnet.hosts[0].contracts.ACL, aclAbi, wallet);
			await (await acl.delegateForUserDecryption(delegate.wallet.address, contract, now() + day)).wait();
			const theirs = await unified(handles, { signer: delegate });
			assert.deepEqual(await opened(await work('/v3/user-decrypt', theirs), handles, delegate), [42n, 1n]);
			refused(await work('/v3/user-decrypt', { ...request, signature: theirs.signature }), 400, 'validation_failed', /signature: is not 0x/);
			refused(await work('/v3/user-decrypt', await unified(handles, { start: now() - 7200, seconds: 3600 })), 400, 'validation_failed', /expired at .*sign again/);
			refused(await send('/v3/user-decrypt', '{}'), 400, 'missing_fields', /attestationType, signature, attestedPayload.version/);
			refused(await send('/v3/user-decrypt', { ...request, attestationType: 'other' }), 400, 'validation_failed', /attestationType: is not/);
		});

		await t.test('v3: a contract wallet signs by ERC-1271', async () => {
			// Init code that returns the rest of itself: code that answers every call with isValidSignature's magic value.
			const { contractAddress: address } = await (await wallet.sendTransaction({ data: '0x601080600a3d393df300631626ba7e60e01b60005260206000f3' })).wait();
			const [{ handle }] = await publish([['uint16', '4711']], false, [address, contract]);
			const contractWallet = new PrivateClient(devnet, { address, signTypedData: async () => '0xc0ffee' });
			const request = await unified([handle], { signer: contractWallet, owner: address });
			assert.deepEqual(await opened(await work('/v3/user-decrypt', request), [handle], contractWallet, '0xc0ffee'), [4711n]);
		});

		await t.test('extra data that names the context, or context and epoch, is answered with', async () => {
			const context = plain(toBeHex(FIRST_CONTEXT_ID, 32));
			for (const extraData of [`0x01${context}`, `0x02${context}${devnet.keys.epochId}`]) {
				const { status, body } = await work('/v2/public-decrypt', publicly(handles.slice(0, 1), extraData));
				assert.deepEqual([status, body.result?.extraData], [200, extraData], JSON.stringify(body));
			}
			const other = `0x01${plain(toBeHex(FIRST_CONTEXT_ID + 7n, 32))}`;
			refused(await work('/v2/public-decrypt', publicly(handles, other)), 400, 'request_error', /InvalidKmsContext/);
			refused(await work('/v2/user-decrypt', await asked(handles, { extraData: other })), 400, 'validation_failed', /extraData: names a KMS context that is not valid/);
		});

		await t.test('who may not is told what is missing', async () => {
			refused(await work('/v2/public-decrypt', publicly([handles[0], secret])), 400, 'not_allowed_on_host_acl', new RegExp(`^handle ${secret} may not .*makePubliclyDecryptable\\)$`));
			refused(await work('/v2/user-decrypt', await asked([secret])), 400, 'not_allowed_on_host_acl', new RegExp(`${user} may not decrypt handle ${secret}`));
			refused(await work('/v2/user-decrypt', await asked(handles, { start: now() - 3 * day })), 400, 'validation_failed', /requestValidity: expired at .*have the user sign again/);
			refused(await work('/v2/user-decrypt', await asked(handles, { start: now() + 3600 })), 400, 'validation_failed', /requestValidity: begins at/);
			refused(await work('/v2/user-decrypt', await asked(handles, { days: 366 })), 400, 'validation_failed', /at most 365/);
			const stranger = new PrivateClient(devnet, Wallet.createRandom());
			refused(await work('/v2/user-decrypt', await asked(handles, { signer: stranger })), 400, 'validation_failed', /signature: is not .*\(it is 0x/);
		});

		await t.test('chains: not served, and mixed', async () => {
			const onChain = (handle, chainId) => `${handle.slice(0, 46)}${chainId.toString(16).padStart(16, '0')}${handle.slice(62)}`;
			const [first, second] = devnet.hosts.map(({ chainId }) => chainId);
			refused(await send('/v2/public-decrypt', publicly([onChain(handles[0], 999)])), 400, 'host_chain_id_not_supported', /host chain 999 is not served here: 12345, 12346 are/);
			refused(await send('/v2/public-decrypt', publicly([handles[0], onChain(handles[0], second)])), 400, 'validation_failed', new RegExp(`chains ${first} and ${second} in one request`));
			refused(await send('/v2/user-decrypt', await asked(handles, { contractsChainId: String(second) })), 400, 'validation_failed', /contractsChainId: is 12346, but the handles are of chain 12345/);
			const input = { contractChainId: '0x3e7', contractAddress: contract, userAddress: user, ciphertextWithInputVerification: '00', extraData: '0x00' };
			refused(await send('/v2/input-proof', input), 400, 'host_chain_id_not_supported', /999/);
		});

		await t.test('a handle without a ciphertext', async () => {
			const unknown = `${hexlify(randomBytes(21))}${handles[0].slice(44)}`;
			await (await coprocessor.admit(unknown, [], true)).wait();
			refused(await work('/v2/public-decrypt', publicly([unknown])), 503, 'readiness_check_timed_out', new RegExp(`no ciphertext of all of ${unknown}`));
		});

		await t.test('while the gateway is paused', async () => {
			const owner = new Wallet(network.accounts.owner.privateKey, connect(devnet.gateway.rpc));
			const decryption = new Contract(devnet.gateway.contracts.Decryption, ['function pause()', 'function unpause()'], owner);
			await (await decryption.pause()).wait();
			refused(await work('/v2/public-decrypt', publicly(handles)), 503, 'protocol_paused', /the gateway is paused/);
			await (await decryption.unpause()).wait();
			owner.provider.destroy();
		});

		await t.test('an input that is no proven list is rejected', async () => {
			const input = { contractChainId: devnet.hosts[0].chainId, contractAddress: contract, userAddress: user, ciphertextWithInputVerification: 'c0ffee', extraData: '0x00' };
			assert.deepEqual((await work('/v2/input-proof', input)).body.result, { accepted: false, extraData: '0x00' });
			refused(await send('/v1/input-proof', input), 400, 'request_error', /reject the proof/);
		});

		await t.test('what is not a request', async () => {
			refused(await send('/v2/public-decrypt', '{"ciphertextHandles":'), 400, 'malformed_json', /not JSON/);
			refused(await send('/v2/public-decrypt', '[]'), 400, 'malformed_json', /not a JSON object/);
			refused(await send('/v2/public-decrypt', '{}'), 400, 'missing_fields', /ciphertextHandles, extraData/);
			refused(await send('/v2/public-decrypt', publicly([])), 400, 'validation_failed', /ciphertextHandles: is empty/);
			refused(await send('/v2/public-decrypt', publicly('0x')), 400, 'validation_failed', /is not a list/);
			refused(await send('/v2/public-decrypt', publicly(['0x00'])), 400, 'validation_failed', /ciphertextHandles\[0\]: has 1 bytes instead of 32/);
			refused(await send('/v2/public-decrypt', publicly([`${handles[0].slice(0, 62)}0900`])), 400, 'validation_failed', /type that cannot be decrypted/);
			refused(await send('/v2/public-decrypt', publicly(Array(33).fill(handles[0]))), 400, 'validation_failed', /2112 encrypted bits in one request, at most 2048/);
			refused(await send('/v2/public-decrypt', publicly(handles, '0x03')), 400, 'validation_failed', /extraData: is none of/);
			refused(await send('/v2/user-decrypt', await asked(handles, { contractAddresses: [devnet.hosts[0].contracts.ACL] })), 400, 'validation_failed', /contractAddresses: does not name/);
			refused(await send('/v2/user-decrypt', await asked(handles, { contractAddresses: [contract, user] })), 400, 'validation_failed', /only contracts belong here/);
			refused(await send('/v2/user-decrypt', await asked(handles, { userAddress: '0x1234' })), 400, 'validation_failed', /userAddress: is not an address/);
			refused(await send('/v2/user-decrypt', await asked(handles, { signature: '00'.repeat(64) })), 400, 'validation_failed', /signature: has 64 bytes instead of 65/);
			refused(await send('/v2/public-decrypt', ' '.repeat(1 << 21)), 400, 'request_error', /larger than 1048576 bytes/);
			refused(await send('/v2/nothing', '{}'), 404, 'not_found', /no such path/);
			const get = async (path) => ({ ...(({ status }) => ({ status }))(await fetch(devnet.relayer + path)), body: await (await fetch(devnet.relayer + path)).json() });
			refused(await get('/v2/public-decrypt/1234'), 404, 'not_found', /no job 1234/);
			for (const path of ['//', '//x', '/?x', '/%']) refused(await get(path), 404, 'not_found', /no such path/);
			for (const startTimestamp of [{ toString: 1 }, [1], true, 1.5])
				refused(await send('/v2/user-decrypt', await asked(handles, { requestValidity: { startTimestamp, durationDays: '1' } })), 400, 'validation_failed', /startTimestamp: is not a non-negative whole number/);
		});

		await t.test('probes, and a page of another origin', async () => {
			for (const path of ['/liveness', '/healthz', '/version']) assert.equal((await fetch(devnet.relayer + path)).status, 200);
			const preflight = await fetch(`${devnet.relayer}/v2/user-decrypt`, { method: 'OPTIONS', headers: { Origin: 'http://localhost:5173', 'Access-Control-Request-Headers': 'content-type,zama-sdk-version' } });
			assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin'), preflight.headers.get('access-control-expose-headers')], [200, '*', 'Retry-After']);
		});

		await t.test('many at once are all answered, up to the limit', async () => {
			const replies = await Promise.all(Array.from({ length: 70 }, () => send('/v2/public-decrypt', publicly(handles.slice(0, 1)))));
			const over = replies.filter(({ status }) => status === 429);
			assert.ok(over.length >= 1 && over.length <= 6, `${over.length} of 70 were refused`);
			refused(over[0], 429, 'protocol_overload', /try again/);
			for (const { body } of replies.filter(({ status }) => status === 202)) {
				let reply;
				do {
					await sleep(100);
					reply = await fetch(`${devnet.relayer}/v2/public-decrypt/${body.result.jobId}`);
				} while (reply.status === 202);
				assert.equal((await reply.json()).result.decryptedValue, (42).toString(16).padStart(64, '0'));
			}
		});
		wallet.provider.destroy();
	}));
