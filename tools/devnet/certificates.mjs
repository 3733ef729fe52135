// SPDX-License-Identifier: BSD-3-Clause-Clear
// X.509 certificates (RFC 5280) for the local network and for tests, made where they are needed: P-256, ECDSA with SHA-256,
// dates to the second.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

// ---- DER ----

const tlv = (tag, ...parts) => {
	const body = Buffer.concat(parts);
	const length = body.length < 128 ? [body.length] : body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 255];
	return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts) => tlv(0x30, ...parts);
const set = (...parts) => tlv(0x31, ...parts);
const octets = (body) => tlv(0x04, body);
const bits = (body) => tlv(0x03, Buffer.from([0]), body);
const yes = tlv(0x01, Buffer.from([0xff]));
const tagged = (n, ...parts) => tlv(0xa0 + n, ...parts);

function oid(text) {
	const [first, second, ...rest] = text.split('.').map(Number);
	const bytes = [first * 40 + second];
	for (let n of rest) {
		const digits = [n & 127];
		while ((n = Math.floor(n / 128)) > 0) digits.unshift((n & 127) | 128);
		bytes.push(...digits);
	}
	return tlv(0x06, Buffer.from(bytes));
}

const time = (ms) => tlv(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`));
const pem = (label, der) => `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${label}-----\n`;

// ---- certificates ----

const ecdsaSha256 = sequence(oid('1.2.840.10045.4.3.2'));
const name = (common) => sequence(set(sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(common)))));
const extension = (id, value, critical = false) => sequence(oid(id), ...(critical ? [yes] : []), octets(value));

// "DNS:core.example", "IP:127.0.0.1" (version 4) or "URI:spiffe://kms/core"
function alternativeName(text) {
	const at = text.indexOf(':');
	const [kind, value] = [text.slice(0, at), text.slice(at + 1)];
	if (kind === 'IP') return tlv(0x87, Buffer.from(value.split('.').map(Number)));
	return tlv(kind === 'DNS' ? 0x82 : 0x86, Buffer.from(value));
}

// An authority and what it issues may have the same name: the key identifiers tell them apart.
const spki = ({ publicKey }) => publicKey.export({ type: 'spki', format: 'der' });
const keyId = (keys) => createHash('sha256').update(spki(keys)).digest().subarray(0, 20);
const identifiers = (keys, issuerKeys) => [extension('2.5.29.14', octets(keyId(keys))), extension('2.5.29.35', sequence(tlv(0x80, keyId(issuerKeys))))];

function certificate({ subject, issuer, keys, issuerKeys, extensions, beginMs, endMs }) {
	const serial = randomBytes(8);
	serial[0] = (serial[0] & 0x7f) | 0x40; // positive and of full length
	const validity = sequence(time(beginMs), time(endMs));
	const tbs = sequence(
		tagged(0, tlv(0x02, Buffer.from([2]))), tlv(0x02, serial), ecdsaSha256, name(issuer), validity, name(subject),
		spki(keys), tagged(3, sequence(...identifiers(keys, issuerKeys), ...extensions)),
	);
	return pem('CERTIFICATE', sequence(tbs, ecdsaSha256, bits(sign('sha256', tbs, issuerKeys.privateKey))));
}

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const hour = 3600 * 1000;
const day = 24 * hour;

// {cert, issue({subject, names, beginMs, endMs}) -> {cert, key}}, all PEM texts. `names`: its own, where it has any.
export function authority(common, names = []) {
	const keys = newKeys();
	const ca = extension('2.5.29.19', sequence(yes), true);
	const usage = extension('2.5.29.15', tlv(0x03, Buffer.from([1, 0x06])), true); // keyCertSign, cRLSign
	const own = names.length > 0 ? [extension('2.5.29.17', sequence(...names.map(alternativeName)))] : [];
	const cert = certificate({ subject: common, issuer: common, keys, issuerKeys: keys, extensions: [ca, usage, ...own], beginMs: Date.now() - hour, endMs: Date.now() + 100 * day });
	return {
		cert,
		issue({ subject = 'test', names, beginMs = Date.now() - hour, endMs = Date.now() + 90 * day }) {
			const own = newKeys();
			const extensions = [
				extension('2.5.29.17', sequence(...names.map(alternativeName))),
				extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))), // server and client
			];
			return {
				cert: certificate({ subject, issuer: common, keys: own, issuerKeys: keys, extensions, beginMs, endMs }),
				key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }),
			};
		},
	};
}

// What a party of a committee has: an authority of its own by which the others know it, and a certificate from it for its
// connections, followed by the authority's. {ca, cert, key, again({beginMs, endMs}) -> {cert, key}}
export function partyCertificates(identity) {
	const names = [`DNS:${identity}`];
	const own = authority(identity, names);
	const again = (dates) => {
		const { cert, key } = own.issue({ subject: identity, names, ...dates });
		return { cert: cert + own.cert, key };
	};
	return { ca: own.cert, ...again({}), again };
}
