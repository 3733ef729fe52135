// SPDX-License-Identifier: BSD-3-Clause-Clear
// ./dev deploy: a file that is wrong is refused with everything that is wrong with it; what is interrupted goes on; and
// whatever happens in between, no contract is ever there for a stranger to take.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Contract, JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import { account, startAnvil } from '../../contracts/test/chain.mjs';
import { readConfig } from '../../tools/deploy/config.mjs';
import { deploy } from '../../tools/deploy/deploy.mjs';
import { artifact } from '../../tools/deploy/set.mjs';
import { root } from '../../tools/devnet/network.mjs';
import { seeded } from './harness.mjs';

const run = promisify(execFile);
const example = readFileSync(join(root, 'config/deploy.toml'), 'utf8');
const program = join(root, 'tools/deploy/main.mjs');
const [deployer, owner, stranger] = [account(0), account(6), account(7)];

let dir;
let files = 0;
before(() => {
	dir = mkdtempSync(join(tmpdir(), 'claviger-deploy-'));
	writeFileSync(join(dir, 'deployer.key'), deployer.privateKey, { mode: 0o600 });
});
after(() => rmSync(dir, { recursive: true, force: true }));

// The example with some texts replaced, as a file.
function fileOf(...changes) {
	let text = example;
	for (const [from, to] of changes) {
		assert.ok(text.includes(from), from);
		text = text.replace(from, to);
	}
	const file = join(dir, `deploy-${files++}.toml`);
	writeFileSync(file, text);
	return file;
}

const problemsOf = (...changes) => {
	try {
		readConfig(fileOf(...changes));
	} catch (error) {
		assert.ok(error.problems, error.stack);
		return error.problems;
	}
	return [];
};

