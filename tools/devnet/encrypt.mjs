// SPDX-License-Identifier: BSD-3-Clause-Clear
import { main } from './cli.mjs';
import { Coprocessor } from './coprocessor.mjs';
import { readDevnet } from './network.mjs';
import { exampleContract } from './private.mjs';
import { UsageError, parseAddress, parseValue, typeByName } from './types.mjs';
import { encryptList } from './user.mjs';

const options = {
	type: { type: 'string' },
	value: { type: 'string' },
	'allow-public': { type: 'boolean', default: false },
	'allow-user': { type: 'string' },
	contract: { type: 'string' },
	chain: { type: 'string' },
};

function hostById(devnet, text) {
	if (text === undefined) return devnet.hosts[0];
	const host = devnet.hosts.find(({ chainId }) => String(chainId) === text);
	if (!host) throw new UsageError(`"${text}" is no host chain of the network: ${devnet.hosts.map(({ chainId }) => chainId).join(', ')}`);
	return host;
}

await main('encrypt', options, async (values) => {
	if (values.type === undefined || values.value === undefined) throw new UsageError('--type and --value are needed');
	const type = typeByName(values.type);
	const value = parseValue(type, values.value);
	if (values.contract !== undefined && values['allow-user'] === undefined) throw new UsageError('--contract comes with --allow-user');
	const user = values['allow-user'] && parseAddress(values['allow-user']);
	const contract = parseAddress(values.contract ?? exampleContract);
	if (user === contract) throw new UsageError('user and contract cannot be the same account');
	const devnet = readDevnet();
	const coprocessor = new Coprocessor(devnet, hostById(devnet, values.chain));
	try {
		const list = encryptList(devnet.keys.publicKey, [{ type, value }]);
		const [{ handle }] = await coprocessor.publish(list, { accounts: user ? [user, contract] : [devnet.accounts[0].address], allowPublic: values['allow-public'] });
		console.log(handle);
	} finally {
		coprocessor.close();
	}
});
