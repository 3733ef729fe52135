// SPDX-License-Identifier: BSD-3-Clause-Clear
// Four KMS nodes with a share of the key each, their cores on machines of their own as far as the network goes: they decrypt for
// everybody and for one user; while one is dead, killed in the middle, cut off, or comes with a wrong certificate; with two gone they
// wait. What is no message is turned away. In the end the chain has one decision for each request and one answer of each node.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { createInstance } from '@zama-fhe/relayer-sdk/node';
import { AbiCoder, Wallet } from 'ethers';
import { partyCertificates } from '../../tools/devnet/certificates.mjs';
import { root } from '../../tools/devnet/network.mjs';
import { PrivateClient, exampleContract } from '../../tools/devnet/private.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { verify } from '../../tools/devnet/verify.mjs';
import { withNetwork } from './harness.mjs';
import { judgeCommittee } from './judge.mjs';
import { inNamespaces } from './namespace.mjs';
import { Wires, namespaceFlags, namespaceMissing, namespaceProbe } from './wires.mjs';

const portBase = 26200;
const parties = 4;
const quietMs = 3000; // how long nothing must happen
const patientMs = 60000; // how long something may take on a busy machine

const values = [
	['uint64', '18446744073709551557', 18446744073709551557n],
	['bool', 'true', 1n],
	['uint256', `0x${'f1e2d3c4'.repeat(8)}`, BigInt(`0x${'f1e2d3c4'.repeat(8)}`)],
];

// One committee, what was asked of it, and what came of that.
class Committee {
	constructor({ network, devnet, relayer, publish }) {
		Object.assign(this, { network, devnet, relayer, publish });
		this.wallet = Wallet.createRandom();
		this.client = new PrivateClient(devnet, this.wallet);
	}

	async prepare() {
		const given = values.map(([type, text]) => [type, text]);
		const published = await this.publish(given, true, [this.wallet.address, exampleContract]);
		this.handles = published.map(({ handle }) => handle);
		this.entries = this.handles.map((handle) => ({ handle, contract: exampleContract }));
	}

	node(party) {
		return this.network.nodes[party - 1];
	}

	// Both kinds of request, in one block.
	async ask() {
		const signed = await this.client.sign('direct', this.entries);
		const [open, closed] = await Promise.all([this.relayer.request(this.handles), this.relayer.requestUser(signed)]);
		return { open, closed, signed };
	}

	// Waits for the decisions, and looks at the values.
	async decided({ open, closed, signed }) {
		const { result } = await this.relayer.response(open, patientMs);
		assert.deepEqual([...AbiCoder.defaultAbiCoder().decode(values.map(() => 'uint256'), result)], values.map(([, , value]) => value));
		const answers = await this.relayer.userResponse(closed, patientMs);
		assert.deepEqual(await this.client.open(this.entries, signed, answers), values.map(([, , value]) => value));
	}

	async counts({ open, closed }) {
		return [(await this.relayer.responseCalls(open)).length, (await this.relayer.userResponses(closed)).answers.length];
	}

	// Waits until so many nodes have answered both.
	async answeredBy(nodes, request) {
		await waitFor(`answers of ${nodes} nodes`, async () => (await this.counts(request)).every((n) => n >= nodes), { timeoutMs: patientMs, intervalMs: 200 });
	}

	async asked(nodes) {
		const request = await this.ask();
		await this.decided(request);
		await this.answeredBy(nodes, request);
		return request;
	}

	// A value for everybody is opened together; for a user each node seals its share alone, and the user needs enough of them.
	async undecided({ open, closed }, aloneMost) {
		await sleep(quietMs);
		const [opened, sealed] = await this.counts({ open, closed });
		assert.equal(opened, 0);
		assert.ok(sealed <= aloneMost, `${sealed} shares from ${aloneMost} nodes`);
	}
}

// ---- somebody at the port for peers ----

// Waits for the end of a connection on which these bytes are said.
const ended = (socket, bytes) =>
	new Promise((resolve) => {
		socket.on('error', () => {});
		socket.once('close', resolve);
		socket.resume();
		socket.end(bytes);
	});

// What a server says to a client with this certificate before it hangs up, or before the client does: {heard: bytes}.
async function greeted(options) {
	const socket = connectTls(options);
	let heard = 0;
	const over = new Promise((resolve) => socket.once('close', resolve));
	socket.on('error', () => {});
	socket.on('data', (bytes) => {
		heard += bytes.length;
		socket.destroy();
	});
	socket.once('secureConnect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'));
	await over;
	return { heard };
}

function peerClient(host, port, { ca, cert, key }, name) {
	const require = createRequire(import.meta.url);
	const grpc = require('@grpc/grpc-js');
	const { ddec_networking: ddec } = grpc.loadPackageDefinition(require('@grpc/proto-loader').loadSync(join(root, 'proto/ddec_networking.proto'), { keepCase: true }));
	const credentials = grpc.credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert));
	const Service = Object.values(ddec).find((one) => one.service);
	const client = new Service(`${host}:${port}`, credentials, { 'grpc.ssl_target_name_override': name, 'grpc.max_send_message_length': -1 });
	const call = (method, message) => new Promise((resolve) => client[method](message, { deadline: Date.now() + 20000 }, (error) => resolve(error ? grpc.status[error.code] : 'OK')));
	return { call, close: () => client.close() };
}

// ---- the tests, in namespaces of their own ----

async function withCommittee(t, body) {
	const wires = await Wires.lay(parties);
	try {
		const wire = { address: (party) => wires.address(party), prefix: (party) => wires.prefix(party) };
		await withNetwork({ portBase, nodes: parties, wire, relayer: true }, async (parts) => {
			const committee = new Committee(parts);
			await committee.prepare();
			await body(t, committee, wires);
		});
	} finally {
		wires.end();
	}
}

