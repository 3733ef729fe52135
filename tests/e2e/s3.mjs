// SPDX-License-Identifier: BSD-3-Clause-Clear
// A private bucket in front of an object store that knows no permissions: reads must carry a signature of Version 4, which is
// verified from the bytes on the wire (aws.mjs). What is refused is refused as S3 does it: XML with a code for GET, a status
// alone for HEAD, the bucket's region in a header.
import { createServer } from 'node:http';
import { Refusal, verifySignature } from './aws.mjs';

export class S3 {
	// keys: {access key id: {secret, token?, expires?, principal}}, shared with whoever hands them out.
	constructor({ port, behind, region = 'eu-west-1', keys }) {
		this.port = port;
		this.behind = behind; // URL of the object store
		this.region = region;
		this.keys = keys;
		this.reads = []; // {method, path, principal, code, status}
		this.clockAheadMs = 0;
		this.moved = false; // asked at the wrong endpoint
	}

	get nowMs() {
		return Date.now() + this.clockAheadMs;
	}

	async start() {
		this.server = createServer((request, response) => this.#serve(request, response));
		await new Promise((resolve, reject) => this.server.once('error', reject).listen(this.port, '127.0.0.1', resolve));
		return this;
	}

	async stop() {
		this.server?.closeAllConnections();
		await new Promise((resolve) => (this.server ? this.server.close(resolve) : resolve()));
	}

	count(where) {
		return this.reads.filter(where).length;
	}

	#check({ method, url, rawHeaders, headers }, body) {
		if (this.moved) throw new Refusal('PermanentRedirect', 'The bucket you are attempting to access must be addressed using the specified endpoint.', 301);
		if (!headers.authorization) throw new Refusal('AccessDenied', 'Access Denied', 403);
		return verifySignature({ method, url, rawHeaders, body }, { keys: this.keys, region: this.region, service: 's3', nowMs: this.nowMs });
	}

	async #serve(request, response) {
		const pieces = [];
		for await (const piece of request) pieces.push(piece);
		const head = request.method === 'HEAD';
		const read = { method: request.method, path: request.url, token: request.headers['x-amz-security-token'] !== undefined };
		const always = { Date: new Date(this.nowMs).toUTCString(), 'x-amz-bucket-region': this.region };
		this.reads.push(read);
		try {
			read.principal = this.#check(request, Buffer.concat(pieces)).principal;
			const reply = await fetch(`${this.behind}${request.url}`, { method: request.method });
			const body = Buffer.from(await reply.arrayBuffer());
			const kept = [...reply.headers].filter(([name]) => /^(content-(type|length)|etag|x-amz-)/.test(name));
			read.status = reply.status;
			response.writeHead(reply.status, { ...Object.fromEntries(kept), ...always });
			response.end(head ? undefined : body);
		} catch (error) {
			if (!(error instanceof Refusal)) throw error;
			const text = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${error.code}</Code><Message>${error.message}</Message></Error>`;
			Object.assign(read, { code: error.code, status: error.status });
			// A skewed request does not learn the region, and neither does one without a known key.
			response.writeHead(error.status, { ...always, 'Content-Type': 'application/xml', ...(error.status === 403 && { 'x-amz-bucket-region': '' }) });
			response.end(head ? undefined : text);
		}
	}
}
