// SPDX-License-Identifier: BSD-3-Clause-Clear
// What the end-to-end tests share: a network of their own in a temporary directory, seeded randomness, the database.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Coprocessor } from '../../tools/devnet/coprocessor.mjs';
import { Network } from '../../tools/devnet/network.mjs';
import { Relayer } from '../../tools/devnet/request.mjs';
import { parseValue, typeByName } from '../../tools/devnet/types.mjs';
import { encryptList } from '../../tools/devnet/user.mjs';

// Runs body({network, devnet, coprocessor, relayer, publish}) on a fresh network and takes it down, whatever happens.
export async function withNetwork(options, body) {
	const dir = mkdtempSync(join(tmpdir(), 'claviger-e2e-'));
	// Not mining at once: see Network; a test must not hang for a fault of the chain's.
	const network = new Network({ dir, automine: false, relayer: false, ...options });
	let keep = true;
	try {
		const devnet = await network.start();
		const coprocessor = new Coprocessor(devnet);
		const relayer = new Relayer(devnet);
		const publish = (items, allowPublic = true, accounts = [devnet.accounts[0].address]) => {
			const list = encryptList(devnet.keys.publicKey, items.map(([name, text]) => ({ type: typeByName(name), value: parseValue(typeByName(name), text) })));
			return coprocessor.publish(list, { accounts, allowPublic });
		};
		try {
			await body({ network, devnet, coprocessor, relayer, publish });
			keep = false;
		} finally {
			coprocessor.close();
			relayer.close();
		}
	} finally {
		await network.stop();
		if (keep) console.log(`# files kept in ${dir}`);
		else rmSync(dir, { recursive: true, force: true });
	}
}

// A small seeded generator (splitmix32); the seed is SEED from the environment or fresh, and always printed.
export function seeded(t) {
	const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
	t.diagnostic(`SEED=${seed}`);
	return randomFrom(seed);
}

export function randomFrom(seed) {
	let state = seed;
	const next = () => {
		state = (state + 0x9e3779b9) >>> 0;
		let z = state;
		z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
		z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
		return (z ^ (z >>> 15)) >>> 0;
	};
	return { below: (n) => next() % n };
}

// Rows of the connector's database as objects.
export function query(devnet, sql, ...args) {
	const db = new DatabaseSync(join(devnet.nodes[0].data, 'kms-connector.db'));
	try {
		return db.prepare(sql).all(...args);
	} finally {
		db.close();
	}
}

export const statesOf = (devnet) =>
	Object.fromEntries(query(devnet, 'SELECT state, count(*) AS n FROM operation GROUP BY state').map(({ state, n }) => [state, n]));
