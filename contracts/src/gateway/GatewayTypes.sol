// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @notice Who runs the protocol.
struct ProtocolMetadata {
    string name;
    string website;
}

/// @notice One KMS operator: the account that sends its transactions and the key that signs its answers.
struct KmsNode {
    address txSenderAddress;
    address signerAddress;
    string ipAddress;
    string storageUrl;
}

/// @notice One coprocessor operator.
struct Coprocessor {
    address txSenderAddress;
    address signerAddress;
    string s3BucketUrl;
}

/// @notice One custodian of key backups.
struct Custodian {
    address txSenderAddress;
    address signerAddress;
    bytes encryptionKey;
}

/// @notice A chain whose contracts make handles.
struct HostChain {
    uint256 chainId;
    address fhevmExecutorAddress;
    address aclAddress;
    string name;
    string website;
}

/// @notice A committed ciphertext.
struct CiphertextMaterial {
    bytes32 ctHandle;
    uint256 keyId;
    bytes32 ciphertextDigest;
    address[] coprocessorTxSenderAddresses;
}

/// @notice A committed ciphertext in the noise-squashed form that decryption starts from.
struct SnsCiphertextMaterial {
    bytes32 ctHandle;
    uint256 keyId;
    bytes32 snsCiphertextDigest;
    address[] coprocessorTxSenderAddresses;
}
