// SPDX-License-Identifier: BSD-3-Clause-Clear
// Searches the writable memory of a running process (Linux, /proc) for planted values, in the forms in which they could be
// left behind. Pages of secret memory are told apart by what the kernel says of them: locked, left out of dumps.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const piece = 1 << 20;

// The writable mappings: [{from, to, name, secret}].
export function mappings(pid) {
	const found = [];
	for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
		const header = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line);
		if (header) {
			const [, from, to, permissions, name] = header;
			found.push({ from: BigInt(`0x${from}`), to: BigInt(`0x${to}`), writable: permissions[1] === 'w', name: name || 'anonymous', secret: false });
		}
		const flags = /^VmFlags: (.*)$/.exec(line)?.[1].trim().split(' ');
		if (flags) found.at(-1).secret = flags.includes('lo') && flags.includes('dd');
	}
	return found.filter(({ writable, name }) => writable && !/^\[v(var|syscall)/.test(name));
}

// [{name, form, where, secret}] of every needle {name, form, bytes} in the writable memory of `pid`.
export function searchMemory(pid, needles) {
	const overlap = Math.max(...needles.map(({ bytes }) => bytes.length));
	const buffer = Buffer.alloc(piece + overlap);
	const hits = [];
	const memory = openSync(`/proc/${pid}/mem`, 'r');
	try {
		for (const { from, to, name: mapping, secret } of mappings(pid))
			for (let at = from; at < to; at += BigInt(piece)) {
				const want = Number(to - at < BigInt(buffer.length) ? to - at : BigInt(buffer.length));
				let got;
				try {
					got = readSync(memory, buffer, 0, want, at);
				} catch {
					continue; // gone since, or a guard page
				}
				for (const { name, form, bytes } of needles) {
					const place = buffer.subarray(0, got).indexOf(bytes);
					if (place >= 0) hits.push({ name, form, where: `${mapping} at 0x${(at + BigInt(place)).toString(16)}`, secret });
				}
			}
	} finally {
		closeSync(memory);
	}
	return hits;
}

// The needles of a planted value: its bytes in both orders, as text in hexadecimal, as a JSON list, as a decimal number.
export function formsOf(name, value) {
	const bytes = Buffer.from(value);
	const hex = bytes.toString('hex');
	const forms = {
		binary: bytes,
		reversed: Buffer.from(bytes).reverse(),
		hex,
		HEX: hex.toUpperCase(),
		base64: bytes.toString('base64').replace(/=+$/, ''),
		JSON: [...bytes].join(','),
		'spaced JSON': [...bytes].join(', '),
		decimal: BigInt(`0x${hex}`).toString(),
	};
	return Object.entries(forms).map(([form, content]) => ({ name, form, bytes: Buffer.from(content) }));
}

// And of a text.
export const formsOfText = (name, text) => [
	...formsOf(name, Buffer.from(text)),
	{ name, form: 'URL', bytes: Buffer.from(encodeURIComponent(text)) },
];

// Bits of an FHE secret key, from the serialised key: words of 8 bytes, each 0 or 1. A few windows of it, in the forms of
// the file, of one byte per bit, of packed bits in both orders, of text.
export function formsOfKeyBits(name, file, windows = 6, bitsN = 160) {
	const runs = [];
	for (let offset = 0; offset < 8; offset++) {
		let begin = offset;
		for (let at = offset; at + 8 <= file.length; at += 8) {
			if (file[at] <= 1 && file.readUIntLE(at + 1, 6) === 0 && file[at + 7] === 0) continue;
			if (at - begin >= 8 * 2 * bitsN) runs.push({ begin, n: (at - begin) / 8 });
			begin = at + 8;
		}
		if (file.length - begin >= 8 * 2 * bitsN) runs.push({ begin, n: Math.floor((file.length - begin) / 8) });
	}
	const bitsOf = ({ begin, n }, first) => Array.from({ length: bitsN + 8 }, (_, i) => file[begin + 8 * Math.min(first + i, n - 1)]);
	const random = (bits) => bits.reduce((sum, bit) => sum + bit, 0) > bitsN / 4;
	const chosen = runs
		.sort((a, b) => b.n - a.n)
		.flatMap((run) => [0.2, 0.5, 0.8].map((part) => ({ run, first: Math.floor((run.n - bitsN - 8) * part) })))
		.map(({ run, first }) => bitsOf(run, first))
		.filter(random)
		.slice(0, windows);
	if (chosen.length === 0) throw new Error('no key bits found: the test would find nothing');
	const pack = (bits, weight) => Buffer.from(Array.from({ length: bitsN / 8 }, (_, i) => bits.slice(8 * i, 8 * i + 8).reduce((sum, bit, k) => sum + (bit << weight(k)), 0)));
	return chosen.flatMap((all) => {
		const bits = all.slice(0, bitsN);
		const words = Buffer.alloc(8 * bitsN);
		bits.forEach((bit, i) => (words[8 * i] = bit));
		const shifted = Array.from({ length: 8 }, (_, shift) => all.slice(shift, shift + bitsN));
		return [
			{ name, form: 'words', bytes: words },
			{ name, form: 'bytes', bytes: Buffer.from(bits) },
			{ name, form: 'JSON', bytes: Buffer.from(bits.join(',')) },
			...shifted.map((some) => ({ name, form: 'packed', bytes: pack(some, (k) => k) })),
			...shifted.map((some) => ({ name, form: 'packed, reversed', bytes: pack(some, (k) => 7 - k) })),
		];
	});
}
