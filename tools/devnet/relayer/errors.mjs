// SPDX-License-Identifier: BSD-3-Clause-Clear
// What the relayer refuses, in words that a dapp's developer can act on. Clients show the message, programs read the label.
import { Interface, isError } from 'ethers';

// HTTP status by label, as clients expect them.
const statuses = {
	malformed_json: 400,
	missing_fields: 400,
	validation_failed: 400,
	request_error: 400,
	not_allowed_on_host_acl: 400,
	host_chain_id_not_supported: 400,
	not_found: 404,
	rate_limited: 429,
	protocol_overload: 429,
	internal_server_error: 500,
	protocol_paused: 503,
	insufficient_balance: 503,
	insufficient_allowance: 503,
	gateway_not_reachable: 503,
	host_acl_failed: 503,
	readiness_check_timed_out: 503,
	response_timed_out: 503,
};

export class RelayerError extends Error {
	constructor(label, message, details) {
		super(message);
		this.label = label;
		this.details = details;
	}

	get status() {
		return statuses[this.label];
	}

	get body() {
		return { label: this.label, message: this.message, ...(this.details && { details: this.details }) };
	}
}

// One field of the request is wrong.
export const invalid = (field, issue) => new RelayerError('validation_failed', `${field}: ${issue}`, [{ field, issue }]);

// Everything that the gateway's contracts revert a request with.
const reverts = new Interface([
	'error EnforcedPause()',
	'error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)',
	'error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)',
	'error InvalidUserSignature(bytes signature)',
	'error ECDSAInvalidSignature()',
	'error ECDSAInvalidSignatureLength(uint256 length)',
	'error ECDSAInvalidSignatureS(bytes32 s)',
	'error CiphertextMaterialNotFound(bytes32 ctHandle)',
	'error HostChainNotRegistered(uint256 chainId)',
	'error HostChainDisabled(uint256 chainId)',
	'error DifferentKeyIdsNotAllowed((bytes32,uint256,bytes32,address[]) first, (bytes32,uint256,bytes32,address[]) invalid)',
	'error CtHandleChainIdDiffersFromContractChainId(bytes32 ctHandle, uint256 chainId, uint256 contractChainId)',
	'error ContractNotInContractAddresses(address contractAddress, address[] contractAddresses)',
	'error ContractAddressesMaxLengthExceeded(uint256 maxLength, uint256 actualLength)',
	'error UserAddressInContractAddresses(address userAddress, address[] contractAddresses)',
	'error DelegatorAddressInContractAddresses(address delegatorAddress, address[] contractAddresses)',
	'error StartTimestampInFuture(uint256 currentTimestamp, uint256 startTimestamp)',
	'error UserDecryptionRequestExpired(uint256 currentTimestamp, (uint256,uint256) requestValidity)',
	'error UserDecryptionRequestExpiredSeconds(uint256 currentTimestamp, (uint256,uint256) requestValidity)',
	'error MaxDecryptionRequestBitSizeExceeded(uint256 maxBitSize, uint256 totalBitSize)',
	'error MaxDurationDaysExceeded(uint256 maxValue, uint256 actualValue)',
	'error MaxDurationSecondsExceeded(uint256 maxValue, uint256 actualValue)',
	'error InvalidFHEType(uint8 fheTypeUint8)',
	'error UnsupportedFHEType(uint8 fheType)',
	'error InvalidKmsContext(uint256 kmsContextId)',
	'error InvalidNullContextId()',
	'error InvalidExtraDataLength(uint256 length, uint256 minimumLength)',
	'error UnsupportedExtraDataVersion(uint8 version)',
]);

const said = {
	EnforcedPause: ['protocol_paused', 'the gateway is paused: nothing is decrypted or verified until its owner unpauses it'],
	ERC20InsufficientBalance: ['insufficient_balance', "the relayer's account cannot pay the fee: fund it with the fee token"],
	ERC20InsufficientAllowance: ['insufficient_allowance', "the relayer's account has not approved the fee: approve ProtocolPayment"],
	CiphertextMaterialNotFound: ['readiness_check_timed_out', 'the coprocessors have not published this ciphertext yet: ask again'],
};

// What a failed call or transaction to a chain says about the request. Never the relayer's own error.
export function chainError(error) {
	if (error instanceof RelayerError) return error;
	const data = error.data ?? error.info?.error?.data;
	const revert = error.revert ?? (typeof data === 'string' && data.length >= 10 ? reverts.parseError(data) : null);
	if (revert) {
		const [label, text] = said[revert.name] ?? ['request_error', 'the gateway refuses the request'];
		return new RelayerError(label, `${text} (${revert.name}(${revert.args.join(', ')}))`);
	}
	if (isError(error, 'CALL_EXCEPTION')) return new RelayerError('request_error', `the gateway refuses the request: ${error.shortMessage}`);
	if (error.code) return new RelayerError('gateway_not_reachable', `the gateway chain does not answer: ${error.shortMessage ?? error.message}`);
	return error;
}
