// SPDX-License-Identifier: BSD-3-Clause-Clear
// Lengths of files and functions. usage: sizes.mjs FILE… ; prints what is too long on stdout, and what is on its way there on
// stderr. A function of C is what stands between a line that is "{" alone and the next line that is "}" alone, as the
// formatter lays them out.
import { readFileSync } from 'node:fs';

const functionLinesMax = 70;
const fileLinesMax = 700;
const fileLinesGood = 500; // of what is no test

for (const file of process.argv.slice(2)) {
	const lines = readFileSync(file, 'utf8').replace(/\n$/, '').split('\n');
	const test = /(^|\/)tests?\//.test(file);
	if (lines.length > fileLinesMax) console.log(`${file}: ${lines.length} lines, at most ${fileLinesMax}`);
	else if (lines.length > fileLinesGood && !test) console.error(`lint: warning: ${file}: ${lines.length} lines, better at most ${fileLinesGood}`);
	if (!/\.(c|h|cc)$/.test(file)) continue;
	let begun = -1;
	lines.forEach((line, index) => {
		if (line === '{') begun = index;
		if (line === '}' && begun >= 0) {
			const length = index - begun - 1;
			if (length > functionLinesMax) console.log(`${file}:${begun + 1}: a function of ${length} lines, at most ${functionLinesMax}`);
			begun = -1;
		}
	});
}
