// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @notice A ciphertext and the contract through which its owner may see it.
struct CtHandleContractPair {
    bytes32 ctHandle;
    address contractAddress;
}

/// @notice A ciphertext, the contract it belongs to, and the account it is decrypted for: the user itself, or one that
/// has delegated to the user.
struct HandleEntry {
    bytes32 handle;
    address contractAddress;
    address ownerAddress;
}

/// @notice The contracts that a user's signature covers, all of one host chain.
struct ContractsInfo {
    uint256 chainId;
    address[] addresses;
}

/// @notice How long a user's signature is good for, in days.
struct RequestValidity {
    uint256 startTimestamp;
    uint256 durationDays;
}

/// @notice How long a user's signature is good for, in seconds.
struct RequestValiditySeconds {
    uint256 startTimestamp;
    uint256 durationSeconds;
}

/// @notice Who lets whom ask in its place.
struct DelegationAccounts {
    address delegatorAddress;
    address delegateAddress;
}

/// @notice What a user signs, with the signature.
struct UserDecryptionRequestPayload {
    address userAddress;
    bytes publicKey;
    address[] allowedContracts;
    RequestValiditySeconds requestValidity;
    bytes extraData;
    bytes signature;
}
