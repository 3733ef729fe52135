// SPDX-License-Identifier: BSD-3-Clause-Clear
import { Agent, createServer, request as httpRequest } from 'node:http';

// Stands between the connector and the gateway, passes everything on, and remembers when what came and was answered.
export class Proxy {
	constructor(target) {
		this.target = new URL(target);
		this.agent = new Agent({ keepAlive: true, maxSockets: 64 });
		this.watchers = new Set();
		this.server = createServer((req, res) => this.#pass(req, res));
	}

	listen(port) {
		return new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
	}

	async #pass(req, res) {
		const parts = [];
		for await (const part of req) parts.push(part);
		const body = Buffer.concat(parts);
		const { method } = JSON.parse(body);
		this.#tell({ method, phase: 'request' });
		const { hostname, port } = this.target;
		const headers = { 'content-type': 'application/json', 'content-length': body.length };
		const onward = httpRequest({ hostname, port, method: 'POST', path: '/', agent: this.agent, headers }, async (reply) => {
			const chunks = [];
			for await (const chunk of reply) chunks.push(chunk);
			const text = Buffer.concat(chunks);
			if (method.startsWith('eth_sendRawTransaction')) this.#tell({ method, phase: 'reply', reply: JSON.parse(text) });
			res.writeHead(reply.statusCode, { 'content-type': 'application/json', 'content-length': text.length });
			res.end(text);
		});
		onward.on('error', () => res.destroy());
		onward.end(body);
	}

	#tell(what) {
		for (const watcher of this.watchers) watcher({ ...what, at: performance.now() });
	}

	// The first thing that fits; rejects after that time.
	next(fits, timeoutMs = 20000) {
		return new Promise((resolve, reject) => {
			const end = (settle, value) => {
				clearTimeout(timer);
				this.watchers.delete(watcher);
				settle(value);
			};
			const watcher = (what) => fits(what) && end(resolve, what);
			const timer = setTimeout(() => end(reject, new Error(`the connector did not ask within ${timeoutMs / 1000} s`)), timeoutMs);
			this.watchers.add(watcher);
		});
	}

	close() {
		this.server.closeAllConnections();
		this.server.close();
		this.agent.destroy();
	}
}

export const accepted = ({ method, phase, reply }) => method.startsWith('eth_sendRawTransaction') && phase === 'reply' && reply.result;
