// SPDX-License-Identifier: BSD-3-Clause-Clear
// Production parameters from end to end: key and CRS asked for on the chain and made by the KMS, values encrypted by node-tfhe
// with a proof, expanded, squashed and compressed by the server keys alone, decrypted through the chain.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTold, runDemo } from '../e2e/demo.mjs';

test('./dev demo --keygen --parameters default', { timeout: 5400000 }, async () => {
	const { code, output, facts } = await runDemo(['--keygen', '--parameters', 'default', '--port-base', '28900']);
	assert.equal(code, 0, output);
	assertTold(output, [
		/owner +calls keygen on the host chain: PrepKeygenRequest 0x.*, default parameters/,
		/host +ActivateKey: the key is in use/,
		/host +ActivateCrs: the CRS is in use/,
		/client +CompressedXofKeySet, 5\d{8} bytes from http.*: its digest is the chain's/,
		/client +CRS, 4571368 bytes from http.*: its digest is the chain's/,
		/user +encrypts bool true, uint8 201 under this key, with a proof over this CRS/,
		/coprocessor +verified the proof; expanded, squashed and compressed/,
		/coprocessor +stored ct128 of 0x.*: \d{5,6} bytes/,
		/gateway +checked the signature, reached its quorum of 1: PublicDecryptionResponse/,
		/verifier +bool true is what the user encrypted/,
		/verifier +uint8 201 is what the user encrypted/,
		/user +checks signature and link, opens the answer: bool true; nobody else can/,
		/^Everything matched: bool true, uint8 201$/,
	]);
	assert.equal(facts.keys.parameters, 'default');
});
