// SPDX-License-Identifier: BSD-3-Clause-Clear
// The commands as a person types them: what is wrong is said, with exit code 2, and nothing is started for it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../tools/devnet/network.mjs';

const run = (program, args, options = {}) => spawnSync(program, args, { encoding: 'utf8', timeout: 60000, ...options });
const script = (name, ...args) => run(process.execPath, [join(root, 'tools/devnet', `${name}.mjs`), ...args]);
const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const program = (name, ...args) => run(join(programs, name), args);

const refusals = [
	['encrypt', ['--type', 'uint8', '--value', '256'], /256 does not fit uint8: at most 255/],
	['encrypt', ['--type', 'euint9', '--value', '1'], /no type "euint9"/],
	['encrypt', ['--type', 'uint8', '--value', '-1'], /ambiguous|not a value/],
	['encrypt', ['--type', 'uint8', '--value=-1'], /"-1" is not a value of type uint8/],
	['encrypt', ['--type', 'address', '--value', '0x12'], /not an address/],
	['encrypt', ['--type', 'bool', '--value', '2'], /2 does not fit bool/],
	['encrypt', ['--type', 'uint8'], /--type and --value are needed/],
	['encrypt', ['--type', 'uint8', '--value', '1', '--allow-user', '0x12'], /"0x12" is not an address/],
	['encrypt', ['--type', 'uint8', '--value', '1', '--contract', `0x${'11'.repeat(20)}`], /--contract comes with --allow-user/],
	['decrypt', ['0x1234'], /one handle is needed/],
	['decrypt', [`0x${'00'.repeat(30)}0500`, '--user', '0x12'], /--user takes a private key/],
	['decrypt', [`0x${'00'.repeat(30)}0500`, '--contract', `0x${'11'.repeat(20)}`], /--contract comes with --user/],
	['decrypt', [`0x${'00'.repeat(30)}5a00`], /type that cannot be decrypted/],
	['demo', ['--value', '1'], /come together/],
	['demo', ['--type', 'uint8', '--value', '300'], /does not fit uint8/],
	['demo', ['--frobnicate'], /frobnicate/],
	['up', ['--port-base', '80'], /not a port base/],
];
for (const [name, args, expected] of refusals)
	test(`${name} ${args.join(' ')} is refused`, () => {
		const { status, stderr } = script(name, ...args);
		assert.match(stderr, expected);
		assert.equal(status, 2);
	});

for (const name of ['kms-connector', 'kms-server', 'kms-gen-keys', 'kms-dev-dealer'])
	test(`${name} explains itself`, () => {
		const help = program(name, '--help');
		assert.equal(help.status, 0, help.stderr);
		assert.match(help.stdout, /^usage: /im);
		const version = program(name, '--version');
		assert.equal(version.status, 0, version.stderr);
		assert.match(version.stdout, /\d+\.\d+\.\d+/);
		assert.equal(program(name, '--no-such-option').status, 2);
	});

test('a configuration error names file, line and key, and the process exits 1', () => {
	const dir = mkdtempSync(join(tmpdir(), 'claviger-config-'));
	const file = join(dir, 'connector.toml');
	writeFileSync(file, 'gateway_url = "http://127.0.0.1:1"\ngateway_chain_id = "many"\n');
	const { status, stderr } = program('kms-connector', 'start', '-c', file);
	assert.equal(status, 1);
	assert.match(stderr, new RegExp(`${file}.*2.*gateway_chain_id`, 's'));
	assert.equal(existsSync(join(dir, 'kms-connector.db')), false);
	rmSync(dir, { recursive: true });
});
