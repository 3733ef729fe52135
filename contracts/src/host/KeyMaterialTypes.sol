// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @notice Which FHE parameters a key or a CRS is made with.
enum ParamsType {
    Default,
    Test
}

/// @notice What a digest is the digest of. Reserved keeps a number free that the nodes' software uses otherwise.
enum KeyType {
    Server,
    Public,
    Reserved,
    CompressedKeySet
}

/// @notice The digest of one public artefact of a key.
struct KeyDigest {
    KeyType keyType;
    bytes digest;
}

/// @notice A generated key.
struct KeyInfo {
    uint256 prepKeygenId;
    uint256 keyId;
    ParamsType paramsType;
    KeyDigest[] keyDigests;
}

/// @notice What a node attests of a key after it was shared anew.
struct EpochKeyResult {
    uint256 prepKeygenId;
    uint256 keyId;
    KeyDigest[] keyDigests;
    bytes signature;
}

/// @notice What a node attests of a CRS in a new epoch.
struct EpochCrsResult {
    uint256 crsId;
    uint256 maxBitLength;
    bytes crsDigest;
    bytes signature;
}
