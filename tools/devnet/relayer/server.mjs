// SPDX-License-Identifier: BSD-3-Clause-Clear
// The relayer of the local network: HTTP on loopback for clients, transactions on the gateway for them. v1 answers when it is
// done, v2 and v3 give a job to ask for. usage: server.mjs CONFIG.JSON (what network.mjs writes)
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { RelayerError } from './errors.mjs';
import { Gateway } from './gateway.mjs';
import { Hosts } from './host.mjs';
import { Jobs } from './jobs.mjs';
import { Keys } from './keys.mjs';
import { Operations } from './operations.mjs';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
const bodyMax = 1 << 20;
const retryAfterS = 1; // clients wait no less
const connectionsMax = 256;
const base = `http://127.0.0.1:${config.port}`;

const gateway = new Gateway(config, config);
const hosts = new Hosts(config);
const keys = new Keys(config.keys);
const operations = new Operations(gateway, hosts);
const jobs = new Jobs({ report: (line) => console.log(`${new Date().toISOString()} ${line}`) });

// Path -> operation, and how v1 writes its result.
const routes = new Map([
	['/v1/input-proof', { kind: 'inputProof', v1: ({ accepted, ...result }) => acceptedOnly(accepted, result) }],
	['/v1/public-decrypt', { kind: 'publicDecrypt', v1: ({ decryptedValue, signatures }) => [{ decrypted_value: decryptedValue, signatures }] }],
	['/v1/user-decrypt', { kind: 'userDecrypt', v1: ({ result }) => result }],
	['/v2/input-proof', { kind: 'inputProof' }],
	['/v2/public-decrypt', { kind: 'publicDecrypt' }],
	['/v2/user-decrypt', { kind: 'userDecrypt' }],
	['/v2/delegated-user-decrypt', { kind: 'delegatedUserDecrypt' }],
	['/v3/user-decrypt', { kind: 'unifiedUserDecrypt' }],
]);

function acceptedOnly(accepted, result) {
	if (!accepted) throw new RelayerError('request_error', 'the coprocessors reject the proof: it is not of this ciphertext, contract, user and chain');
	return result;
}

// Anybody's page may talk to it: a dapp under development is served from some other port.
const headers = {
	'Access-Control-Allow-Origin': '*',
	'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
	'Access-Control-Allow-Headers': '*',
	'Access-Control-Expose-Headers': 'Retry-After',
	'Cache-Control': 'no-store',
};

function reply(response, status, body, more = {}) {
	response.writeHead(status, { ...headers, 'Content-Type': 'application/json', ...more });
	response.end(JSON.stringify(body));
}

async function readBody(request) {
	const parts = [];
	let size = 0;
	for await (const part of request) {
		size += part.length;
		if (size > bodyMax) throw new RelayerError('request_error', `the body is larger than ${bodyMax} bytes`);
		parts.push(part);
	}
	try {
		return JSON.parse(Buffer.concat(parts).toString('utf8'));
	} catch (error) {
		throw new RelayerError('malformed_json', `the body is not JSON: ${error.message}`);
	}
}

const wait = { 'Retry-After': String(retryAfterS) };

async function post({ kind, v1 }, request, response, requestId) {
	const work = operations[kind](await readBody(request));
	const job = jobs.start(kind, work);
	if (!v1) return reply(response, 202, { status: 'queued', requestId, result: { jobId: job.id } }, wait);
	await job.done;
	if (job.error) throw job.error;
	return reply(response, 200, { status: 'succeeded', response: v1(job.result) });
}

function look(kind, id, response, requestId) {
	const job = jobs.get(kind, id);
	if (job.error) throw job.error;
	if (!job.result) return reply(response, 202, { status: 'queued', requestId }, wait);
	return reply(response, 200, { status: 'succeeded', requestId, result: job.result });
}

const plain = {
	'/v1/keyurl': (response) => reply(response, 200, keys.url(base, 1)),
	'/v2/keyurl': (response) => reply(response, 200, keys.url(base, 2)),
	'/liveness': (response) => reply(response, 200, { status: 'alive' }),
	'/healthz': async (response) => {
		const reachable = await gateway.isReachable();
		reply(response, reachable ? 200 : 503, { status: reachable ? 'healthy' : 'unhealthy', gateway: reachable });
	},
	'/version': (response) => reply(response, 200, { name: 'claviger-devnet-relayer', version }),
};

async function handle(request, response, requestId) {
	const { method } = request;
	const [path] = request.url.split('?');
	if (method === 'OPTIONS') return reply(response, 200, {});
	if (method === 'GET' && Object.hasOwn(plain, path)) return plain[path](response);
	if (method === 'GET' && keys.files.has(path)) {
		response.writeHead(200, { ...headers, 'Content-Type': 'application/octet-stream' });
		return response.end(keys.files.get(path));
	}
	if (method === 'POST' && routes.has(path)) return post(routes.get(path), request, response, requestId);
	const [, parent, id] = /^(.+)\/([^/]+)$/.exec(path) ?? [];
	const route = routes.get(parent);
	if (method === 'GET' && route && !route.v1) return look(route.kind, id, response, requestId);
	throw new RelayerError('not_found', `${method} ${path}: no such path; ${[...Object.keys(plain), ...routes.keys()].join(', ')} are served`);
}

const server = createServer((request, response) => {
	const requestId = randomUUID();
	handle(request, response, requestId).catch((error) => {
		const known = error instanceof RelayerError;
		if (!known) console.log(error);
		if (response.headersSent || response.destroyed) return response.destroy();
		const told = known ? error : new RelayerError('internal_server_error', `the relayer failed: its log says more (request ${requestId})`);
		// What is left of a body that was refused is not read.
		const close = request.readableEnded ? {} : { Connection: 'close' };
		reply(response, told.status, { status: 'failed', requestId, error: told.body }, { ...close, ...(told.status === 429 ? wait : {}) });
	});
});
server.maxConnections = connectionsMax;
server.requestTimeout = 30_000;
server.headersTimeout = 10_000;
// A client that makes a proof of its input hears nothing for some seconds. The connection it has must be there after that.
server.keepAliveTimeout = 300_000;
server.listen(config.port, '127.0.0.1', () => console.log(`relayer on ${base}`));

process.on('SIGTERM', () => {
	server.close();
	server.closeAllConnections();
	gateway.close();
	hosts.close();
	process.exit(0);
});
