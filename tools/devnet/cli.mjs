// SPDX-License-Identifier: BSD-3-Clause-Clear
// What the command-line scripts share: options, and errors told to a person. Usage errors end with 2, others with 1.
import { parseArgs } from 'node:util';
import { UsageError } from './types.mjs';

export async function main(usage, options, body) {
	try {
		const parsed = parseArgs({ options: { help: { type: 'boolean', short: 'h' }, ...options }, allowPositionals: true });
		if (parsed.values.help) {
			console.log(usage);
			return;
		}
		await body(parsed.values, parsed.positionals);
	} catch (error) {
		const usual = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS');
		console.error(usual ? `dev: ${error.message}\n${usage}` : error);
		process.exitCode = usual ? 2 : 1;
	}
}

export function parsePortBase(text = '8545') {
	const port = Number(text);
	if (!Number.isInteger(port) || port < 1024 || port > 65500) throw new UsageError(`"${text}" is not a port base: a number from 1024 to 65500`);
	return port;
}
