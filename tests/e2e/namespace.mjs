// SPDX-License-Identifier: BSD-3-Clause-Clear
// A test file that runs its own inside once more, in namespaces where it may mount what it wants.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// `flags` of unshare, and a command that shows whether they are enough. The file gets a directory in the variable `inside`; its
// lines that begin with "# " are told, and it has to end with 0.
export async function inNamespaces(t, { flags, probe, missing, file, inside, name }) {
	// Under chroot nothing about the root can be changed, so mounts go where they would have gone: the file takes them back.
	const asRoot = process.getuid() === 0 ? [flags, [...flags, '--propagation', 'unchanged']] : [];
	const way = [...asRoot, ['-r', ...flags]].find((some) => spawnSync('unshare', [...some, 'sh', '-c', probe]).status === 0);
	assert.ok(way, missing);
	const dir = mkdtempSync(join(tmpdir(), `claviger-${name}-`));
	try {
		const child = spawn('unshare', [...way, process.execPath, file], {
			stdio: ['ignore', 'pipe', 'pipe'],
			env: { ...Object.fromEntries(Object.entries(process.env).filter(([key]) => key !== 'NODE_TEST_CONTEXT')), [inside]: dir },
		});
		let out = '';
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (out += piece));
		const [status] = await once(child, 'close');
		for (const line of out.split('\n').filter((text) => text.startsWith('# '))) t.diagnostic(line.slice(2));
		assert.equal(status, 0, out);
	} finally {
		rmSync(dir, { recursive: true, force: true });
	}
}
