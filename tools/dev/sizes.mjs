// SPDX-License-Identifier: BSD-3-Clause-Clear
// Lengths of files and functions. usage: sizes.mjs FILE… ; prints what is too long. A function is what stands between a
// line that is "{" alone and the next line that is "}" alone, as the formatter lays them out.
import { readFileSync } from 'node:fs';

const functionLinesMax = 70;
const fileLinesMax = 1000;

for (const file of process.argv.slice(2)) {
	const lines = readFileSync(file, 'utf8').split('\n');
	if (lines.length > fileLinesMax) console.log(`${file}: ${lines.length} lines`);
	let begun = -1;
	lines.forEach((line, index) => {
		if (line === '{') begun = index;
		if (line === '}' && begun >= 0) {
			if (index - begun - 1 > functionLinesMax)
				console.log(`${file}:${begun + 1}: a function of ${index - begun - 1} lines`);
			begun = -1;
		}
	});
}
