// SPDX-License-Identifier: BSD-3-Clause-Clear
// A KMS core for tests: it generates nothing and signs everything, each reply when the test says so. Its key is the
// test's, so that contracts take its signatures. It remembers what it was asked.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { concat, getBytes, hexlify, keccak256, toUtf8Bytes } from 'ethers';

const require = createRequire(import.meta.url);
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const proto = fileURLToPath(new URL('../../proto', import.meta.url));
const load = (name) => grpc.loadPackageDefinition(protoLoader.loadSync(name, { includeDirs: [proto], keepCase: true, enums: String, longs: Number, defaults: true, oneofs: true }));
const { service } = load('kms_service.v1.proto').kms_service.v1.CoreServiceEndpoint;
const health = load('grpc.health.v1.proto').grpc.health.v1.Health.service;
const { status } = grpc;

// Of cores that serve gateways up to v0.12, no part of the service any more: their messages stay bytes.
const raw = (name) => ({ path: `/kms_service.v1.CoreServiceEndpoint/${name}`, requestStream: false, responseStream: false, requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b });
const older = { Init: raw('Init'), InitiateResharing: raw('InitiateResharing') };

export const digestOf = (text) => keccak256(toUtf8Bytes(text));
const keyDigest = [{ name: 'keyType', type: 'uint8' }, { name: 'digest', type: 'bytes' }];
const keyTypes = { ServerKey: 0, PublicKey: 1, CompressedXofKeySet: 3 };

export class ScriptedCore {
	// calls: [{ rpc, request }], in order of arrival. pending: ids whose result is not there yet.
	constructor(wallet) {
		this.wallet = wallet;
		this.calls = [];
		this.requests = new Map(); // by rpc and id
		this.pending = new Set();
		this.holdAll = false;
		this.refuse = {}; // a status by rpc
		this.server = new grpc.Server();
		const start = (rpc, idOf) => (call, reply) => this.#start(rpc, idOf(call.request), call.request, reply);
		const result = (rpc, make) => (call, reply) => this.#result(rpc, call.request.request_id, make, reply);
		const simple = (rpc, idOf, answer = {}) => (call, reply) => this.#note(rpc, idOf(call.request), call.request, reply, answer);
		const own = (r) => r.request_id.request_id;
		this.server.addService(service, {
			KeyGenPreproc: start('KeyGenPreproc', own),
			GetKeyGenPreprocResult: result('KeyGenPreproc', (r) => this.#preproc(r)),
			KeyGen: start('KeyGen', own),
			GetKeyGenResult: result('KeyGen', (r) => this.#key(r)),
			CrsGen: start('CrsGen', own),
			GetCrsGenResult: result('CrsGen', (r) => this.#crs(r)),
			AbortKeyGen: simple('AbortKeyGen', (r) => r.request_id),
			AbortCrsGen: simple('AbortCrsGen', (r) => r.request_id),
			NewMpcContext: simple('NewMpcContext', (r) => r.new_context.context_id.request_id),
			DestroyMpcContext: simple('DestroyMpcContext', (r) => r.context_id.request_id),
			NewMpcEpoch: start('NewMpcEpoch', (r) => r.epoch_id.request_id),
			GetEpochResult: result('NewMpcEpoch', (r) => this.#epoch(r)),
			DestroyMpcEpoch: simple('DestroyMpcEpoch', (r) => r.epoch_id.request_id),
		});
		this.server.addService(older, {
			Init: (call, reply) => this.#note('Init', '', call.request, reply, Buffer.alloc(0)),
			InitiateResharing: (call, reply) => this.#note('InitiateResharing', '', call.request, reply, Buffer.alloc(0)),
		});
		this.server.addService(health, { Check: (_call, reply) => reply(null, { status: 'SERVING' }) });
	}

	listen(port) {
		return new Promise((resolve, reject) => this.server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())));
	}

	close() {
		this.server.forceShutdown();
	}

	of(rpc) {
		return this.calls.filter((call) => call.rpc === rpc).map((call) => call.request);
	}

	#note(rpc, id, request, reply, answer) {
		this.calls.push({ rpc, id, request });
		if (this.refuse[rpc] !== undefined) return reply({ code: this.refuse[rpc], details: 'as scripted' });
		reply(null, answer);
	}

	#start(rpc, id, request, reply) {
		if (this.refuse[rpc] === undefined) {
			if (this.requests.has(`${rpc} ${id}`)) return reply({ code: status.ALREADY_EXISTS, details: 'known' });
			this.requests.set(`${rpc} ${id}`, request);
			if (this.holdAll) this.pending.add(id);
		}
		this.#note(rpc, id, request, reply, {});
	}

