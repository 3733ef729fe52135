// SPDX-License-Identifier: BSD-3-Clause-Clear
// The baseline of bench_crs: node-tfhe makes a CRS for as many bits, on one CPU; and ours is good enough for it: it makes and
// verifies a proof over the one that bench_crs stored. usage: node crs.mjs FILE
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const tfhe = createRequire(import.meta.url)('node-tfhe');
const limit = 1n << 30n;
const noise = () => tfhe.Shortint.new_gaussian_from_std_dev(0);
const compute = tfhe.Shortint.new_parameters(1, 1, 256, noise(), noise(), 24, 1, 37, 1, 4n, 4n, 5n, -64, 64, tfhe.ShortintEncryptionKeyChoice.Big);
const input = new tfhe.ShortintCompactPublicKeyEncryptionParameters(
	tfhe.ShortintCompactPublicKeyEncryptionParametersName.V1_7_PARAM_PKE_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128,
);
const config = tfhe.TfheConfigBuilder.default().use_custom_parameters(compute).use_dedicated_compact_public_key_parameters(input).build();

function timed(what, action) {
	const begun = performance.now();
	const result = action();
	console.log(`node-tfhe: ${what.padEnd(28)} ${((performance.now() - begun) / 1000).toFixed(1)} s`);
	return result;
}

const client = tfhe.TfheClientKey.generate(config);
const key = tfhe.TfheCompactPublicKey.new(client);
tfhe.set_server_key(tfhe.TfheServerKey.new(client));
const crs = tfhe.CompactPkeCrs.safe_deserialize(readFileSync(process.argv[2]), limit);
const builder = tfhe.CompactCiphertextList.builder(key);
builder.push_u256((1n << 255n) + 77n);
const metadata = new TextEncoder().encode('bench');
const proven = timed('a proof over our CRS', () => builder.build_with_proof_packed(crs, metadata, tfhe.ZkComputeLoad.Verify));
const list = timed('verified, expanded', () => proven.verify_and_expand(crs, key, metadata));
if (list.get_uint256(0).decrypt(client) !== (1n << 255n) + 77n) throw new Error('the value is another');
const theirs = timed('a CRS of its own, 2048 bits', () => tfhe.CompactPkeCrs.from_config(config, 2048));
if (theirs.safe_serialize(limit).length !== crs.safe_serialize(limit).length + 16) throw new Error('the sizes differ');
