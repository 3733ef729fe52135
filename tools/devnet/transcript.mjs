// SPDX-License-Identifier: BSD-3-Clause-Clear
// What a demo tells: numbered sections, and in them who did what, when, in which transaction.

export const short = (hex) => `${hex.slice(0, 10)}…${hex.slice(-8)}`;

export class Transcript {
	begun = performance.now();
	hops = [];
	#sections = 0;

	section(title) {
		console.log(`\n${++this.#sections}. ${title}`);
	}

	hop(who, what, facts = {}) {
		const ms = Math.round(performance.now() - this.begun);
		this.hops.push({ ms, who, what, ...facts });
		const where = [facts.block !== undefined && `block ${facts.block}`, facts.transaction && `tx ${facts.transaction}`].filter(Boolean).join(', ');
		console.log(`  ${(ms / 1000).toFixed(2).padStart(7)} s  ${who.padEnd(12)} ${what}${where ? `\n${' '.repeat(24)}${where}` : ''}`);
	}
}
