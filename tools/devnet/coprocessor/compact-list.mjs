// SPDX-License-Identifier: BSD-3-Clause-Clear
// A ProvenCompactCiphertextList without its proof. tfhe-rs 1.7 safe_serialize, as node-tfhe 1.7 writes it: lists and their
// proofs, then what the values are, then the tag. The dealer reads the CompactCiphertextList that comes out.

const proven = 'high_level_api::ProvenCompactCiphertextList';
const plain = 'high_level_api::CompactCiphertextList';
const newtype = 4 + 8;
const modulus = 4 + 16 + 8;

class Cursor {
	constructor(bytes) {
		this.bytes = Buffer.from(bytes);
		this.at = 0;
	}

	take(n) {
		if (this.at + n > this.bytes.length) throw new Error(`cut short at byte ${this.at}`);
		return this.bytes.subarray(this.at, (this.at += n));
	}

	u32() {
		return this.take(4).readUInt32LE();
	}

	count() {
		return Number(this.take(8).readBigUInt64LE());
	}

	expect(...values) {
		for (const value of values) {
			const found = this.u32();
			if (found !== value) throw new Error(`byte ${this.at - 4}: ${found} where ${value} belongs`);
		}
	}

	// A field element: its version, its limbs. `degree` of them make a coordinate.
	field() {
		this.expect(0);
		this.take(8 * this.count());
	}

	// A point of G1 (degree 1) or G2 (degree 2): at infinity, by one coordinate and a sign, or by two.
	point(degree) {
		this.expect(0);
		const variant = this.u32();
		for (let coordinate = 0; coordinate < variant; coordinate++) {
			if (degree === 2) this.expect(0);
			for (let i = 0; i < degree; i++) this.field();
			if (variant === 1) this.take(1);
		}
	}
}

const text = (string) => {
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(string.length));
	return Buffer.concat([length, Buffer.from(string, 'latin1')]);
};

// Proof of the second kind, in its third version: points of G1 and G2, then those that spare the verifier work, if any.
function skipProof(cursor) {
	cursor.expect(2, 1, 3);
	for (const degree of [2, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1]) cursor.point(degree);
	if (cursor.take(1)[0] === 1) {
		cursor.expect(0);
		for (const degree of [2, 2]) cursor.point(degree);
	}
	cursor.expect(0);
	cursor.u32(); // which hashes
}

export function withoutProof(bytes) {
	const cursor = new Cursor(bytes);
	const begin = cursor.take(8 + 3 + 4 + 8 + 3); // versions of the container
	if (!cursor.take(8 + proven.length).equals(text(proven))) throw new Error(`not a ${proven}`);
	cursor.expect(0, 0, 0);
	const lists = cursor.count();
	if (lists !== 1) throw new Error(`${lists} proven lists in one input: only one is handled`);
	const listAt = cursor.at;
	cursor.expect(2, 0);
	cursor.take(8 * cursor.count()); // words
	cursor.take(2 * newtype + modulus + 3 * newtype + 2 * 4); // sizes, moduli, expansion kind
	const list = cursor.bytes.subarray(listAt, cursor.at);
	skipProof(cursor);
	const rest = cursor.bytes.subarray(cursor.at); // values and tag
	const versions = Buffer.alloc(8);
	versions.writeUInt32LE(1, 0);
	versions.writeUInt32LE(1, 4);
	return Buffer.concat([begin, text(plain), versions, list, rest]);
}
