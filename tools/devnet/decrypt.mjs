// SPDX-License-Identifier: BSD-3-Clause-Clear
import { AbiCoder, getBytes } from 'ethers';
import { main } from './cli.mjs';
import { inspect, stateOf } from './inspect.mjs';
import { readDevnet } from './network.mjs';
import { Relayer } from './request.mjs';
import { UsageError, formatValue, typeByNumber } from './types.mjs';

const usage = 'usage: ./dev decrypt HANDLE   asks for the value through the chain and prints it';

// Ends as soon as either side knows: the gateway's response event, or a terminal state of our connector.
async function outcome(devnet, relayer, request) {
	const terminal = new Set(['refused', 'failed', 'aborted', 'expired']);
	for (const end = Date.now() + 60000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100))) {
		const [event] = await relayer.responses(request);
		if (event) return event.args.decryptedResult;
		if (terminal.has(await stateOf(devnet, request.idHex))) throw new UsageError(`not decrypted:\n${await inspect(devnet, request.idHex)}`);
	}
	throw new Error(`request ${request.idHex}: no answer within 60 s; kms-connector inspect ${request.idHex} says more`);
}

await main(usage, {}, async (values, [handle, ...rest]) => {
	if (!/^0x[0-9a-fA-F]{64}$/.test(handle ?? '') || rest.length > 0) throw new UsageError('one handle is needed: 0x and 64 hexadecimal digits');
	const type = typeByNumber(getBytes(handle)[30]);
	if (!type) throw new UsageError(`${handle} has a type that cannot be decrypted (byte 30)`);
	const devnet = readDevnet();
	const relayer = new Relayer(devnet);
	try {
		const request = await relayer.request([handle]).catch((error) => {
			throw error.revert ? new UsageError(`the gateway refuses the request: ${error.revert.name}(${error.revert.args.join(', ')})`) : error;
		});
		const [word] = AbiCoder.defaultAbiCoder().decode(['uint256'], await outcome(devnet, relayer, request));
		console.log(formatValue(type, word));
	} finally {
		relayer.close();
	}
});
