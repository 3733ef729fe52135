// SPDX-License-Identifier: BSD-3-Clause-Clear
// Runs a guide as its reader does it: files are saved under their names, commands run one after the other in one
// shell, and what is shown as output is looked for in what was printed. The tree has what ./dev would build; ./dev itself
// only goes to the command, on ports of the test's own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../../tools/devnet/network.mjs';

const limitMs = 900000;

// Blocks in order: { language, name, body }.
const blocksOf = (text) => [...text.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)].map(([, language, name, body]) => ({ language, name, body }));

// A tree like the project's, of which only what the reader adds or a network writes is its own.
function makeTree(portBase) {
	const tree = mkdtempSync(join(tmpdir(), 'claviger-guide-'));
	for (const part of ['tools/devnet', 'tools/dev/help', 'tools/deploy', 'tools/solc', 'contracts', 'config', 'foundry.toml'])
		if (existsSync(join(root, part))) cpSync(join(root, part), join(tree, part), { recursive: true });
	for (const part of ['node_modules', 'build/release', 'build/contracts']) {
		mkdirSync(dirname(join(tree, part)), { recursive: true });
		symlinkSync(join(root, part), join(tree, part));
	}
	writeFileSync(join(tree, 'package.json'), '{ "type": "module" }\n');
	const ports = `[ "$name" = up ] && set -- --port-base ${portBase} "$@"`;
	const built = '[ "$name" = build ] && echo "Programs: build/release/src/cmd/" && exit 0';
	writeFileSync(join(tree, 'dev'), `#!/usr/bin/env bash\nname=$1\nshift\n${built}\n${ports}\nexec "${process.execPath}" tools/devnet/"$name".mjs "$@"\n`);
	chmodSync(join(tree, 'dev'), 0o755);
	return tree;
}

// Runs a script; gives what it printed, standard error among it, and how it ended.
function shell(tree, script) {
	return new Promise((resolve) => {
		const child = spawn('bash', ['-eu', '-o', 'pipefail', '-c', `exec 2>&1\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n${script}`], { cwd: tree, stdio: ['ignore', 'pipe', 'pipe'] });
		const timer = setTimeout(() => child.kill('SIGTERM'), limitMs);
		let output = '';
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
		child.on('close', (code) => {
			clearTimeout(timer);
			resolve({ code, output });
		});
	});
}

// Each line of the expectation stands, in this order, in a line of the output.
function assertShows(output, expected, what) {
	let lines = output.split('\n');
	for (const line of expected.trimEnd().split('\n')) {
		const pattern = new RegExp(line.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*'));
		const index = lines.findIndex((candidate) => pattern.test(candidate));
		assert.ok(index >= 0, `${what}\nshould print: ${line}\nprinted:\n${output}`);
		lines = lines.slice(index + 1);
	}
}

// The test of one guide. ports: what the guide has -> what is used instead; portBase: for its network.
export async function followGuide(t, file, { portBase, ports = {}, least }) {
	let text = readFileSync(join(root, file), 'utf8');
	for (const [from, to] of Object.entries(ports)) text = text.replaceAll(`:${from}`, `:${to}`).replaceAll(`= ${from}`, `= ${to}`);
	const blocks = blocksOf(text);
	const tree = makeTree(portBase);
	try {
		for (const { language, name, body } of blocks) if (language === 'js') writeFileSync(join(tree, name), body);
		const commands = blocks.filter(({ language }) => language === 'sh');
		assert.ok(commands.length >= least, 'the guide has commands');
		const mark = (index) => `@@ block ${index} @@`;
		const { code, output } = await shell(tree, commands.map(({ body }, index) => `echo '${mark(index)}'\n${body}`).join('\n'));
		const ends = commands.map((_, index) => output.indexOf(mark(index)));
		const reached = ends.filter((at) => at >= 0).length;
		assert.equal(code, 0, `ended with ${code} in: ${commands[reached - 1]?.body}\nafter all this:\n${output.slice(-4000)}`);

		for (const [index, command] of commands.entries())
			await t.test(command.body.trim().split('\n').at(-1), () => {
				const shown = blocks[blocks.indexOf(command) + 1];
				assert.equal(shown?.language, 'text', 'every command is followed by what it prints');
				assertShows(output.slice(ends[index], ends[index + 1] ?? output.length), shown.body, command.body);
			});
	} finally {
		await shell(tree, './dev down'); // whatever happened
		rmSync(tree, { recursive: true, force: true });
	}
}
