// SPDX-License-Identifier: BSD-3-Clause-Clear
import { AbiCoder, Wallet, getBytes } from 'ethers';
import { main } from './cli.mjs';
import { inspect, stateOf } from './inspect.mjs';
import { readDevnet } from './network.mjs';
import { PrivateClient, exampleContract } from './private.mjs';
import { Relayer } from './request.mjs';
import { UsageError, formatValue, parseAddress, typeByNumber } from './types.mjs';

const options = { user: { type: 'string' }, contract: { type: 'string' } };

// Ends as soon as either side knows: the gateway's event, or a terminal state of our connector.
async function outcome(devnet, request, look) {
	const terminal = new Set(['refused', 'failed', 'aborted', 'expired']);
	for (const end = Date.now() + 60000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100))) {
		const found = await look();
		if (found !== undefined) return found;
		if (terminal.has(await stateOf(devnet, request.idHex))) throw new Error(`not decrypted:\n${await inspect(devnet, request.idHex)}`);
	}
	throw new Error(`request ${request.idHex}: no answer within 60 s; kms-connector inspect ${request.idHex} says more`);
}

const sent = (relayer, promise) =>
	promise.catch((error) => {
		const revert = error.revert ?? (error.data && relayer.decryption.interface.parseError(error.data));
		throw revert ? new Error(`the gateway refuses the request: ${revert.name}(${revert.args.join(', ')})`) : error;
	});

async function decryptPublic(devnet, relayer, handle) {
	const request = await sent(relayer, relayer.request([handle]));
	const result = await outcome(devnet, request, async () => (await relayer.responses(request))[0]?.args.decryptedResult);
	return AbiCoder.defaultAbiCoder().decode(['uint256'], result)[0];
}

async function decryptPrivate(devnet, relayer, entries, wallet) {
	const client = new PrivateClient(devnet, wallet);
	const signed = await client.sign('direct', entries);
	const request = await sent(relayer, relayer.requestUser(signed));
	const answers = await outcome(devnet, request, async () => {
		const { reached, answers: found } = await relayer.userResponses(request);
		return reached ? found : undefined;
	});
	const [value] = await client.open(entries, signed, answers);
	return value;
}

function parseUser({ user, contract }) {
	if (user === undefined && contract !== undefined) throw new UsageError('--contract comes with --user');
	if (user === undefined) return {};
	if (!/^(0x)?[0-9a-fA-F]{64}$/.test(user)) throw new UsageError('--user takes a private key: 64 hexadecimal digits');
	return { wallet: new Wallet(user), contract: parseAddress(contract ?? exampleContract) };
}

await main('decrypt', options, async (values, [handle]) => {
	if (!/^0x[0-9a-fA-F]{64}$/.test(handle ?? '')) throw new UsageError('one handle is needed: 0x and 64 hexadecimal digits');
	const type = typeByNumber(getBytes(handle)[30]);
	if (!type) throw new UsageError(`${handle} has a type that cannot be decrypted (byte 30)`);
	const { wallet, contract } = parseUser(values);
	const devnet = readDevnet();
	const relayer = new Relayer(devnet);
	try {
		const value = wallet ? await decryptPrivate(devnet, relayer, [{ handle, contract }], wallet) : await decryptPublic(devnet, relayer, handle);
		console.log(formatValue(type, value));
	} finally {
		relayer.close();
	}
}, { positionals: 1 });
