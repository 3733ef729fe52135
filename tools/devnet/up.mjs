// SPDX-License-Identifier: BSD-3-Clause-Clear
import { existsSync } from 'node:fs';
import { interruptible, main, parseKeygen, parseNodes, parsePortBase } from './cli.mjs';
import { Network, defaultDir, devnetFile, hostsMax } from './network.mjs';
import { UsageError } from './types.mjs';

function parseHosts(text = '1') {
	const hosts = Number(text);
	if (!Number.isInteger(hosts) || hosts < 1 || hosts > hostsMax) throw new UsageError(`"${text}" host chains: a number from 1 to ${hostsMax}`);
	return hosts;
}

await main('up', { 'port-base': { type: 'string' }, hosts: { type: 'string' }, nodes: { type: 'string' }, keygen: { type: 'boolean', default: false }, parameters: { type: 'string' } }, async (values) => {
	const [portBase, count] = [parsePortBase(values['port-base']), parseHosts(values.hosts)];
	const generated = { nodes: parseNodes(values), ...parseKeygen(values) };
	if (existsSync(devnetFile())) throw new Error('a local network is recorded as running: ./dev down first');
	const network = new Network({ portBase, hosts: count, ...generated, report: (line) => console.log(`  ${line}`) });
	const { gateway, hosts, relayer, logs } = await interruptible(() => network.start()).catch(async (error) => {
		await network.stop();
		throw error;
	});
	const chains = hosts.map(({ rpc, chainId }) => `   host ${chainId} ${rpc}`).join('');
	console.log(`
The local network is up.
  gateway ${gateway.rpc}${chains}
  relayer ${relayer}
  everything else: ${devnetFile(defaultDir)}
  for a dapp: its "sdk" goes as it is into createInstance() of @zama-fhe/relayer-sdk${hosts.length > 1 ? ' ("sdks" has one for each host chain)' : ''}
  logs: ${logs}
Next: ./dev encrypt --type uint64 --value 42 --allow-public ; stop it with ./dev down`);
});
