// SPDX-License-Identifier: BSD-3-Clause-Clear
// What the command-line scripts share: options, interruption, and errors told to a person. A wrong command line ends with 2
// and the usage, an interruption with 130, everything else with 1. DEBUG=1 shows where an error came from.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { committees } from './network.mjs';
import { UsageError } from './types.mjs';

class Interrupted extends Error {}

// name: of the command; what ./dev NAME --help says is its usage.
export async function main(name, options, body, { positionals: most = 0 } = {}) {
	const usage = readFileSync(new URL(`../dev/help/${name}.txt`, import.meta.url), 'utf8').trimEnd();
	try {
		const parsed = parseArgs({ options: { help: { type: 'boolean', short: 'h' }, ...options }, allowPositionals: true });
		if (parsed.values.help) {
			console.log(usage);
			return;
		}
		if (parsed.positionals.length > most) throw new UsageError(`"${parsed.positionals[most]}" is one argument too many`);
		await body(parsed.values, parsed.positionals);
	} catch (error) {
		const misused = error instanceof UsageError || String(error.code).startsWith('ERR_PARSE_ARGS');
		const bug = error instanceof TypeError || error instanceof ReferenceError;
		console.error(process.env.DEBUG || (bug && !misused) ? error : `dev: ${error.shortMessage ?? error.message}${misused ? `\n${usage}` : ''}`);
		if (error instanceof Interrupted) process.exit(130); // what was interrupted is still waiting for something
		process.exitCode = misused ? 2 : 1;
	}
}

// The processes of a network have sessions of their own, so Ctrl-C does not reach them: body() is given up, and the caller
// has to stop what it started.
export function interruptible(body) {
	const interrupted = new Promise((resolve, reject) => {
		for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => reject(new Interrupted(`interrupted by ${signal}`)));
	});
	return Promise.race([body(), interrupted]);
}

export function parsePortBase(text = '8545') {
	const port = Number(text);
	if (!Number.isInteger(port) || port < 1024 || port > 65500) throw new UsageError(`"${text}" is not a port base: a number from 1024 to 65500`);
	return port;
}

// How many KMS nodes.
export function parseNodes({ nodes: text = '1', keygen }) {
	const nodes = Number(text);
	if (nodes !== 1 && !committees.includes(nodes)) throw new UsageError(`"${text}" KMS nodes: 1, or as many as three times those that may fail, and one: ${committees.join(', ')}`);
	if (nodes !== 1 && keygen) throw new UsageError('--keygen is for one node: of several, each gets a share of a key that is dealt');
	return nodes;
}

// --keygen, --parameters -> what a Network of such a key is made with.
export function parseKeygen({ keygen, parameters }) {
	if (parameters !== undefined && !keygen) throw new UsageError('--parameters comes with --keygen: without it the key has production parameters');
	if (parameters !== undefined && !['test', 'default'].includes(parameters)) throw new UsageError(`"${parameters}" are no parameters: test or default (production)`);
	if (!keygen) return {};
	// With production parameters the coprocessor stand-in needs seconds for a value, and the client waits.
	return { keygen, parameters: parameters ?? 'test', ...(parameters === 'default' && { relayer: { responseMs: 600_000 } }) };
}
