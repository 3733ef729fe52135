// SPDX-License-Identifier: BSD-3-Clause-Clear
// A committee's answers to a user, against the client libraries that users run: node-tkms opens the shares, with all of them,
// with t missing, with t lying, and @zama-fhe/relayer-sdk as published does so behind its userDecrypt.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { createInstance } from '@zama-fhe/relayer-sdk/node';
import { Interface, Wallet, getAddress, getBytes, hexlify, id, toBeHex } from 'ethers';

const tkms = createRequire(import.meta.url)('node-tkms');
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const program = join(process.env.CLAVIGER_PEERS ?? join(root, 'build/sanitized/tests/interop'), 'threshold_peer');
const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');

const gatewayChainId = 54321;
const hostChainId = 12345;
const addressOf = (name) => getAddress(`0x${id(name).slice(-40)}`);
const decryption = addressOf('Decryption');
const plain = (hex) => hex.slice(2);

// Type, bytes, value: every type with all its bytes of weight.
const values = [
	[0, 1, 1n],
	[0, 1, 0n],
	[2, 1, 251n],
	[3, 2, 65521n],
	[4, 4, 0xfedcba98n],
	[5, 8, 0xfedcba9876543210n],
	[6, 16, (1n << 128n) - 159n],
	[7, 20, BigInt('0x8ba1f109551bd432803012645ac136ddd64dba72')],
	[8, 32, (1n << 256n) - 189n],
	[8, 32, 0n],
];
// Bytes 22 to 29 name the chain, byte 30 the type.
const handles = values.map(([type], index) => `${id(`handle ${index}`).slice(0, 46)}${toBeHex(hostChainId, 8).slice(2)}${toBeHex(type, 1).slice(2)}00`);
const littleEndian = (value, size) => Buffer.from(getBytes(toBeHex(value, size))).reverse().toString('hex');

