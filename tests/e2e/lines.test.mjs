// SPDX-License-Identifier: BSD-3-Clause-Clear
// tests/connector-behaviours.md names tests and changes: all of them are there, and each change still has its place. (That
// the tests notice the changes is what ./dev mutate shows.)
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mutate, mutations } from '../../tools/dev/mutations.mjs';
import { root } from '../../tools/devnet/network.mjs';

const read = (name) => (existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8') : undefined);
const page = read('tests/connector-behaviours.md');
// One that main() does not run does not compile. Some are written by a macro.
const runs = (text, name) => new RegExp(`^static void ${name}\\(|^\\w+\\(${name}[,)]`, 'm').test(text);

test('every line of 1 to 72 is there, with a change', () => {
	const numbers = [...page.matchAll(/^\| ([\d, ]+) \|.*\| (.+) \|$/gm)];
	assert.deepEqual(
		numbers.flatMap(([, list]) => list.split(', ').map(Number)),
		Array.from({ length: 72 }, (_, i) => i + 1),
	);
	for (const [line, , change] of numbers) assert.ok(change.trim().length > 3, line);
});

test('every test that the page names is there', () => {
	const unit = [...page.matchAll(/`(\w+)\/(\w+) (test_\w+)`/g)];
	const e2e = [...page.matchAll(/`e2e\/(\w+) "([^"`]+)"`/g)];
	assert.ok(unit.length > 150 && e2e.length > 10);
	for (const [name, folder, file, t] of unit) {
		const text = read(`tests/unit/${folder}/test_${file}.c`);
		assert.ok(text !== undefined && runs(text, t), `${name} is no test`);
	}
	for (const [name, file, t] of e2e) {
		const text = read(`tests/e2e/${file}.test.mjs`);
		assert.ok(text !== undefined && text.includes(`test('${t}'`), `${name} is no test`);
	}
});

test('every change in code font is one that ./dev mutate makes', () => {
	const names = new Set(mutations.map(({ name }) => name));
	assert.equal(names.size, mutations.length);
	const known = new Set([...names, ...[...page.matchAll(/plants? of `\.\/dev sim`: (.*) \|/g)].flatMap(([, list]) => list.match(/[\w-]+/g))]);
	for (const [, change] of page.matchAll(/^\|.*\| (.+) \|$/gm)) for (const [, name] of change.matchAll(/`([a-z0-9]+(?:-[a-z0-9]+)+|expiry)`/g)) assert.ok(known.has(name), `no change "${name}"`);
});

test('every change has its place in the product, and its test', () => {
	for (const m of mutations) {
		assert.notEqual(mutate(m, read(m.file)), read(m.file), m.name);
		const [folder, file] = m.program.split('/');
		const text = read(`tests/unit/${folder}/test_${file}.c`);
		assert.ok(text !== undefined && runs(text, m.test), `${m.name}: ${m.program} ${m.test} is no test`);
	}
});
