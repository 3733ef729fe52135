// SPDX-License-Identifier: BSD-3-Clause-Clear
// A user decryption as a client makes it: a key pair of its own for the answer, the wallet's signature over the request,
// and in the end the values, opened by the real client library (node-tkms) with all of its checks.
import { createRequire } from 'node:module';
import { Contract, getAddress, getBytes, hexlify, toBeHex } from 'ethers';
import { connect } from './request.mjs';
import { hostOf } from './types.mjs';

const tkms = createRequire(import.meta.url)('node-tkms');

// The contract through which values of the local network are seen when nobody names another.
export const exampleContract = getAddress('0x00000000000000000000000000000000000dec0d');

const signersAbi = ['function getKmsSigners() view returns (address[])'];

const field = (text) => ({ type: text.split(' ')[0], name: text.split(' ')[1] });
const fields = (...texts) => texts.map(field);

// What the wallet signs, for each way to ask.
export const signedTypes = {
	direct: {
		UserDecryptRequestVerification: fields('bytes publicKey', 'address[] contractAddresses', 'uint256 startTimestamp', 'uint256 durationDays', 'bytes extraData'),
	},
	delegated: {
		DelegatedUserDecryptRequestVerification: fields(
			'bytes publicKey', 'address[] contractAddresses', 'address delegatorAddress', 'uint256 startTimestamp', 'uint256 durationDays', 'bytes extraData',
		),
	},
	unified: {
		UserDecryptRequestVerification: fields(
			'address userAddress', 'bytes publicKey', 'address[] allowedContracts', 'uint256 startTimestamp', 'uint256 durationSeconds', 'bytes extraData',
		),
	},
};

const plain = (hex) => hexlify(hex).slice(2);

export class PrivateClient {
	constructor(devnet, wallet) {
		this.devnet = devnet;
		this.wallet = wallet;
		this.secret = tkms.ml_kem_pke_keygen();
		this.public = tkms.ml_kem_pke_get_pk(this.secret);
		this.publicKey = hexlify(tkms.ml_kem_pke_pk_to_u8vec(this.public));
	}

	// Signs for one chain of handles; returns what the relayer sends: {method, args, signature}.
	// entries: [{handle, contract, owner?}]; kind: direct, delegated (needs delegator), unified.
	async sign(kind, entries, { delegator, contracts, start, duration, extraData = '0x00' } = {}) {
		const { decryption, publicKey } = { decryption: this.devnet.gateway.contracts.Decryption, publicKey: this.publicKey };
		const host = hostOf(this.devnet, entries[0].handle);
		const startTimestamp = start ?? Math.floor(Date.now() / 1000) - 10;
		const addresses = contracts ?? [...new Set(entries.map(({ contract }) => contract))];
		const message = {
			userAddress: this.wallet.address, publicKey, contractAddresses: addresses, allowedContracts: addresses, delegatorAddress: delegator,
			startTimestamp, durationDays: duration ?? 1, durationSeconds: duration ?? 86400, extraData,
		};
		// The wallet lives on the host chain; the contract that is signed for lives on the gateway.
		const domain = { name: 'Decryption', version: '1', chainId: host.chainId, verifyingContract: decryption };
		const signature = await this.wallet.signTypedData(domain, signedTypes[kind], message);
		const pairs = entries.map(({ handle, contract }) => [handle, contract]);
		const validity = [startTimestamp, duration ?? (kind === 'unified' ? 86400 : 1)];
		const tail = [publicKey, signature, extraData];
		const args = {
			direct: () => [pairs, validity, [host.chainId, addresses], this.wallet.address, ...tail],
			delegated: () => [pairs, validity, [delegator, this.wallet.address], [host.chainId, addresses], ...tail],
			unified: () => [
				entries.map(({ handle, contract, owner }) => [handle, contract, owner ?? this.wallet.address]),
				this.wallet.address, publicKey, addresses, validity, signature, extraData,
			],
		}[kind]();
		return { kind, args, signature };
	}

	// The values of the answers to a request, in the order of its handles: [BigInt]. Throws when the library refuses them.
	async open(entries, { signature }, responses) {
		const { gateway } = this.devnet;
		const host = hostOf(this.devnet, entries[0].handle);
		const provider = connect(host.rpc);
		try {
			const signers = await new Contract(host.contracts.KMSVerifier, signersAbi, provider).getKmsSigners();
			const servers = signers.map((signer, index) => tkms.new_server_id_addr(index + 1, signer));
			const client = tkms.new_client(servers, this.wallet.address, 'default');
			const request = {
				// Only looked at when it is there; a contract wallet's has any form.
				...(getBytes(signature).length === 65 && { signature: plain(signature) }),
				client_address: this.wallet.address,
				enc_key: plain(this.publicKey),
				ciphertext_handles: entries.map(({ handle }) => plain(handle)),
				eip712_verifying_contract: gateway.contracts.Decryption,
			};
			const domain = {
				name: 'Decryption', version: '1', chain_id: getBytes(toBeHex(gateway.chainId, 32)),
				verifying_contract: gateway.contracts.Decryption, salt: null,
			};
			const answers = responses.map(({ share, signature: external, extraData }) => ({ signature: plain(external), payload: plain(share), extra_data: plain(extraData) }));
			const values = tkms.process_user_decryption_resp_from_js(client, request, domain, answers, this.public, this.secret, true);
			return values.map(({ bytes }) => BigInt(bytes.length > 0 ? hexlify(bytes) : '0x00'));
		} finally {
			provider.destroy();
		}
	}
}
