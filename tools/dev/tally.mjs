// SPDX-License-Identifier: BSD-3-Clause-Clear
// Counts passed and failed tests in a log. usage: tally.mjs meson|forge|tap|node FILE -> "PASSED FAILED" on stdout, and what
// is known of each failure on stderr.
import { readFileSync } from 'node:fs';

const shownLinesMax = 40;

// The failed lines of a TAP log, each with what follows it until the next result.
const tellTap = (text) => {
	let telling = 0;
	for (const line of text.split('\n')) {
		if (/^\s*not ok\b/.test(line)) telling = shownLinesMax;
		else if (/^\s*ok\b/.test(line)) telling = 0;
		if (telling-- > 0) process.stderr.write(`    ${line.slice(0, 400)}\n`);
	}
};

const countTap = (text) => {
	const lines = text.split('\n');
	tellTap(text);
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
		if (run.result !== 'OK') {
			if (one.failed === 0) one.failed = 1;
			process.stderr.write(`  ${run.name}: ${run.result}\n${(run.stderr ?? '').slice(0, 2500)}\n`);
		}
		total.passed += one.passed;
		total.failed += one.failed;
	}
	return total;
};

const countForge = (text) => {
	const total = { passed: 0, failed: 0 };
	for (const suite of Object.values(JSON.parse(text)))
		for (const [name, result] of Object.entries(suite.test_results))
			if (result.status === 'Success') total.passed += 1;
			else {
				total.failed += 1;
				process.stderr.write(`    ${name}: ${result.reason ?? result.status}\n`);
			}
	return total;
};

// node --test: its own totals, because a test file that cannot be loaded shows there as well.
const countNode = (text) => {
	const total = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
	const skipped = total('skipped') + total('todo');
	tellTap(text);
	return { passed: total('pass'), failed: total('fail') + total('cancelled') + skipped };
};

const [kind, file] = process.argv.slice(2);
const { passed, failed } = { meson: countMeson, forge: countForge, tap: countTap, node: countNode }[kind](
	readFileSync(file, 'utf8'),
);
if (!Number.isInteger(passed) || !Number.isInteger(failed)) throw new Error(`${file}: no totals in this log`);
process.stdout.write(`${passed} ${failed}\n`);
