// SPDX-License-Identifier: BSD-3-Clause-Clear
// The local network: two chains, the contracts, an object store, KMS nodes (core and connector): one, or a committee of which no
// third knows the key. Everything runs on loopback; everything it writes is below one directory; devnet.json says all that a
// script needs to use it.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HDNodeWallet, Mnemonic } from 'ethers';
import { stringify } from 'smol-toml';
import { readConfig } from '../deploy/config.mjs';
import { deploy } from '../deploy/deploy.mjs';
import { generateKeys, storagePrefix } from './keygen.mjs';
import { KmsNode, privatePrefix } from './node.mjs';
import { isRunning, portOpen, start, stop, waitFor } from './processes.mjs';

const run = promisify(execFile);

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const defaultDir = join(root, 'build/devnet');
export const devnetFile = (dir = defaultDir) => join(dir, 'devnet.json');

const programs = process.env.CLAVIGER_PROGRAMS ?? join(root, 'build/release/src/cmd');
const npmProgram = (name) => join(root, 'node_modules/.bin', name);

const mnemonic = 'test test test test test test test test test test test junk';
const chains = { gateway: 54321, host: 12345, host2: 12346, host3: 12347 };
export const hostsMax = Object.keys(chains).length - 1;
const keyId = `04${'0'.repeat(61)}1`; // the first id that a key generation on chain would give
const epochId = `08${'0'.repeat(61)}1`;
const crsId = `05${'0'.repeat(61)}1`;
const bucket = 'copro-1';

// Of 3t + 1 nodes t may be dead or lying. One alone is no committee: it has the key itself.
export const committees = [4, 7, 10, 13];
const startsAtOnce = 4;
const epochMs = 300_000; // seconds, where nothing else runs

// As a real network sets them: t + 1 signatures have an honest one among them, 2t + 1 shares are enough beside t wrong ones.
function thresholdsOf(nodes) {
	const t = (nodes - 1) / 3;
	return { publicDecryption: t + 1, userDecryption: 2 * t + 1, kmsGeneration: 2 * t + 1, mpc: t };
}

// body(item) for all, a few at a time.
async function eachOf(items, body) {
	const left = [...items];
	const lane = async () => {
		for (let item = left.shift(); item !== undefined; item = left.shift()) await body(item);
	};
	await Promise.all(Array.from({ length: startsAtOnce }, lane));
}

// The accounts that every anvil funds, by the role they play here.
// relayerService: the HTTP relayer's own, so that its nonces are nobody else's.
const roles = ['owner', 'coprocessor', 'connector', 'user', 'relayer', 'relayerService'];
const accountsMin = 10;

function accountAt(index) {
	const { address, privateKey } = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(mnemonic), `m/44'/60'/0'/0/${index}`);
	return { address, privateKey };
}

export function readDevnet(dir = defaultDir) {
	if (!existsSync(devnetFile(dir))) throw new Error('the local network is not running: start it with ./dev up');
	const devnet = JSON.parse(readFileSync(devnetFile(dir), 'utf8'));
	const gone = devnet.processes.filter((entry) => !isRunning(entry));
	if (gone.length > 0)
		throw new Error(`the local network is broken: ${gone.map((entry) => entry.name).join(', ')} ended; ./dev down, then ./dev up (logs: ${devnet.logs})`);
	return devnet;
}

