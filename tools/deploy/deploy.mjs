// SPDX-License-Identifier: BSD-3-Clause-Clear
/*
 * Deploys a gateway and its host chains.
 *
 * Every contract gets its proxy first, on an empty implementation and initialised in the transaction that makes it, so
 * that all addresses are known; then the real implementation is installed and initialised in one transaction. At no
 * time is there a proxy that a stranger could initialise or upgrade, also where a deployment stops half-way.
 */
import { existsSync } from 'node:fs';
import { Contract, Interface, dataSlice, getAddress } from 'ethers';
import { Journal, writeWhole } from './journal.mjs';
import { ChainError, Sender } from './sender.mjs';
import { artifact, gatewaySet, hostSet } from './set.mjs';

// keccak256("eip1967.proxy.implementation") - 1
const implementationSlot = '0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc';

const same = (a, b) => getAddress(a) === getAddress(b);

// The contracts of one chain: { contracts, implementations }, addresses by name.
export async function deploySet(sender, set, options) {
	const rows = set.rows.filter((row) => !row.canonical || options.canonical);
	const contracts = {};
	const proxied = rows.filter((row) => row.init);
	const emptyProxy = (name, empty, { name: emptyName, file }, args) =>
		sender.create(`${name} proxy`, 'ERC1967Proxy', undefined, [sender.address(empty), new Interface(artifact(emptyName, file).abi).encodeFunctionData('initialize', args)]);

	await sender.create('root empty', set.rootEmpty.name, set.rootEmpty.file, []);
	await sender.settle();
	await emptyProxy(set.root, 'root empty', set.rootEmpty, [sender.wallet.address]);
	await sender.settle();
	contracts[set.root] = sender.address(`${set.root} proxy`);

	await sender.create('empty', set.empty.name, set.empty.file, [contracts[set.root]]);
	await sender.settle();
	for (const { name } of proxied) if (name !== set.root) await emptyProxy(name, 'empty', set.empty, []);
	for (const row of rows.filter((one) => !one.init)) if (!row.given?.(options)) await sender.create(row.name, row.name, row.file, row.constructor(contracts, options));
	await sender.settle();
	for (const { name, apart } of proxied) if (apart && sender.address(`${name} proxy`) === options.gateway.contracts[apart]) await emptyProxy(`${name} other`, 'empty', set.empty, []);
	await sender.settle();
	const proxyOf = (name) => sender.address(`${name} other proxy`) ?? sender.address(`${name} proxy`);
	for (const row of rows) contracts[row.name] = row.init ? proxyOf(row.name) : (row.given?.(options) ?? sender.address(row.name));

	for (const row of proxied) await sender.create(`${row.name} implementation`, row.name, row.file, row.constructor(contracts, options));
	await sender.settle();
	const implementations = Object.fromEntries(proxied.map(({ name }) => [name, sender.address(`${name} implementation`)]));
	for (const row of proxied) await install(sender, row, contracts, implementations, options);
	await sender.settle();
	await addPausers(sender, set, contracts, options.pausers);
	return { contracts, implementations };
}

async function implementationAt(sender, proxy) {
	return getAddress(dataSlice(await sender.provider.getStorage(proxy, implementationSlot), 12));
}

const initialised = (row) => `${row.name} initialised`;
const isInstalled = (sender, set) => set.rows.every((row) => !row.init || row.canonical || sender.isDone(initialised(row)));

async function install(sender, row, contracts, implementations, options) {
	if (sender.isDone(initialised(row))) return;
	const { abi } = artifact(row.name, row.file);
	const { method, init: args } = !options.canonical && row.mirror ? row.mirror : { method: 'initializeFromEmptyProxy', init: row.init };
	const init = new Interface(abi).encodeFunctionData(method, args(contracts, options));
	const [proxy, implementation] = [contracts[row.name], implementations[row.name]];
	const already = async () => same(await implementationAt(sender, proxy), implementation);
	await sender.call(initialised(row), sender.contract(row.name, row.file, proxy), 'upgradeToAndCall', [implementation, init], already);
}

async function addPausers(sender, set, contracts, pausers) {
	const pauserSet = sender.contract(set.pauserSet.name, set.pauserSet.file, contracts.PauserSet);
	for (const account of pausers) await sender.call(`pauser ${account}`, pauserSet, 'addPauser', [account], () => pauserSet.isPauser(account));
	await sender.settle();
}

