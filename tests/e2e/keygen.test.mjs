// SPDX-License-Identifier: BSD-3-Clause-Clear
// Keys, CRSs, contexts and epochs: real chains, contracts and connector; the core is scripted, so that every step of it
// can be seen and held. Last, keys from the real core; CRSs from it: crs.test.mjs.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Contract, JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import { artifact } from '../../tools/deploy/set.mjs';
import { Network } from '../../tools/devnet/network.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { verify } from '../../tools/devnet/verify.mjs';
import { query, withNetwork } from './harness.mjs';
import { ScriptedCore, digestOf, extraOf, hex64 } from './scripted_core.mjs';

const test_params = 1;

// A network whose registered node signs with the test's key.
class ScriptedNetwork extends Network {
	constructor(options, wallet) {
		super(options);
		Object.defineProperty(this.nodes[0], 'signer', { get: () => wallet.address, set: () => {} });
	}
}

async function withScriptedCore(portBase, connector, body) {
	const wallet = Wallet.createRandom();
	const core = new ScriptedCore(wallet);
	const dir = mkdtempSync(join(tmpdir(), 'claviger-e2e-'));
	const corePort = portBase + 50;
	const network = new ScriptedNetwork({ dir, portBase, automine: false, relayer: false, connector: { kms_core_endpoints: [`http://127.0.0.1:${corePort}`], key_management_polling: '100ms', ...connector } }, wallet);
	let keep = true;
	try {
		await core.listen(corePort);
		const devnet = await network.start();
		await body({ network, devnet, core, chains: chainsOf(network), wallet });
		keep = false;
	} finally {
		core.close();
		await network.stop();
		if (keep) console.log(`# files kept in ${dir}`);
		else rmSync(dir, { recursive: true, force: true });
	}
}

// The contracts of both chains, as their owner.
function chainsOf(network) {
	const { owner } = network.accounts;
	const contract = ({ rpc, chainId, contracts }, name, file = name) => {
		const provider = new JsonRpcProvider(rpc, chainId, { staticNetwork: true, pollingInterval: 200 });
		return new Contract(contracts[name], artifact(name, file).abi, new NonceManager(new Wallet(owner.privateKey, provider)));
	};
	const [host] = network.hosts;
	return {
		host: () => contract(host, 'KMSGeneration', 'HostKMSGeneration'),
		config: () => contract(host, 'ProtocolConfig'),
		gateway: () => contract(network.gateway, 'KMSGeneration', 'GatewayKMSGeneration'),
	};
}

const sent = async (promise) => (await promise).wait();
const rowsOf = (devnet, kind) => query(devnet, 'SELECT state, reason, attempts, deferrals FROM operation WHERE kind = ? ORDER BY id', kind);
const ended = (devnet, kind, state, n = 1) => waitFor(`${kind} ${state}`, () => rowsOf(devnet, kind).filter((row) => row.state === state).length >= n, { timeoutMs: 60000 });

