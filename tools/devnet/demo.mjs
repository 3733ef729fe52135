// SPDX-License-Identifier: BSD-3-Clause-Clear
// From nothing to a decrypted value and a refusal, with a transcript. Exits 0 only if everything matched.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Wallet } from 'ethers';
import { interruptible, main, parseKeygen, parseNodes, parsePortBase } from './cli.mjs';
import { committeeStory } from './committee.mjs';
import { Coprocessor } from './coprocessor.mjs';
import { SealedNumber } from './dapp.mjs';
import { decryptForUser, decryptOne, publish, refusal } from './hops.mjs';
import { Network } from './network.mjs';
import { Oracle, proofBy } from './oracle.mjs';
import { exampleContract } from './private.mjs';
import { publishProven } from './proven.mjs';
import { Relayer } from './request.mjs';
import { Transcript, short } from './transcript.mjs';
import { UsageError, formatValue, parseValue, typeByName } from './types.mjs';
import { verify } from './verify.mjs';

const options = {
	value: { type: 'string' },
	type: { type: 'string' },
	json: { type: 'string' },
	'port-base': { type: 'string' },
	keep: { type: 'boolean', default: false },
	dapp: { type: 'boolean', default: false },
	keygen: { type: 'boolean', default: false },
	nodes: { type: 'string' },
	parameters: { type: 'string' },
};

const defaults = [
	['bool', 'true'],
	['uint8', '201'],
	['uint64', '1844674407370955'],
	['uint256', '0xfedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210'],
	['address', '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed'],
];

// With production parameters the coprocessor stand-in computes for seconds on each.
const few = defaults.slice(0, 2);

function parseItems({ type, value, parameters }) {
	if ((type === undefined) !== (value === undefined)) throw new UsageError('--value and --type come together');
	const wanted = type === undefined ? (parameters === 'default' ? few : defaults) : [[type, value]];
	return wanted.map(([name, text]) => {
		const row = typeByName(name);
		return { type: row, value: parseValue(row, text) };
	});
}

// What the oracle did, as a person reads it.
const oracleLines = {
	heard: ({ handle }) => `hears DecryptionRequested: ${short(handle)}`,
	asked: ({ idHex }) => `forwards it to the gateway: publicDecryptionRequest, id ${short(idHex)}`,
	decided: ({ signatures }) => `sees PublicDecryptionResponse with ${signatures.length} signature${signatures.length > 1 ? 's' : ''}`,
	brought: ({ value }) => `brings ${value} and the proof back: KMSVerifier accepts it, the contract stores the number`,
};

// A contract of the host chain that gets to know a number, and believes the KMS alone.
async function dappStory(t, devnet, coprocessor, relayer) {
	const [host] = devnet.hosts;
	const [user, other] = devnet.accounts;
	const item = { type: typeByName('uint64'), value: 424242n };
	const dapp = await SealedNumber.open({ host, privateKey: user.privateKey });
	const oracleSide = await SealedNumber.open({ host, privateKey: other.privateKey, address: dapp.address });
	const oracle = new Oracle(oracleSide, relayer, ({ step, block, transaction, ...facts }) => t.hop('oracle', oracleLines[step](facts), { block, transaction }));
	try {
		t.hop('user', `deploys SealedNumber at ${dapp.address} on chain ${host.chainId}`);
		const [handle] = await publish(t, devnet, coprocessor, [item], 'contract', [user.address, dapp.address]);
		const { id, ...sealed } = await dapp.seal(handle);
		t.hop('user', `seals the number: the contract keeps handle ${short(handle)} as number ${id}`, sealed);
		const { block, transaction } = await dapp.request(id);
		t.hop('contract', 'is asked for it by its owner: allows the decryption in the ACL, emits DecryptionRequested', { block, transaction });
		const refused = await dapp.refusal(id, 1n, await proofBy(Wallet.createRandom(), devnet, handle, 1n));
		if (!refused) throw new Error('the contract believes a forged proof');
		t.hop('stranger', `brings 1, signed by itself as a KMS node would: the contract reverts with ${refused}`);
		if ((await oracle.round()) !== 1) throw new Error('the oracle heard of no number');
		const { state, value } = await dapp.number(id);
		if (state !== 'opened' || value !== item.value) throw new Error(`the contract has ${value} (${state}), sealed was ${item.value}`);
		t.hop('contract', `knows number ${id} now: ${value}, which is what the user encrypted`);
		return { contract: dapp.address, number: id, handle, value, refused };
	} finally {
		dapp.close();
		oracleSide.close();
	}
}

