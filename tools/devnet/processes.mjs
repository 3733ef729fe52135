// SPDX-License-Identifier: BSD-3-Clause-Clear
// Processes of the local network: started with a log each, remembered by pid and start time, stopped by exactly that.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

// The kernel's start time of a process (clock ticks since boot): pids are re-used, the pair is not. Null when it is gone.
export function startTime(pid) {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return fields[0] === 'Z' ? null : fields[19];
	} catch {
		return null;
	}
}

export const isRunning = ({ pid, started }) => startTime(pid) === started;

// Start a program in its own session (it outlives this script); stdout and stderr go to the log file.
export function start(name, program, args, { log, env = {}, cwd } = {}) {
	const out = openSync(log, 'a', 0o600);
	const child = spawn(program, args, {
		cwd,
		detached: true,
		stdio: ['ignore', out, out],
		env: { ...process.env, ...env },
	});
	closeSync(out);
	if (child.pid === undefined) throw new Error(`${name}: cannot start ${program}`);
	child.unref();
	const entry = { name, pid: child.pid, started: startTime(child.pid), log };
	child.once('exit', (code, signal) => {
		entry.ended = signal ?? code;
	});
	return entry;
}

// SIGTERM, then SIGKILL after graceMs; only if the pid is still the process that was started.
export async function stop(entry, graceMs = 5000) {
	if (!isRunning(entry)) return 'was not running';
	process.kill(entry.pid, 'SIGTERM');
	for (const end = Date.now() + graceMs; Date.now() < end; await sleep(20)) if (!isRunning(entry)) return 'stopped';
	if (isRunning(entry)) process.kill(entry.pid, 'SIGKILL');
	for (const end = Date.now() + 2000; Date.now() < end; await sleep(20)) if (!isRunning(entry)) return 'killed';
	throw new Error(`${entry.name} (pid ${entry.pid}) does not end`);
}

const tail = (file, lines = 15) => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n  ');

// Poll until ready() gives something truthy; a process that ended meanwhile is told with the end of its log.
export async function waitFor(what, ready, { timeoutMs = 20000, intervalMs = 25, entry } = {}) {
	let last;
	for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(intervalMs)) {
		if (entry && !isRunning(entry)) throw new Error(`${entry.name} ended (${entry.ended ?? 'unknown'}):\n  ${tail(entry.log)}`);
		try {
			const value = await ready();
			if (value) return value;
		} catch (error) {
			last = error;
		}
	}
	throw new Error(`${what}: not within ${timeoutMs} ms${last ? ` (${last.message})` : ''}${entry ? `; log ${entry.log}:\n  ${tail(entry.log)}` : ''}`);
}

// True when something accepts connections there; a text is the path of a Unix socket.
export const portOpen = (port, host = '127.0.0.1') =>
	new Promise((resolve) => {
		const socket = createConnection(typeof port === 'string' ? { path: port } : { port, host });
		const settle = (open) => {
			socket.destroy();
			resolve(open);
		};
		socket.once('connect', () => settle(true));
		socket.once('error', () => settle(false));
	});
