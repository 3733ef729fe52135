// SPDX-License-Identifier: BSD-3-Clause-Clear
// Prints bls12_446.txt: the curve BLS12-446 by its definition, in big integers. usage: node make_bls12_446.mjs > bls12_446.txt
//
// Lines, all bytes in hexadecimal as the C code takes them (56 bytes a field element, times 2^448):
//   field G A B A+B A-B A*B 1/A         G: 1 for the prime field, 2 for its extension; 1/0 is 0
//   power DRAW E P1 P2                  k = DRAW^E modulo the order, 1 if that is 0; P1 = k G1, P2 = k G2
//   point G COORDINATES WORD            good; outside: on the curve, not in the group; off: not on the curve; big: >= prime
import { createHash } from 'node:crypto';

const x = -(0x600n * 2n ** 64n + 0x8204000000020001n);
const r = x ** 4n - x ** 2n + 1n;
const p = ((x - 1n) ** 2n / 3n) * r + x;
const montgomery = 2n ** 448n;

let drawn = 0;
const random = (bits) => {
	let v = 0n;
	for (let i = 0; i < bits; i += 256) v = (v << 256n) | BigInt(`0x${createHash('sha256').update(`bls ${drawn++}`).digest('hex')}`);
	return v & ((1n << BigInt(bits)) - 1n);
};
const randomField = () => mod(random(512));
const mod = (a) => ((a % p) + p) % p;
const power = (a, e, m) => {
	let result = 1n;
	for (a %= m; e > 0n; e >>= 1n, a = (a * a) % m) if (e & 1n) result = (result * a) % m;
	return result;
};
const invert = (a) => power(mod(a), p - 2n, p);

// ---- the extension; the prime field is what has no second part ----

const el = (a, b = 0n) => [mod(a), mod(b)];
const add = (a, b) => el(a[0] + b[0], a[1] + b[1]);
const sub = (a, b) => el(a[0] - b[0], a[1] - b[1]);
const mul = (a, b) => el(a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]);
const inv = (a) => {
	const n = invert(a[0] * a[0] + a[1] * a[1]);
	return el(a[0] * n, -a[1] * n);
};
const same = (a, b) => a[0] === b[0] && a[1] === b[1];
const elPower = (a, e) => {
	let result = el(1n);
	for (; e > 0n; e >>= 1n, a = mul(a, a)) if (e & 1n) result = mul(result, a);
	return result;
};
// For a prime that is 3 modulo 4; null for a non-square (in the prime field: for a square of the extension only).
const sqrt = (a) => {
	const half = elPower(a, (p - 3n) / 4n);
	const root = mul(half, a);
	const sign = mul(half, root);
	const result = same(sign, el(-1n)) ? mul(el(0n, 1n), root) : mul(elPower(add(el(1n), sign), (p - 1n) / 2n), root);
	return same(mul(result, result), a) ? result : null;
};

// ---- points; null is infinity ----

const b = { 1: el(1n), 2: el(1n, 1n) };
const generators = {
	1: [
		el(143189966182216199425404656824735381247272236095050141599848381692039676741476615087722874458136990266833440576646963466074693171606778n),
		el(75202396197342917254523279069469674666303680671605970245803554133573745859131002231546341942288521574682619325841484506619191207488304n),
	],
	2: [
		el(
			96453755443802578867745476081903764610578492683850270111202389209355548711427786327510993588141991264564812146530214503491136289085725n,
			85346509177292795277012009839788781950274202400882571466460158277083221521663169974265433098009350061415973662678938824527658049065530n,
		),
		el(
			49316184343270950587272132771103279293158283984999436491292404103501221698714795975575879957605051223501287444864258801515822358837529n,
			107680854723992552431070996218129928499826544031468382031848626814251381379173928074140221537929995580031433096217223703806029068859074n,
		),
	],
};
const pointAdd = (P, Q) => {
	if (!P || !Q) return P ?? Q;
	const doubles = same(P[0], Q[0]);
	if (doubles && (!same(P[1], Q[1]) || same(P[1], el(0n)))) return null;
	const slope = doubles
		? mul(mul(el(3n), mul(P[0], P[0])), inv(add(P[1], P[1])))
		: mul(sub(Q[1], P[1]), inv(sub(Q[0], P[0])));
	const X = sub(sub(mul(slope, slope), P[0]), Q[0]);
	return [X, sub(mul(slope, sub(P[0], X)), P[1])];
};
const pointMul = (k, P) => {
	let sum = null;
	for (; k > 0n; k >>= 1n, P = pointAdd(P, P)) if (k & 1n) sum = pointAdd(sum, P);
	return sum;
};
const randomPoint = (g) => {
	for (;;) {
		const X = el(randomField(), g === 2 ? randomField() : 0n);
		const Y = sqrt(add(mul(X, mul(X, X)), b[g]));
		if (Y && (g === 2 || Y[1] === 0n)) return [X, Y];
	}
};

