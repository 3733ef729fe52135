// SPDX-License-Identifier: BSD-3-Clause-Clear
// The cores of a committee on machines of their own, as far as the network goes: each in a network namespace, on a wire to one
// switch. A wire can be pulled. Only inside namespace.mjs, where all of this is nobody else's.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const net = '10.77.0';
const switchHost = 254;

export const namespaceFlags = ['-n', '-m'];
export const namespaceProbe = 'ip link set lo up && ip link add probe0 type bridge && ip link add probe1 type veth peer name probe2';
export const namespaceMissing = 'no network of its own: this test needs iproute2, and root or user namespaces (unshare -rnm)';

function run(...command) {
	const { status, stderr } = spawnSync(command[0], command.slice(1), { encoding: 'utf8' });
	assert.equal(status, 0, `${command.join(' ')}: ${stderr}`);
}

export class Wires {
	#holders = new Map(); // party -> the process that keeps its namespace

	static async lay(parties) {
		const wires = new Wires();
		run('ip', 'link', 'set', 'lo', 'up');
		run('ip', 'link', 'add', 'switch', 'type', 'bridge');
		run('ip', 'addr', 'add', `${net}.${switchHost}/24`, 'dev', 'switch');
		run('ip', 'link', 'set', 'switch', 'up');
		for (let party = 1; party <= parties; party++) await wires.#add(party);
		return wires;
	}

	async #add(party) {
		const holder = spawn('unshare', ['-n', 'sleep', '900'], { stdio: 'ignore' });
		this.#holders.set(party, holder);
		const own = `/proc/${holder.pid}/ns/net`;
		for (let tries = 0; ; tries++) {
			if (spawnSync('sh', ['-c', `[ "$(readlink ${own})" != "$(readlink /proc/self/ns/net)" ]`]).status === 0) break;
			assert.ok(tries < 200, 'a namespace of its own');
			await sleep(10);
		}
		run('ip', 'link', 'add', `wire${party}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(holder.pid));
		run('ip', 'link', 'set', `wire${party}`, 'master', 'switch', 'up');
		run(...this.prefix(party), 'sh', '-c', `ip link set lo up && ip addr add ${this.address(party)}/24 dev eth0 && ip link set eth0 up`);
	}

	address(party) {
		return `${net}.${party}`;
	}

	// A command that runs another one on that machine.
	prefix(party) {
		return ['nsenter', `--net=/proc/${this.#holders.get(party).pid}/ns/net`];
	}

	pull(...parties) {
		for (const party of parties) run('ip', 'link', 'set', `wire${party}`, 'down');
	}

	plug(...parties) {
		for (const party of parties) run('ip', 'link', 'set', `wire${party}`, 'up');
	}

	end() {
		for (const holder of this.#holders.values()) holder.kill('SIGKILL');
	}
}
