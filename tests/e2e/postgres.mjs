// SPDX-License-Identifier: BSD-3-Clause-Clear
// A PostgreSQL server of the test's own: a new cluster in a temporary directory, on a port of loopback, with a password.
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../tools/devnet/processes.mjs';

// The newest that is installed. None is a failure: apt install postgresql.
export function programs() {
	const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a));
	return join('/usr/lib/postgresql', versions[0], 'bin');
}

// It refuses to run as root.
function user() {
	if (process.getuid() !== 0) return {};
	const [, , uid, gid] = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':')).find(([name]) => name === 'postgres');
	return { uid: Number(uid), gid: Number(gid) };
}

export class Postgres {
	// `port` on 127.0.0.1; `password` may hold anything but a line's end.
	static async start(port, password) {
		const server = new Postgres();
		const bin = programs();
		const identity = user();
		server.dir = mkdtempSync(join(tmpdir(), 'claviger-pg-'));
		const data = join(server.dir, 'data');
		const file = join(server.dir, 'password');
		writeFileSync(file, `${password}\n`, { mode: 0o600 });
		if (identity.uid !== undefined) for (const path of [server.dir, file]) chownSync(path, identity.uid, identity.gid);
		const options = { cwd: '/', ...identity };
		execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'connector', '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', `--pwfile=${file}`], { ...options, stdio: 'pipe' });
		const log = openSync(join(server.dir, 'log'), 'a');
		const settings = ['-c', `port=${port}`, '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='];
		server.child = spawn(join(bin, 'postgres'), ['-D', data, ...settings], { ...options, stdio: ['ignore', log, log] });
		server.ended = new Promise((resolve) => server.child.once('exit', resolve));
		server.url = `postgres://connector:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
		await waitFor('PostgreSQL', () => /^ready/m.test(readFileSync(join(data, 'postmaster.pid'), 'utf8')));
		return server;
	}

	async stop() {
		this.child.kill('SIGQUIT');
		await this.ended;
		rmSync(this.dir, { recursive: true, force: true });
	}
}