// ---- cofactors: h r is the number of points ----

const isqrt = (n) => {
	let s = 1n << BigInt(Math.ceil(n.toString(2).length / 2));
	for (let t = (s + n / s) / 2n; t < s; t = (s + n / s) / 2n) s = t;
	return s;
};
const trace2 = (x + 1n) ** 2n - 2n * p;
const f = isqrt((4n * p * p - trace2 * trace2) / 3n);
const orders2 = [trace2 + 3n * f, trace2 - 3n * f].map((t) => p * p + 1n - t / 2n);
const cofactor = { 1: (x - 1n) ** 2n / 3n, 2: orders2.find((n) => n % r === 0n) / r };
const smallFactors = (n) => {
	const factors = [];
	for (let q = 2n; q < 5000n; q++)
		if (n % q === 0n && factors.every((s) => q % s !== 0n)) factors.push(q);
	return factors;
};
const torsion = (g, q) => {
	let rest = cofactor[g] * r;
	while (rest % q === 0n) rest /= q;
	for (;;) {
		let T = pointMul(rest, randomPoint(g));
		if (!T) continue;
		for (let next = pointMul(q, T); next; next = pointMul(q, T)) T = next;
		return T;
	}
};

// ---- output ----

const le = (v, n = 56) => Buffer.from(v.toString(16).padStart(2 * n, '0'), 'hex').reverse().toString('hex');
const word = (v) => le(mod(v * montgomery));
const coordinate = (g, e) => e.slice(0, g).map(word).join('');
const point = (g, P) => P.map((e) => coordinate(g, e)).join('');
const line = (...words) => console.log(words.join(' '));

const edges = [0n, 1n, p - 1n, 2n, (p - 1n) / 2n, 2n ** 445n, (2n ** 64n - 1n) << 382n, invert(montgomery), p - invert(montgomery)];
const edge = () => edges[Number(random(32) % BigInt(edges.length))];
const field = (g, A, B) => line('field', g, ...[A, B, add(A, B), sub(A, B), mul(A, B), inv(A)].map((e) => coordinate(g, e)));

for (const A of edges.slice(0, 5)) for (const B of edges.slice(0, 5)) field(1, el(A), el(B));
for (let i = 0; i < 12; i++) field(1, el(edge()), el(randomField()));
for (let i = 0; i < 24; i++) field(1, el(randomField()), el(randomField()));
for (let i = 0; i < 16; i++) field(2, el(edge(), edge()), el(edge(), i % 2 ? randomField() : edge()));
for (let i = 0; i < 16; i++) field(2, el(randomField(), randomField()), el(randomField(), randomField()));

// Small and large numbers, and those around which the last step of the multiplication could meet itself.
const last = 64n ** 49n;
const numbers = [0n, 1n, 2n, 3n, 63n, 64n, 65n, r - 1n, r - 2n, r, r + 1n, (r + 1n) / 2n, (r - 1n) / 2n, 2n ** 448n - 1n, 2n ** 256n - 1n];
numbers.push(2n ** 256n, 2n ** 298n, last, 19n * last, 21n * last, (2n * 19n * last) % r, (2n * 21n * last) % r, 42n * last - r);
for (let i = 0; i < 6; i++) numbers.push(random(448));
const powerLine = (N, e) => {
	const k = power(N, e, r) || 1n;
	line('power', le(N), e, point(1, pointMul(k, generators[1])), point(2, pointMul(k, generators[2])));
};
for (const N of numbers) powerLine(N, 1n);
for (const e of [2n, 3n, 7937n, 15872n]) powerLine(random(448), e);

const says = (g, P, verdict) => line('point', g, point(g, P), verdict);
for (const g of [1, 2]) {
	const G = generators[g];
	says(g, G, 'good');
	for (let i = 0; i < 3; i++) {
		const Q = randomPoint(g);
		says(g, pointMul(random(298), G), 'good');
		says(g, pointMul(cofactor[g], Q), 'good');
		says(g, Q, 'outside');
		says(g, pointMul(r, Q), 'outside');
	}
	for (const q of smallFactors(cofactor[g])) {
		const T = torsion(g, q);
		says(g, T, 'outside');
		for (const k of [1n, 2n, 5n]) says(g, pointAdd(pointMul(k, G), T), 'outside');
	}
	says(g, [G[0], add(G[1], el(1n))], 'off');
	says(g, [el(0n), el(0n)], 'off');
	line('point', g, le(p).padEnd(112 * g, '0') + coordinate(g, G[1]), 'big');
	line('point', g, coordinate(g, G[0]) + ''.padEnd(112 * (g - 1), '0') + le(mod(G[1][0] * montgomery) + p), 'big');
}
