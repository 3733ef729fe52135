// SPDX-License-Identifier: BSD-3-Clause-Clear
// One KMS node of the local network: core and connector, with keys, certificate, vault, databases and ports of its own. Its
// programs are started, killed and started again one by one.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { partyCertificates } from './certificates.mjs';
import { storagePrefix } from './keygen.mjs';
import { isRunning, portOpen, waitFor } from './processes.mjs';

const run = promisify(execFile);

export const privatePrefix = 'PRIV';
const socketPathMax = 107; // of the kernel

export class KmsNode {
	// network: what all nodes share, and the options that are the same for each. account: what its transactions are sent with.
	constructor(network, party, account) {
		Object.assign(this, { network, party, account });
	}

	// The names of ports that a node has.
	static portNames({ separate, committee }) {
		return ['core', 'coreMonitoring', 'connectorMonitoring', ...(separate ? ['workerMonitoring', 'senderMonitoring'] : []), ...(committee ? ['peer'] : [])];
	}

	// Of a node that is alone, names are as short as can be.
	named(name) {
		return this.network.committee ? `${name}-${this.party}` : name;
	}

	port(name) {
		return this.network.ports[this.party === 1 ? name : `${name}${this.party}`];
	}

	path(...parts) {
		return this.network.path(`node-${this.party}`, ...parts);
	}

	configFile(name) {
		return this.network.path('config', `${this.named(name)}.toml`);
	}

	entry(name) {
		return this.network.processes.findLast((entry) => entry.name === this.named(name));
	}

	// ---- keys and certificate ----

	// What the other parties know it by.
	get identity() {
		return `kms-${this.party}.local`;
	}

	get vault() {
		return this.path('keys');
	}

	// Signing key by kms-gen-keys, as an operator makes it.
	async makeKeys() {
		mkdirSync(this.vault, { recursive: true, mode: 0o700 });
		const file = this.configFile('kms-gen-keys');
		writeFileSync(file, this.#vaults());
		await run(join(this.network.programs, 'kms-gen-keys'), ['-f', file]);
		const { stdout } = await run('find', [join(this.vault, 'PUB', 'VerfAddress'), '-type', 'f']);
		this.signer = readFileSync(stdout.trim().split('\n')[0], 'utf8').trim();
		if (this.network.committee) this.installCertificates(partyCertificates(this.identity));
	}

	// `own`: only what it shows itself; the others still know it by what they had.
	installCertificates(certificates, { own = false } = {}) {
		const { ca, cert, key } = certificates;
		mkdirSync(this.path('tls'), { recursive: true, mode: 0o700 });
		const files = { ...(own ? {} : { 'ca.pem': ca }), 'cert.pem': cert, 'key.pem': key };
		for (const [name, text] of Object.entries(files)) writeFileSync(this.path('tls', name), text, { mode: 0o600 });
		if (!own) this.certificates = certificates;
	}

	#vaults() {
		return ['public_vault', 'private_vault']
			.map((name) => `[${name}.storage.file]\npath = "${this.vault}"\nprefix = "${name === 'public_vault' ? storagePrefix : privatePrefix}"\n`)
			.join('\n');
	}

	// What the file that deploys says of it.
	get deployed() {
		const { committee, storage, nodeOptions } = this.network;
		const known = committee && { party_id: this.party, mpc_identity: this.identity, ca_cert: `0x${Buffer.from(this.certificates.ca).toString('hex')}`, ip_address: `https://127.0.0.1:${this.port('peer')}` };
		return { tx_sender: this.account.address, signer: this.signer, ...known, ...storage, ...nodeOptions };
	}

	// ---- core ----

	// A Unix socket, which no other user of the machine can ask; but the kernel limits the length of its path.
	get coreUrl() {
		const file = this.path('core.sock');
		return Buffer.byteLength(file) <= socketPathMax ? `unix:${file}` : `http://127.0.0.1:${this.port('core')}`;
	}

