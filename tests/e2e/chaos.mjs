// SPDX-License-Identifier: BSD-3-Clause-Clear
// A TCP proxy that breaks connections at a given byte, in either direction: reset, end, or silence for a while or for ever. Or
// all at once: frozen, it takes connections and says nothing on any.
import { createConnection, createServer } from 'node:net';

export class Chaos {
	#sockets = new Set();
	#plan = null;
	#frozen = false;
	#waiting = []; // what came while frozen
	hits = 0; // plans carried out
	connections = 0;

	static async start(port, target) {
		const proxy = new Chaos();
		proxy.port = port;
		proxy.target = target;
		await proxy.listen();
		return proxy;
	}

	listen() {
		this.server = createServer((client) => this.#connected(client));
		return new Promise((resolve, reject) => this.server.once('error', reject).listen(this.port, '127.0.0.1', resolve));
	}

	// The next connection meets this: {fault: 'reset' | 'end' | 'stall', way: 'up' | 'down', at: byte, forMs}. 'up' is what the
	// client says. Connections that stand are reset, so that there is a next one.
	next(plan) {
		this.#plan = plan;
		this.cut();
	}

	get pending() {
		return this.#plan !== null;
	}

	freeze() {
		this.#frozen = true;
		for (const socket of this.#sockets) socket.pause();
	}

	thaw() {
		this.#frozen = false;
		for (const socket of this.#sockets) socket.resume();
		for (const client of this.#waiting.splice(0)) if (!client.destroyed) this.#connected(client);
	}

	cut() {
		for (const socket of this.#sockets) socket.resetAndDestroy();
	}

	async stop() {
		for (const client of this.#waiting.splice(0)) client.destroy();
		const closed = new Promise((resolve) => this.server.close(resolve));
		this.cut();
		await closed;
	}

	#connected(client) {
		if (this.#frozen) {
			client.on('error', () => {});
			this.#waiting.push(client);
			return;
		}
		this.connections += 1;
		const plan = this.#plan;
		this.#plan = null;
		const server = createConnection({ port: this.target, host: '127.0.0.1', noDelay: true });
		client.setNoDelay(true);
		for (const [socket, other] of [[client, server], [server, client]]) {
			this.#sockets.add(socket);
			socket.on('error', () => {});
			socket.on('close', () => {
				this.#sockets.delete(socket);
				other.destroy();
			});
		}
		this.#pass(client, server, plan?.way === 'up' ? plan : null);
		this.#pass(server, client, plan?.way === 'down' ? plan : null);
	}

	#pass(from, to, plan) {
		let passed = 0;
		const write = (bytes) => {
			if (!to.destroyed && bytes.length > 0 && !to.write(bytes)) {
				from.pause();
				to.once('drain', () => this.#frozen || from.resume());
			}
		};
		from.on('data', (bytes) => {
			if (!plan || passed + bytes.length <= plan.at) {
				passed += bytes.length;
				write(bytes);
				return;
			}
			const { fault, forMs, at } = plan;
			const before = bytes.subarray(0, at - passed);
			plan = null;
			this.hits += 1;
			write(before);
			if (fault === 'stall') {
				from.pause();
				if (forMs) setTimeout(() => (write(bytes.subarray(before.length)), from.resume()), forMs);
			} else if (fault === 'end') {
				to.end();
				from.destroy();
			} else {
				// What was written has to leave before the reset overtakes it.
				setTimeout(() => (to.resetAndDestroy(), from.resetAndDestroy()), 5);
			}
		});
		from.on('end', () => to.end());
	}
}
