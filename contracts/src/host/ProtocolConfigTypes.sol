// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @notice How far a context has come: announced, confirmed by its nodes, in use. A destroyed context never is none again.
enum ContextState {
    None,
    Pending,
    Created,
    Active
}

/// @notice How far an epoch has come. A destroyed epoch is none.
enum EpochState {
    None,
    Pending,
    Active
}

/// @notice What a context was announced as.
struct ContextAnchor {
    uint256 emissionBlockNumber;
    bytes32 contextInfoHash;
}

/// @notice A node as it is announced.
struct KmsNodeParams {
    address txSenderAddress;
    address signerAddress;
    string ipAddress;
    string storageUrl;
    int32 partyId;
    string mpcIdentity;
    bytes caCert;
    string storagePrefix;
}

/// @notice A node as it is stored.
struct KmsNode {
    address txSenderAddress;
    address signerAddress;
    string ipAddress;
    string storageUrl;
}

/// @notice A context's thresholds.
struct KmsThresholds {
    uint256 publicDecryption;
    uint256 userDecryption;
    uint256 kmsGen;
    uint256 mpc;
}

/// @notice Enclave measurements that the nodes' software may have.
struct PcrValues {
    bytes pcr0;
    bytes pcr1;
    bytes pcr2;
}

/// @notice The blocks of a host chain in which coprocessors change their software.
struct ChainUpgradeWindow {
    uint64 chainId;
    uint64 startBlock;
    uint64 endBlock;
}
