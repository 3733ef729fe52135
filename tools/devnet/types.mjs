// SPDX-License-Identifier: BSD-3-Clause-Clear
import { dataSlice, getAddress, isAddress, toBeHex } from 'ethers';

// The value types that can be decrypted end to end, and how a person writes a value of each.

// What is wrong with a command line.
export class UsageError extends Error {}

const row = (name, fheType, bits, push) => ({ name, fheType, bits, push });

// fheType: byte 30 of a handle. push: the method of node-tfhe's compact list builder.
export const types = [
	row('bool', 0, 1, 'push_boolean'),
	row('uint8', 2, 8, 'push_u8'),
	row('uint16', 3, 16, 'push_u16'),
	row('uint32', 4, 32, 'push_u32'),
	row('uint64', 5, 64, 'push_u64'),
	row('uint128', 6, 128, 'push_u128'),
	row('address', 7, 160, 'push_u160'),
	row('uint256', 8, 256, 'push_u256'),
];

const aliases = { uint160: 'address' };

// "uint64", "euint64", "ebool", "eaddress", "uint160" … -> the row.
export function typeByName(name) {
	const plain = String(name).replace(/^e(?=bool|uint|address)/, '');
	const found = types.find((type) => type.name === (aliases[plain] ?? plain));
	if (!found)
		throw new UsageError(`no type "${name}": use one of ${types.map((type) => type.name).join(', ')} (or with an "e" in front)`);
	return found;
}

export const typeByNumber = (fheType) => types.find((type) => type.fheType === fheType);

// Text -> BigInt that fits the type, or a UsageError that says what would fit.
export function parseValue(type, text) {
	const words = { true: 1n, false: 0n };
	if (type.name === 'bool' && text in words) return words[text];
	if (type.name === 'address' && !/^0x[0-9a-fA-F]{40}$/.test(text))
		throw new UsageError(`"${text}" is not an address: 0x and 40 hexadecimal digits`);
	if (!/^(0x[0-9a-fA-F]+|[0-9]+)$/.test(text))
		throw new UsageError(`"${text}" is not a value of type ${type.name}: write a decimal or 0x… number${type.name === 'bool' ? ', true or false' : ''}`);
	const value = BigInt(text);
	const max = (1n << BigInt(type.bits)) - 1n;
	if (value > max) throw new UsageError(`${text} does not fit ${type.name}: at most ${max}`);
	return value;
}

// Text -> an address with its checksum; a wrong checksum is a slip of the pen.
export function parseAddress(text) {
	if (!isAddress(text)) throw new UsageError(`"${text}" is not an address: 0x and 40 hexadecimal digits`);
	return getAddress(text);
}

// BigInt -> what a person reads.
export function formatValue(type, value) {
	if (type.name === 'bool') return value === 1n ? 'true' : value === 0n ? 'false' : `bool(${value})`;
	if (type.name === 'address') return getAddress(toBeHex(value, 20));
	return value.toString();
}

// The host chain of devnet.json that a handle was made on.
export function hostOf(devnet, handle) {
	const chainId = Number(dataSlice(handle, 22, 30));
	const host = devnet.hosts.find((one) => one.chainId === chainId);
	if (!host) throw new Error(`handle ${handle} is of chain ${chainId}, and the network has ${devnet.hosts.map((one) => one.chainId).join(', ')}`);
	return host;
}
