// SPDX-License-Identifier: BSD-3-Clause-Clear
// A CRS and a key from the real core, all the way: asked for on the host chain, made, signed, active there; found by a client
// through the chain, and fetched from where it says. The client library proves and verifies with them.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join, normalize } from 'node:path';
import { test } from 'node:test';
import { Contract, JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import { artifact } from '../../tools/deploy/set.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { proofConfig } from '../interop/proof_config.mjs';
import { query, withNetwork } from './harness.mjs';
import { hex64 } from './scripted_core.mjs';

const tfhe = createRequire(import.meta.url)('node-tfhe');
const portBase = 25100;
const storagePort = 25150;
const storageUrl = `http://127.0.0.1:${storagePort}`;
const production = 0;
const sizeMax = 1n << 30n;

const crsIdOf = (n) => (5n << 248n) + BigInt(n);
const keyIdOf = (n) => (4n << 248n) + BigInt(n);
const prepIdOf = (n) => (3n << 248n) + BigInt(n);

// The web server that a node's operator puts before the public vault.
async function withStorage(folder, body) {
	const server = createServer((request, response) => {
		const path = normalize(request.url);
		try {
			if (!path.startsWith('/PUB/')) throw new Error(path);
			response.end(readFileSync(join(folder(), path)));
		} catch {
			response.writeHead(404).end();
		}
	});
	await new Promise((resolve) => server.listen(storagePort, '127.0.0.1', resolve));
	try {
		await body();
	} finally {
		server.closeAllConnections();
		server.close();
	}
}

// What a client does: URL and digest from the chain, the object from there, its digest compared.
async function fetched([urls, digest], type, id, prefix) {
	assert.deepEqual([...urls], [storageUrl]);
	const response = await fetch(`${urls[0]}/PUB/${type}/${hex64(id)}`);
	assert.equal(response.status, 200);
	const object = new Uint8Array(await response.arrayBuffer());
	assert.equal(`0x${createHash('shake256', { outputLength: 32 }).update(prefix).update(object).digest('hex')}`, digest);
	return object;
}

const sent = async (promise) => (await promise).wait();
const rowsOf = (devnet, kind) => query(devnet, 'SELECT state, reason FROM operation WHERE kind = ? ORDER BY id', kind).map(({ state, reason }) => [state, reason]);
const ended = (devnet, kind, state, n = 1) => waitFor(`${kind} ${state}`, () => rowsOf(devnet, kind).filter((row) => row[0] === state).length >= n, { timeoutMs: 900000 }); // half a gigabyte of key, and the machine may have other work

function objectsOf(devnet, id) {
	const names = readdirSync(join(devnet.nodes[0].data, 'keys'), { recursive: true, withFileTypes: true });
	return names.filter((entry) => entry.isFile() && entry.name.startsWith(hex64(id))).map(({ parentPath, name }) => `${parentPath.split('/keys/')[1]}${name.slice(64)}`).sort();
}
const both = [`PRIV/CrsInfo/${hex64((8n << 248n) + 1n)}`, 'PUB/CRS'];

test('CRSs from the real core', { timeout: 2400000 }, async (t) => {
	const options = { portBase, connector: { key_management_polling: '100ms' }, node: { storage_url: storageUrl, storage_prefix: 'PUB' } };
	await withNetwork(options, async ({ network, devnet }) => {
		const [{ rpc, chainId, contracts }] = devnet.hosts;
		const owner = new NonceManager(new Wallet(network.accounts.owner.privateKey, new JsonRpcProvider(rpc, chainId, { staticNetwork: true, pollingInterval: 200 })));
		const generation = new Contract(contracts.KMSGeneration, artifact('KMSGeneration', 'HostKMSGeneration').abi, owner);
		const crsOf = async (n) => fetched(await generation.getCrsMaterials(crsIdOf(n)), 'CRS', crsIdOf(n), 'PDAT_CRS');

		await withStorage(() => join(devnet.nodes[0].data, 'keys'), async () => {
			await t.test('from the chain to the vaults and back', async () => {
				await sent(generation.crsgenRequest(2048, production));
				await ended(devnet, 'crsgen_request', 'done');
				assert.equal(await generation.getActiveCrsId(), crsIdOf(1));
				assert.equal((await crsOf(1)).length, 4571368);
				assert.deepEqual(objectsOf(devnet, crsIdOf(1)), both);
			});

			await t.test('the core killed in the middle', async () => {
				await sent(generation.crsgenRequest(2048, production));
				const { log } = network.processes.findLast(({ name }) => name === 'kms-server');
				await waitFor('the core', () => readFileSync(log, 'utf8').includes(`CRS generation accepted kind=CRS request_id=${hex64(crsIdOf(2))}`), { timeoutMs: 60000 });
				await network.restartCore('SIGKILL');
				await ended(devnet, 'crsgen_request', 'done', 2);
				assert.equal(await generation.getActiveCrsId(), crsIdOf(2));
				assert.deepEqual(objectsOf(devnet, crsIdOf(2)), both);
				assert.notDeepEqual(await crsOf(2), await crsOf(1));
			});

			await t.test('given up while the core is away', async () => {
				await network.stopCore('SIGTERM');
				await sent(generation.crsgenRequest(2048, production));
				await waitFor('the request', () => rowsOf(devnet, 'crsgen_request').length === 3);
				await sent(generation.abortCrsgen(crsIdOf(3)));
				await network.startCore();
				await ended(devnet, 'abort_crsgen_request', 'done');
				await ended(devnet, 'crsgen_request', 'aborted');
				assert.deepEqual(objectsOf(devnet, crsIdOf(3)), []);
				assert.equal(await generation.getActiveCrsId(), crsIdOf(2));
			});

			await t.test('the database lost: the next CRS is made, the old ones stay', async () => {
				await network.stopCore('SIGTERM');
				network.loseCoreStore();
				await network.startCore();
				await sent(generation.crsgenRequest(64, production));
				await ended(devnet, 'crsgen_request', 'done', 3);
				assert.equal(await generation.getActiveCrsId(), crsIdOf(4));
				assert.deepEqual(objectsOf(devnet, crsIdOf(1)), both);
			});

			await t.test('a proof under a key of the same run holds, and under another CRS it does not', async () => {
				// The first id is taken by the key that the local network has from the start. Given up while the core is away: an
				// answer between the estimate of the abort and its block would make it cost more than was estimated.
				await network.stopCore('SIGTERM');
				await sent(generation.keygen(production));
				await sent(generation.abortKeygen(prepIdOf(1)));
				await network.startCore();
				await sent(generation.keygen(production));
				await ended(devnet, 'keygen_request', 'done');
				const [urls, digests] = await generation.getKeyMaterials(keyIdOf(2));
				const key = tfhe.TfheCompactPublicKey.safe_deserialize(await fetched([urls, digests[0].digest], 'PublicKey', keyIdOf(2), 'PDAT_KEY'), sizeMax);
				const load = async (n) => tfhe.CompactPkeCrs.safe_deserialize(await crsOf(n), sizeMax);
				const metadata = new TextEncoder().encode('whose it is');
				const builder = tfhe.CompactCiphertextList.builder(key);
				builder.push_u64(81985529216486895n);
				const proven = builder.build_with_proof_packed(await load(1), metadata, tfhe.ZkComputeLoad.Proof);

				tfhe.set_server_key(tfhe.TfheServerKey.new(tfhe.TfheClientKey.generate(proofConfig())));
				assert.equal(proven.verify_and_expand(await load(1), key, metadata).len(), 1);
				const another = await load(2);
				assert.throws(() => proven.verify_and_expand(another, key, metadata));
			});
		});
	});
});
