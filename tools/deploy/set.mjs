// SPDX-License-Identifier: BSD-3-Clause-Clear
// What a gateway and what a host chain consists of. A row is a contract: what its constructor gets, and what it is
// initialised with if it stands behind a proxy. A new contract is a new row; nothing else here or in the code that
// deploys knows them by name.
import { readFileSync } from 'node:fs';

const artifacts = new URL('../../build/contracts/', import.meta.url);

// Id of a deployment's first context and first epoch.
export const FIRST_CONTEXT_ID = (7n << 248n) + 1n;
export const FIRST_EPOCH_ID = (8n << 248n) + 1n;

const noBridge = '0x0000000000000000000000000000000000000000';

// The compiled contract `name` of the source file `file`.sol: { abi, bytecode }.
export function artifact(name, file = name) {
	const json = JSON.parse(readFileSync(new URL(`${file}.sol/${name}.json`, artifacts), 'utf8'));
	return { abi: json.abi, bytecode: json.bytecode.object };
}

const node = (n) => [n.txSender, n.signer, n.ipAddress ?? '127.0.0.1', n.storageUrl ?? ''];
const hostNode = (n, index) => [...node(n), n.partyId ?? index + 1, n.mpcIdentity ?? '', n.caCert ?? '0x', n.storagePrefix ?? ''];

/*
 * name         of the contract, and of its address in the result
 * file         the source file, if it is not name.sol
 * constructor  (a, o) -> arguments; a: addresses by name, o: what is to be deployed
 * init         (a, o) -> arguments of initializeFromEmptyProxy; a contract without it stands behind no proxy
 * mirror       the same on a host chain that is not the first: { method, init }
 * given        (o) -> an address that is not ours to deploy, or undefined
 * canonical    only on the first host chain
 * apart        name of a gateway's contract: one deployer's contracts on two chains can meet at one address, and clients
 *              refuse a verifier that has the address of the contract it verifies for
 * root, empty: the contract that knows the chain's owner, and the implementations that proxies begin on
 */
export const gatewaySet = {
	root: 'GatewayConfig',
	rootEmpty: { name: 'EmptyUUPSProxyGatewayConfig' },
	empty: { name: 'EmptyUUPSProxy', file: 'GatewayEmptyUUPSProxy' },
	pauserSet: { name: 'PauserSet', file: 'GatewayPauserSet' },
	rows: [
		{
			name: 'GatewayConfig',
			constructor: (a) => [a.PauserSet, a.Decryption, a.InputVerification],
			init: (a, o) => [
				o.kmsContextId ?? FIRST_CONTEXT_ID,
				[o.metadata.name, o.metadata.website],
				[o.thresholds.mpc, o.thresholds.publicDecryption, o.thresholds.userDecryption, o.thresholds.kmsGen, o.coprocessorThreshold],
				o.kmsNodes.map(node),
				o.coprocessors.map((c) => [c.txSender, c.signer, c.s3BucketUrl]),
				o.custodians.map((c) => [c.txSender, c.signer, c.encryptionKey]),
			],
		},
		{ name: 'CiphertextCommits', constructor: (a) => [a.GatewayConfig], init: () => [] },
		{ name: 'Decryption', constructor: (a) => [a.GatewayConfig, a.CiphertextCommits, a.ProtocolPayment], init: () => [] },
		{ name: 'PauserSet', file: 'GatewayPauserSet', constructor: (a) => [a.GatewayConfig] },
		{ name: 'InputVerification', constructor: (a) => [a.GatewayConfig, a.ProtocolPayment], init: () => [] },
		{
			name: 'ProtocolPayment',
			constructor: (a, o) => [a.GatewayConfig, a.ZamaOFT, o.gateway.feesReceiver, a.InputVerification, a.Decryption],
			init: (a, o) => [o.prices.inputVerification, o.prices.publicDecryption, o.prices.userDecryption],
		},
		{ name: 'ZamaOFT', given: (o) => (o.gateway.token === 'local' ? undefined : o.gateway.token), constructor: () => ['Zama', 'ZAMA', 0] },
		{ name: 'KMSGeneration', file: 'GatewayKMSGeneration', constructor: (a) => [a.GatewayConfig], init: () => [] },
	],
};

export const hostSet = {
	root: 'ACL',
	rootEmpty: { name: 'EmptyUUPSProxyACL' },
	empty: { name: 'EmptyUUPSProxy', file: 'HostEmptyUUPSProxy' },
	pauserSet: { name: 'PauserSet', file: 'HostPauserSet' },
	rows: [
		{ name: 'ACL', constructor: (a, o) => [o.host.fhevmExecutor, noBridge, a.PauserSet], init: () => [] },
		{
			name: 'ProtocolConfig',
			constructor: (a) => [a.ACL],
			init: (a, o) => [
				o.kmsNodes.map(hostNode),
				// A context here withstands at least one corrupted node, also where a single node makes that a formality.
				[o.thresholds.publicDecryption, o.thresholds.userDecryption, o.thresholds.kmsGen, Math.max(1, o.thresholds.mpc)],
				o.softwareVersion ?? '',
				(o.pcrValues ?? []).map((p) => [p.pcr0, p.pcr1, p.pcr2]),
			],
			// What is in use on the first host chain, which need not be its first context any more.
			mirror: { method: 'initializeFromCanonical', init: (a, { inUse: c }) => [c.contextId, c.epochId, c.nodes.map(hostNode), c.thresholds] },
		},
		{ name: 'KMSVerifier', apart: 'Decryption', constructor: (a) => [a.ACL, a.ProtocolConfig], init: (a, o) => [o.gateway.contracts.Decryption, o.gateway.chainId] },
		{ name: 'PauserSet', file: 'HostPauserSet', constructor: (a) => [a.ACL] },
		{
			name: 'InputVerifier',
			apart: 'InputVerification',
			constructor: (a) => [a.ACL],
			init: (a, o) => [o.gateway.contracts.InputVerification, o.gateway.chainId, o.inputSigners, o.inputThreshold],
		},
		{ name: 'KMSGeneration', file: 'HostKMSGeneration', canonical: true, constructor: (a) => [a.ACL, a.ProtocolConfig], init: () => [] },
	],
};
