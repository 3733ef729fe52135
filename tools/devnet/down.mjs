// SPDX-License-Identifier: BSD-3-Clause-Clear
import { main } from './cli.mjs';
import { stopRecorded } from './network.mjs';

await main('down', {}, async () => {
	const was = await stopRecorded(undefined, (line) => console.log(`  ${line}`));
	console.log(was ? 'The local network is down.' : 'No local network was running.');
});
