// SPDX-License-Identifier: BSD-3-Clause-Clear
// Asks the connector's own command what happened to a request.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './network.mjs';

const run = promisify(execFile);
const program = join(process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd'), 'kms-connector');

// The text of `kms-connector inspect ID`.
export async function inspect(devnet, idHex) {
	const { stdout } = await run(program, ['inspect', idHex, '-c', devnet.nodes[0].config.connector]);
	return stdout;
}

// Its "state" line's word, or null when the connector does not know the request yet.
export async function stateOf(devnet, idHex) {
	try {
		return /^state\s+(\S+)/m.exec(await inspect(devnet, idHex))?.[1] ?? null;
	} catch (error) {
		if (error.code === 1) return null;
		throw error;
	}
}
