// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KeyDigest} from "./KeyMaterialTypes.sol";

/// @title What nodes sign about keys and CRSs
/// @notice The EIP-712 struct hashes. KMSGeneration and ProtocolConfig use them, each under its own domain.
library KeyMaterialMessages {
    bytes32 private constant PREP_KEYGEN_TYPEHASH =
        keccak256("PrepKeygenVerification(uint256 prepKeygenId,bytes extraData)");
    bytes32 private constant KEYGEN_TYPEHASH = keccak256(
        "KeygenVerification(uint256 prepKeygenId,uint256 keyId,KeyDigest[] keyDigests,bytes extraData)"
        "KeyDigest(uint8 keyType,bytes digest)"
    );
    bytes32 private constant CRSGEN_TYPEHASH =
        keccak256("CrsgenVerification(uint256 crsId,uint256 maxBitLength,bytes crsDigest,bytes extraData)");
    bytes32 private constant KEY_DIGEST_TYPEHASH = keccak256("KeyDigest(uint8 keyType,bytes digest)");

    /// @notice The preprocessing of a key is finished.
    /// @param prepKeygenId The preprocessing.
    /// @param extraDataHash Hash of the request's extra data.
    /// @return The struct hash.
    function prepKeygen(uint256 prepKeygenId, bytes32 extraDataHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(PREP_KEYGEN_TYPEHASH, prepKeygenId, extraDataHash));
    }

    /// @notice A key has these digests.
    /// @param prepKeygenId The preprocessing it was made from.
    /// @param keyId The key.
    /// @param keyDigestsHash What hashKeyDigests gives.
    /// @param extraDataHash Hash of the extra data.
    /// @return The struct hash.
    function keygen(uint256 prepKeygenId, uint256 keyId, bytes32 keyDigestsHash, bytes32 extraDataHash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(KEYGEN_TYPEHASH, prepKeygenId, keyId, keyDigestsHash, extraDataHash));
    }

    /// @notice A CRS has this digest.
    /// @param crsId The CRS.
    /// @param maxBitLength What it is good for.
    /// @param crsDigest Its digest.
    /// @param extraDataHash Hash of the extra data.
    /// @return The struct hash.
    function crsgen(uint256 crsId, uint256 maxBitLength, bytes calldata crsDigest, bytes32 extraDataHash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(CRSGEN_TYPEHASH, crsId, maxBitLength, keccak256(crsDigest), extraDataHash));
    }

    /// @notice The hash of an array of digests, in the given order.
    /// @param keyDigests The digests.
    /// @return Keccak-256 of the elements' struct hashes.
    function hashKeyDigests(KeyDigest[] calldata keyDigests) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](keyDigests.length);
        for (uint256 i = 0; i < hashes.length; i++) {
            hashes[i] =
                keccak256(abi.encode(KEY_DIGEST_TYPEHASH, keyDigests[i].keyType, keccak256(keyDigests[i].digest)));
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