// Handles of the items for everybody, and of the first one for its user alone. Where key and CRS come from the KMS, the input has
// a proof, and one does for both; else the second is encrypted when it is its turn.
async function encryptAll(t, devnet, coprocessor, relayer, items, keygen) {
	t.section('Encrypt, as a user does');
	if (keygen) {
		const handles = await publishProven(t, devnet, relayer, items);
		return { handles, forUser: () => handles[0] };
	}
	const accounts = [devnet.accounts[0].address, exampleContract];
	return {
		handles: await publish(t, devnet, coprocessor, items, 'public'),
		forUser: async () => (await publish(t, devnet, coprocessor, [items[0]], 'user', accounts))[0],
	};
}

async function demo(t, network, items, { dapp, keygen }) {
	const { committee, nodes, thresholds } = network;
	const kms = committee ? `${nodes.length} KMS nodes, each a core and a connector; the key is known to ${thresholds.mpc === 1 ? 'none' : `no ${thresholds.mpc}`} of them` : 'KMS core, connector';
	t.section(`A local network${keygen ? ' that has no FHE key' : ''}: two chains, contracts, object store, ${kms}`);
	network.report = (line) => t.hop('network', line);
	const devnet = await network.start();
	const coprocessor = new Coprocessor(devnet);
	const relayer = new Relayer(devnet);
	try {
		const { handles, forUser } = await encryptAll(t, devnet, coprocessor, relayer, items, keygen);
		t.section('Decrypt, through the chain');
		const request = await decryptOne(t, devnet, relayer, handles);
		t.section('Verify, believing nobody');
		const verified = await verify(devnet, request.idHex);
		for (const { handle, size } of verified.ciphertexts)
			t.hop('verifier', `${short(handle)}: handle, key id, digests (${size} bytes, both places), attestation, permission hold`);
		t.hop('verifier', `signed by ${verified.signers.join(', ')}; KMSVerifier on the host chain accepts the proof`);
		t.hop('verifier', `${verified.checks.length} checks, all of them hold`);
		verified.values.forEach(({ type, value }, index) => {
			const encrypted = formatValue(items[index].type, items[index].value);
			if (value !== encrypted) throw new Error(`value ${index}: encrypted ${encrypted}, decrypted ${value}`);
			t.hop('verifier', `${type} ${value} is what the user encrypted`);
		});
		t.section('Decrypt for one user only');
		const privateHandle = await forUser();
		const opened = await decryptForUser(t, devnet, relayer, items[0], privateHandle);
		t.section('A refusal: a ciphertext that nobody allowed');
		const refused = await refusal(t, devnet, coprocessor, relayer, keygen ? 'uint8' : 'uint64');
		const facts = { devnet, keys: devnet.keys, decryption: { ...request, id: request.idHex, ...verified }, forUser: opened, refused };
		if (dapp) {
			t.section('A contract that asks for a number, and an oracle that nobody has to believe');
			facts.dapp = await dappStory(t, devnet, coprocessor, relayer);
		}
		if (committee) {
			const shown = items.map((item) => ({ ...item, shown: formatValue(item.type, item.value) }));
			facts.failing = await committeeStory(t, network, { devnet, relayer, items: shown, handles, forUser: privateHandle });
		}
		return facts;
	} finally {
		coprocessor.close();
		relayer.close();
	}
}

// Better told now than after the demo.
function checkWritable(file) {
	try {
		closeSync(openSync(file, 'a'));
	} catch (error) {
		throw new UsageError(`--json: ${error.message}`);
	}
}

await main('demo', options, async (values) => {
	const generated = { nodes: parseNodes(values), ...parseKeygen(values) };
	const items = parseItems(values);
	if (values.json !== undefined) checkWritable(values.json);
	const portBase = parsePortBase(values['port-base'] ?? '18545');
	const dir = mkdtempSync(join(tmpdir(), 'claviger-demo-'));
	const t = new Transcript();
	const network = new Network({ dir, portBase, ...generated, story: t });
	try {
		const { devnet: _devnet, decryption, ...more } = await interruptible(() => demo(t, network, items, values));
		if (values.json) {
			const facts = { decryption, ...more, hops: t.hops };
			writeFileSync(values.json, `${JSON.stringify(facts, (key, value) => (typeof value === 'bigint' ? value.toString() : value), 2)}\n`);
		}
		console.log(`\nEverything matched: ${decryption.values.map(({ type, value }) => `${type} ${value}`).join(', ')}`);
	} finally {
		await network.stop();
		if (values.keep) console.log(`files kept in ${dir}`);
		else rmSync(dir, { recursive: true, force: true });
	}
});