let dir;
before(() => {
	dir = mkdtempSync(join(tmpdir(), 'claviger-threshold-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

// All answers of a committee, party 1 first.
function ask({ n, t, liars = [], key }, user, publicKey) {
	const input = [toBeHex(gatewayChainId, 32), decryption, user, publicKey, '0x'].map(plain);
	for (const [index, [type, size, value]] of values.entries()) input.push(`${type} ${plain(handles[index])} ${littleEndian(value, size)}`);
	const args = [n, t, liars.join(',') || 0, ...(key ? [key] : [])].map(String);
	const lines = execFileSync(program, args, { encoding: 'utf8', input: `${input.join('\n')}\n`, maxBuffer: 1 << 26 }).trim().split('\n');
	assert.equal(lines.length, 2 * n);
	const signers = lines.slice(0, n).map((line) => getAddress(`0x${line}`));
	const answers = lines.slice(n).map((line) => line.split(' ')).map(([payload, signature]) => ({ payload, signature, extra_data: '' }));
	return { signers, answers };
}

class User {
	constructor() {
		this.address = Wallet.createRandom().address;
		this.secret = tkms.ml_kem_pke_keygen();
		this.public = tkms.ml_kem_pke_get_pk(this.secret);
		this.publicKey = hexlify(tkms.ml_kem_pke_pk_to_u8vec(this.public));
	}

	open({ signers, answers }) {
		const servers = signers.map((signer, index) => tkms.new_server_id_addr(index + 1, signer));
		const client = tkms.new_client(servers, this.address, 'default');
		const request = {
			client_address: this.address,
			enc_key: plain(this.publicKey),
			ciphertext_handles: handles.map(plain),
			eip712_verifying_contract: decryption,
		};
		const domain = { name: 'Decryption', version: '1', chain_id: getBytes(toBeHex(gatewayChainId, 32)), verifying_contract: decryption, salt: null };
		const opened = tkms.process_user_decryption_resp_from_js(client, request, domain, answers, this.public, this.secret, true);
		return opened.map(({ bytes }) => BigInt(bytes.length > 0 ? hexlify(bytes) : '0x00'));
	}
}

const expected = values.map(([, , value]) => value);
const without = ({ signers, answers }, ...missing) => ({ signers, answers: answers.filter((_, index) => !missing.includes(index + 1)) });
const shuffled = ({ signers, answers }) => ({ signers, answers: [...answers].reverse() });
// Signed by nobody who is known.
const forged = ({ signers, answers }, party) => ({
	signers,
	answers: answers.map((answer, index) => (index + 1 === party ? { ...answer, signature: answers[index === 0 ? 1 : 0].signature } : answer)),
});

for (const [n, t] of [[4, 1], [13, 4]]) {
	const last = Array.from({ length: t }, (_, index) => n - index);
	const first = Array.from({ length: t }, (_, index) => index + 1);

	test(`node-tkms, n=${n}: all parties, any t missing, one with a foreign signature`, () => {
		const user = new User();
		const all = ask({ n, t }, user.address, user.publicKey);
		assert.deepEqual(user.open(all), expected);
		assert.deepEqual(user.open(shuffled(all)), expected);
		assert.deepEqual(user.open(without(all, ...last)), expected);
		assert.deepEqual(user.open(without(all, ...first)), expected);
		assert.deepEqual(user.open(forged(all, 2)), expected);
		assert.throws(() => user.open(without(all, ...first, n)), `${t + 1} missing`);
	});

	test(`node-tkms, n=${n}: t of the parties lie; one more is too many`, () => {
		const user = new User();
		assert.deepEqual(user.open(ask({ n, t, liars: last }, user.address, user.publicKey)), expected);
		assert.deepEqual(user.open(ask({ n, t, liars: first }, user.address, user.publicKey)), expected);
		assert.throws(() => user.open(ask({ n, t, liars: [...first, n] }, user.address, user.publicKey)));
	});
}

test('node-tkms, n=13: two missing and two lying', () => {
	const user = new User();
	const all = ask({ n: 13, t: 4, liars: [3, 9] }, user.address, user.publicKey);
	assert.deepEqual(user.open(without(all, 1, 13)), expected);
});

test('node-tkms, n=13: production parameters', () => {
	execFileSync(join(programs, 'kms-dev-dealer'), ['keygen', '--key-id', '7'.padStart(64, '0'), '--out', dir]);
	const user = new User();
	const all = ask({ n: 13, t: 4, liars: [1, 4, 7], key: join(dir, 'client_key.bin') }, user.address, user.publicKey);
	assert.deepEqual(user.open(without(all, 13)), expected);
});

test('kms-dev-dealer deal: what every node gets, for its eyes alone, and never a second time', () => {
	const out = mkdtempSync(join(dir, 'deal-'));
	const key = '8'.padStart(64, '0');
	const epoch = 'e'.padEnd(64, '1');
	const dealer = (...args) => execFileSync(join(programs, 'kms-dev-dealer'), args, { encoding: 'utf8', stdio: 'pipe' });
	dealer('keygen', '--key-id', key, '--out', out, '--params', 'test', '--epoch', epoch);
	const whole = join(out, 'PRIV/FhePrivateKey', epoch, key);
	const deal = (from, into) =>
		dealer('deal', '--client-key', from, '--public-key', join(out, 'public_key.bin'), '--parties', '4', '--threshold', '1', '--epoch', epoch, '--out', into);
	const publicKey = readFileSync(join(out, 'public_key.bin'));
	const digest = createHash('shake256', { outputLength: 32 }).update('PDAT_KEY').update(publicKey).digest();
	for (const [index, from] of [join(out, 'client_key.bin'), whole].entries()) {
		const into = join(out, `nodes-${index}`);
		mkdirSync(into);
		deal(from, into);
		const shares = [1, 2, 3, 4].map((party) => {
			const file = join(into, `PRIV-p${party}/FheKeyShares`, epoch, key);
			assert.equal(statSync(file).mode & 0o777, 0o600);
			assert.equal(statSync(dirname(file)).mode & 0o777, 0o700);
			assert.equal(Buffer.compare(readFileSync(join(into, `PUB-p${party}/PublicKey`, key)), publicKey), 0);
			return readFileSync(file);
		});
		for (const [at, share] of shares.entries()) {
			assert.equal(share.subarray(34, 56).toString(), 'claviger::FheKeyShares');
			assert.deepEqual([...share.subarray(60, 63)], [4, 1, at + 1]);
			assert.ok(share.includes(Buffer.from(key, 'hex')) && share.includes(digest));
		}
		assert.equal(new Set(shares.map((share) => share.toString('hex'))).size, 4);
		assert.throws(() => deal(from, into), /cannot write/);
	}
	assert.throws(() => dealer('deal', '--client-key', whole, '--parties', '3', '--threshold', '1', '--out', join(out, 'none')), /3 t \+ 1/);
});

// ---- the whole client ----

const contracts = { acl: addressOf('ACL'), kms: addressOf('KMSVerifier'), input: addressOf('InputVerifier'), dapp: addressOf('dapp'), verification: addressOf('InputVerification') };
const views = new Interface([
	'function persistAllowed(bytes32 handle, address account) view returns (bool)',
	'function getKmsSigners() view returns (address[])',
	'function getCoprocessorSigners() view returns (address[])',
	'function getThreshold() view returns (uint256)',
	'function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)',
]);

// A host chain that answers views, and a relayer that asks the committee: one server.
class World {
	async start(signers) {
		this.signers = signers;
		this.server = createServer((request, response) => this.#serve(request, response));
		await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
		this.url = `http://127.0.0.1:${this.server.address().port}`;
		return this;
	}

	stop() {
		this.server.closeAllConnections();
		return new Promise((resolve) => this.server.close(resolve));
	}

	async #serve(request, response) {
		const chunks = [];
		for await (const chunk of request) chunks.push(chunk);
		const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks)) : null;
		const [status, json] = request.url === '/' ? [200, this.#rpc(body)] : this.#relay(request.method, body);
		response.writeHead(status, { 'content-type': 'application/json', 'retry-after': '1' }).end(JSON.stringify(json));
	}

	#rpc(body) {
		if (Array.isArray(body)) return body.map((one) => this.#rpc(one));
		return { jsonrpc: '2.0', id: body.id, result: body.method === 'eth_call' ? this.#call(body.params[0]) : toBeHex(hostChainId) };
	}

	#call({ to, data }) {
		const view = views.parseTransaction({ data });
		const kms = getAddress(to) === contracts.kms;
		const results = {
			persistAllowed: () => [true],
			getKmsSigners: () => [this.signers],
			getCoprocessorSigners: () => [[addressOf('coprocessor')]],
			getThreshold: () => [1],
			eip712Domain: () => ['0x0f', kms ? 'Decryption' : 'InputVerification', '1', gatewayChainId, kms ? decryption : contracts.verification, `0x${'0'.repeat(64)}`, []],
		};
		return views.encodeFunctionResult(view.name, results[view.name]());
	}

	#relay(method, body) {
		if (method === 'POST') {
			this.asked = body;
			return [202, { status: 'queued', requestId: 'one', result: { jobId: 'job' } }];
		}
		const result = this.answer(getAddress(this.asked.userAddress), `0x${this.asked.publicKey}`).map(({ payload, signature }) => ({ payload, signature, extraData: '0x' }));
		return [200, { status: 'succeeded', requestId: 'one', result: { result } }];
	}
}

const shown = (type, value) => ({ 0: () => value === 1n, 7: () => getAddress(toBeHex(value, 20)) })[type]?.() ?? value;

const connect = (url) =>
	createInstance({
		aclContractAddress: contracts.acl,
		kmsContractAddress: contracts.kms,
		inputVerifierContractAddress: contracts.input,
		verifyingContractAddressDecryption: decryption,
		verifyingContractAddressInputVerification: contracts.verification,
		chainId: hostChainId,
		gatewayChainId,
		network: `${url}/`,
		relayerUrl: `${url}/v2`,
		publicKey: { id: 'key', data: readFileSync(join(root, 'tests/vectors/tfhe/cpk_v0.bin')) },
		publicParams: { 2048: { publicParamsId: 'crs', publicParams: gunzipSync(readFileSync(join(root, 'tools/devnet/data/crs2048.bin.gz'))) } },
	});

async function userDecrypt(instance) {
	const wallet = Wallet.createRandom();
	const { publicKey, privateKey } = instance.generateKeypair();
	const start = Math.floor(Date.now() / 1000) - 10;
	const { domain, types, message } = instance.createEIP712(publicKey, [contracts.dapp], start, 1);
	const { UserDecryptRequestVerification } = types;
	const signature = await wallet.signTypedData(domain, { UserDecryptRequestVerification }, message);
	const pairs = handles.map((handle) => ({ handle, contractAddress: contracts.dapp }));
	return instance.userDecrypt(pairs, privateKey, publicKey, signature, [contracts.dapp], wallet.address, start, 1);
}

const everyValue = Object.fromEntries(values.map(([type, , value], index) => [handles[index], shown(type, value)]));
const settings = [
	[4, 1, [[[], []], [[2], []], [[], [3]]]],
	[13, 4, [[[], []], [[1, 5, 9, 13], []], [[], [2, 3, 5, 7]], [[1, 2], [12, 13]]]],
];

for (const [n, t, cases] of settings)
	test(`relayer-sdk, n=${n}: userDecrypt of every type`, async (context) => {
		const nobody = new User();
		const world = await new World().start(ask({ n, t }, nobody.address, nobody.publicKey).signers);
		try {
			const instance = await connect(world.url);
			for (const [liars, missing] of cases)
				await context.test(`${liars.length} lie, ${missing.length} are missing`, async () => {
					world.answer = (user, publicKey) => without(ask({ n, t, liars }, user, publicKey), ...missing).answers;
					assert.deepEqual({ ...(await userDecrypt(instance)) }, everyValue);
				});
			await context.test(`${t + 1} are missing`, async () => {
				const missing = Array.from({ length: t + 1 }, (_, index) => index + 1);
				world.answer = (user, publicKey) => without(ask({ n, t }, user, publicKey), ...missing).answers;
				await assert.rejects(userDecrypt(instance), /An error occured during decryption/);
			});
		} finally {
			await world.stop();
		}
	});