export class Network {
	constructor({ dir = defaultDir, portBase = 8545, report = () => {}, connector = {}, automine = true, separate = false, connectorEnv = {}, hosts = 1, nodes = 1, wire = {}, core = {}, coreStore, coreEnv = {}, node = {}, fronts = {}, names = {}, relayer = true, parameters = 'default', keygen = false, computing = keygen || parameters === 'test', story, gasLimit } = {}) {
		if (nodes !== 1 && !committees.includes(nodes)) throw new Error(`${nodes} KMS nodes: 1, or ${committees.join(', ')}`);
		if (nodes !== 1 && (keygen || separate)) throw new Error('a committee gets its key dealt, and its connectors are one process each');
		this.dir = dir;
		this.programs = programs;
		this.committee = nodes > 1; // whether the nodes decrypt together: each has a share of the key
		this.thresholds = thresholdsOf(nodes);
		// How the cores of a committee reach each other: address(party), and prefix(party), a command that starts another one.
		this.wire = { address: () => '127.0.0.1', prefix: () => [], ...wire };
		this.automine = automine;
		this.gasLimit = gasLimit; // of a block, where it is not anvil's own
		this.separate = separate; // three processes instead of kms-connector: needs a postgres:// database_url
		this.connectorEnv = connectorEnv;
		this.relayer = relayer; // whether to start it and the coprocessor stand-in's service, or its time limits
		this.report = report;
		this.connectorOptions = connector;
		this.coreOptions = core; // rows of kms-server's [service]; with listen_address, kms_core_endpoints is the caller's to set
		this.coreStore = coreStore; // kms-server's [request_store] path
		this.nodeOptions = node; // of [[kms_node]] in the file that deploys: where clients find its public objects
		this.coreEnv = coreEnv;
		this.names = names; // by which the node sees a port instead of 127.0.0.1, by the name of the port
		this.fronts = fronts; // ports of proxies that the node is to see instead, by the name of the port behind
		this.hostNames = Object.keys(chains).slice(1, 1 + hosts); // the first one keeps its name and port
		this.parameters = parameters; // of the FHE key: default, v1_6 or test
		// Whether key and CRS are asked for on the host chain, as a real network gets them; else the dealer's key is there from the start.
		this.keygen = keygen;
		this.story = story ?? { section: () => {}, hop: (who, what) => report(`${who}: ${what}`) }; // who is told of that
		this.computing = computing; // whether the coprocessor stand-in computes on ciphertexts alone, without the client key
		const [first, ...others] = Array.from({ length: nodes }, (_, index) => index + 1);
		const ofNode = KmsNode.portNames(this);
		const portNames = ['gateway', 'host', 'objectStore', ...ofNode, ...(relayer ? ['relayer'] : []), ...(keygen ? ['vault'] : []), ...this.hostNames.slice(1), ...others.flatMap((party) => ofNode.map((name) => `${name}${party}`))];
		this.ports = Object.fromEntries(portNames.map((name, index) => [name, portBase + index]));
		this.processes = [];
		this.stopped = false;
		this.accounts = Object.fromEntries(roles.map((role, index) => [role, accountAt(index)]));
		this.nodes = [new KmsNode(this, first, this.accounts.connector), ...others.map((party) => new KmsNode(this, party, accountAt(accountsMin - 2 + party)))];
	}

	seen(name) {
		return `http://${this.names[name] ?? '127.0.0.1'}:${this.fronts[name] ?? this.ports[name]}`;
	}

	path(...parts) {
		return join(this.dir, ...parts);
	}

