// SPDX-License-Identifier: BSD-3-Clause-Clear
// The object store of a KMS node's public objects: what its operator puts before the public vault, so that everybody can fetch
// keys and CRSs. GET /PUB/{type}/{id}, and nothing else. usage: vault.mjs CONFIG.JSON (what network.mjs writes)
import { createReadStream, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const { folder, port } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const object = /^\/PUB\/([A-Za-z]+)\/([0-9a-f]{64})$/;

async function handle(request, response) {
	const [, type, id] = request.method === 'GET' ? (object.exec(request.url) ?? []) : [];
	const file = type && (await open(join(folder, type, id)).catch(() => undefined));
	if (!file) return response.writeHead(404).end();
	const { size } = await file.stat();
	response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size, 'Access-Control-Allow-Origin': '*' });
	return pipeline(createReadStream('', { fd: file }), response);
}

const server = createServer((request, response) => {
	handle(request, response).catch(() => response.destroy());
});
server.listen(port, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