test('keys, CRSs, epochs and contexts of the host chain', { timeout: 900000 }, async (t) => {
	await withScriptedCore(29400, {}, async ({ network, devnet, core, chains }) => {
		const [generation, config] = [chains.host(), chains.config()];
		const [context, epoch] = await config.getCurrentKmsContextAndEpoch();
		const extraData = Buffer.from(extraOf(context, epoch).slice(2), 'hex');

		await t.test('a key', async () => {
			core.holdAll = true;
			await sent(generation.keygen(test_params));
			await waitFor('preprocessing', () => core.of('KeyGenPreproc').length === 1);
			const [preproc] = core.of('KeyGenPreproc');
			assert.equal(preproc.request_id.request_id, hex64((3n << 248n) + 1n));
			assert.equal(preproc.params, 'test');
			assert.equal(preproc.keyset_config.standard_keyset_config.compressed_key_config, 'CompressedAll');
			assert.equal(preproc.context_id.request_id, hex64(context));
			assert.equal(preproc.epoch_id.request_id, hex64(epoch));
			assert.deepEqual(preproc.extra_data, extraData);
			assert.deepEqual([preproc.domain.name, preproc.domain.version, preproc.domain.verifying_contract], ['KMSGeneration', '1', network.hosts[0].contracts.KMSGeneration]);
			assert.equal(BigInt(`0x${preproc.domain.chain_id.toString('hex')}`), BigInt(network.hosts[0].chainId));

			// The core takes its time; a restart of the connector forgets nothing and asks for nothing twice.
			await waitFor('polls', () => core.of('result of KeyGenPreproc').length >= 2);
			await network.killConnector();
			network.startConnectorProcess();
			const polls = core.of('result of KeyGenPreproc').length;
			await waitFor('a poll after the restart', () => core.of('result of KeyGenPreproc').length > polls, { timeoutMs: 60000 });
			assert.equal(core.of('KeyGenPreproc').length, 1);
			core.holdAll = false;
			core.pending.clear();

			await ended(devnet, 'prep_keygen_request', 'done');
			await ended(devnet, 'keygen_request', 'done');
			const [keygen] = core.of('KeyGen');
			assert.equal(keygen.preproc_id.request_id, preproc.request_id.request_id);
			assert.equal(keygen.params_presence, undefined);
			const keyId = await generation.getActiveKeyId();
			assert.equal(keyId, (4n << 248n) + 1n);
			const [, digests] = await generation.getKeyMaterials(keyId);
			assert.deepEqual(digests.map(({ keyType, digest }) => [keyType, digest]), [[1n, digestOf(`PublicKey ${hex64(keyId)}`)], [3n, digestOf(`CompressedXofKeySet ${hex64(keyId)}`)]]);
		});

		await t.test('a CRS', async () => {
			await sent(generation.crsgenRequest(2048, test_params));
			await ended(devnet, 'crsgen_request', 'done');
			const [crsgen] = core.of('CrsGen');
			assert.equal(crsgen.max_num_bits, 2048);
			const crsId = await generation.getActiveCrsId();
			assert.equal(crsId, (5n << 248n) + 1n);
			const [, digest] = await generation.getCrsMaterials(crsId);
			assert.equal(digest, digestOf(`CRS ${hex64(crsId)}`));
		});

		await t.test('a key and a CRS that are given up', async () => {
			core.holdAll = true;
			await sent(generation.keygen(test_params));
			await sent(generation.crsgenRequest(1024, test_params));
			await waitFor('both', () => core.of('KeyGenPreproc').length === 2 && core.of('CrsGen').length === 2);
			const prep = core.of('KeyGenPreproc')[1].request_id.request_id;
			const crs = core.of('CrsGen')[1].request_id.request_id;
			core.refuse.AbortCrsGen = 5; // NOT_FOUND: nothing runs
			await sent(generation.abortKeygen(`0x${prep}`));
			await sent(generation.abortCrsgen(`0x${crs}`));
			await ended(devnet, 'abort_keygen_request', 'done');
			await ended(devnet, 'abort_crsgen_request', 'done');
			assert.deepEqual(core.of('AbortKeyGen').map((r) => r.request_id), [prep]);
			assert.deepEqual(core.of('AbortCrsGen').map((r) => r.request_id), [crs]);
			for (const kind of ['prep_keygen_request', 'crsgen_request']) assert.deepEqual(rowsOf(devnet, kind).map(({ state, reason }) => [state, reason])[1], ['aborted', 'the chain has given it up']);
			core.holdAll = false;
			core.pending.clear();
			delete core.refuse.AbortCrsGen;
			// What is given up makes room for the next.
			await sent(generation.keygen(0));
			await ended(devnet, 'keygen_request', 'done', 2);
			assert.equal(core.of('KeyGenPreproc')[2].params, 'default');
		});

		await t.test('an epoch of the same nodes', async () => {
			await sent(config.defineNewEpochForCurrentKmsContext());
			await ended(devnet, 'new_kms_epoch', 'done');
			const [request] = core.of('NewMpcEpoch');
			assert.equal(request.context_id.request_id, hex64(context));
			assert.equal(request.epoch_id.request_id, hex64(epoch + 1n));
			assert.equal(request.previous_epoch.epoch_id.request_id, hex64(epoch));
			assert.equal(request.previous_epoch.keys_info.length, 2);
			assert.deepEqual(request.previous_epoch.keys_info.map((k) => k.key_parameters), ['test', 'default']);
			assert.deepEqual(request.previous_epoch.keys_info[0].key_digests.map((d) => d.key_type), ['PublicKey', 'CompressedXofKeySet']);
			assert.deepEqual(request.previous_epoch.crs_info.map((c) => c.crs_id.request_id), [hex64((5n << 248n) + 1n)]);
			assert.equal(request.domain.name, 'ProtocolConfig');
			assert.deepEqual([...(await config.getCurrentKmsContextAndEpoch())], [context, epoch + 1n]);
		});

		await t.test('a new context, and the old one destroyed', async () => {
			const signer = network.nodes[0].signer;
			const txSender = network.accounts.connector.address;
			const node = [txSender, signer, '10.0.0.1', 'https://store.example', 1, 'node-1.example', '0x0102', 'PUB'];
			await sent(config.defineNewKmsContextAndEpoch([node], [1, 1, 1, 1], 'v1.2.3', [['0x01', '0x02', '0x03']]));
			await ended(devnet, 'new_kms_context', 'done');
			const contexts = core.of('NewMpcContext').map((r) => r.new_context);
			assert.deepEqual(contexts.map((c) => c.context_id.request_id), [hex64(context), hex64(context + 1n)]);
			const [, fresh] = contexts;
			assert.equal(fresh.software_version, 'v1.2.3');
			assert.equal(fresh.threshold, 1);
			assert.deepEqual(fresh.pcr_values.map((p) => p.pcr2.toString('hex')), ['03']);
			const [one] = fresh.mpc_nodes;
			assert.deepEqual([one.mpc_identity, one.party_id, one.external_url, one.public_storage_url, one.public_storage_prefix], ['node-1.example', 1, '10.0.0.1', 'https://store.example', 'PUB']);
			assert.equal(one.ca_cert.toString('hex'), '0102');
			assert.equal(`0x${one.signer_address.toString('hex')}`, signer.toLowerCase());
			assert.deepEqual(one.extra_signer_addresses.map((a) => `0x${a.toString('hex')}`), [txSender.toLowerCase()]);

			await ended(devnet, 'new_kms_epoch', 'done', 2);
			const [, second] = core.of('NewMpcEpoch');
			assert.deepEqual([second.context_id.request_id, second.previous_epoch.context_id.request_id], [hex64(context + 1n), hex64(context)]);
			assert.deepEqual([...(await config.getCurrentKmsContextAndEpoch())], [context + 1n, epoch + 2n]);

			await sent(config.destroyKmsEpoch(epoch + 1n));
			await sent(config.destroyKmsContext(context));
			core.refuse.DestroyMpcEpoch = 5; // NOT_FOUND
			await ended(devnet, 'kms_context_destroyed', 'done');
			await ended(devnet, 'kms_epoch_destroyed', 'done');
			assert.deepEqual(core.of('DestroyMpcContext').map((r) => r.context_id.request_id), [hex64(context)]);
			assert.deepEqual(core.of('DestroyMpcEpoch').at(-1).epoch_id.request_id, hex64(epoch + 1n));
		});

		assert.equal(query(devnet, "SELECT count(*) AS n FROM operation WHERE state NOT IN ('done', 'aborted')")[0].n, 0);
		assert.equal(query(devnet, 'SELECT count(*) AS n FROM quarantine')[0].n, 0);
	});
});

