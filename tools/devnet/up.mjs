// SPDX-License-Identifier: BSD-3-Clause-Clear
import { existsSync } from 'node:fs';
import { interruptible, main, parsePortBase } from './cli.mjs';
import { Network, defaultDir, devnetFile } from './network.mjs';

await main('up', { 'port-base': { type: 'string' } }, async (values) => {
	if (existsSync(devnetFile())) throw new Error('a local network is recorded as running: ./dev down first');
	const network = new Network({ portBase: parsePortBase(values['port-base']), report: (line) => console.log(`  ${line}`) });
	const { gateway, hosts, logs } = await interruptible(() => network.start()).catch(async (error) => {
		await network.stop();
		throw error;
	});
	console.log(`\nThe local network is up.\n  gateway ${gateway.rpc}   host ${hosts[0].rpc}\n  everything else: ${devnetFile(defaultDir)}\n  logs: ${logs}\nNext: ./dev encrypt --type uint64 --value 42 --allow-public ; stop it with ./dev down`);
});
