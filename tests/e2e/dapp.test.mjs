// SPDX-License-Identifier: BSD-3-Clause-Clear
// The example dapp on a whole local network: sealed, asked for, decrypted, brought back; and everything that is not the
// KMS's word is refused by the contract.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Wallet, getBytes, hexlify } from 'ethers';
import { SealedNumber } from '../../tools/devnet/dapp.mjs';
import { Oracle, proofBy, proofOf, valueOf } from '../../tools/devnet/oracle.mjs';
import { stateOf } from '../../tools/devnet/inspect.mjs';
import { waitFor } from '../../tools/devnet/processes.mjs';
import { withNetwork } from './harness.mjs';

const value = 1844674407370955n;

test('the example dapp', { timeout: 900000 }, async (t) => {
	await withNetwork({ portBase: 28600 }, async ({ devnet, relayer, publish }) => {
		const [host] = devnet.hosts;
		const [user, oracleAccount] = devnet.accounts;
		const dapp = await SealedNumber.open({ host, privateKey: user.privateKey });
		const brought = await SealedNumber.open({ host, privateKey: oracleAccount.privateKey, address: dapp.address });
		const told = [];
		const oracle = new Oracle(brought, relayer, (hop) => told.push(hop));
		const seal = async (text) => {
			const [{ handle }] = await publish([['uint64', text]], false, [user.address, dapp.address]);
			return { handle, id: (await dapp.seal(handle)).id };
		};
		try {
			const first = await seal(String(value));

			await t.test('a sealed number is decrypted for nobody', async () => {
				assert.equal((await dapp.number(first.id)).state, 'sealed');
				const request = await relayer.request([first.handle]);
				await waitFor('refused', async () => (await stateOf(devnet, request.idHex)) === 'refused', { timeoutMs: 30000 });
				assert.equal(await oracle.round(), 0);
			});

			await dapp.request(first.id);
			const request = await relayer.request([first.handle]);
			const { result, signatures, extraData } = await relayer.response(request);
			const proof = proofOf(signatures, extraData);

			await t.test('a forged proof reverts: another value, a stranger\'s signature, a broken one, none', async () => {
				assert.equal(valueOf(result), value);
				assert.equal(await dapp.refusal(first.id, value + 1n, proof), 'KMSInvalidSigner');

				const forger = Wallet.createRandom();
				assert.equal(await dapp.refusal(first.id, 7n, await proofBy(forger, devnet, first.handle, 7n, extraData)), 'KMSInvalidSigner');
				assert.equal(await dapp.refusal(first.id, value, await proofBy(forger, devnet, first.handle, value, extraData)), 'KMSInvalidSigner');

				const broken = getBytes(signatures[0]);
				broken[5] ^= 1;
				assert.match(await dapp.refusal(first.id, value, proofOf([hexlify(broken)], extraData)), /^(KMSInvalidSigner|ECDSAInvalidSignature)$/);
				assert.equal(await dapp.refusal(first.id, value, '0x'), 'EmptyDecryptionProof');
				assert.equal(await dapp.refusal(first.id, value, proof.slice(0, 100)), 'DeserializingDecryptionProofFail');
			});

			await t.test('a proof below the threshold reverts', async () => {
				assert.equal(await dapp.refusal(first.id, value, proofOf([], extraData)), 'KMSZeroSignature');
			});

			await t.test('a proof with other extra data reverts', async () => {
				assert.equal(await dapp.refusal(first.id, value, proofOf(signatures, '0x')), extraData === '0x' ? undefined : 'KMSInvalidSigner');
			});

			await t.test('nothing of that has changed the number; the oracle opens it', async () => {
				assert.deepEqual(await dapp.number(first.id).then(({ state, value: known }) => [state, known]), ['requested', 0n]);
				assert.equal(await oracle.round(), 1);
				assert.deepEqual(told.map(({ step }) => step), ['heard', 'asked', 'decided', 'brought']);
				assert.deepEqual(await dapp.number(first.id).then(({ state, value: known }) => [state, known]), ['opened', value]);
			});

			await t.test('a proof is taken once, and for its own number only', async () => {
				assert.equal(await dapp.refusal(first.id, value, proof), 'WrongState');
				const second = await seal('99');
				assert.equal(await dapp.refusal(second.id, value, proof), 'WrongState');
				await dapp.request(second.id);
				assert.equal(await dapp.refusal(second.id, value, proof), 'KMSInvalidSigner');
				assert.equal(await oracle.round(), 1);
				assert.equal((await dapp.number(second.id)).value, 99n);
			});

			await t.test('an oracle that starts anew opens nothing twice', async () => {
				const third = await seal('123');
				await dapp.request(third.id);
				assert.equal(await new Oracle(brought, relayer).round(), 1);
				assert.equal((await dapp.number(third.id)).value, 123n);
				assert.equal(await oracle.round(), 0);
			});
		} finally {
			dapp.close();
			brought.close();
		}
	});
});
