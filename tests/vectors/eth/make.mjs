// SPDX-License-Identifier: BSD-3-Clause-Clear
// Makes abi.json and tx.json with ethers, offline: node tests/vectors/eth/make.mjs
import fs from 'node:fs';
import { Interface, Transaction, SigningKey, keccak256, computeAddress } from 'ethers';

const here = new URL('.', import.meta.url);
const write = (name, data) => fs.writeFileSync(new URL(name, here), JSON.stringify(data, null, 1) + '\n');
const hex = (n, seed) => '0x' + [...Array(n)].map((_, i) => ((i * 7 + seed) & 255).toString(16).padStart(2, '0')).join('');

// The first four are the examples of the Solidity documentation, "Contract ABI Specification".
const calls = [
	['baz(uint32,bool)', ['69', true]],
	['sam(bytes,bool,uint256[])', ['0x64617665', true, ['1', '2', '3']]],
	['f(uint256,uint32[],bytes10,bytes)', [String(0x123), [String(0x456), String(0x789)], '0x31323334353637383930', '0x48656c6c6f2c20776f726c6421']],
	['g(uint256[][],string[])', [[['1', '2'], ['3']], ['one', 'two', 'three']]],
	['nothing()', []],
	['ints(int8,int256,uint8,int128)', ['-1', '-57896044618658097711785492504343953926634992332820282019728792003956564819968', '255', '-170141183460469231731687303715884105728']],
	['fixed(uint8[3],bytes3[2],(bool,address)[2])', [['1', '2', '3'], ['0x010203', '0xfffefd'], [[true, '0x00000000000000000000000000000000DeaDBeef'], [false, '0x0000000000000000000000000000000000000000']]]],
	['deep((string,(bytes,uint256[])[],bytes32)[])', [[['', [], hex(32, 1)], ['a string of more than thirty-two bytes, to have a tail', [['0x', []], [hex(33, 2), ['7']]], hex(32, 3)]]]],
	['mixed(string[2],uint256[2][],bytes[][2])', [['x', ''], [['1', '2'], ['3', '4']], [[], ['0x00', hex(32, 9)]]]],
	['wide(uint256,address,bool,bytes1,bytes32,string)', ['115792089237316195423570985008687907853269984665640564039457584007913129639935', '0xffffffffffffffffffffffffffffffffffffffff', false, '0x80', hex(32, 200), 'é✓']],
];
write('abi.json', calls.map(([signature, values]) => ({
	signature,
	values,
	data: new Interface(['function ' + signature]).encodeFunctionData(signature.split('(')[0], values),
})));

const key = '0x8da4ef21b864d2cc526dbdb2a120bd2874c36c9d0a1fb7f8c63d7f7a8b41de8f';
const max = (1n << 256n) - 1n;
const cases = [
	{ chainId: 1n, nonce: 0, maxPriorityFeePerGas: 0n, maxFeePerGas: 0n, gasLimit: 0n, value: 0n, data: '0x' },
	{ chainId: 54321n, nonce: 7, maxPriorityFeePerGas: 1n, maxFeePerGas: 2000000001n, gasLimit: 21000n, value: 0n, data: '0x' },
	{ chainId: 54321n, nonce: 127, maxPriorityFeePerGas: 128n, maxFeePerGas: 255n, gasLimit: 256n, value: 10n ** 18n, data: '0x7f' },
	{ chainId: 12345n, nonce: 128, maxPriorityFeePerGas: 1500000000n, maxFeePerGas: 90000000000n, gasLimit: 300000n, value: 1n, data: '0x80' },
	{ chainId: 12345n, nonce: 1024, maxPriorityFeePerGas: 3n, maxFeePerGas: 4n, gasLimit: 1000000n, value: 0n, data: hex(55, 1) },
	{ chainId: 11155111n, nonce: 65536, maxPriorityFeePerGas: 3n, maxFeePerGas: 4n, gasLimit: 1000000n, value: 0n, data: hex(56, 2) },
	{ chainId: 9007199254740991n, nonce: 9007199254740991, maxPriorityFeePerGas: max >> 1n, maxFeePerGas: max, gasLimit: 18446744073709551615n, value: max, data: hex(1000, 3) },
	{ chainId: 54321n, nonce: 1, maxPriorityFeePerGas: 1n, maxFeePerGas: 2n, gasLimit: 3n, value: 0n, data: hex(70000, 4) },
];
// Further nonces whose signatures have an r or s with a leading zero byte, which RLP drops.
const signer = new SigningKey(key);
const to = '0xDE409109E0fCCAaE7B87De518F61d617A3fda094';
const sign = (fields) => {
	const tx = Transaction.from({ type: 2, to, ...fields });
	const unsignedHash = tx.unsignedHash;
	tx.signature = signer.sign(unsignedHash);
	return tx;
};
const short = [];
for (let nonce = 0; short.length < 4; nonce++) {
	const fields = { ...cases[1], nonce };
	const { r, s } = sign(fields).signature;
	if (r.startsWith('0x00') || s.startsWith('0x00'))
		short.push(fields);
}
write('tx.json', {
	key,
	address: computeAddress(key),
	to,
	transactions: [...cases, ...short].map((fields) => {
		const tx = sign(fields);
		const raw = tx.serialized;
		const text = Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, String(v)]));
		if (raw.length > 4096) // the data is hex(70000, 4), made by the test; the hash covers every byte
			return { ...text, data: null, signingHash: tx.unsignedHash, raw: null, hash: keccak256(raw) };
		return { ...text, signingHash: tx.unsignedHash, raw, hash: keccak256(raw) };
	}),
});
