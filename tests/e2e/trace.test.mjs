// SPDX-License-Identifier: BSD-3-Clause-Clear
// One decryption is one trace: from the listener through the database to worker and sender, with the stage's context in
// what the core is asked. A collector of ours takes the spans, a tap before the core reads the metadata.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { query, withNetwork } from './harness.mjs';

const portBase = 29720;
const folder = mkdtempSync(join(tmpdir(), 'claviger-trace-'));

function collector(port) {
	const spans = [];
	const resources = [];
	let refuse = 0;
	const server = createServer((request, reply) => {
		let body = '';
		request.on('data', (piece) => (body += piece));
		request.on('end', () => {
			if (refuse > 0) {
				refuse--;
				reply.writeHead(503).end();
				return;
			}
			assert.equal(request.url, '/v1/traces');
			assert.equal(request.headers['content-type'], 'application/json');
			assert.equal(request.headers['x-tenant'], 'a b');
			for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
				resources.push(Object.fromEntries(resource.attributes.map(({ key, value }) => [key, value.stringValue])));
				for (const scope of scopeSpans) spans.push(...scope.spans);
			}
			reply.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
		});
	});
	return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve({ server, spans, resources, refuse: (n) => (refuse = n) })));
}

// HTTP/2 in, the same out to the core's port; `seen` gets path and metadata of each call.
function tap(path, core, seen) {
	const server = http2.createServer();
	server.on('stream', (stream, headers) => {
		seen.push({ path: headers[':path'], traceparent: headers.traceparent });
		const session = http2.connect('http://core', { createConnection: () => connect(core, '127.0.0.1') });
		session.on('error', () => stream.destroy());
		const out = session.request({ ...headers, ':authority': 'core' });
		out.on('response', (reply) => stream.respond(reply, { waitForTrailers: true }));
		let trailers = {};
		out.on('trailers', (last) => (trailers = last));
		stream.on('wantTrailers', () => stream.sendTrailers(trailers));
		out.on('end', () => stream.end());
		out.on('data', (piece) => stream.write(piece));
		out.on('close', () => session.close());
		out.on('error', () => stream.destroy());
		stream.on('error', () => out.destroy());
		stream.pipe(out);
	});
	return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

test('a decryption is one trace, also beyond the process', { timeout: 900000 }, async (t) => {
	const seen = [];
	const tapPath = join(folder, 'tap.sock');
	const { server, spans, resources, refuse } = await collector(portBase + 15);
	const before = await tap(tapPath, portBase + 14, seen);
	try {
		await withNetwork(
			{
				portBase,
				core: { listen_address: '127.0.0.1', listen_port: portBase + 14, plaintext_loopback: true },
				connector: { kms_core_endpoints: [`unix:${tapPath}`], otlp_endpoint: `http://127.0.0.1:${portBase + 15}/`, service_name: 'a name' },
				connectorEnv: { OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=a%20b' },
			},
			async ({ devnet, relayer, publish }) => {
				const [{ handle }] = await publish([['uint64', '7']]);
				refuse(1); // the collector is away at first: nothing is lost, nothing waits
				const request = await relayer.request([handle]);
				await relayer.response(request);
				const [{ traceparent }] = query(devnet, 'SELECT traceparent FROM operation');
				assert.match(traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
				const [, traceId, rootId] = traceparent.split('-');
				const byName = (name) => spans.find((span) => span.traceId === traceId && span.name === name);
				await waitFor('the last span', () => byName('forward_response'), { timeoutMs: 30000 });

				const root = byName('handle_gateway_event');
				assert.equal(root.spanId, rootId);
				assert.equal(root.parentSpanId, '');
				const pass = byName('handle_event');
				assert.equal(pass.parentSpanId, rootId);
				assert.equal(byName('forward_response').parentSpanId, rootId);
				for (const stage of ['check_permission', 'fetch_ciphertexts', 'ask_core']) {
					const span = byName(stage);
					assert.equal(span.parentSpanId, pass.spanId, stage);
					assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano));
					assert.equal(span.status.code, 1);
				}
				assert.ok(pass.attributes.some(({ key, value }) => key === 'request_id' && value.stringValue === request.idHex.replace(/^0x/, '')));
				assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length);
				assert.equal(resources[0]['service.name'], 'a name');

				// The core is told who asks; health checks are not part of it.
				const asked = seen.filter(({ path }) => /PublicDecrypt|GetPublicDecryptionResult/.test(path));
				assert.ok(asked.length >= 2);
				for (const { path, traceparent: told } of asked) assert.equal(told, `00-${traceId}-${byName('ask_core').spanId}-01`, path);
				const metrics = await (await fetch(`${devnet.nodes[0].monitoring}/metrics`)).text();
				assert.match(metrics, /^kms_connector_spans_dropped_total 0$/m);
				t.diagnostic(`spans ${spans.length}, calls to the core ${seen.length}`);
			},
		);
	} finally {
		server.close();
		server.closeAllConnections();
		before.close();
		rmSync(folder, { recursive: true });
	}
});
