// SPDX-License-Identifier: BSD-3-Clause-Clear
// A stand-in for what a node needs of AWS: KMS (GetPublicKey, Sign of a digest), STS (AssumeRoleWithWebIdentity), the
// metadata service of a machine (version 2) and of a container. Every signed request is verified from the bytes on the wire,
// by a computation that shares nothing with the connector's. Signatures have a high s as often as a low one, as AWS's do.
import { createHash, createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { getBytes, SigningKey } from 'ethers';

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

export const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();

export class Refusal extends Error {
	constructor(code, message, status = 400) {
		super(message);
		this.code = code;
		this.status = status;
	}
}

// ---- Signature Version 4, as the receiver sees it ----

// Headers by lower-case name, repeated ones joined, white space folded.
function headerMap(rawHeaders) {
	const map = new Map();
	for (let i = 0; i < rawHeaders.length; i += 2) {
		const name = rawHeaders[i].toLowerCase();
		const value = rawHeaders[i + 1].trim().replace(/ +/g, ' ');
		map.set(name, map.has(name) ? `${map.get(name)},${value}` : value);
	}
	return map;
}

const strictEncode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

function canonicalQuery(query) {
	return query
		.split('&')
		.filter(Boolean)
		.map((pair) => (pair.includes('=') ? pair : `${pair}=`))
		.map((pair) => pair.split('=').map((part) => strictEncode(decodeURIComponent(part))))
		.sort(([a, b], [c, d]) => (a < c ? -1 : a > c ? 1 : b < d ? -1 : b > d ? 1 : 0))
		.map(([name, value]) => `${name}=${value}`)
		.join('&');
}

// What services differ in: the code of each refusal with its status, how far a date may be off, and that S3's paths are not
// encoded a second time but its requests say the digest of their body.
const rules = {
	other: { skewMaxMs: 5 * 60 * 1000, missing: ['MissingAuthenticationTokenException'], incomplete: ['IncompleteSignature'], wrong: ['InvalidSignatureException'], skewed: ['InvalidSignatureException'], region: ['InvalidSignatureException'], unknown: ['UnrecognizedClientException'], token: ['UnrecognizedClientException'], expired: ['ExpiredTokenException'] },
	s3: { skewMaxMs: 15 * 60 * 1000, missing: ['AccessDenied', 403], incomplete: ['AuthorizationHeaderMalformed'], wrong: ['SignatureDoesNotMatch', 403], skewed: ['RequestTimeTooSkewed', 403], region: ['AuthorizationHeaderMalformed'], unknown: ['InvalidAccessKeyId', 403], token: ['InvalidToken'], expired: ['ExpiredToken'] },
};

// Returns who signed; throws what AWS would answer. `keys` gives {secret, token?, expires?, principal} by access key id.
export function verifySignature({ method, url, rawHeaders, body }, { keys, region, service, nowMs }) {
	const rule = rules[service] ?? rules.other;
	const refuse = (what, message) => {
		throw new Refusal(rule[what][0], message, rule[what][1]);
	};
	const headers = headerMap(rawHeaders);
	const authorization = headers.get('authorization');
	if (!authorization) refuse('missing', 'Missing Authentication Token');
	const parts = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(authorization);
	if (!parts) refuse('incomplete', 'Authorization header is not understood');
	const [, id, day, scopeRegion, scopeService, list, signature] = parts;
	const names = list.split(';');
	if (names.join() !== [...new Set(names)].sort().join()) refuse('incomplete', 'SignedHeaders are not sorted');
	for (const name of headers.keys())
		if ((name.startsWith('x-amz-') || name === 'host' || name === 'content-type') && !names.includes(name))
			refuse('wrong', `There were headers present in the request which were not signed: ${name}`);
	const date = headers.get('x-amz-date');
	if (!/^\d{8}T\d{6}Z$/.test(date ?? '') || !date.startsWith(day)) refuse('incomplete', 'X-Amz-Date is not understood');
	if (scopeService !== service) refuse('wrong', `Credential should be scoped to correct service: '${service}'.`);
	if (scopeRegion !== region) refuse('region', `Credential should be scoped to a valid region.`);
	const atMs = Date.parse(date.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
	if (Math.abs(atMs - nowMs) > rule.skewMaxMs) refuse('skewed', `Signature expired or not yet current: ${date}`);

	const key = keys.get(id);
	if (!key) refuse('unknown', 'The security token included in the request is invalid.');
	if ((key.token ?? null) !== (headers.get('x-amz-security-token') ?? null)) refuse('token', 'The security token included in the request is invalid.');
	const digest = sha256(body);
	if (service === 's3' && headers.get('x-amz-content-sha256') !== digest) throw new Refusal('XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' header does not match what was computed.");
	const [path, query = ''] = url.split('?');
	const canonical = [
		method,
		path.split('/').map((part) => strictEncode(service === 's3' ? decodeURIComponent(part) : part)).join('/') || '/',
		canonicalQuery(query),
		...names.map((name) => `${name}:${headers.get(name) ?? ''}`),
		'',
		list,
		digest,
	].join('\n');
	const toSign = ['AWS4-HMAC-SHA256', date, `${day}/${region}/${service}/aws4_request`, sha256(canonical)].join('\n');
	const signingKey = [day, region, service, 'aws4_request'].reduce(hmac, `AWS4${key.secret}`);
	if (!timingSafeEqual(hmac(signingKey, toSign), Buffer.from(signature, 'hex')))
		refuse('wrong', 'The request signature we calculated does not match the signature you provided.');
	if (key.expires !== undefined && key.expires <= nowMs) refuse('expired', 'The security token included in the request is expired');
	return key;
}

// ---- keys ----

// SubjectPublicKeyInfo as OpenSSL writes it.
function publicKeyDer(privateKey) {
	const hex = privateKey.slice(2);
	const uncompressed = Buffer.from(getBytes(SigningKey.computePublicKey(privateKey, false)));
	const part = (from) => uncompressed.subarray(from, from + 32).toString('base64url');
	const jwk = { kty: 'EC', crv: 'secp256k1', d: Buffer.from(hex, 'hex').toString('base64url'), x: part(1), y: part(33) };
	return createPublicKey(createPrivateKey({ key: jwk, format: 'jwk' })).export({ type: 'spki', format: 'der' });
}

function derInteger(value) {
	let hex = value.toString(16);
	if (hex.length % 2) hex = `0${hex}`;
	if (Number.parseInt(hex.slice(0, 2), 16) >= 0x80) hex = `00${hex}`;
	return Buffer.concat([Buffer.from([2, hex.length / 2]), Buffer.from(hex, 'hex')]);
}

function derSignature(r, s) {
	const inner = Buffer.concat([derInteger(r), derInteger(s)]);
	return Buffer.concat([Buffer.from([0x30, inner.length]), inner]);
}

// ---- the server ----

export class Aws {
	// keys: {alias: private key as 0x…}; all in one region.
	constructor({ port, region = 'eu-west-1', keys = {}, lifetimeMs = 6 * 3600 * 1000 }) {
		this.port = port;
		this.region = region;
		this.lifetimeMs = lifetimeMs;
		this.kms = new Map(Object.entries(keys).map(([name, key]) => [name, { key, der: publicKeyDer(key) }]));
		const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
		this.kms.set('alias/p256', { der: p256.publicKey.export({ type: 'spki', format: 'der' }), spec: 'ECC_NIST_P256' });
		this.credentials = new Map([['AKIASTATIC', { secret: 'static/secret+key', principal: 'static' }]]);
		this.issued = 0;
		this.calls = []; // {action, principal, high}; refused ones have a code
		this.webIdentity = { role: 'arn:aws:iam::123456789012:role/kms', token: undefined };
		this.containerToken = undefined;
		this.clockAheadMs = 0;
		this.fault = undefined; // (action) => Refusal-like {code, status} or undefined
	}

	get url() {
		return `http://127.0.0.1:${this.port}`;
	}

	get nowMs() {
		return Date.now() + this.clockAheadMs;
	}

	async start() {
		this.server = createServer((request, response) => this.#serve(request, response));
		this.server.keepAliveTimeout = 60000;
		await new Promise((resolve, reject) => this.server.once('error', reject).listen(this.port, '127.0.0.1', resolve));
		return this;
	}

	async stop() {
		this.server?.closeAllConnections();
		await new Promise((resolve) => (this.server ? this.server.close(resolve) : resolve()));
	}

	count(action, where = () => true) {
		return this.calls.filter((call) => call.action === action && where(call)).length;
	}

	// What was handed out counts no more.
	revoke() {
		for (const [id, key] of this.credentials) if (key.token) key.expires = 0;
	}

	issue(principal) {
		const id = `ASIA${String(++this.issued).padStart(16, '0')}`;
		const key = { secret: randomBytes(30).toString('base64'), token: randomBytes(600).toString('base64'), principal, expires: this.nowMs + this.lifetimeMs };
		this.credentials.set(id, key);
		return { id, ...key, until: new Date(key.expires).toISOString().replace(/\.\d+Z$/, 'Z') };
	}

	async #serve(request, response) {
		const pieces = [];
		for await (const piece of request) pieces.push(piece);
		const body = Buffer.concat(pieces);
		const target = request.headers['x-amz-target'];
		const send = (status, type, text) => {
			response.writeHead(status, { 'Content-Type': type, Date: new Date(this.nowMs).toUTCString(), 'x-amzn-RequestId': randomBytes(16).toString('hex') });
			response.end(text);
		};
		const call = { action: target?.replace(/^TrentService\./, '') ?? `${request.method} ${request.url}`, path: request.url };
		this.calls.push(call);
		try {
			if (target) send(200, 'application/x-amz-json-1.1', JSON.stringify(this.#kms(call, request, body)));
			else if (request.method === 'POST') send(200, 'text/xml', this.#sts(call, new URLSearchParams(body.toString())));
			else if (request.url === '/container') send(200, 'application/json', this.#container(call, request));
			else send(200, 'text/plain', this.#metadata(call, request));
		} catch (error) {
			if (!(error instanceof Refusal)) throw error;
			call.code = error.code;
			if (target) send(error.status, 'application/x-amz-json-1.1', JSON.stringify({ __type: error.code, message: error.message }));
			else send(error.status, 'text/xml', `<ErrorResponse><Error><Type>Sender</Type><Code>${error.code}</Code><Message>${error.message}</Message></Error></ErrorResponse>`);
		}
	}

	#kms(call, request, body) {
		const by = verifySignature({ method: request.method, url: request.url, rawHeaders: request.rawHeaders, body }, { keys: this.credentials, region: this.region, service: 'kms', nowMs: this.nowMs });
		call.principal = by.principal;
		const fault = this.fault?.(call.action);
		if (fault) throw new Refusal(fault.code, fault.message ?? 'by the test', fault.status);
		const input = JSON.parse(body.toString());
		const name = input.KeyId.startsWith('arn:') ? input.KeyId.split(':').slice(5).join(':') : input.KeyId;
		const entry = this.kms.get(name);
		const arn = `arn:aws:kms:${this.region}:123456789012:key/${sha256(name).slice(0, 8)}`;
		if (!entry) throw new Refusal('NotFoundException', `Alias or key ${input.KeyId} is not found.`);
		if (call.action === 'GetPublicKey')
			return { KeyId: arn, KeySpec: entry.spec ?? 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY', PublicKey: entry.der.toString('base64'), SigningAlgorithms: ['ECDSA_SHA_256'] };
		if (call.action !== 'Sign') throw new Refusal('UnknownOperationException', '');
		const digest = Buffer.from(input.Message, 'base64');
		if (input.MessageType !== 'DIGEST' || input.SigningAlgorithm !== 'ECDSA_SHA_256' || digest.length !== 32) throw new Refusal('ValidationException', 'Digest is invalid length for algorithm ECDSA_SHA_256.');
		const { r, s } = new SigningKey(entry.key).sign(digest);
		call.high = randomBytes(1)[0] % 2 === 1;
		const der = derSignature(BigInt(r), call.high ? order - BigInt(s) : BigInt(s));
		return { KeyId: arn, Signature: der.toString('base64'), SigningAlgorithm: 'ECDSA_SHA_256' };
	}

	#sts(call, form) {
		call.action = form.get('Action');
		const { role, token } = this.webIdentity;
		if (call.action !== 'AssumeRoleWithWebIdentity' || form.get('Version') !== '2011-06-15') throw new Refusal('InvalidAction', 'not this');
		if (form.get('RoleArn') !== role) throw new Refusal('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity', 403);
		if (!token || form.get('WebIdentityToken') !== token) throw new Refusal('InvalidIdentityToken', "Couldn't retrieve verification key from your identity provider");
		const key = this.issue(`web identity ${form.get('RoleSessionName')}`);
		return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>system:serviceaccount:kms:connector</SubjectFromWebIdentityToken>
    <Credentials>
      <AccessKeyId>${key.id}</AccessKeyId>
      <SecretAccessKey>${key.secret}</SecretAccessKey>
      <SessionToken>${key.token}</SessionToken>
      <Expiration>${key.until}</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`;
	}

	#keysJson(principal) {
		const { id, secret, token, until } = this.issue(principal);
		return JSON.stringify({ Code: 'Success', LastUpdated: new Date(this.nowMs).toISOString(), Type: 'AWS-HMAC', AccessKeyId: id, SecretAccessKey: secret, Token: token, Expiration: until });
	}

	#container(call, request) {
		call.action = 'container';
		if (!this.containerToken || request.headers.authorization !== this.containerToken) throw new Refusal('AccessDenied', 'no', 401);
		return this.#keysJson('container');
	}

	#metadata(call, request) {
		const role = '/latest/meta-data/iam/security-credentials/';
		if (request.method === 'PUT' && request.url === '/latest/api/token') {
			if (!(Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']) > 0)) throw new Refusal('BadRequest', 'no time to live');
			call.action = 'metadata token';
			this.metadataToken = randomBytes(20).toString('base64');
			return this.metadataToken;
		}
		if (!this.metadataToken || request.headers['x-aws-ec2-metadata-token'] !== this.metadataToken) throw new Refusal('Unauthorized', 'version 1 is off', 401);
		if (request.url === '/latest/meta-data/placement/region') return this.region;
		if (request.url === role) return 'node-role';
		if (request.url !== `${role}node-role`) throw new Refusal('NotFound', 'no', 404);
		call.action = 'metadata keys';
		return this.#keysJson('machine');
	}
}
