// SPDX-License-Identifier: BSD-3-Clause-Clear
import { main } from './cli.mjs';
import { Coprocessor } from './coprocessor.mjs';
import { readDevnet } from './network.mjs';
import { UsageError, parseValue, typeByName, types } from './types.mjs';
import { encryptList } from './user.mjs';

const usage = `usage: ./dev encrypt --type T --value V [--allow-public]
  T: ${types.map((type) => type.name).join(', ')}, or with an "e" in front
  --allow-public   let everybody have the value decrypted; without it a decryption request is refused`;

const options = { type: { type: 'string' }, value: { type: 'string' }, 'allow-public': { type: 'boolean', default: false } };

await main(usage, options, async (values) => {
	if (values.type === undefined || values.value === undefined) throw new UsageError('--type and --value are needed');
	const type = typeByName(values.type);
	const value = parseValue(type, values.value);
	const devnet = readDevnet();
	const coprocessor = new Coprocessor(devnet);
	try {
		const list = encryptList(devnet.keys.publicKey, [{ type, value }]);
		const [{ handle }] = await coprocessor.publish(list, { account: devnet.accounts[0].address, allowPublic: values['allow-public'] });
		console.log(handle);
	} finally {
		coprocessor.close();
	}
});
