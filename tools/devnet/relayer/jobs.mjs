// SPDX-License-Identifier: BSD-3-Clause-Clear
// What the relayer is working on and what came of it. Bounded: so many of a kind at a time, so many results, each kept so
// long. Kinds have limits of their own, so that none can keep the others out.
import { randomUUID } from 'node:crypto';
import { RelayerError, chainError } from './errors.mjs';

export class Jobs {
	#jobs = new Map();
	#running = new Map();

	constructor({ runningMax = 64, keptMax = 1024, keepMs = 600_000, report = () => {} } = {}) {
		Object.assign(this, { runningMax, keptMax, keepMs, report });
	}

	// Starts work() as a job of this kind; its outcome is {result} or {error}, never a rejection.
	start(kind, work) {
		this.#forget();
		const running = this.#running.get(kind) ?? 0;
		if (running >= this.runningMax) throw new RelayerError('protocol_overload', `${this.runningMax} requests of this kind are being worked on: try again`);
		const job = { id: randomUUID(), kind, begun: Date.now() };
		this.#running.set(kind, running + 1);
		this.#jobs.set(job.id, job);
		job.done = this.#run(job, work);
		return job;
	}

	get(kind, id) {
		const job = this.#jobs.get(id);
		if (job?.kind !== kind) throw new RelayerError('not_found', `no job ${id} of this kind: results are kept for ${this.keepMs / 60_000} minutes`);
		return job;
	}

	async #run(job, work) {
		try {
			job.result = await work();
		} catch (error) {
			job.error = this.#toError(job, error);
		}
		this.#running.set(job.kind, this.#running.get(job.kind) - 1);
		job.ended = Date.now();
		this.report(`${job.kind} ${job.id}: ${job.error ? `${job.error.label}: ${job.error.message}` : 'succeeded'} (${job.ended - job.begun} ms)`);
	}

	#toError(job, error) {
		const known = chainError(error);
		if (known instanceof RelayerError) return known;
		this.report(`${job.kind} ${job.id}: ${error.stack}`);
		return new RelayerError('internal_server_error', `the relayer failed: its log says more (job ${job.id})`);
	}

	// The oldest first, never one that is being worked on.
	#forget() {
		const now = Date.now();
		let kept = this.#jobs.size;
		for (const [id, { ended }] of this.#jobs) {
			if (ended === undefined || (now - ended < this.keepMs && kept < this.keptMax)) continue;
			this.#jobs.delete(id);
			kept--;
		}
	}
}