// Believes the chain, not the journal: every proxy stands on what was installed, is initialised, and says its version.
async function verifySet(sender, { contracts, implementations }) {
	const versions = {};
	for (const [name, implementation] of Object.entries(implementations)) {
		const found = await implementationAt(sender, contracts[name]);
		if (!same(found, implementation)) throw new ChainError(`${sender.where}: ${name} ${contracts[name]} stands on ${found}, expected ${implementation}: it has been upgraded since`);
		versions[name] = await new Contract(contracts[name], ['function getVersion() view returns (string)'], sender.provider).getVersion();
	}
	return versions;
}

// What another account than the deployer has to do.
class Todo {
	list = [];

	add(sender, from, contract, method, args, why) {
		this.list.push({ chainId: sender.chainId, from, to: contract.target, data: contract.interface.encodeFunctionData(method, args), call: `${method}(${args.flat().join(', ')})`, why });
	}
}

// The owner has to accept, so that a wrong address cannot take a deployment with it.
async function handOver(sender, set, contracts, owner, todo) {
	const root = sender.contract(set.root, undefined, contracts[set.root]);
	if (same(await root.owner(), owner)) return;
	if (same(await root.owner(), sender.wallet.address)) {
		await sender.call(`ownership offered to ${owner}`, root, 'transferOwnership', [owner], async () => same(await root.pendingOwner(), owner));
		await sender.settle();
	}
	if (same(await root.pendingOwner(), owner)) todo.add(sender, owner, root, 'acceptOwnership', [], `${sender.where}: its new owner has to accept`);
}

async function registerHost(sender, gateway, host, deployed, todo) {
	const config = sender.contract('GatewayConfig', undefined, gateway.contracts.GatewayConfig);
	const registered = () => config.isHostChainRegistered(host.chainId);
	const entry = [host.chainId, host.fhevmExecutor, deployed.contracts.ACL, host.name ?? `host ${host.chainId}`, host.website ?? ''];
	if (!same(await config.owner(), sender.wallet.address)) {
		if (!(await registered())) todo.add(sender, await config.owner(), config, 'addHostChain', [entry], `the gateway has another owner than its deployer: it has to add host chain ${host.chainId}`);
		return;
	}
	await sender.call(`host chain ${host.chainId} added`, config, 'addHostChain', [entry], registered);
	await sender.settle();
}

// Who signs encrypted inputs, as the gateway has it now.
export async function todayOf(sender, gateway) {
	const registry = new Contract(gateway.contracts.GatewayConfig, artifact('GatewayConfig').abi, sender.provider);
	return { inputSigners: [...(await registry.getCoprocessorSigners())], inputThreshold: await registry.getCoprocessorMajorityThreshold() };
}

// The first host chain begins with the file's nodes in its first context: they must be the gateway's of today.
async function gatewayToday(sender, gateway, config) {
	const registry = new Contract(gateway.contracts.GatewayConfig, artifact('GatewayConfig').abi, sender.provider);
	const signers = [...(await registry.getKmsSigners())];
	const expected = config.kmsNodes.map(({ signer }) => signer);
	if (signers.join() !== expected.join())
		throw new ChainError(`${sender.where}: GatewayConfig has the KMS signers ${signers.join(', ')}, expected those of the file: ${expected.join(', ')}`);
	return todayOf(sender, gateway);
}

// Every other one begins with what is in use on the first one, and the gateway has to be as far.
async function canonicalToday(sender, gateway, canonical) {
	const protocolConfig = canonical.sender.contract('ProtocolConfig', undefined, canonical.set.contracts.ProtocolConfig);
	const [contextId, epochId] = await protocolConfig.getCurrentKmsContextAndEpoch();
	const registry = new Contract(gateway.contracts.GatewayConfig, artifact('GatewayConfig').abi, sender.provider);
	const known = await registry.getCurrentKmsContextId();
	if (known !== contextId) throw new ChainError(`${sender.where}: GatewayConfig uses context ${known}, ${canonical.sender.where} uses ${contextId}: a host chain can be added when both use the same`);
	const nodes = await protocolConfig.getKmsNodesForContext(contextId);
	const thresholds = await Promise.all(['PublicDecryption', 'UserDecryption', 'KmsGen', 'Mpc'].map((name) => protocolConfig[`get${name}Threshold`]()));
	const inUse = { contextId, epochId, thresholds, nodes: nodes.map((n) => ({ txSender: n.txSenderAddress, signer: n.signerAddress, ipAddress: n.ipAddress, storageUrl: n.storageUrl })) };
	return { ...(await todayOf(sender, gateway)), inUse };
}

const settingsOf = ({ hosts: _hosts, gateway: { rpc: _rpc, deployerKey: _key, inFlight: _n, ...gateway }, ...rest }) => ({ ...rest, gateway });
const hostSettingsOf = ({ rpc: _rpc, deployerKey: _key, inFlight: _n, ...host }) => host;

