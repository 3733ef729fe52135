// SPDX-License-Identifier: BSD-3-Clause-Clear
// What several nodes are for: with as many dead as may fail everything goes on, with one more dead nothing is decrypted, and what
// was asked for meanwhile is answered when one comes back.
import { setTimeout as sleep } from 'node:timers/promises';
import { decryptForUser, decryptOne, finishOne, namesOf } from './hops.mjs';
import { stateOf } from './inspect.mjs';
import { short } from './transcript.mjs';
import { verify } from './verify.mjs';

const watchMs = 6000; // how long nothing must happen

async function killed(t, network, parties) {
	const nodes = network.nodes.filter(({ party }) => parties.includes(party));
	await Promise.all(nodes.map((node) => node.kill()));
	t.hop('nobody', `kills ${namesOf(nodes)}: kms-server and kms-connector by SIGKILL`);
}

async function valuesOf(t, devnet, { idHex }, items) {
	const { values, signers } = await verify(devnet, idHex);
	values.forEach(({ value }, index) => {
		if (value !== items[index].shown) throw new Error(`value ${index}: encrypted ${items[index].shown}, decrypted ${value}`);
	});
	t.hop('verifier', `${values.map(({ type, value }) => `${type} ${value}`).join(', ')}: what the user encrypted, signed by ${signers.length} nodes`);
}

// handles: of items, for everybody; forUser: of the first one, for its user. items have `shown`, what a value looks like.
export async function committeeStory(t, network, { devnet, relayer, items, handles, forUser }) {
	const { mpc } = devnet.thresholds;
	const { nodes } = devnet;
	// Any will do: here the first, which the others dial and which dials them, and the last ones.
	const dead = [1, ...nodes.slice(1 - mpc || nodes.length).map(({ party }) => party)];
	const alive = (gone) => nodes.filter(({ party }) => !gone.includes(party));

	t.section(`${mpc} of ${nodes.length} nodes ${mpc === 1 ? 'is' : 'are'} dead`);
	await killed(t, network, dead);
	const without = await decryptOne(t, devnet, relayer, handles, alive(dead));
	await valuesOf(t, devnet, without, items);
	const opened = await decryptForUser(t, devnet, relayer, items[0], forUser, alive(dead));

	t.section(`${mpc + 1} of ${nodes.length} nodes are dead: nobody can decrypt`);
	const last = 2;
	await killed(t, network, [last]);
	const left = alive([...dead, last]);
	const request = await relayer.request(handles);
	t.hop('relayer', `sends publicDecryptionRequest for ${handles.length} handle${handles.length > 1 ? 's' : ''}: id ${short(request.idHex)}`, { block: request.block, transaction: request.transaction, id: request.idHex });
	await sleep(watchMs);
	const calls = await relayer.responseCalls(request);
	if (calls.length > 0) throw new Error(`${calls.length} nodes answered while ${mpc + 1} were dead`);
	const states = new Set(await Promise.all(left.map((node) => stateOf(devnet, request.idHex, node))));
	t.hop('gateway', `has no answer after ${watchMs / 1000} s; the ${left.length} connectors that live say: ${[...states].join(', ')}`);

	t.section('One comes back');
	const node = network.nodes.find(({ party }) => party === last);
	await node.start();
	t.hop('network', `node ${last} is started again`);
	await finishOne(t, devnet, relayer, request, handles, alive(dead));
	await valuesOf(t, devnet, request, items);
	return { dead, decryption: without.idHex, forUser: opened.id, waited: { id: request.idHex, dead: [...dead, last], ms: watchMs, returned: last } };
}
