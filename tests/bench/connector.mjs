// SPDX-License-Identifier: BSD-3-Clause-Clear
// The connector's figures beside their targets, with conditions. Run by ./dev bench connector.
//
// connector.mjs [--minutes N] [--seconds N] [PART…]: how long cycles and pipeline run; which parts.
import { cpus, loadavg, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { Figures } from './figures.mjs';
import { latency } from './latency.mjs';
import { pipeline } from './pipeline.mjs';
import { recovery } from './recovery.mjs';
import { program } from './standin.mjs';

const portBase = Number(process.env.PORT_BASE ?? 26040);
const { values, positionals } = parseArgs({ options: { minutes: { type: 'string', default: '1' }, seconds: { type: 'string', default: '60' } }, allowPositionals: true });

const parts = {
	ingest: (figures) => figures.run(program('bench_listener')),
	stage: (figures) => figures.run(program('bench_worker'), 'stage'),
	pipeline: (figures) => pipeline(figures, portBase, Number(values.seconds)),
	latency: (figures) => latency(figures, portBase),
	recovery: (figures) => recovery(figures, portBase),
	cycles: (figures) => figures.run(program('bench_worker'), 'cycles', '--minutes', values.minutes),
	backlog: (figures) => figures.run(program('bench_worker'), 'backlog'),
};

const wanted = positionals.length > 0 ? positionals : Object.keys(parts);
const unknown = wanted.find((name) => !parts[name]);
if (unknown) {
	console.error(`no part "${unknown}": ${Object.keys(parts).join(', ')}`);
	process.exit(2);
}

const figures = new Figures();
console.log(`conditions: ${cpus()[0].model.trim()}, ${cpus().length} CPUs, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}; Node ${process.version}; load ${loadavg().map((n) => n.toFixed(1)).join(' ')}`);
let failed = 0;
for (const name of wanted) {
	console.log(`\n-- ${name}`);
	try {
		await parts[name](figures);
	} catch (error) {
		failed += 1;
		console.log(`${name} could not be measured: ${error.message}`);
	}
}
console.log(`\n${figures.table()}`);
process.exit(failed > 0 ? 1 : 0);