test('keys of a gateway of v0.12', { timeout: 900000 }, async () => {
	await withScriptedCore(29460, { key_management_chain: 'gateway' }, async ({ network, devnet, core, chains }) => {
		const generation = chains.gateway();
		await sent(generation.keygen(test_params));
		await ended(devnet, 'keygen_request', 'done');
		const [preproc] = core.of('KeyGenPreproc');
		assert.equal(preproc.keyset_config, null);
		assert.equal(preproc.context_id, null);
		assert.equal(preproc.extra_data.length, 0);
		assert.deepEqual([preproc.domain.name, preproc.domain.verifying_contract], ['KMSGeneration', network.gateway.contracts.KMSGeneration]);
		const keyId = await generation.getActiveKeyId();
		assert.equal(keyId, (4n << 248n) + 1n);
		await sent(generation.crsgenRequest(2048, test_params));
		await ended(devnet, 'crsgen_request', 'done');
		assert.equal(await generation.getActiveCrsId(), (5n << 248n) + 1n);

		await sent(generation.prssInit());
		await sent(generation.keyReshareSameSet(keyId));
		await ended(devnet, 'prss_init', 'done');
		await ended(devnet, 'key_reshare_same_set', 'done');
		assert.ok(core.of('Init')[0].includes(hex64(1n)));
		const [reshare] = core.of('InitiateResharing');
		for (const id of [(6n << 248n) + 1n, keyId, (3n << 248n) + 1n]) assert.ok(reshare.includes(hex64(id)), hex64(id));
	});
});

test('a core that serves no key generation', { timeout: 900000 }, async () => {
	await withScriptedCore(29520, {}, async ({ devnet, core, chains }) => {
		core.refuse.KeyGenPreproc = 12; // UNIMPLEMENTED
		await sent(chains.host().keygen(test_params));
		await ended(devnet, 'prep_keygen_request', 'failed');
		const [{ reason, attempts, deferrals }] = rowsOf(devnet, 'prep_keygen_request');
		assert.match(reason, /the core refused request: UNIMPLEMENTED/);
		assert.deepEqual([attempts, deferrals], [0, 0]);
	});
});

// ---- the real core ----

const keyIdOf = (n) => (4n << 248n) + BigInt(n);
const prepIdOf = (n) => (3n << 248n) + BigInt(n);