async function openChains(config, journal, hooks, senders) {
	const all = [['gateway', config.gateway], ...config.hosts.map((host) => ['host chain', host])];
	// Every chain is asked before anything is sent to any.
	for (const [where, chain] of all) senders.push(await Sender.open(chain, where, hooks));
	for (const sender of senders) {
		const steps = journal.chain(sender.chainId, { genesis: sender.genesis, deployer: sender.wallet.address });
		await sender.resume(steps);
	}
}

/*
 * Deploys what readConfig() returns, or goes on where an earlier call with the same `out` stopped.
 *
 * out     file for the result; the journal is written beside it. Without it nothing is written and nothing can go on.
 * report  gets one line of text for each thing that is done
 * hooks   for tests: written, sent, finished (each gets the step's name)
 *
 * Returns { gateway: { chainId, contracts, implementations, versions, … }, hosts: […], todo: […] }.
 */
export async function deploy(config, { out, report = () => {}, hooks } = {}) {
	const journal = new Journal(out && `${out}.journal`, settingsOf(config));
	const senders = [];
	try {
		checkHosts(journal, config, out);
		await openChains(config, journal, hooks, senders);
		const result = await deployAll(config, journal, senders, report);
		if (out) writeWhole(out, result);
		return result;
	} finally {
		for (const sender of senders) sender.close();
		journal.close();
	}
}

function checkHosts(journal, config, out) {
	if (out && existsSync(out) && !existsSync(`${out}.journal`)) throw new ChainError(`${out}: there is a result already, but no journal beside it to go on from; to deploy anew use another --out, or move the result away, too`);
	// Only chains that something was sent to: an entry that never got so far may be mended or taken out.
	const gone = journal.hosts().filter((chainId) => !config.hosts.some((host) => host.chainId === chainId));
	if (gone.length > 0) throw new ChainError(`host chain ${gone.join(', ')} is deployed and no longer in the file: the gateway's owner removes a chain by removeHostChain; put it back into the file`);
	for (const host of config.hosts) journal.addHost(host.chainId, hostSettingsOf(host));
}

// Waits for every one, also after a failure, so that nothing goes on behind the caller's back.
async function all(promises) {
	const settled = await Promise.allSettled(promises);
	const failed = settled.find(({ status }) => status === 'rejected');
	if (failed) throw failed.reason;
	return settled.map(({ value }) => value);
}

async function deployHost(at, host, { sender, gateway, config, report, canonical }) {
	const today = isInstalled(at, hostSet) ? {} : canonical ? await canonicalToday(sender, gateway, canonical) : await gatewayToday(sender, gateway, config);
	const set = await deploySet(at, hostSet, { ...config, ...today, gateway, host, canonical: host.canonical, pausers: host.pausers });
	report(`${at.where}: ${Object.keys(set.contracts).length} contracts, ACL ${set.contracts.ACL}, KMSVerifier ${set.contracts.KMSVerifier}`);
	return set;
}

async function deployAll(config, journal, [sender, ...hostSenders], report) {
	const todo = new Todo();
	const summary = (one, chain, versions, deployed) => ({ chainId: one.chainId, deployer: one.wallet.address, owner: chain.owner, ...deployed, versions });
	const set = await deploySet(sender, gatewaySet, { ...config, pausers: config.gateway.pausers });
	const gateway = { chainId: sender.chainId, ...set };
	report(`${sender.where}: ${Object.keys(set.contracts).length} contracts, GatewayConfig ${set.contracts.GatewayConfig}, Decryption ${set.contracts.Decryption}`);
	const known = { sender, gateway, config, report };
	const [first, ...others] = config.hosts;
	const sets = first ? [await deployHost(hostSenders[0], first, known)] : [];
	const canonical = { sender: hostSenders[0], set: sets[0] };
	sets.push(...(await all(others.map((host, index) => deployHost(hostSenders[index + 1], host, { ...known, canonical })))));
	const hosts = [];
	for (const [index, host] of config.hosts.entries()) {
		const at = hostSenders[index];
		await registerHost(sender, gateway, host, sets[index], todo);
		await handOver(at, hostSet, sets[index].contracts, host.owner, todo);
		hosts.push(summary(at, host, await verifySet(at, sets[index]), sets[index]));
	}
	await handOver(sender, gatewaySet, set.contracts, config.gateway.owner, todo);
	return { gateway: summary(sender, config.gateway, await verifySet(sender, set), set), hosts, todo: todo.list };
}