async function all(t, committee, wires) {
	const { devnet } = committee;

	await t.test('four nodes decrypt, for everybody and for one user', async () => {
		const { open } = await committee.asked(4);
		const { signers } = await verify(devnet, open.idHex);
		assert.equal(signers.length, 2, 'as many signatures as the quorum');
	});

	await t.test('one is killed in the middle of requests and started again', async () => {
		const requests = [committee.ask(), committee.ask()];
		await Promise.race(requests);
		await committee.node(2).kill();
		await Promise.all(requests);
		await committee.node(2).start();
		for (const request of await Promise.all(requests)) {
			await committee.decided(request);
			await committee.answeredBy(4, request);
		}
	});

	await t.test('one is cut off, then two; each wire that is mended is enough', async () => {
		wires.pull(3);
		const first = await committee.asked(3);
		wires.pull(2);
		const second = await committee.ask();
		await committee.undecided(second, 4);
		wires.plug(3);
		await committee.decided(second);
		wires.plug(2);
		for (const request of [first, second]) await committee.answeredBy(4, request);
	});

	await t.test('a dapp reads by relayer-sdk while one is dead', async () => {
		await committee.node(4).kill();
		const instance = await createInstance(devnet.sdk);
		const [handle] = committee.handles;
		const { clearValues } = await instance.publicDecrypt([handle]);
		assert.equal(clearValues[handle], values[0][2]);
		const { publicKey, privateKey } = instance.generateKeypair();
		const [start, days, user] = [Math.floor(Date.now() / 1000) - 10, 1, committee.wallet];
		const { domain, types: { EIP712Domain: _domain, ...types }, message } = instance.createEIP712(publicKey, [exampleContract], start, days);
		const signature = await user.signTypedData(domain, types, message);
		const opened = await instance.userDecrypt([{ handle, contractAddress: exampleContract }], privateKey, publicKey, signature, [exampleContract], user.address, start, days);
		assert.equal(opened[handle], values[0][2]);
		instance.config.ethersProvider.destroy();
		await committee.node(4).start();
	});

	await t.test('two are dead: nothing is decrypted until one comes back', async () => {
		await Promise.all([committee.node(1).kill(), committee.node(4).kill()]);
		const request = await committee.ask();
		await committee.undecided(request, 2);
		assert.equal((await committee.relayer.userResponses(request.closed)).reached, false);
		await committee.node(1).start();
		await committee.decided(request);
		await committee.node(4).start();
		await committee.answeredBy(4, request);
	});

	await t.test('expired and foreign certificates are refused', async () => {
		const node = committee.node(4);
		const [host, port, { ca }, servername] = [wires.address(1), committee.node(1).port('peer'), committee.node(1).certificates, committee.node(1).identity];
		const hour = 3600 * 1000;
		const expired = node.certificates.again({ beginMs: Date.now() - 2 * hour, endMs: Date.now() - hour });
		const foreign = partyCertificates(node.identity);
		const heard = async ({ cert, key }) => (await greeted({ host, port, ca, servername, ALPNProtocols: ['h2'], cert, key })).heard;
		assert.ok(await heard(node.certificates), 'the right one is let in');
		for (const [what, identity] of Object.entries({ expired, foreign, stranger: partyCertificates('kms-5.local'), none: {} })) assert.equal(await heard(identity), 0, what);

		// Who has a wrong one itself.
		const restarted = async (certificates, options) => {
			node.installCertificates({ ...node.certificates, ...certificates }, options);
			await node.startCore();
		};
		await node.stopCore('SIGKILL');
		await assert.rejects(restarted(expired, { own: true }), /expired/);
		await restarted(foreign, { own: true });
		const request = await committee.asked(3);
		assert.equal((await committee.counts(request))[0], 3, 'nobody opens anything with a node that shows a foreign certificate');
		await node.stopCore('SIGKILL');
		await restarted({}, {});
		await committee.answeredBy(4, request);
	});

	await t.test('what is no message is turned away at the port for peers', async () => {
		const [host, port] = [wires.address(1), committee.node(1).port('peer')];
		await ended(connectTcp(port, host), randomBytes(4096));
		const peer = peerClient(host, port, { ...committee.node(4).certificates, ca: committee.node(1).certificates.ca }, committee.node(1).identity);
		assert.equal(await peer.call('SendValue', { tag: randomBytes(40), value: randomBytes(1000) }), 'ABORTED');
		assert.equal(await peer.call('SendValue', { tag: randomBytes(40), value: Buffer.alloc(65 << 20) }), 'RESOURCE_EXHAUSTED');
		peer.close();
		await committee.asked(4);
	});

	await t.test('one decision for each request, one answer of each node', async () => {
		const verdict = await judgeCommittee(devnet);
		t.diagnostic(`${verdict.requests} requests, ${verdict.decisions} decisions, ${verdict.answers} answers, ${verdict.reverted} transactions reverted`);
		const { undecided, decidedTwice, answeredTwice, absent } = verdict;
		assert.deepEqual({ undecided, decidedTwice, answeredTwice, absent }, { undecided: [], decidedTwice: [], answeredTwice: [], absent: [] });
	});
}

const inside = 'CLAVIGER_COMMITTEE';

if (process.env[inside]) {
	test('in namespaces', { timeout: 280000 }, (t) => withCommittee(t, all));
	after(() => setTimeout(() => process.exit(), 1000).unref());
} else
	test('a committee of four, one of which may fail', { timeout: 300000 }, (t) =>
		inNamespaces(t, {
			flags: namespaceFlags, probe: namespaceProbe, missing: namespaceMissing,
			file: fileURLToPath(import.meta.url),
			inside,
			name: 'committee',
		}));