	async #result(rpc, id, make, reply) {
		const request = this.requests.get(`${rpc} ${id}`);
		this.calls.push({ rpc: `result of ${rpc}`, id, request });
		if (!request) return reply({ code: status.NOT_FOUND, details: 'never seen' });
		for (let n = 0; n < 40 && this.pending.has(id); n++) await sleep(50);
		if (this.pending.has(id)) return reply({ code: status.UNAVAILABLE, details: 'not ready' });
		try {
			reply(null, await make(request));
		} catch (error) {
			reply({ code: status.INTERNAL, details: error.message });
		}
	}

	// ---- signatures ----

	async #sign({ domain }, types, value, extra) {
		const [name] = Object.keys(types);
		const typed = { ...types, [name]: [...types[name], ...(extra.length > 0 ? [{ name: 'extraData', type: 'bytes' }] : [])] };
		const chainId = BigInt(hexlify(domain.chain_id));
		const where = { name: domain.name, version: domain.version, chainId, verifyingContract: domain.verifying_contract };
		return Buffer.from(getBytes(await this.wallet.signTypedData(where, typed, extra.length > 0 ? { ...value, extraData: hexlify(extra) } : value)));
	}

	async #preproc(r) {
		const id = r.request_id.request_id;
		const external_signature = await this.#sign(r, { PrepKeygenVerification: [{ name: 'prepKeygenId', type: 'uint256' }] }, { prepKeygenId: BigInt(`0x${id}`) }, r.extra_data);
		return { preprocessing_id: { request_id: id }, external_signature };
	}

	async #keyResult(r, prep, id, extra) {
		const parts = r.preproc_id && !r.keyset_config ? ['ServerKey', 'PublicKey'] : ['PublicKey', 'CompressedXofKeySet']; // contracts up to v0.14 know no others
		const digests = parts.map((key_type) => ({ key_type, digest: Buffer.from(getBytes(digestOf(`${key_type} ${id}`))) }));
		const types = { KeygenVerification: [{ name: 'prepKeygenId', type: 'uint256' }, { name: 'keyId', type: 'uint256' }, { name: 'keyDigests', type: 'KeyDigest[]' }], KeyDigest: keyDigest };
		const keyDigests = digests.map(({ key_type, digest }) => ({ keyType: keyTypes[key_type], digest: hexlify(digest) }));
		const external_signature = await this.#sign(r, types, { prepKeygenId: BigInt(`0x${prep}`), keyId: BigInt(`0x${id}`), keyDigests }, extra);
		return { request_id: { request_id: id }, preprocessing_id: { request_id: prep }, key_digests: digests, external_signature };
	}

	#key(r) {
		return this.#keyResult(r, r.preproc_id.request_id, r.request_id.request_id, r.extra_data);
	}

	async #crsResult(r, id, bits, extra) {
		const crs_digest = Buffer.from(getBytes(digestOf(`CRS ${id}`)));
		const types = { CrsgenVerification: [{ name: 'crsId', type: 'uint256' }, { name: 'maxBitLength', type: 'uint256' }, { name: 'crsDigest', type: 'bytes' }] };
		const external_signature = await this.#sign(r, types, { crsId: BigInt(`0x${id}`), maxBitLength: bits, crsDigest: hexlify(crs_digest) }, extra);
		return { request_id: { request_id: id }, crs_digest, max_num_bits: bits, external_signature };
	}

	#crs(r) {
		return this.#crsResult(r, r.request_id.request_id, r.max_num_bits, r.extra_data);
	}

	async #epoch(r) {
		const { keys_info: keys, crs_info: crss } = r.previous_epoch;
		return {
			reshare_responses: await Promise.all(keys.map((k) => this.#keyResult(r, k.preproc_id.request_id, k.key_id.request_id, r.extra_data))),
			crs_responses: await Promise.all(crss.map((c) => this.#crsResult(r, c.crs_id.request_id, 2048, r.extra_data))),
		};
	}
}

export const hex64 = (id) => BigInt(id).toString(16).padStart(64, '0');
export const extraOf = (context, epoch) => concat(['0x02', `0x${hex64(context)}`, `0x${hex64(epoch)}`]);
