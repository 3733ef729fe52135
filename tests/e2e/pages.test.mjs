// SPDX-License-Identifier: BSD-3-Clause-Clear
// docs/protocol/kms-integration-flow.md and trust-model.md speak of our files, log lines, reasons, metrics and tests by
// name: all of them are there.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../tools/devnet/network.mjs';

const read = (name) => (existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8') : undefined);
const pages = ['kms-integration-flow.md', 'trust-model.md'].map((name) => [name, read(`docs/protocol/${name}`).replace(/^```[^]*?^```$/gm, '')]);
const files = readdirSync(join(root, 'src'), { recursive: true }).filter((name) => /\.[ch]$/.test(name));
// Literals that stand beside each other are one text.
const source = files.map((name) => read(join('src', name)).replace(/"\s*\n\s*"/g, '')).join('\n');
const codes = (page) => [...page.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);

for (const [name, page] of pages) {
	test(`${name}: what is quoted is said by the sources`, () => {
		const texts = [...page.replace(/`[^`\n]+`/g, '').matchAll(/"([^"\n]+)"/g)].flatMap(([, text]) => text.split('…').map((part) => part.trim()).filter((part) => part !== ''));
		for (const text of texts) assert.ok(source.includes(text), `nothing says "${text}"`);
	});

	test(`${name}: files, functions and metrics are there`, () => {
		let n = 0;
		for (const code of codes(page)) {
			if (/^[\w/.-]+\.(c|h|sol|mjs|toml)$/.test(code)) {
				n++;
				assert.ok(['', 'src/', 'contracts/src/'].some((below) => existsSync(join(root, below + code))), `no file ${code}`);
			} else if (/^kms_\w+({\w+="\w+"})?$/.test(code)) {
				const [metric, label, value] = code.match(/\w+/g);
				assert.ok([metric, metric.replace('kms_connector_', '"')].some((part) => source.includes(part)), `no metric ${metric}`);
				if (label) assert.ok(source.includes(`${label}=\\"${value}\\"`), `${metric} has no ${label} ${value}`);
			} else if (/^(mpc|proof|core)_\w+$/.test(code)) {
				assert.ok(source.includes(`${code}(`), `no function ${code}`);
			}
		}
		assert.ok(n > 10, `${n} files`);
	});

	test(`${name}: tests are there`, () => {
		for (const code of codes(page)) {
			const [, folder, file, unit] = code.match(/^(\w+)\/(\w+) (\w+)$/) ?? [];
			const [, suite, title] = code.match(/^e2e\/(\w+) "([^"]+)"$/) ?? [];

			if (unit) {
				const text = read(`tests/unit/${folder}/test_${file}.c`) ?? read(`contracts/test/${folder}/${file}.t.sol`);
				assert.ok(text !== undefined && new RegExp(`^static void ${unit}\\(|^\\w+\\(${unit}[,)]|^\\tfunction ${unit}\\(|^ {4}function ${unit}\\(`, 'm').test(text), `no test ${code}`);
			} else if (suite) {
				const text = read(`tests/e2e/${suite}.test.mjs`);
				assert.ok(text !== undefined && [`test('${title}'`, `test("${title}"`].some((call) => text.includes(call)), `no test ${code}`);
			}
		}
	});
}
