// SPDX-License-Identifier: BSD-3-Clause-Clear
// Asks the connector's own command what happened to a request.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './network.mjs';

const run = promisify(execFile);

// The text of `kms-connector inspect ID`, as the first node's has it or another one's.
export async function inspect(devnet, idHex, node = devnet.nodes[0]) {
	const program = join(process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd'), 'kms-connector');
	const { stdout } = await run(program, ['inspect', idHex, '-c', node.config.connector]);
	return stdout;
}

// The same as {key: [values]}.
export async function accountOf(devnet, idHex, node) {
	const found = {};
	for (const [, key, value] of (await inspect(devnet, idHex, node)).matchAll(/^(\S+(?: \S+)?) {2,}(.*)$/gm)) (found[key] ??= []).push(value);
	return found;
}

// Its "state" line's word, or null when the connector does not know the request yet.
export async function stateOf(devnet, idHex, node) {
	try {
		return (await accountOf(devnet, idHex, node)).state?.[0].split(/\s/)[0] ?? null;
	} catch (error) {
		if (error.code === 1) return null;
		throw error;
	}
}
