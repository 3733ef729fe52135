// SPDX-License-Identifier: BSD-3-Clause-Clear
import { main } from './cli.mjs';
import { Coprocessor } from './coprocessor.mjs';
import { readDevnet } from './network.mjs';
import { exampleContract } from './private.mjs';
import { UsageError, parseAddress, parseValue, typeByName, types } from './types.mjs';
import { encryptList } from './user.mjs';

const usage = `usage: ./dev encrypt --type T --value V [--allow-public] [--allow-user ADDR [--contract ADDR]] [--chain ID]
  T: ${types.map((type) => type.name).join(', ')}, or with an "e" in front
  --allow-public      let everybody have the value decrypted
  --allow-user ADDR   let this account have it decrypted, for its eyes only,
  --contract ADDR     through this contract (default: ${exampleContract})
  --chain ID          of which host chain the handle is (default: the first)
  Without a permission a decryption request is refused.`;

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

await main(usage, options, async (values) => {
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