	get #coreService() {
		const { coreOptions } = this.network;
		const tcp = { listen_address: '127.0.0.1', listen_port: this.port('core') };
		if (coreOptions.listen_address) return { ...tcp, ...coreOptions };
		return { ...(this.coreUrl.startsWith('unix:') ? { listen_address: this.coreUrl } : { ...tcp, plaintext_loopback: true }), ...coreOptions };
	}

	coreConfig() {
		const { coreStore } = this.network;
		const lines = (table) => Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
		const telemetry = { metrics_bind_address: `127.0.0.1:${this.port('coreMonitoring')}` };
		return [
			'[service]', ...lines(this.#coreService), '', '[telemetry]', ...lines(telemetry), '',
			...(coreStore ? ['[request_store]', ...lines({ path: coreStore }), ''] : []),
			...(this.network.committee ? this.#committee(lines) : []),
			this.#vaults(),
		].join('\n');
	}

	#committee(lines) {
		const { nodes, thresholds, wire } = this.network;
		const own = {
			my_id: this.party, threshold: thresholds.mpc, listen_address: wire.address(this.party), listen_port: this.port('peer'),
			'tls.manual.cert.path': this.path('tls', 'cert.pem'), 'tls.manual.key.path': this.path('tls', 'key.pem'),
		};
		const peers = nodes.flatMap((node) => {
			const { party, identity } = node;
			const table = { party_id: party, address: wire.address(party), port: node.port('peer'), mpc_identity: identity, 'tls_cert.path': node.path('tls', 'ca.pem') };
			return ['', '[[threshold.peers]]', ...lines(table)];
		});
		return ['[threshold]', ...lines(own), ...peers, ''];
	}

	startCoreProcess() {
		const { network } = this;
		const file = this.configFile('kms-server');
		writeFileSync(file, this.coreConfig());
		const command = [...network.wire.prefix(this.party), join(network.programs, 'kms-server'), '-c', file];
		return network.launch(this.named('kms-server'), command[0], command.slice(1), { cwd: this.path(), env: network.coreEnv });
	}

	async startCore() {
		const { listen_address: address, listen_port: port } = this.#coreService;
		const entry = this.startCoreProcess();
		await waitFor(entry.name, () => portOpen(port ?? address.slice('unix:'.length)), { entry, timeoutMs: 60000 });
		return port ? `port ${port}` : 'a Unix socket';
	}

	// Whether it has agreed with the others on what their decryptions need. Undefined where its metrics cannot be asked for.
	async epochIsSetUp() {
		if (this.network.wire.prefix(this.party).length > 0) return undefined;
		const text = await (await fetch(`http://127.0.0.1:${this.port('coreMonitoring')}/metrics`)).text();
		return /^kms_epochs_pending 0$/m.test(text);
	}

	async stopCore(signal) {
		await this.network.kill(this.entry('kms-server'), signal);
	}

	// As if its disk had been exchanged for an empty one; the vault is another.
	loseCoreStore() {
		for (const end of ['', '-wal', '-shm']) rmSync(`${this.network.coreStore ?? this.path('kms-server.db')}${end}`, { force: true });
	}

	// ---- connector ----

	connectorConfig() {
		const { gateway, hosts, hostNames, connectorOptions, connectorEnv } = this.network;
		const seen = (name) => this.network.seen(name);
		const [host] = hosts; // the one that knows the KMS contexts
		const settings = {
			database_url: `sqlite:${this.path('kms-connector.db')}`,
			gateway_url: seen('gateway'),
			gateway_chain_id: gateway.chainId,
			ethereum_url: seen('host'),
			ethereum_chain_id: host.chainId,
			monitoring_endpoint: `127.0.0.1:${this.port('connectorMonitoring')}`,
			kms_core_endpoints: [this.coreUrl],
			...(connectorEnv.KMS_CONNECTOR_PRIVATE_KEY ? {} : { private_key: this.account.privateKey }),
			decryption_polling: '100ms',
			decryption_from_block_number: 0,
			acl_grace: '2s',
			// The chain that holds KMSGeneration and ProtocolConfig: nothing is finalized here for a minute.
			key_management_polling: this.network.keygen ? '100ms' : '1s',
			kms_operation_from_block_number: 0,
			ethereum_finality: 'latest',
			ethereum_tx_required_confirmations: 1,
			// The answer that completes a quorum costs more than the estimate that was made before the others' were in a block.
			...(this.network.committee && { gas_multiplier_percent: 200 }),
			...connectorOptions,
		};
		const tables = {
			decryption_contract: gateway.contracts.Decryption,
			gateway_config_contract: gateway.contracts.GatewayConfig,
			protocol_config_contract: host.contracts.ProtocolConfig,
			kms_generation_contract: (settings.key_management_chain === 'gateway' ? gateway : host).contracts.KMSGeneration,
		};
		const lines = Object.entries(settings).filter(([, value]) => value !== undefined).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
		for (const [name, address] of Object.entries(tables)) lines.push('', `[${name}]`, `address = "${address}"`);
		for (const [index, { chainId, contracts }] of hosts.entries()) lines.push('', '[[host_chains]]', `url = "${seen(hostNames[index])}"`, `chain_id = ${chainId}`, `acl_address = "${contracts.ACL}"`);
		lines.push('');
		return lines.join('\n');
	}

	startConnectorProcess(name = 'kms-connector', port = this.port('connectorMonitoring')) {
		const { network } = this;
		const file = this.configFile('kms-connector');
		writeFileSync(file, this.connectorConfig(), { mode: 0o600 });
		const env = { KMS_CONNECTOR_MONITORING_ENDPOINT: `127.0.0.1:${port}`, ...network.connectorEnv };
		return network.launch(this.named(name), join(network.programs, name), ['start', '-c', file], { cwd: this.path(), env });
	}

	// One process, or the three that it has in it.
	async startConnector() {
		const services = this.network.separate
			? { 'gw-listener': this.port('connectorMonitoring'), 'kms-worker': this.port('workerMonitoring'), 'tx-sender': this.port('senderMonitoring') }
			: { 'kms-connector': this.port('connectorMonitoring') };
		for (const [name, port] of Object.entries(services)) {
			const entry = this.startConnectorProcess(name, port);
			await waitFor(entry.name, async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok, { entry });
		}
	}

	// ---- both ----

	async start() {
		await this.startCore();
		await this.startConnector();
	}

	// Core and connector at one moment, as a machine without power.
	async kill() {
		await Promise.all(['kms-server', 'kms-connector'].map((name) => this.entry(name)).filter((entry) => entry && isRunning(entry)).map((entry) => this.network.kill(entry, 'SIGKILL')));
	}

	// As devnet.json has it.
	get facts() {
		const { connectorOptions } = this.network;
		return {
			party: this.party,
			signer: this.signer,
			txSender: this.account.address,
			core: connectorOptions.kms_core_endpoints?.[0] ?? this.coreUrl,
			monitoring: `http://127.0.0.1:${this.port('connectorMonitoring')}`,
			coreMonitoring: `http://127.0.0.1:${this.port('coreMonitoring')}`,
			...(this.network.committee && { peer: { identity: this.identity, port: this.port('peer') } }),
			pid: { server: this.entry('kms-server')?.pid, connector: this.entry('kms-connector')?.pid },
			data: this.path(),
			config: { server: this.configFile('kms-server'), connector: this.configFile('kms-connector') },
		};
	}
}
