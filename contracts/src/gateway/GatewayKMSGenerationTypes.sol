// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @notice Which parameters a key or CRS is generated with.
enum ParamsType {
    Default,
    Test
}

/// @notice Which public part of a key a digest is of.
/// @dev The gateway's contract knows these two; the host chain's of later releases has more.
enum KeyType {
    Server,
    Public
}

/// @notice The digest of one public part of a key.
struct KeyDigest {
    KeyType keyType;
    bytes digest;
}
