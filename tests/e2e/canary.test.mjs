// SPDX-License-Identifier: BSD-3-Clause-Clear
// Secrets stay where they belong. Planted values (wallet key, database password, a user's plaintext, bits of the FHE key,
// the node's signing key) go through decryptions, a refusal and configuration errors; then they are searched for in logs,
// errors, inspect, metrics, and in the writable memory of every process of ours while it runs. Only pages of secret memory
// may hold them. That the search finds things is shown first, by values that must be there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Wallet, computeAddress, getBytes, hexlify } from 'ethers';
import { inspect, stateOf } from '../../tools/devnet/inspect.mjs';
import { root } from '../../tools/devnet/network.mjs';
import { PrivateClient, exampleContract } from '../../tools/devnet/private.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { withNetwork } from './harness.mjs';
import { formsOf, formsOfKeyBits, formsOfText, searchMemory } from './memory.mjs';
import { Postgres } from './postgres.mjs';

const program = join(process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd'), 'kms-connector');
const random = (n) => randomBytes(n);
const bigint = (bytes) => BigInt(hexlify(bytes));

// The node's signing key: the scalar is the end of its file in the vault.
function signingKey(devnet) {
	const vault = join(devnet.nodes[0].data, 'keys', 'PRIV');
	for (const file of readdirSync(vault, { recursive: true, withFileTypes: true })) {
		if (!file.isFile()) continue;
		const bytes = readFileSync(join(file.parentPath ?? file.path, file.name));
		for (let at = 0; at + 32 <= bytes.length && bytes.length < 4096; at++)
			try {
				if (computeAddress(hexlify(bytes.subarray(at, at + 32))) === devnet.nodes[0].signer) return bytes.subarray(at, at + 32);
			} catch {
				// not a scalar
			}
	}
	throw new Error(`no signing key of ${devnet.nodes[0].signer} in ${vault}`);
}

const told = (hits) => [...new Set(hits.map(({ name, form, where }) => `${name} (${form}) in ${where}`))];

function assertClean(texts, needles) {
	for (const [where, text] of Object.entries(texts)) {
		const bytes = Buffer.from(text);
		const hits = needles.filter((needle) => bytes.indexOf(needle.bytes) >= 0).map((needle) => ({ ...needle, where }));
		assert.deepEqual(told(hits), []);
	}
}

// What a person sees of wrong configurations that hold the secrets, in the right places and in wrong ones.
function configErrors(config, key, password, url) {
	const dir = mkdtempSync(join(tmpdir(), 'claviger-canary-'));
	const file = join(dir, 'c.toml');
	const wrongs = {
		syntax: config.replace(/^private_key = .*$/m, `private_key = ${key}`),
		'a key too long': config.replace(/^private_key = .*$/m, `private_key = "${key}00"`),
		'a key in another place': `${config.replace(/^gateway_chain_id = .*$/m, `gateway_chain_id = "${key}"`)}`,
		'a key unknown': `privat_key = "${key}"\n${config}`.replace(/^private_key = .*$/m, ''),
		'a slipped key': `${config.replace(/^private_key = .*$/m, '')}\nprivate_key = "${key}"\n`,
		'an URL of another kind': config.replace(/^database_url = .*$/m, `database_url = "mysql://u:${password}@h/d"`),
		'no server': config.replace(/^database_url = .*$/m, `database_url = "${url.replace(/:\d+\/postgres$/, ':1/postgres')}"`),
		'another database': config.replace(/^database_url = .*$/m, `database_url = "${url.replace(/postgres$/, 'nowhere')}"`),
		'a password in the wrong place': config.replace(/^database_url = .*$/m, `database_url = "${password}"`),
	};
	const texts = {};
	for (const [what, text] of Object.entries(wrongs)) {
		writeFileSync(file, text, { mode: 0o600 });
		for (const args of [['validate', '-c', file], ['inspect', '1', '-c', file]]) {
			const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8', timeout: 30000 });
			if (args[0] === 'validate') assert.equal(status, /slipped|server|another database/.test(what) ? 0 : 1, `${what}: ${stderr}`);
			texts[`${args[0]}, ${what}`] = stdout + stderr;
		}
	}
	rmSync(dir, { recursive: true });
	return texts;
}

async function bodies(ports) {
	const texts = {};
	for (const port of ports)
		for (const path of ['metrics', 'healthz', 'version', 'liveness']) {
			const answer = await fetch(`http://127.0.0.1:${port}/${path}`);
			texts[`${path} on port ${port}`] = await answer.text();
			if (path === 'metrics') assert.match(texts[`${path} on port ${port}`], /^# TYPE/m);
		}
	return texts;
}

const forms = [
	{ what: 'three services, secrets in the file', portBase: 28000, separate: true },
	{ what: 'one process, secrets in the environment', portBase: 28020, separate: false },
];

for (const { what, portBase, separate } of forms)
	test(`${what}: no secret outside of secret memory`, { timeout: 900000 }, async (t) => {
		const password = `canary/${random(12).toString('hex')}:${random(9).toString('base64')}`;
		const postgres = await Postgres.start(portBase + 9, password);
		const wallet = new Wallet('0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a'); // the network's account for the connector
		const secrets = { KMS_CONNECTOR_DATABASE_URL: postgres.url, KMS_CONNECTOR_PRIVATE_KEY: wallet.privateKey };
		const options = separate ? { connector: { database_url: postgres.url } } : { connectorEnv: secrets };
		try {
			await withNetwork({ portBase, separate, ...options }, async ({ network, devnet, relayer, publish }) => {
				assert.equal(devnet.nodes[0].txSender, wallet.address);

				// inspect reads the same.
				if (!separate) process.env.KMS_CONNECTOR_DATABASE_URL = postgres.url;

				// ---- work ----
				const publicValue = random(8), privateValue = random(32);
				const user = Wallet.createRandom();
				const [open] = await publish([['uint64', bigint(publicValue).toString()]]);
				const [closed] = await publish([['uint256', bigint(privateValue).toString()]], false, [user.address, exampleContract]);
				const texts = {};

				const request = await relayer.request([open.handle]);
				assert.equal(BigInt((await relayer.response(request)).result), bigint(publicValue));
				texts['inspect by id'] = await inspect(devnet, request.idHex);
				texts['inspect by handle'] = await inspect(devnet, open.handle);
				assert.match(texts['inspect by handle'], new RegExp(`^id\\s+0x${request.idHex}$`, 'm'));
				await waitFor('done', async () => (await stateOf(devnet, request.idHex)) === 'done');
				const ownTx = /^tx hash\s+(0x\S+)/m.exec(await inspect(devnet, request.idHex))[1];
				texts['inspect by transaction'] = await inspect(devnet, ownTx);

				const entries = [{ handle: closed.handle, contract: exampleContract }];
				const client = new PrivateClient(devnet, user);
				for (let i = 0; i < 3; i++) {
					const signed = await client.sign('direct', entries);
					const asked = await relayer.requestUser(signed);
					assert.deepEqual(await client.open(entries, signed, await relayer.userResponse(asked)), [bigint(privateValue)]);
					texts[`inspect user decryption ${i}`] = await inspect(devnet, asked.idHex);
				}
				const refused = await relayer.request([closed.handle]);
				await waitFor('refused', async () => (await stateOf(devnet, refused.idHex)) === 'refused', { timeoutMs: 30000 });
				texts['inspect refused'] = await inspect(devnet, refused.idHex);

				// ---- needles ----
				const clientKey = readFileSync(devnet.coprocessor.clientKey);
				const needles = [
					...formsOf('wallet key', getBytes(wallet.privateKey)),
					...formsOfText('database password', password),
					...formsOf("a user's plaintext", privateValue),
					...formsOfKeyBits('FHE key', clientKey),
					...formsOf('signing key', signingKey(devnet)),
				];
				const inTexts = [...needles, ...formsOf('public plaintext', publicValue).filter(({ form }) => form !== 'binary' && form !== 'reversed')];
				const processes = network.processes.filter(({ name }) => /^(kms-server|kms-connector|gw-listener|kms-worker|tx-sender)$/.test(name));
				assert.equal(processes.length, separate ? 4 : 2);

				// ---- texts ----
				for (const { name, log } of processes) texts[`log of ${name}`] = readFileSync(log);
				Object.assign(texts, await bodies([network.ports.coreMonitoring, network.ports.connectorMonitoring, ...(separate ? [network.ports.workerMonitoring, network.ports.senderMonitoring] : [])]));
				const config = network.connectorConfig().replace(/^database_url = .*$/m, `database_url = "${postgres.url}"`);
				const withKey = /^private_key/m.test(config) ? config : `private_key = "${wallet.privateKey}"\n${config}`;
				if (separate) Object.assign(texts, configErrors(withKey, wallet.privateKey, password, postgres.url));
				assert.ok(Buffer.from(texts[`log of ${processes.at(-1).name}`]).includes(`127.0.0.1:${portBase + 9}/postgres`), 'the database is named');
				assertClean(texts, inTexts);

				// ---- memory ----
				const allowed = {
					'kms-server': ['FHE key', 'signing key'],
					'kms-connector': ['wallet key', 'database password'],
					'gw-listener': ['database password'],
					'kms-worker': ['database password'],
					'tx-sender': ['wallet key', 'database password'],
				};
				const leaks = [];
				for (const { name, pid } of processes) {
					const control = formsOfText('control', name === 'kms-server' ? join(devnet.nodes[0].data, 'keys') : devnet.gateway.rpc).filter(({ form }) => form === 'binary');
					const hits = searchMemory(pid, [...control, ...needles]);
					assert.ok(hits.some((hit) => hit.name === 'control' && !hit.secret), `${name}: the search finds nothing`);
					for (const secret of allowed[name]) assert.ok(hits.some((hit) => hit.name === secret && hit.secret), `${name}: the ${secret} is not even where it must be`);
					for (const hit of hits)
						if (hit.name !== 'control' && !(hit.secret && allowed[name].includes(hit.name))) leaks.push({ ...hit, where: `${name}, ${hit.where}` });
				}
				t.diagnostic(`${needles.length} forms of 5 secrets; ${Object.keys(texts).length} texts, ${processes.length} processes`);
				assert.deepEqual(told(leaks), []);
			});
		} finally {
			delete process.env.KMS_CONNECTOR_DATABASE_URL;
			await postgres.stop();
		}
	});
