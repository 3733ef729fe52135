// SPDX-License-Identifier: BSD-3-Clause-Clear
// The relayer's side towards the gateway: is it time, is it ready, ask, wait for the answer. Sends through request.mjs.
import { setTimeout as sleep } from 'node:timers/promises';
import { Relayer } from '../request.mjs';
import { RelayerError, invalid } from './errors.mjs';
import { time } from './host.mjs';

const pollMs = 100;
const clockSkewS = 15n; // how far a user's clock may be ahead of the chain's
const daySeconds = 86_400n;
const durationMax = 365n * daySeconds; // the gateway's own limit

export class Gateway {
	constructor(devnet, { account, readinessMs = 15_000, responseMs = 60_000 } = {}) {
		this.relayer = new Relayer(devnet, { account });
		Object.assign(this, { readinessMs, responseMs });
	}

	// The time in which the user's signature counts, by the gateway's clock. One that begins a moment ahead of the chain's
	// last block is waited for.
	async requireValidity({ field, start, seconds }) {
		if (seconds === 0n) throw invalid(field, 'lasts no time at all');
		if (seconds > durationMax) throw invalid(field, `lasts ${seconds / daySeconds} days, at most 365 are taken`);
		let now = await this.#now();
		if (start > now + clockSkewS) throw invalid(field, `begins at ${time(start)}, and it is ${time(now)}`);
		if (start + seconds < now) throw invalid(field, `expired at ${time(start + seconds)}, and it is ${time(now)}: have the user sign again`);
		for (; start > now; now = await this.#now()) await sleep(pollMs);
	}

	async #now() {
		return BigInt((await this.relayer.provider.getBlock('latest')).timestamp);
	}

	// Until the coprocessors have published every ciphertext.
	async requireReady(method, args, handles) {
		const { decryption } = this.relayer;
		const ready = await this.#until(this.readinessMs, async () => (await decryption[method](...args)) || undefined);
		if (!ready)
			throw new RelayerError(
				'readiness_check_timed_out',
				`the gateway has no ciphertext of all of ${handles.join(', ')} after ${this.readinessMs / 1000} s: was the transaction that made the handle mined, and is it a handle of this network?`,
			);
	}

	async publicDecrypt(handles, extraData) {
		const request = await this.relayer.request(handles, extraData);
		const args = await this.#answer(request, async () => (await this.relayer.responses(request))[0]?.args);
		return { result: args.decryptedResult, signatures: [...args.signatures], extraData: args.extraData };
	}

	// Shares of at least `threshold` nodes.
	async userDecrypt(signed, threshold) {
		const request = await this.relayer.requestUser(signed);
		return this.#answer(request, async () => {
			const { reached, answers } = await this.relayer.userResponses(request);
			return reached && answers.length >= threshold ? answers : undefined;
		});
	}

	async verifyProof(input) {
		const request = await this.relayer.requestProof(input);
		return this.#answer(request, () => this.relayer.proofResponse(request));
	}

	async #answer({ idHex }, look) {
		const answer = await this.#until(this.responseMs, look);
		if (answer === undefined)
			throw new RelayerError('response_timed_out', `no answer to request ${idHex} within ${this.responseMs / 1000} s: the log of kms-connector (or of the coprocessor, for an input) says more`);
		return answer;
	}

	async #until(timeoutMs, look) {
		for (const end = Date.now() + timeoutMs; ; await sleep(pollMs)) {
			const found = await look();
			if (found !== undefined || Date.now() > end) return found;
		}
	}

	async isReachable() {
		return this.relayer.provider.getBlockNumber().then(
			() => true,
			() => false,
		);
	}

	close() {
		this.relayer.close();
	}
}
