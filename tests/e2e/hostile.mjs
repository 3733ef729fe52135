// SPDX-License-Identifier: BSD-3-Clause-Clear
// HTTP proxies before the real chain and the real object store, which serve something else on demand.
import { Agent, createServer, request } from 'node:http';
import { createConnection } from 'node:net';
import { gzipSync } from 'node:zlib';

const mebibyte = 1 << 20;
const bomb = gzipSync(Buffer.alloc(64 * mebibyte, ' '));

class Front {
	#agent = new Agent({ keepAlive: true });
	#open = new Set();
	fault = null; // name of what is served instead
	served = 0; // so many times

	static async start(port, target) {
		const front = new this();
		front.target = target;
		front.server = createServer((req, res) => {
			const pieces = [];
			front.#open.add(res);
			res.on('close', () => front.#open.delete(res));
			res.on('error', () => {});
			req.on('data', (piece) => pieces.push(piece));
			req.on('end', () => front.answer(req, Buffer.concat(pieces), res).catch(() => res.destroy()));
		});
		front.server.keepAliveTimeout = 60000;
		await new Promise((resolve, reject) => front.server.once('error', reject).listen(port, '127.0.0.1', resolve));
		return front;
	}

	// From now on everything is in order, also what is under way.
	set(fault) {
		this.fault = fault;
		this.served = 0;
		if (fault === null) for (const res of this.#open) if (res.hostile) res.destroy();
	}

	hostile(res) {
		this.served += 1;
		res.hostile = true;
	}

	forward(req, body, port = this.target) {
		return new Promise((resolve, reject) => {
			const headers = { ...req.headers, host: `127.0.0.1:${port}`, 'content-length': body.length };
			delete headers['transfer-encoding'];
			const out = request({ host: '127.0.0.1', port, method: req.method, path: req.url, headers, agent: this.#agent }, (reply) => {
				const pieces = [];
				reply.on('data', (piece) => pieces.push(piece));
				reply.on('end', () => resolve({ status: reply.statusCode, headers: reply.headers, body: Buffer.concat(pieces) }));
			});
			out.on('error', reject);
			out.end(body);
		});
	}

	async stop() {
		this.#agent.destroy();
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}
}

const json = (res, text, headers = {}) => res.writeHead(200, { 'content-type': 'application/json', ...headers }).end(text);

// A byte now and then, until the other side has had enough.
function drip(res, headers, byte) {
	res.writeHead(200, headers);
	const timer = setInterval(() => res.write(byte), 50);
	res.on('close', () => clearInterval(timer));
}

// More than one reply may have: length unknown before, 40 MiB in all.
function flood(res, headers, byte) {
	const piece = Buffer.alloc(mebibyte, byte);
	let left = 40;
	res.writeHead(200, headers);
	const more = () => {
		while (left-- > 0) if (!res.write(piece)) return res.once('drain', more);
		res.end();
	};
	more();
}

const type = { 'content-type': 'application/json' };
const ok = (id, result) => JSON.stringify({ jsonrpc: '2.0', id, result });

// What is wrong with the reply as a whole: (res, call, the true reply's text).
const wholes = {
	'cut JSON': (res, call, text) => json(res, text.slice(0, text.length - 5)),
	'not JSON': (res) => json(res, '\x00\xff{{{'),
	'JSON of another kind': (res) => json(res, '[1,2,3]'),
	'JSON too deep': (res) => json(res, '['.repeat(100000)),
	'another id': (res, call, text) => json(res, text.replace(/"id":\d+/, `"id":${call.id + 1}`)),
	'HTML': (res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Please log in</body></html>'),
	'HTTP 500': (res) => res.writeHead(500).end('oops'),
	'HTTP 429': (res) => res.writeHead(429, { 'retry-after': '1' }).end('slow down'),
	'result null': (res, call) => json(res, ok(call.id, null)),
	'announced too big': (res) => res.writeHead(200, { ...type, 'content-length': 64 * mebibyte }).write('{'),
	'too big': (res) => flood(res, type, ' '),
	'a gzip bomb': (res) => json(res, bomb, { 'content-encoding': 'gzip' }),
	'endless headers': (res) => {
		const line = `x-filler: ${'x'.repeat(1000)}\r\n`;
		const { socket } = res;
		socket.write('HTTP/1.1 200 OK\r\n');
		for (let i = 0; i < 200; i++) socket.write(line);
	},
	'endless body': (res) => drip(res, type, ' '),
	'silence': () => {},
	'reset': (res) => res.socket.resetAndDestroy(),
};

const hex = (n) => `0x${n.toString(16)}`;
// What is wrong with each log of eth_getLogs.
const logs = {
	'logs with their data cut': (log) => ({ ...log, data: log.data.slice(0, 2 + 64) }),
	'logs without topics': (log) => ({ ...log, topics: [] }),
	'logs of another contract': (log) => ({ ...log, address: `0x${'ab'.repeat(20)}` }),
	'logs out of the range': (log) => ({ ...log, blockNumber: hex(Number(log.blockNumber) + 100000) }),
	'logs without a block': ({ blockNumber, ...log }) => log,
	'logs that are numbers': () => 17,
};

export class HostileRpc extends Front {
	static faults = { whole: Object.keys(wholes), logs: Object.keys(logs) };
	elsewhere = null; // port of another chain, for 'another chain'
	behind = 40; // blocks, for 'a head that goes back'

	async answer(req, body, res) {
		const call = JSON.parse(body);
		const fault = this.fault;
		if (fault === 'another chain') {
			this.hostile(res);
			return json(res, (await this.forward(req, body, this.elsewhere)).body);
		}
		const text = (await this.forward(req, body)).body.toString();
		// The wait for the true reply may have been longer than the fault.
		if (fault === null || fault !== this.fault) return json(res, text);
		if (wholes[fault]) {
			this.hostile(res);
			return wholes[fault](res, call, text);
		}
		const { result } = JSON.parse(text);
		if (logs[fault] && call.method === 'eth_getLogs' && result?.length > 0) {
			this.hostile(res);
			return json(res, ok(call.id, result.map(logs[fault])));
		}
		if (fault === 'a head that goes back' && call.method === 'eth_getBlockByNumber' && call.params[0] === 'latest') {
			this.hostile(res);
			const old = JSON.stringify({ ...call, params: [hex(Math.max(1, Number(result.number) - this.behind)), false] });
			return json(res, (await this.forward(req, Buffer.from(old))).body);
		}
		return json(res, text);
	}
}

// Objects: (res, what is truly there).
const objects = {
	'other bytes': (res, { headers, body }, head) => res.writeHead(200, headers).end(head ? undefined : Buffer.from(body).fill(0, body.length - 1)),
	'cut': (res, { headers, body }, head) => res.writeHead(200, { ...headers, 'content-length': head ? headers['content-length'] : body.length - 1 }).end(head ? undefined : body.subarray(0, -1)),
	'cut without a word': (res, { headers, body }, head) => {
		res.writeHead(200, headers);
		if (head) res.end();
		else res.write(body.subarray(0, body.length / 2), () => res.destroy());
	},
	'a longer body than said before': (res, { headers, body }, head) => {
		if (head) return res.writeHead(200, headers).end();
		const { 'content-length': _, ...rest } = headers;
		flood(res, rest, 0);
	},
	'too big': (res, { headers }) => {
		res.writeHead(200, { ...headers, 'content-length': 1 << 30 });
		res.flushHeaders();
		res.write('x', () => res.destroy());
	},
	'endless': (res, { headers, body }, head) => {
		if (head) return res.writeHead(200, headers).end();
		drip(res, headers, Buffer.from([body[0]]));
	},
	'silence': () => {},
	'absent': (res) => res.writeHead(404, { 'content-type': 'application/xml' }).end('<Error><Code>NoSuchKey</Code></Error>'),
	'forbidden': (res) => res.writeHead(403).end(),
	'HTTP 503': (res) => res.writeHead(503).end('SlowDown'),
	'reset': (res) => res.socket.resetAndDestroy(),
};

export class HostileStore extends Front {
	static faults = Object.keys(objects);

	async answer(req, body, res) {
		const fault = this.fault;
		const reply = await this.forward(req, body);
		for (const name of ['connection', 'keep-alive', 'transfer-encoding']) delete reply.headers[name];
		if (fault === null || fault !== this.fault) return void res.writeHead(reply.status, reply.headers).end(reply.body);
		this.hostile(res);
		return objects[fault](res, reply, req.method === 'HEAD');
	}
}

// n connections to a port that each say `words(i)` and stay; resolves when all are open. Who is cut off stays away.
export async function crowd(port, n, words = () => '') {
	const sockets = await Promise.all(
		Array.from({ length: n }, (_, i) =>
			new Promise((resolve) => {
				const socket = createConnection({ port, host: '127.0.0.1' }, () => {
					const first = words(i);
					if (first.length > 0) socket.write(first);
					resolve(socket);
				});
				socket.on('error', () => resolve(socket));
				socket.resume();
			}),
		),
	);
	return { sockets, leave: () => sockets.forEach((socket) => socket.destroy()) };
}
