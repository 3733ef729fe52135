// SPDX-License-Identifier: BSD-3-Clause-Clear
// What stands in a connector's database at one moment, from beside it: of a process that lives, and of one that has just been
// killed. Nothing is changed by looking, not even what the next start has to recover.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { programs } from './postgres.mjs';

export const operationStates = ['seen', 'ready', 'computing', 'answered', 'sending'];
export const transactionStates = ['allocated', 'signed', 'broadcast', 'included', 'free', 'far'];
const list = (names) => names.map((name) => `'${name}'`).join(',');

// Rows without an end, by state; the indexes hold nothing else, so it costs the same after a million operations.
const liveSql = `SELECT 'operation' AS what, state, count(*) AS n FROM operation WHERE state IN (${list(operationStates)}) GROUP BY state
	UNION ALL SELECT 'tx', state, count(*) FROM tx WHERE state IN (${list(transactionStates)}) GROUP BY state`;

class Reader {
	// {seen: 3, …, signed: 1}: the names of both tables are different ones.
	async live() {
		const rows = await this.all(liveSql);
		return Object.fromEntries(rows.map(({ state, n }) => [state, Number(n)]));
	}

	async number(sql) {
		const [row] = await this.all(sql);
		return Number(Object.values(row)[0] ?? 0);
	}
}

// Opened for each look: a connection that stays would keep the log's index alive for the next process.
export class SqliteReader extends Reader {
	constructor(file) {
		super();
		this.file = file;
	}

	static of(devnet) {
		return new SqliteReader(join(devnet.nodes[0].data, 'kms-connector.db'));
	}

	async all(sql) {
		const db = new DatabaseSync(this.file, { readOnly: true });
		try {
			db.exec('PRAGMA busy_timeout = 2000');
			return db.prepare(sql).all();
		} finally {
			db.close();
		}
	}

	close() {}
}

// One psql for all questions: a connection of its own for each would cost more than the answer.
export class PostgresReader extends Reader {
	#turn = Promise.resolve();

	constructor(url) {
		super();
		this.child = spawn(join(programs(), 'psql'), ['-X', '-q', '-A', '-F', '\x1f', '-P', 'footer=off', '-v', 'ON_ERROR_STOP=1', url], { stdio: ['pipe', 'pipe', 'inherit'] });
		this.ended = once(this.child, 'exit');
		this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
		this.child.stdin.write('SET search_path = claviger_connector;\n');
	}

	all(sql) {
		const answer = this.#turn.then(() => this.#ask(sql));
		this.#turn = answer.catch(() => {});
		return answer;
	}

	async #ask(sql) {
		const rows = [];
		this.child.stdin.write(`${sql.replace(/\s+/g, ' ')};\n\\echo \x1e\n`);
		for (;;) {
			const { value, done } = await this.lines.next();
			if (done) throw new Error('psql ended');
			if (value === '\x1e') break;
			rows.push(value.split('\x1f'));
		}
		const [names, ...cells] = rows;
		return cells.map((row) => Object.fromEntries(row.map((cell, index) => [names[index], cell])));
	}

	async close() {
		this.child.stdin.end();
		await this.ended;
	}
}

// How many kills found rows in a state, and how many rows: by who was killed.
export class Hits {
	#counts = new Map();

	add(victim, live) {
		for (const [state, rows] of Object.entries(live)) {
			const key = `${victim} ${state}`;
			const seen = this.#counts.get(key) ?? { kills: 0, rows: 0 };
			this.#counts.set(key, { kills: seen.kills + 1, rows: seen.rows + rows });
		}
	}

	of(victim, state) {
		return this.#counts.get(`${victim} ${state}`) ?? { kills: 0, rows: 0 };
	}

	table(victims) {
		const width = 20;
		const line = (...cells) => cells.map((cell, index) => String(cell)[index === 0 ? 'padEnd' : 'padStart'](index === 0 ? 12 : width)).join('');
		const cell = ({ kills, rows }) => (kills === 0 ? '-' : `${kills} (${rows} rows)`);
		return [line('state', ...victims), ...[...operationStates, ...transactionStates].map((state) => line(state, ...victims.map((victim) => cell(this.of(victim, state)))))];
	}
}
