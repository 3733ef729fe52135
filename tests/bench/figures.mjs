// SPDX-License-Identifier: BSD-3-Clause-Clear
// Figures beside their targets: told when they are there, and all together at the end. Programs in C print theirs as lines
// "figure: WHAT; target WHAT; measured WHAT".
import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import { createInterface } from 'node:readline';

export class Figures {
	#rows = [];

	add(what, target, measured) {
		this.#rows.push([what, target, measured, loadavg()[0].toFixed(1)]);
		console.log(`figure: ${what}; target ${target}; measured ${measured}`);
	}

	// Everything that the program prints is shown; resolves at its end, rejects when that is bad.
	run(program, ...args) {
		const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
		createInterface({ input: child.stdout }).on('line', (line) => {
			console.log(line);
			const row = /^figure: (.*); target (.*); measured (.*)$/.exec(line);
			if (row) this.#rows.push([...row.slice(1), loadavg()[0].toFixed(1)]);
		});
		return new Promise((resolve, reject) => {
			child.once('error', reject);
			child.once('close', (code, signal) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${signal ?? code}`))));
		});
	}

	table() {
		const rows = [['figure', 'target', 'measured', 'load'], ...this.#rows];
		const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
		return rows.map((row) => row.map((text, column) => text.padEnd(widths[column])).join('  ').trimEnd()).join('\n');
	}
}

export const percentile = (list, p) => {
	const sorted = [...list].sort((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))];
};
