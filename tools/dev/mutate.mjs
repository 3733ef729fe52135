// SPDX-License-Identifier: BSD-3-Clause-Clear
// node mutate.mjs --list | DIRECTORY [CHECK…]: the work of ./dev mutate. DIRECTORY/tree is a copy of the tree,
// DIRECTORY/objects is where it is built.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mutate, mutations, programOf } from './mutations.mjs';

const [directory, ...wanted] = process.argv.slice(2);
if (directory === '--list') {
	for (const m of mutations) console.log(`${m.name.padEnd(26)} ${m.file.padEnd(44)} ${m.program} ${m.test}`);
	process.exit(0);
}
const tree = join(directory, 'tree');
const objects = join(directory, 'objects');
const chosen = mutations.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.startsWith(word)));

const build = (programs) => spawnSync('nice', ['ninja', '-C', objects, ...programs], { encoding: 'utf8', maxBuffer: 1 << 26 });
const env = {
	...process.env,
	VECTORS: join(tree, 'tests/vectors'),
	EXAMPLE: join(tree, 'config/kms-connector.toml'),
	CMOCKA_MESSAGE_OUTPUT: 'TAP',
};
// A program that does not end, because of what was taken away, has noticed nothing by name: it gets ten times what it took as
// it is, on this machine and under its load.
const leastMs = 120000;
const mostMs = 1800000;
const limits = new Map();
const run = (program) => spawnSync('nice', [join(objects, programOf(program))], { encoding: 'utf8', env, timeout: limits.get(program) ?? mostMs, killSignal: 'SIGKILL' });
function measured(program) {
	const begun = performance.now();
	const { stdout } = run(program);
	limits.set(program, Math.ceil(Math.min(mostMs, Math.max(leastMs, 10 * (performance.now() - begun)))));
	return stdout;
}
const passed = (out, name) => new RegExp(`^ok \\d+ - ${name}$`, 'm').test(out);
const failed = (out, name) => new RegExp(`^not ok \\d+ - ${name}$`, 'm').test(out);

// Without a change every test of the table must pass; else its failure would show nothing.
const programs = [...new Set(chosen.map(({ program }) => program))];
const built = build(programs.map(programOf));
if (built.status !== 0) {
	console.log(`Bail out! the tree does not build:\n${(built.stderr + built.stdout).slice(-3000)}`);
	process.exit(1);
}
const whole = new Map(programs.map((program) => [program, measured(program)]));

// What became of the test when the check was gone; undefined: it failed, as it should.
function judge(m) {
	if (!passed(whole.get(m.program), m.test)) return `${m.test} does not pass as it is`;
	const path = join(tree, m.file);
	const before = readFileSync(path, 'utf8');
	let after;
	try {
		after = mutate(m, before);
	} catch (e) {
		return e.message;
	}
	writeFileSync(join(directory, 'changed'), m.file);
	writeFileSync(path, after);
	try {
		const { status, stdout, stderr } = build([programOf(m.program)]);
		if (status !== 0) return `it does not build:\n${(stderr + stdout).slice(-2000)}`;
		const { stdout: out, stderr: says, signal } = run(m.program);
		if (failed(out, m.test) || (m.stops && signal === 'SIGABRT' && says.includes(m.stops))) return undefined;
		return passed(out, m.test) ? `${m.test} still passes` : `the program ends before it says "not ok" of ${m.test}`;
	} finally {
		writeFileSync(path, before);
		rmSync(join(directory, 'changed'));
	}
}

console.log(`1..${chosen.length}`);
let bad = 0;
for (const [i, m] of chosen.entries()) {
	const why = judge(m);
	if (why === undefined) {
		console.log(`ok ${i + 1} - ${m.name}: taken away, ${m.test} ${m.stops ? 'ends the process' : 'fails'}`);
		continue;
	}
	bad++;
	console.log(`not ok ${i + 1} - ${m.name}: ${why.replaceAll('\n', '\n# ')}`);
}
console.log(`# ${chosen.length - bad} of ${chosen.length} are noticed when they are gone`);
process.exit(bad === 0 ? 0 : 1);