// What a node has of a key, public and private, and what is only begun.
function objectsIn(devnet, id) {
	const names = readdirSync(join(devnet.nodes[0].data, 'keys'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
	return {
		whole: names.filter(({ name }) => name === hex64(id)).map(({ parentPath }) => parentPath.split('/keys/')[1]).sort(),
		partial: names.filter(({ name }) => name.endsWith('.partial')).length,
	};
}
const everyObject = ['PRIV/FhePrivateKey/' + hex64((8n << 248n) + 1n), 'PUB/CompressedXofKeySet', 'PUB/PublicKey'];
const publicFile = (devnet, type, id) => join(devnet.nodes[0].data, 'keys/PUB', type, hex64(id));

// The digest of a stored object, by another implementation of SHAKE-256 than ours.
async function storedDigest(devnet, type, id) {
	const hash = createHash('shake256', { outputLength: 32 }).update('PDAT_KEY');
	for await (const piece of createReadStream(publicFile(devnet, type, id))) hash.update(piece);
	return `0x${hash.digest('hex')}`;
}

async function checkActive(devnet, generation, id) {
	assert.equal(await generation.getActiveKeyId(), id);
	const [, digests] = await generation.getKeyMaterials(id);
	assert.deepEqual(digests.map(({ keyType, digest }) => [keyType, digest]), [[1n, await storedDigest(devnet, 'PublicKey', id)], [3n, await storedDigest(devnet, 'CompressedXofKeySet', id)]]);
	assert.deepEqual(objectsIn(devnet, id), { whole: everyObject, partial: 0 });
}

// The ClientKey inside a KmsFheKeyHandles: what the coprocessor stand-in computes with.
function clientKeyOf(devnet, id) {
	const object = readFileSync(join(devnet.nodes[0].data, 'keys', everyObject[0], hex64(id)));
	const text = (s) => Buffer.concat([Buffer.from(new BigUint64Array([BigInt(s.length)]).buffer), Buffer.from(s)]);
	const header = (name) => Buffer.concat([text('0.5'), Buffer.alloc(4), text('0.1'), text(name)]);
	const before = header('KmsFheKeyHandles').length + 4;
	const digests = 2 * (4 + 4 + 8 + 32);
	const after = 1 + 12 + 64 + 8 + digests + 1 + (8 + 65) + (8 + 65) + 8; // as stored: metadata with extra data and signature
	return Buffer.concat([header('high_level_api::ClientKey'), object.subarray(before, object.length - after)]);
}

test('keys from the real core', { timeout: 900000 }, async (t) => {
	await withNetwork({ portBase: 30600, connector: { key_management_polling: '100ms' } }, async ({ network, devnet, relayer, publish }) => {
		const generation = chainsOf(network).host();
		const partial = () => waitFor('a generation under way', () => objectsIn(devnet, 0n).partial > 0, { timeoutMs: 60000 });

		await t.test('a key of which the vault has one already is not made', async () => {
			await sent(generation.keygen(test_params));
			await ended(devnet, 'prep_keygen_request', 'done');
			await waitFor('the reason', () => /FAILED_PRECONDITION the vault holds a key of this id/.test(rowsOf(devnet, 'keygen_request')[0]?.reason), { timeoutMs: 60000 });
			assert.deepEqual(objectsIn(devnet, keyIdOf(1)).whole, [everyObject[0], 'PUB/PublicKey']);
			await sent(generation.abortKeygen(prepIdOf(1)));
			await ended(devnet, 'abort_keygen_request', 'done');
			await ended(devnet, 'keygen_request', 'aborted');
		});

		await t.test('from the chain to the vaults and back, and what users encrypt with it is decrypted', async () => {
			await sent(generation.keygen(test_params));
			await ended(devnet, 'keygen_request', 'done');
			await checkActive(devnet, generation, keyIdOf(2));
			devnet.keys.keyId = hex64(keyIdOf(2));
			devnet.keys.publicKey = publicFile(devnet, 'PublicKey', keyIdOf(2));
			devnet.coprocessor.clientKey = join(devnet.nodes[0].data, 'client_key_2.bin');
			writeFileSync(devnet.coprocessor.clientKey, clientKeyOf(devnet, keyIdOf(2)));
			const [{ handle }] = await publish([['uint64', '81985529216486895']]);
			const request = await relayer.request([handle]);
			await relayer.response(request);
			assert.deepEqual((await verify(devnet, request.idHex)).values.map(({ type, value }) => [type, value]), [['uint64', '81985529216486895']]);
		});

		await t.test('production parameters, the core killed in the middle', async () => {
			await sent(generation.keygen(0));
			await partial();
			await network.restartCore('SIGKILL');
			await ended(devnet, 'keygen_request', 'done', 2);
			await checkActive(devnet, generation, keyIdOf(3));
		});

		await t.test('given up in the middle', async () => {
			await sent(generation.keygen(0));
			await partial();
			await sent(generation.abortKeygen(prepIdOf(4)));
			await ended(devnet, 'abort_keygen_request', 'done', 2);
			await ended(devnet, 'keygen_request', 'aborted', 2);
			assert.deepEqual(objectsIn(devnet, keyIdOf(4)), { whole: [], partial: 0 });
			assert.equal(await generation.getActiveKeyId(), keyIdOf(3));
		});
	});
});