	// Starts everything; on failure stops what it had started. Returns what devnet.json says.
	async start() {
		this.stopped = false;
		try {
			await this.makeFolders();
			await Promise.all([...['gateway', ...this.hostNames].map((name) => this.#startChain(name)), this.#startObjectStore(), this.makeKeys()]);
			await this.#deploy();
			if (!this.automine) await this.#mineBySecond();
			const nodes = this.#startNodes();
			if (this.keygen) await nodes.then(() => this.#generateKeys());
			await Promise.all([nodes, this.relayer && this.#startRelayer(), this.computing && this.startComputing(this.keys.keySet)]);
			this.#write();
			return this.devnet;
		} catch (error) {
			await this.stop();
			throw error;
		}
	}

	// A start that is still under way starts nothing more.
	async stop() {
		this.stopped = true;
		for (const entry of [...this.processes].reverse()) await stop(entry);
		this.processes = [];
	}

	launch(name, program, args, options = {}) {
		if (this.stopped) throw new Error(`${name}: the network has been stopped`);
		const entry = start(name, program, args, { log: this.path('log', `${name}.log`), ...options });
		this.processes.push(entry);
		return entry;
	}

	// Empty ones, after a look whether the ports are free.
	async makeFolders() {
		rmSync(this.dir, { recursive: true, force: true });
		for (const part of ['log', 'config', 'objects', ...this.nodes.map(({ party }) => `node-${party}`)]) mkdirSync(this.path(part), { recursive: true, mode: 0o700 });
		await this.#freePorts();
	}

	async #freePorts() {
		for (const [name, port] of Object.entries(this.ports))
			if (await portOpen(port)) throw new Error(`port ${port} (${name}) is in use: stop what listens there, or choose other ports with --port-base`);
	}

	// Blocks at once for transactions and one every second besides, so that time passes on chain as well.
	async #startChain(name) {
		const port = this.ports[name];
		const entry = this.launch(`chain-${name}`, npmProgram('anvil'), [
			'--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chains[name]),
			'--mnemonic', mnemonic, '--accounts', String(accountsMin + this.nodes.length), '--block-time', '1', '--mixed-mining', '--quiet',
			...(this.gasLimit ? ['--gas-limit', String(this.gasLimit)] : []),
		]);
		await waitFor(`${name} chain`, () => portOpen(port), { entry });
		this.report(`${name} chain ${chains[name]} on port ${port}`);
	}

	// From here on only the latter: anvil 1.7.1 now and then leaves the next transaction of an account in its queue for good
	// when many arrive while it mines at once. Deploying, which waits for each, would take a second for each.
	async #mineBySecond() {
		for (const name of ['gateway', ...this.hostNames]) {
			const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'evm_setIntervalMining', params: [1] });
			const reply = await fetch(`http://127.0.0.1:${this.ports[name]}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
			const { error } = await reply.json();
			if (error) throw new Error(`${name} chain: evm_setIntervalMining: ${error.message}`);
		}
	}

	async #startObjectStore() {
		const port = this.ports.objectStore;
		const entry = this.launch('object-store', npmProgram('s3rver'), ['--address', '127.0.0.1', '--port', String(port), '--directory', this.path('objects'), '--configure-bucket', bucket, '--no-vhost-buckets', '--silent']);
		await waitFor('object store', () => portOpen(port), { entry });
		this.report(`object store on port ${port}, bucket ${bucket}`);
	}

	// Signing keys, and the FHE key on the chain later or by the dealer (the one thing here that no operator does).
	async makeKeys() {
		await eachOf(this.nodes, (node) => node.makeKeys());
		const key = this.keygen ? 'no FHE key yet' : await this.#dealKey();
		const [{ signer }] = this.nodes;
		this.report(`${this.committee ? `${this.nodes.length} KMS signing keys and certificates` : `KMS signing key ${signer}`}; ${key}`);
	}

	// Where the dealer leaves what it made: beside a node that is alone, else in a place that no node has.
	#dealt(...parts) {
		return this.committee ? this.path('dealer', ...parts) : join(this.nodes[0].vault, ...parts);
	}

	async #dealKey() {
		const dealer = join(programs, 'kms-dev-dealer');
		mkdirSync(this.#dealt(), { recursive: true, mode: 0o700 });
		await run(dealer, ['keygen', '--key-id', keyId, '--out', this.#dealt(), '--params', this.parameters, ...(this.computing ? ['--key-set'] : [])]);
		this.keys = { keyId, epochId, crsId, publicKey: this.#dealt('public_key.bin'), ...(this.computing && { keySet: this.#dealt('key_set.bin') }), parameters: this.parameters };
		const made = `FHE key ${keyId.slice(0, 4)}…${keyId.slice(-4)} with ${this.parameters === 'test' ? 'test' : 'production'} parameters`;
		return this.committee ? `${made}, ${await this.#dealShares(dealer)}` : made;
	}

	// Each node gets its share, and nobody keeps the whole but the coprocessor stand-in.
	async #dealShares(dealer) {
		const { mpc } = this.thresholds;
		await run(dealer, ['deal', '--client-key', this.#dealt('client_key.bin'), '--public-key', this.#dealt('public_key.bin'), '--parties', String(this.nodes.length), '--threshold', String(mpc), '--out', this.#dealt()]);
		for (const { party, vault } of this.nodes)
			for (const part of [storagePrefix, privatePrefix]) {
				const dealt = this.#dealt(`${part}-p${party}`);
				for (const type of readdirSync(dealt)) renameSync(join(dealt, type), join(vault, part, type));
			}
		return `in shares, of which any ${mpc + 1} are the whole again`;
	}

	// The first key and CRS of the network, and the object store from which everybody fetches them.
	async #generateKeys() {
		const { vault: port } = this.ports;
		const entry = this.#startScript('vault', 'vault.mjs', { folder: join(this.nodes[0].vault, storagePrefix), port });
		await waitFor('object store of the public vault', () => portOpen(port), { entry });
		this.report(`object store of the KMS node's public vault on port ${port}; it has no key yet`);
		const { parameters, story } = this;
		this.keys = { epochId, parameters, ...(await generateKeys(this.devnet, { owner: this.accounts.owner, parameters, dir: this.path('keys'), story })) };
	}

	// Where the chain says that the node's public objects are.
	get storage() {
		return this.keygen ? { storage_url: `http://127.0.0.1:${this.ports.vault}`, storage_prefix: storagePrefix } : {};
	}

	// The file that ./dev deploy would take, and the same code. A further host chain is three lines of it.
	#deployConfig() {
		const { owner, coprocessor } = this.accounts;
		const { publicDecryption, userDecryption, kmsGeneration, mpc } = this.thresholds;
		const rpc = (name) => `http://127.0.0.1:${this.ports[name]}`;
		const key = this.path('config', 'deployer.key');
		writeFileSync(key, `${owner.privateKey}\n`, { mode: 0o600 });
		const file = this.path('config', 'deploy.toml');
		const tables = {
			// Many at once where blocks come once a second; one by one where anvil mines at once (see #startChain).
			gateway: { rpc_url: rpc('gateway'), chain_id: chains.gateway, deployer_key_file: key, transactions_in_flight: this.automine ? 1 : 16 },
			thresholds: { public_decryption: publicDecryption, user_decryption: userDecryption, kms_generation: kmsGeneration, mpc, coprocessor: 1 },
			fees: { token: 'local' },
			kms_node: this.nodes.map(({ deployed }) => deployed),
			coprocessor: [{ tx_sender: coprocessor.address, signer: coprocessor.address, s3_bucket_url: `${this.seen('objectStore')}/${bucket}` }],
			custodian: [{ tx_sender: owner.address, signer: owner.address }],
			host_defaults: { fhevm_executor: coprocessor.address }, // the stand-in plays the executor as well
			host: this.hostNames.map((name) => ({ rpc_url: rpc(name), chain_id: chains[name] })),
		};
		writeFileSync(file, `${stringify(tables)}\n`);
		return readConfig(file);
	}

	async #deploy() {
		const config = this.#deployConfig();
		const { gateway, hosts } = await deploy(config, { out: this.path('addresses.json'), report: this.report });
		const known = (chain, { chainId, contracts }) => ({ rpc: chain.rpc, chainId, contracts });
		this.gateway = known(config.gateway, gateway);
		this.hosts = hosts.map((host, index) => known(config.hosts[index], host));
	}

	// The cores of a committee need each other to begin, so they start at once; the connectors a few at a time.
	async #startNodes() {
		const { nodes } = this;
		const [where] = await Promise.all(nodes.map((node) => node.startCore()));
		this.report(this.committee ? `${nodes.length} kms-servers, of which ${this.thresholds.mpc} may be dead or lying, each on ${where}` : `kms-server (centralised) on ${where}`);
		const begun = performance.now();
		await Promise.all([this.committee && this.#epochSetUp(begun), eachOf(nodes, (node) => node.startConnector())]);
		if (this.separate) return;
		const ports = nodes.map((node) => node.port('connectorMonitoring'));
		this.report(this.committee ? `${nodes.length} kms-connectors (listener, worker, sender; SQLite)` : `kms-connector (listener, worker, sender; SQLite) monitored on port ${ports[0]}`);
	}

	// All of them are needed for that, once.
	async #epochSetUp(begun) {
		for (const node of this.nodes)
			await waitFor(`the first epoch at node ${node.party}`, async () => (await node.epochIsSetUp()) !== false, { entry: node.entry('kms-server'), timeoutMs: epochMs, intervalMs: 200 });
		this.report(`the nodes have agreed on what their decryptions need, in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
	}

	// ---- what the coprocessor stand-in computes with ----

	get #computingSocket() {
		const file = this.path('coprocessor.sock');
		return Buffer.byteLength(file) < 108 ? file : join(tmpdir(), `claviger-${process.pid}-coprocessor.sock`);
	}

	// kms-dev-coprocessor with a CompressedXofKeySet: a process of its own, which keeps the keys in memory. With production
	// parameters it takes seconds to load them.
	async startComputing(keySet) {
		const entry = this.launch('kms-dev-coprocessor', join(programs, 'kms-dev-coprocessor'), ['serve', '--key-set', keySet, '--socket', this.#computingSocket]);
		await waitFor(entry.name, () => portOpen(this.#computingSocket), { entry, timeoutMs: 600000 });
		this.report('kms-dev-coprocessor has the server keys: it computes on ciphertexts alone');
		return entry;
	}

	// The stand-in's own part of devnet.json: no real network hands this out.
	get #coprocessor() {
		const { privateKey } = this.accounts.coprocessor;
		if (this.computing) return { privateKey, socket: this.#computingSocket };
		return { privateKey, clientKey: this.#dealt('client_key.bin'), dealer: join(programs, 'kms-dev-dealer') };
	}

	// ---- the relayer and the coprocessor stand-in's service: relayer/, coprocessor/ ----

	async #startRelayer() {
		const { gateway, hosts, keys, objectStore, coprocessor } = this.devnet;
		const port = this.ports.relayer;
		const entries = [
			this.#startScript('coprocessor', 'coprocessor/service.mjs', { gateway, hosts, keys, objectStore, coprocessor }),
			this.#startScript('relayer', 'relayer/server.mjs', { gateway, hosts, keys, port, account: this.accounts.relayerService, ...(this.relayer === true ? {} : this.relayer) }),
		];
		await waitFor('relayer', async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok, { entry: entries[1] });
		if (!isRunning(entries[0])) throw new Error(`${entries[0].name} ended; log ${entries[0].log}`);
		this.report(`relayer on port ${port}`);
	}

	#startScript(name, script, config) {
		const file = this.path('config', `${name}.json`);
		writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
		return this.launch(name, process.execPath, [fileURLToPath(new URL(script, import.meta.url)), file]);
	}

	// What @zama-fhe/relayer-sdk's createInstance() takes, for one host chain.
	#sdk({ rpc, chainId, contracts }) {
		return {
			aclContractAddress: contracts.ACL,
			kmsContractAddress: contracts.KMSVerifier,
			inputVerifierContractAddress: contracts.InputVerifier,
			verifyingContractAddressDecryption: this.gateway.contracts.Decryption,
			verifyingContractAddressInputVerification: this.gateway.contracts.InputVerification,
			chainId,
			gatewayChainId: this.gateway.chainId,
			network: rpc,
			relayerUrl: `http://127.0.0.1:${this.ports.relayer}/v2`,
		};
	}

	// ---- for tests: kill and start again; without a node named it is the first ----

	get connectorProgram() {
		return join(programs, 'kms-connector');
	}

	connectorConfig() {
		return this.nodes[0].connectorConfig();
	}

	async startConnector() {
		await this.nodes[0].startConnector();
	}

	startConnectorProcess(name, port) {
		return this.nodes[0].startConnectorProcess(name, port);
	}

	async killConnector(entry = this.nodes[0].entry('kms-connector')) {
		await this.kill(entry, 'SIGKILL');
	}

	startCoreProcess() {
		return this.nodes[0].startCoreProcess();
	}

	async stopCore(signal) {
		await this.nodes[0].stopCore(signal);
	}

	async startCore() {
		await this.nodes[0].startCore();
	}

	loseCoreStore() {
		this.nodes[0].loseCoreStore();
	}

	async restartCore(signal) {
		await this.stopCore(signal);
		await this.startCore();
	}

	async kill(entry, signal) {
		if (!isRunning(entry)) throw new Error(`${entry.name} had ended by itself (${entry.ended}); log ${entry.log}`);
		process.kill(entry.pid, signal);
		// Not only its first thread: as long as another one ends, its files are open and locked.
		await waitFor(`${entry.name} to end`, () => entry.ended !== undefined);
		this.processes = this.processes.filter((other) => other !== entry);
	}

	get devnet() {
		const { ports, accounts, gateway, hosts } = this;
		return {
			gateway,
			hosts,
			nodes: this.nodes.map(({ facts }) => facts),
			objectStore: { url: `http://127.0.0.1:${ports.objectStore}`, bucket },
			...(this.relayer && {
				relayer: `http://127.0.0.1:${ports.relayer}`,
				sdk: this.#sdk(hosts[0]),
				sdks: hosts.map((host) => this.#sdk(host)), // the same for each host chain
			}),
			keys: { ...this.keys },
			coprocessor: this.#coprocessor,
			accounts: [accounts.user, accounts.relayer],
			threshold: this.thresholds.publicDecryption,
			thresholds: this.thresholds,
			logs: this.path('log'),
			processes: this.processes.map(({ name, pid, started, log }) => ({ name, pid, started, log })),
		};
	}

	// Whole or not at all: a reader never sees half a file.
	#write() {
		const file = devnetFile(this.dir);
		writeFileSync(`${file}.new`, `${JSON.stringify(this.devnet, null, 2)}\n`, { mode: 0o600 });
		renameSync(`${file}.new`, file);
	}
}

// Stops what devnet.json lists and removes it, so that the next ./dev up starts afresh. Logs and data stay.
export async function stopRecorded(dir = defaultDir, report = () => {}) {
	const file = devnetFile(dir);
	if (!existsSync(file)) return false;
	const { processes } = JSON.parse(readFileSync(file, 'utf8'));
	for (const entry of [...processes].reverse()) report(`${entry.name} (pid ${entry.pid}): ${await stop(entry)}`);
	rmSync(file);
	return true;
}
