// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @title What the ACL keeps
abstract contract ACLBase {
    /// @notice A user lets another account ask for the decryption of what it may decrypt itself.
    struct UserDecryptionDelegation {
        uint64 expirationDate;
        uint64 lastBlockDelegateOrRevoke;
        uint64 delegationCounter;
    }

    /// @custom:storage-location erc7201:fhevm.storage.ACL
    /// @dev Members are only ever appended.
    struct ACLStorage {
        mapping(bytes32 handle => mapping(address account => bool isAllowed)) persistedAllowedPairs;
        mapping(bytes32 handle => bool isAllowed) allowedForDecryption;
        mapping(
            address delegator
                => mapping(address delegate => mapping(address contractAddress => UserDecryptionDelegation delegation))
        ) userDecryptionDelegations;
        mapping(address account => bool isDenied) denyList;
        mapping(address account => uint256 timestamp) decryptionSignatureInvalidatedBefore;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm.storage.ACL")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0xa688f31953c2015baaf8c0a488ee1ee22eb0e05273cc1fd31ea4cbee42febc00;

    /// @dev The namespace's struct.
    function _storage() internal pure returns (ACLStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
