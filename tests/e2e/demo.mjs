// SPDX-License-Identifier: BSD-3-Clause-Clear
// Runs the demo as ./dev demo does, and looks at what it told.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../tools/devnet/network.mjs';

// -> {code, output, facts}: exit code, everything that it printed, what --json wrote.
export async function runDemo(args) {
	const dir = mkdtempSync(join(tmpdir(), 'claviger-demo-test-'));
	const json = join(dir, 'facts.json');
	try {
		const child = spawn(process.execPath, [join(root, 'tools/devnet/demo.mjs'), ...args, '--json', json], { stdio: ['ignore', 'pipe', 'pipe'] });
		let output = '';
		for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (piece) => (output += piece));
		const [code] = await once(child, 'close');
		return { code, output, facts: code === 0 && JSON.parse(readFileSync(json, 'utf8')) };
	} finally {
		rmSync(dir, { recursive: true });
	}
}

// Each pattern matches a line, in this order.
export function assertTold(output, patterns) {
	let lines = output.split('\n');
	for (const pattern of patterns) {
		const index = lines.findIndex((line) => pattern.test(line));
		assert.ok(index >= 0, `should tell ${pattern} after what was found so far:\n${output}`);
		lines = lines.slice(index + 1);
	}
}