test('the file', async (t) => {
	await t.test('the example in config/ has nothing wrong with it', () => assert.deepEqual(problemsOf(), []));

	const wrong = [
		['a missing key', [['chain_id = 54321\n', '']], /^gateway\.chain_id: found nothing, expected a chain id/],
		['a typo', [['rpc_url = "http://127.0.0.1:8545"', 'rpc_ulr = "http://127.0.0.1:8545"']], /^gateway\.rpc_ulr: found a key that means nothing here, did you mean rpc_url\?/],
		['a table nobody knows', [['[protocol]', '[protocols]']], /^protocols: found a key that means nothing here, did you mean protocol\?/],
		['a text for a number', [['chain_id = 54321', 'chain_id = "gateway"']], /^gateway\.chain_id: found "gateway", expected a chain id: a whole number/],
		['a fraction', [['mpc = 0', 'mpc = 0.5']], /^thresholds\.mpc: found 0\.5, expected a whole number/],
		['another protocol', [['rpc_url = "http://127.0.0.1:8545"', 'rpc_url = "ws://127.0.0.1:8545"']], /^gateway\.rpc_url: found "ws:.*expected an http or https URL/],
		['an address with a wrong checksum', [['fhevm_executor = "0x7099', 'fhevm_executor = "0x7099'.replace('fhevm_executor', 'owner = "0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266"\nfhevm_executor')]], /^host_defaults\.owner: found "0xF39F.*expected an address/],
		['the zero address', [['token = "local"', `token = "0x${'0'.repeat(40)}"`]], /^fees\.token: found "0x0+", expected the address of the fee token, or "local"/],
		['a threshold above the nodes', [['user_decryption = 1', 'user_decryption = 2']], /^thresholds\.user_decryption: found 2, expected at most 1, because there are no more KMS nodes/],
		['a threshold of zero', [['kms_generation = 1', 'kms_generation = 0']], /^thresholds\.kms_generation: found 0, expected a whole number from 1/],
		['as many corrupted nodes as there are', [['mpc = 0', 'mpc = 1']], /^thresholds\.mpc: found 1, expected less than the 1 KMS nodes/],
		['no coprocessor', [[/\[\[coprocessor\]\][^[]*/.exec(example)[0], '']], /^\[\[coprocessor\]\]: found 0 of them, expected 1 to 255/],
		['a table where a list of tables is', [['[[kms_node]]', '[kms_node]']], /^\[\[kms_node\]\]: found \{.*, expected 1 to 255 tables/],
		['one chain twice', [['chain_id = 12345', 'chain_id = 12345\n[[host]]\nrpc_url = "http://127.0.0.1:1"\nchain_id = 12345']], /^host\[1\]\.chain_id: found 12345, which is host\[0\]'s/],
		['the gateway as a host chain', [['chain_id = 12345', 'chain_id = 54321']], /^host\[0\]\.chain_id: found 54321, which is the gateway's/],
		['no executor', [[/\[host_defaults\]\n.*\n/.exec(example)[0], '']], /^host\[0\]\.fhevm_executor: found nothing, neither here nor in \[host_defaults\]/],
		['a price above 256 bits', [['input_verification = 0', `input_verification = "${1n << 256n}"`]], /^fees\.input_verification: found .*expected a whole number/],
		['no key', [['deployer_key_file = "deployer.key"\n', '']], /^gateway\.deployer_key_file: found nothing, nor deployer_key_env/],
		['two keys', [['deployer_key_file', 'deployer_key_env = "A"\ndeployer_key_file']], /^gateway\.deployer_key_env: found beside deployer_key_file/],
		['a key file that is not there', [['"deployer.key"', '"other.key"']], /^gateway\.deployer_key_file: found .*other\.key \(ENOENT\)/],
		['an environment variable that is not there', [['deployer_key_file = "deployer.key"', 'deployer_key_env = "NO_SUCH_KEY"']], /^gateway\.deployer_key_env: found no environment variable NO_SUCH_KEY/],
	];
	for (const [name, changes, expected] of wrong)
		await t.test(name, () => {
			const problems = problemsOf(...changes);
			assert.ok(problems.some((problem) => expected.test(problem)), problems.join('\n'));
		});

	await t.test('everything that is wrong is told at once, in lines with the name of the file', async () => {
		const file = fileOf(['chain_id = 54321', 'chain_id = 0'], ['mpc = 0', 'mpc = -1'], ['token = "local"', 'token = 7']);
		await assert.rejects(run('node', [program, '--config', file, '--check']), (error) => {
			assert.equal(error.code, 1);
			const lines = error.stderr.trim().split('\n');
			assert.equal(lines.length, 3);
			for (const line of lines) assert.ok(line.includes(`${file}: `), line);
			return true;
		});
	});

	await t.test('a key that every chain takes from [gateway] is told once when something is wrong with it', () => {
		for (const change of [['deployer_key_file = "deployer.key"\n', ''], ['"deployer.key"', '"other.key"'], ['deployer_key_file = "deployer.key"', 'deployer_key_env = "NO_SUCH_KEY"']]) {
			const problems = problemsOf(change);
			assert.equal(problems.length, 1, problems.join('\n'));
			assert.match(problems[0], /^gateway\.deployer_key_/);
		}
	});

	await t.test('a folder for the result that is not there is told so', async () => {
		await assert.rejects(run('node', [program, '--config', fileOf(), '--out', join(dir, 'nodir', 'x.json')]), (error) => {
			assert.match(error.stderr, /^dev: --out: found no folder .*nodir, expected one for the result\n$/);
			return true;
		});
	});

	await t.test('what is no TOML is told with its line, and not shown', () => {
		assert.match(problemsOf(['mpc = 0', `mpc = ${deployer.privateKey}zz`]).join(), /^line \d+, column \d+: /);
		assert.ok(!problemsOf(['mpc = 0', `mpc = ${deployer.privateKey}zz`]).join().includes(deployer.privateKey.slice(2)));
	});

	await t.test('a key in the file is refused and never shown', () => {
		for (const change of [`deployer_key = "${deployer.privateKey}"`, `deployer_key_env = "${deployer.privateKey}"`, `deployer_key_file = "${deployer.privateKey}"\nowner = "${deployer.privateKey}"`]) {
			const problems = problemsOf(['deployer_key_file = "deployer.key"', change]).join('\n');
			assert.ok(problems.length > 0);
			if (!change.includes('_file')) assert.ok(!problems.includes(deployer.privateKey.slice(2)), problems);
		}
	});

	await t.test('a key file that others can read is refused', () => {
		chmodSync(join(dir, 'deployer.key'), 0o640);
		assert.match(problemsOf().join(), /^gateway\.deployer_key_file: found .*readable by others/);
		chmodSync(join(dir, 'deployer.key'), 0o600);
	});
});

// ---- on chains ----

const providers = [];
const connected = (chain, wallet) => {
	const provider = new JsonRpcProvider(chain.rpc, undefined, { pollingInterval: 20, cacheTimeout: -1 });
	providers.push(provider);
	return wallet ? new NonceManager(wallet.connect(provider)) : provider;
};
const contractOn = (chain, address, name, wallet) => new Contract(address, artifact(name).abi, connected(chain, wallet));

async function withChains(ids, body) {
	const chains = [];
	try {
		for (const id of ids) chains.push(await startAnvil(id));
		await body(...chains);
	} finally {
		for (const provider of providers.splice(0)) provider.destroy();
		for (const chain of chains) await chain.stop();
	}
}

const at = (gateway, host, ...more) => fileOf(['http://127.0.0.1:8545', gateway.rpc], ['http://127.0.0.1:8546', host.rpc], ...more);
const hostLines = (chain) => `[[host]]\nrpc_url = "${chain.rpc}"\nchain_id = ${chain.chainId}\n`;

// Nobody but the owner can initialise or upgrade any of these.
async function assertTaken(chain, contracts) {
	const abi = ['function initialize()', 'function initialize(address)', 'function upgradeToAndCall(address,bytes) payable'];
	for (const [name, address] of Object.entries(contracts)) {
		if (name === 'PauserSet' || name === 'ZamaOFT') continue;
		const contract = new Contract(address, abi, connected(chain, stranger));
		await assert.rejects(contract['initialize()'].staticCall(), name);
		await assert.rejects(contract['initialize(address)'].staticCall(stranger.address), name);
		await assert.rejects(contract.upgradeToAndCall.staticCall(address, '0x'), name);
	}
}

test('a deployment', { timeout: 900000 }, async (t) => {
	await t.test('a chain with another id is refused before anything is sent', async () => {
		await withChains([54321, 999], async (gateway, host) => {
			await assert.rejects(deploy(readConfig(at(gateway, host)), { out: join(dir, 'wrong.json') }), (error) => {
				assert.match(error.message, /host chain 12345: http:\/\/127\.0\.0\.1:\d+ serves chain 999, expected 12345; nothing was sent/);
				return true;
			});
			assert.equal(await connected(gateway).getTransactionCount(deployer.address), 0);
			assert.ok(!existsSync(join(dir, 'wrong.json')));
		});
	});

	await t.test('before a chain has its first transaction the file may still be mended', async (sub) => {
		const out = join(dir, 'mended.json');
		const entry = (chain, chainId = chain.chainId) => hostLines({ ...chain, chainId });
		const added = (file, text) => {
			const more = join(dir, `mended-${files++}.toml`);
			writeFileSync(more, `${readFileSync(file, 'utf8')}\n${text}`);
			return readConfig(more);
		};
		const poor = Wallet.createRandom();
		writeFileSync(join(dir, 'poor.key'), poor.privateKey, { mode: 0o600 });
		await withChains([54321, 12345, 12347], async (gateway, host, third) => {
			const file = at(gateway, host);
			await sub.test('on a first run: the endpoint, the owner and the key', async () => {
				await assert.rejects(deploy(readConfig(fileOf([/\[gateway\]\n/.exec(example)[0], `[gateway]\nowner = "${owner.address}"\n`], ['http://127.0.0.1:8545', 'http://127.0.0.1:1'])), { out }), /does not answer/);
				await assert.rejects(deploy(readConfig(at(gateway, host, ['"deployer.key"', '"poor.key"'])), { out }), /has not enough funds/);
				assert.equal((await deploy(readConfig(file), { out })).gateway.deployer, deployer.address);
			});
			await sub.test('of a host chain that comes later: its id, or the whole entry', async () => {
				await assert.rejects(deploy(added(file, entry(third, 12399)), { out }), /serves chain 12347, expected 12399; nothing was sent/);
				assert.equal((await deploy(readConfig(file), { out })).hosts.length, 1);
				const unpaid = entry(third).replace('\nchain_id', '\ndeployer_key_file = "poor.key"\nchain_id');
				await assert.rejects(deploy(added(file, unpaid), { out }), /has not enough funds/);
				const { hosts } = await deploy(added(file, entry(third)), { out });
				assert.deepEqual(hosts.map(({ chainId }) => chainId), [12345, 12347]);
				await assert.rejects(deploy(readConfig(file), { out }), /host chain 12347 is deployed and no longer in the file/);
			});
			await sub.test('a journal that names a host chain without steps, as older ones do, is no obstacle', async () => {
				const journal = JSON.parse(readFileSync(`${out}.journal`, 'utf8'));
				journal.hosts[12399] = journal.hosts[12347];
				writeFileSync(`${out}.journal`, JSON.stringify(journal));
				assert.equal((await deploy(added(file, entry(third)), { out })).hosts.length, 2);
			});
			await sub.test('a result without its journal is left alone, and it is said what to do', async () => {
				rmSync(`${out}.journal`);
				await assert.rejects(deploy(readConfig(file), { out }), /to deploy anew use another --out, or move the result away, too/);
			});
		});
	});

	await t.test('an endpoint that nobody serves is told without the key in its path', async () => {
		const file = fileOf(['http://127.0.0.1:8545', 'http://127.0.0.1:1/v2/secret-of-the-provider']);
		await assert.rejects(deploy(readConfig(file)), (error) => {
			assert.match(error.message, /gateway 54321: http:\/\/127\.0\.0\.1:1 does not answer/);
			assert.ok(!error.message.includes('secret'));
			return true;
		});
	});

	await t.test('stopped at every transaction, in three ways, it goes on and does nothing twice', async (sub) => {
		await withChains([54321, 12345], async (gateway, host) => {
			const [file, out] = [at(gateway, host), join(dir, 'steps.json')];
			const config = readConfig(file);
			const ways = ['written', 'sent', 'finished'];
			let stops = 0;
			const seen = new Set();
			for (let result; !result; ) {
				const way = ways[stops % ways.length];
				const stop = (name) => {
					if (seen.has(name)) return;
					seen.add(name);
					throw new Error(`stopped: ${way} ${name}`);
				};
				try {
					result = await deploy(config, { out, hooks: { [way]: stop } });
				} catch (error) {
					assert.match(error.message, /^stopped: /, error.stack);
					assert.ok(!existsSync(out), 'a result of half a deployment');
					stops++;
				}
			}
			assert.ok(stops > 30, `${stops} stops`);
			const { gateway: g, hosts: [h], todo } = JSON.parse(readFileSync(out, 'utf8'));
			assert.deepEqual(todo, []);
			assert.equal(g.versions.Decryption, 'Decryption v0.7.0');
			assert.equal(await contractOn(gateway, g.contracts.GatewayConfig, 'GatewayConfig').isHostChainRegistered(12345), true);
			assert.deepEqual([...(await contractOn(host, h.contracts.KMSVerifier, 'KMSVerifier').getKmsSigners())], config.kmsNodes.map(({ signer }) => signer));
			await assertTaken(gateway, g.contracts);
			await assertTaken(host, h.contracts);
			const counts = () => Promise.all([gateway, host].map((chain) => connected(chain).getTransactionCount(deployer.address)));
			const sent = await counts();
			const { chains } = JSON.parse(readFileSync(`${out}.journal`, 'utf8'));
			const steps = Object.values(chains).flatMap((chain) => Object.values(chain.steps));
			assert.equal(sent[0] + sent[1], steps.length, 'one transaction for each step');
			await deploy(config, { out });
			assert.deepEqual(await counts(), sent, 'the same command again sends nothing');

			await sub.test('a file that has changed since is refused, with what has changed', async () => {
				const changed = readConfig(at(gateway, host, ['signer = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"', `signer = "${owner.address}"`]));
				await assert.rejects(deploy(changed, { out }), /has changed since this deployment was begun: kmsNodes\.0\.signer\./);
			});

			await sub.test('a chain that is another one with the same id is refused', async () => {
				await withChains([12345], async (other) => {
					await new Promise((resolve) => setTimeout(resolve, 1100)); // another second, another genesis block
					const moved = readConfig(at(gateway, other));
					await assert.rejects(deploy(moved, { out }), /this is not the chain that the deployment .* was begun on|no code at/);
				});
			});

			await sub.test('another key is refused', async () => {
				writeFileSync(join(dir, 'other.key'), stranger.privateKey, { mode: 0o600 });
				const other = readConfig(at(gateway, host, ['deployer_key_file = "deployer.key"', 'deployer_key_file = "other.key"\nowner = "' + deployer.address + '"']));
				await assert.rejects(deploy({ ...other, gateway: { ...other.gateway, deployer: deployer.address }, hosts: other.hosts.map((one) => ({ ...one, deployer: deployer.address })) }, { out }), /found the key of 0x.*, expected that of 0xf39F/);
			});

			await sub.test('a host chain is added by three lines', async () => {
				await withChains([12346], async (second) => {
					const more = join(dir, 'more.toml');
					writeFileSync(more, `${readFileSync(file, 'utf8')}\n${hostLines(second)}`);
					const { hosts } = await deploy(readConfig(more), { out });
					assert.deepEqual(hosts.map(({ chainId }) => chainId), [12345, 12346]);
					assert.equal(await contractOn(gateway, g.contracts.GatewayConfig, 'GatewayConfig').isHostChainRegistered(12346), true);
					assert.deepEqual((await counts())[1], sent[1], 'nothing is sent to the first host chain');
					await assertTaken(second, hosts[1].contracts);
					const inUse = (chain, deployed) => contractOn(chain, deployed.contracts.ProtocolConfig, 'ProtocolConfig').getCurrentKmsContextAndEpoch();
					assert.deepEqual([...(await inUse(second, hosts[1]))], [...(await inUse(host, hosts[0]))]);
					assert.ok(hosts[0].contracts.KMSGeneration && !hosts[1].contracts.KMSGeneration, 'keys are generated on the first chain only');
					assert.deepEqual([...(await contractOn(second, hosts[1].contracts.KMSVerifier, 'KMSVerifier').getKmsSigners())], config.kmsNodes.map(({ signer }) => signer));
					await assert.rejects(deploy(config, { out }), /host chain 12346 is deployed and no longer in the file/);
				});
			});
		});
	});

	await t.test('a killed process leaves nothing to a stranger, and the next one goes on', async (sub) => {
		const { below } = seeded(sub);
		await withChains([54321, 12345], async (gateway, host) => {
			const [file, out] = [at(gateway, host), join(dir, 'killed.json')];
			let kills = 0;
			for (let done = false; !done; ) {
				const child = spawn('node', [program, '--config', file, '--out', out], { stdio: 'ignore' });
				const timer = setTimeout(() => child.kill('SIGKILL'), 500 + below(700) + kills * 150);
				const code = await new Promise((resolve) => child.once('exit', resolve));
				clearTimeout(timer);
				if (code === null) kills++;
				else assert.equal(code, 0);
				done = code === 0;
				if (existsSync(`${out}.journal`)) {
					const { chains } = JSON.parse(readFileSync(`${out}.journal`, 'utf8'));
					for (const chain of [gateway, host]) {
						const steps = Object.entries(chains[chain.chainId]?.steps ?? {});
						await assertTaken(chain, Object.fromEntries(steps.filter(([name, { address }]) => name.endsWith(' proxy') && address).map(([name, { address }]) => [name, address])));
					}
				}
			}
			sub.diagnostic(`killed ${kills} times`);
			assert.ok(kills > 0, 'never killed');
			const { gateway: g } = JSON.parse(readFileSync(out, 'utf8'));
			assert.equal(await contractOn(gateway, g.contracts.GatewayConfig, 'GatewayConfig').isHostChainRegistered(12345), true);
		});
	});

	await t.test('another owner, who has to accept, and to add later chains', async () => {
		await withChains([54321, 12345], async (gateway, host) => {
			const out = join(dir, 'owner.json');
			const file = at(gateway, host, ['[gateway]\n', `[gateway]\nowner = "${owner.address}"\n`]);
			const { gateway: g, hosts: [h], todo } = await deploy(readConfig(file), { out });
			assert.deepEqual(todo.map(({ chainId, from, call }) => [chainId, from, call]), [[12345, owner.address, 'acceptOwnership()'], [54321, owner.address, 'acceptOwnership()']]);
			for (const { chainId, to, data } of todo) await (await connected(chainId === 54321 ? gateway : host, owner).sendTransaction({ to, data })).wait();
			assert.equal(await contractOn(gateway, g.contracts.GatewayConfig, 'GatewayConfig').owner(), owner.address);
			assert.equal(await contractOn(host, h.contracts.ACL, 'ACL').owner(), owner.address);
			assert.deepEqual((await deploy(readConfig(file), { out })).todo, []);
			await withChains([12346], async (second) => {
				const more = join(dir, 'owner-more.toml');
				writeFileSync(more, `${readFileSync(file, 'utf8')}\n${hostLines(second)}`);
				const { todo: left } = await deploy(readConfig(more), { out });
				assert.deepEqual(left.map(({ from, call }) => [from, call.split('(')[0]]), [[owner.address, 'addHostChain'], [owner.address, 'acceptOwnership']]);
				await (await connected(gateway, owner).sendTransaction({ to: left[0].to, data: left[0].data })).wait();
				assert.equal(await contractOn(gateway, g.contracts.GatewayConfig, 'GatewayConfig').isHostChainRegistered(12346), true);
			});
		});
	});

	await t.test('an account without funds is told so', async () => {
		await withChains([54321, 12345], async (gateway, host) => {
			const poor = Wallet.createRandom();
			writeFileSync(join(dir, 'poor.key'), poor.privateKey, { mode: 0o600 });
			await assert.rejects(deploy(readConfig(at(gateway, host, ['"deployer.key"', '"poor.key"']))), new RegExp(`${poor.address} has not enough funds`));
		});
	});
});
