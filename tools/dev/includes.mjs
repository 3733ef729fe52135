// SPDX-License-Identifier: BSD-3-Clause-Clear
// The include graph of src/: each folder may include only the folders of its line, and the libraries that one folder
// wraps may be included there alone. usage: includes.mjs FILE… ; prints what breaks the rule.
import { readFileSync } from 'node:fs';

const allowed = {
	base: [],
	crypto: ['base'],
	codec: ['base'],
	net: ['base', 'crypto'],
	store: ['base'],
	eth: ['base', 'crypto', 'net'],
	fhe: ['base', 'crypto', 'codec'],
	mpc: ['base', 'crypto', 'codec'],
	connector: ['base', 'crypto', 'net', 'store', 'eth'],
	core: ['base', 'crypto', 'codec', 'net', 'store', 'eth', 'fhe', 'mpc'],
	cmd: ['base', 'crypto', 'codec', 'net', 'store', 'eth', 'fhe', 'mpc', 'connector', 'core'],
};

const wrapped = [
	{ header: /^(event2\/|curl\/|nghttp2\/|openssl\/ssl)/, folders: ['net'] },
	{ header: /^(sqlite3|libpq)/, folders: ['store'] },
	{ header: /^toml\+\+\//, folders: ['base'] },
	{ header: /^secp256k1/, folders: ['crypto'] },
];

for (const file of process.argv.slice(2)) {
	const folder = file.split('/')[1];
	const may = new Set([folder, ...(allowed[folder] ?? [])]);
	readFileSync(file, 'utf8').split('\n').forEach((line, index) => {
		const include = /^\s*#\s*include\s+(["<])([^">]+)[">]/.exec(line);
		if (!include) return;
		const [, quote, path] = include;
		const where = `${file}:${index + 1}`;
		if (quote === '"' && !path.includes('/') && !path.endsWith('.pb-c.h'))
			console.log(`${where}: "${path}" has to name its folder`);
		if (quote === '"' && path.includes('/') && !may.has(path.split('/')[0]) && allowed[path.split('/')[0]])
			console.log(`${where}: ${folder}/ may not include "${path}"`);
		for (const { header, folders } of wrapped)
			if (header.test(path) && !folders.includes(folder))
				console.log(`${where}: only ${folders.join(', ')}/ may include <${path}>`);
	});
}
