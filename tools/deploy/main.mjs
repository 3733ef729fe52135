// SPDX-License-Identifier: BSD-3-Clause-Clear
import { resolve } from 'node:path';
import { main } from '../devnet/cli.mjs';
import { UsageError } from '../devnet/types.mjs';
import { readConfig } from './config.mjs';
import { deploy } from './deploy.mjs';

const options = { config: { type: 'string' }, out: { type: 'string', default: 'addresses.json' }, check: { type: 'boolean', default: false } };

await main('deploy', options, async (values) => {
	if (values.config === undefined) throw new UsageError('--config is needed');
	const config = readConfig(values.config);
	if (values.check) {
		console.log(`${values.config}: gateway ${config.gateway.chainId}, host chains ${config.hosts.map(({ chainId }) => chainId).join(', ') || 'none'}, ${config.kmsNodes.length} KMS nodes: nothing wrong with it`);
		return;
	}
	const out = resolve(values.out);
	const { todo } = await deploy(config, { out, report: (line) => console.log(`  ${line}`) });
	console.log(`The addresses are in ${out}`);
	for (const { chainId, from, to, data, call, why } of todo) console.log(`Left to do: ${why}\n  on chain ${chainId}, from ${from} to ${to}: ${call}\n  data ${data}`);
});
