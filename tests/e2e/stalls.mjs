// SPDX-License-Identifier: BSD-3-Clause-Clear
// Whether an event loop stands still, seen from two sides: what the process itself measured (its metrics), and what the kernel
// says of its first thread, which is the loop's. On a machine with less CPU than work a loop is also late because nobody lets
// it run; the kernel counts that time (schedstat), and it is not the loop's.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const pauseMs = 150; // between two questions
const answerMaxMs = 30000;
const sampleMs = 10; // between two looks at the thread

// The loop's thread: how long it has waited for a CPU while it could have run, in ms.
const waitedForCpu = (pid) => Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;

// The number of the system call that the thread sleeps in; undefined where it runs, or where we may not look.
function sleepsIn(pid) {
	try {
		const call = readFileSync(`/proc/${pid}/task/${pid}/syscall`, 'utf8').split(' ')[0];
		return /^\d+$/.test(call) ? call : undefined;
	} catch {
		return undefined;
	}
}

async function timed(url) {
	const begun = performance.now();
	const reply = await fetch(url, { signal: AbortSignal.timeout(answerMaxMs) });
	const text = await reply.text();
	return { ok: reply.ok, text, ms: performance.now() - begun };
}

// Watches processes {name, pid, port, prefix} until stop(): asks for /liveness, /metrics and /healthz again and again, and a
// server that does nothing else: `control` is how late an answer is on this machine.
export class Watch {
	#over = false;
	#jobs = [];
	#control = createServer((req, res) => res.end('alive'));
	controlMs = 0;

	constructor(processes) {
		this.seen = Object.fromEntries(
			processes.map(({ name }) => [name, { stallMs: 0, rawMs: 0, cpuMs: 0, asleepMs: 0, livenessMs: 0, metricsMs: 0, healthzMs: 0, unwell: 0, scrapes: 0, samples: 0 }]),
		);
		this.#jobs.push(this.#repeat(this.#askControl));
		for (const process of processes) for (const job of [this.#scrape, this.#live, this.#health, this.#sample]) this.#jobs.push(this.#repeat(job, process));
		for (const job of this.#jobs) job.catch(() => {}); // told by stop()
	}

	async #repeat(job, process) {
		while (!this.#over) await job.call(this, process, this.seen[process?.name]);
	}

	async #askControl() {
		if (!this.#control.listening) await once(this.#control.listen(0, '127.0.0.1'), 'listening');
		const { ms } = await timed(`http://127.0.0.1:${this.#control.address().port}/`);
		this.controlMs = Math.max(this.controlMs, ms);
		await sleep(pauseMs);
	}

	// The longest round since the last scrape, without the time in which the thread waited for a CPU: since before that scrape
	// was asked for, as nobody here knows when it was answered.
	async #scrape({ pid, port, prefix }, seen) {
		const asked = waitedForCpu(pid);
		const { text, ms } = await timed(`http://127.0.0.1:${port}/metrics`);
		const value = (name) => Number(new RegExp(`^${prefix}_${name} (.*)$`, 'm').exec(text)[1]) * 1000;
		const waited = waitedForCpu(pid) - seen.askedLast;
		const raw = value('loop_stall_seconds');
		// The first scrape tells of what was before.
		if (seen.scrapes++ > 0) {
			seen.rawMs = Math.max(seen.rawMs, raw);
			seen.stallMs = Math.max(seen.stallMs, raw - waited);
			seen.cpuMs = Math.max(seen.cpuMs, value('loop_stall_cpu_seconds'));
		}
		seen.askedLast = asked;
		seen.metricsMs = Math.max(seen.metricsMs, ms);
		await sleep(pauseMs);
	}

	async #live({ port, name }, seen) {
		const { ok, ms } = await timed(`http://127.0.0.1:${port}/liveness`);
		if (!ok) throw new Error(`${name}: /liveness says no`);
		seen.livenessMs = Math.max(seen.livenessMs, ms);
		await sleep(pauseMs);
	}

	async #health({ port }, seen) {
		const { ok, ms } = await timed(`http://127.0.0.1:${port}/healthz`);
		if (!ok) seen.unwell += 1;
		seen.healthzMs = Math.max(seen.healthzMs, ms);
		await sleep(pauseMs);
	}

	// What an idle loop sleeps in is its wait for something to do: whatever else it sleeps in, it is blocked.
	async #sample({ pid }, seen) {
		const at = performance.now();
		const call = sleepsIn(pid);
		seen.calls ??= new Map();
		if (call !== undefined) {
			seen.samples += 1;
			seen.calls.set(call, (seen.calls.get(call) ?? 0) + 1);
			const [idle] = [...seen.calls].reduce((most, one) => (one[1] > most[1] ? one : most));
			if (call !== idle && call === seen.lastCall) {
				seen.asleepMs = Math.max(seen.asleepMs, at - seen.since);
				if (at - seen.since === seen.asleepMs) seen.asleepIn = call;
			} else seen.since = at;
			if (call === idle) seen.since = at;
		} else seen.since = at;
		seen.lastCall = call;
		await sleep(sampleMs);
	}

	async stop() {
		this.#over = true;
		await Promise.all(this.#jobs);
		this.#control.close();
		this.#control.closeAllConnections();
		for (const seen of Object.values(this.seen)) seen.controlMs = this.controlMs;
		return this.seen;
	}
}

export const report = (what, seen) =>
	Object.entries(seen).map(
		([name, s]) =>
			`${what}: ${name}: longest round ${s.rawMs.toFixed(1)} ms, without waiting for a CPU ${Math.max(0, s.stallMs).toFixed(1)} ms, computing ${s.cpuMs.toFixed(1)} ms; asleep outside its wait ${s.asleepMs.toFixed(0)} ms in ${s.samples} samples; at most: /liveness ${s.livenessMs.toFixed(0)} ms, /metrics ${s.metricsMs.toFixed(0)} ms, /healthz ${s.healthzMs.toFixed(0)} ms (${s.unwell} times not well), a server that does nothing ${s.controlMs.toFixed(0)} ms; ${s.scrapes} scrapes`,
	);

// A library to load before a program: while a file `sync` is in the folder each fsync and fdatasync takes 2 s; while `loop` is
// there getrlimit, which our programs call in a scrape, on the loop, takes 150 ms: the planted stall.
const source = `
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static void slow(const char *name, long ms)
{
	char path[4096];
	const char *dir = getenv("STALL_DIR");
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (access(path, F_OK) == 0)
		nanosleep(&t, NULL);
}
int fsync(int fd) { slow("sync", 2000); return (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { slow("sync", 2000); return (int)syscall(SYS_fdatasync, fd); }
int getrlimit64(__rlimit_resource_t what, struct rlimit64 *r) { slow("loop", 150); return (int)syscall(SYS_prlimit64, 0, what, NULL, r); }
int getrlimit(__rlimit_resource_t what, struct rlimit *r) { return getrlimit64(what, (struct rlimit64 *)r); }
`;

// Builds it in `dir`: {env, slow(name), fast(name)}.
export function slowLibrary(dir) {
	const [file, library, switches] = ['slow.c', 'slow.so', 'switches'].map((name) => join(dir, name));
	mkdirSync(switches);
	writeFileSync(file, source);
	execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, file]);
	return {
		env: { LD_PRELOAD: library, STALL_DIR: switches },
		slow: (name) => writeFileSync(join(switches, name), ''),
		fast: (name) => rmSync(join(switches, name)),
	};
}
