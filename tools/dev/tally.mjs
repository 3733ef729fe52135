// SPDX-License-Identifier: BSD-3-Clause-Clear
// Counts passed and failed tests in a log. usage: tally.mjs meson|forge|tap|node FILE -> "PASSED FAILED"
import { readFileSync } from 'node:fs';

const countTap = (text) => {
	const lines = text.split('\n');
	return {
		passed: lines.filter((line) => /^ok\b/.test(line)).length,
		failed: lines.filter((line) => /^not ok\b/.test(line)).length,
	};
};

// One JSON object per test program; a program that died without a "not ok" is a failure of its own.
const countMeson = (text) => {
	const total = { passed: 0, failed: 0 };
	for (const line of text.split('\n').filter(Boolean)) {
		const run = JSON.parse(line);
		const one = countTap(run.stdout ?? '');
		if (run.result !== 'OK' && one.failed === 0) {
			one.failed = 1;
			process.stderr.write(`  ${run.name}: ${run.result}\n${(run.stderr ?? '').slice(-3000)}\n`);
		}
		total.passed += one.passed;
		total.failed += one.failed;
	}
	return total;
};

const countForge = (text) => {
	const total = { passed: 0, failed: 0 };
	for (const suite of Object.values(JSON.parse(text)))
		for (const result of Object.values(suite.test_results))
			total[result.status === 'Success' ? 'passed' : 'failed'] += 1;
	return total;
};

// node --test: its own totals, because a test file that cannot be loaded shows there as well.
const countNode = (text) => {
	const total = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
	const skipped = total('skipped') + total('todo');
	return { passed: total('pass'), failed: total('fail') + total('cancelled') + skipped };
};

const [kind, file] = process.argv.slice(2);
const { passed, failed } = { meson: countMeson, forge: countForge, tap: countTap, node: countNode }[kind](
	readFileSync(file, 'utf8'),
);
if (!Number.isInteger(passed) || !Number.isInteger(failed)) throw new Error(`${file}: no totals in this log`);
process.stdout.write(`${passed} ${failed}\n`);
