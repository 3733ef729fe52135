// SPDX-License-Identifier: BSD-3-Clause-Clear
// The fields of requests: what is missing is told at once for all of them, what is wrong field by field.
import { dataLength, getAddress, getBytes, isAddress, isHexString } from 'ethers';
import { typeByNumber } from '../types.mjs';
import { RelayerError, invalid } from './errors.mjs';

export const handlesMax = 255;
export const contractsMax = 10; // the gateway's own limit
export const bitsMax = 2048; // likewise
const bytesMax = 1 << 18;

const at = (object, path) => path.split('.').reduce((value, name) => value?.[name], object);

// Refuses a body in which any of these (dotted) paths is absent.
export function needs(body, paths) {
	if (body === null || typeof body !== 'object' || Array.isArray(body)) throw new RelayerError('malformed_json', 'the body is not a JSON object');
	const missing = paths.filter((path) => at(body, path) === undefined || at(body, path) === null);
	if (missing.length > 0)
		throw new RelayerError('missing_fields', `missing: ${missing.join(', ')}`, missing.map((field) => ({ field, issue: 'is missing' })));
}

export function address(value, field) {
	if (typeof value !== 'string' || !isAddress(value)) throw invalid(field, 'is not an address (0x and 40 hexadecimal digits, a correct checksum if any)');
	return getAddress(value);
}

// With or without 0x, as clients differ; `size` in bytes when it is fixed.
export function bytes(value, field, { size, max = bytesMax } = {}) {
	const hex = typeof value === 'string' ? `0x${value.replace(/^0x/, '')}` : '';
	if (!isHexString(hex) || hex.length % 2 !== 0) throw invalid(field, 'is not a string of whole hexadecimal bytes');
	if (size !== undefined && dataLength(hex) !== size) throw invalid(field, `has ${dataLength(hex)} bytes instead of ${size}`);
	if (dataLength(hex) > max) throw invalid(field, `has ${dataLength(hex)} bytes, at most ${max} are taken`);
	return hex;
}

// Decimal, 0x… or a JSON number.
export function number(value, field) {
	const written = typeof value === 'string' || Number.isSafeInteger(value);
	if (!written || !/^(0x[0-9a-f]{1,64}|[0-9]{1,78})$/i.test(String(value)))
		throw invalid(field, 'is not a non-negative whole number');
	return BigInt(value);
}

export function list(value, field, max, item, { empty = false } = {}) {
	if (!Array.isArray(value)) throw invalid(field, 'is not a list');
	if (value.length === 0 && !empty) throw invalid(field, 'is empty');
	if (value.length > max) throw invalid(field, `has ${value.length} entries, at most ${max} are taken`);
	return value.map((entry, index) => item(entry, `${field}[${index}]`));
}

// A handle of a type that can be decrypted.
export function handle(value, field) {
	const hex = bytes(value, field, { size: 32 });
	if (!typeByNumber(getBytes(hex)[30])) throw invalid(field, `${hex} has a type that cannot be decrypted (byte 30)`);
	if (getBytes(hex)[31] !== 0) throw invalid(field, `${hex} has an unknown handle version (byte 31)`);
	return hex;
}

export const chainOf = (handleHex) => BigInt(`0x${handleHex.slice(2 + 2 * 22, 2 + 2 * 30)}`);

// What the gateway charges for; a bool counts as two.
export function checkBits(handles, field) {
	const total = handles.reduce((sum, hex) => sum + Math.max(2, typeByNumber(getBytes(hex)[30]).bits), 0);
	if (total > bitsMax) throw invalid(field, `${total} encrypted bits in one request, at most ${bitsMax} are decrypted: split it`);
}

// Nothing, a KMS context, or a context and an epoch.
export function extraData(value) {
	const hex = bytes(value, 'extraData').toLowerCase();
	if (hex === '0x00' || /^0x0107[0-9a-f]{62}$/.test(hex) || /^0x0207[0-9a-f]{62}08[0-9a-f]{62}$/.test(hex)) return hex;
	throw invalid('extraData', 'is none of 0x00, 0x01 and a context id (0x07…), 0x02 and a context id and an epoch id (0x08…)');
}
