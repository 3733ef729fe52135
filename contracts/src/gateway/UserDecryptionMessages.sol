// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ContractsInfo, DelegationAccounts, RequestValidity} from "./DecryptionTypes.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title EIP-712 messages of user decryptions
library UserDecryptionMessages {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant REQUEST_TYPEHASH = keccak256(
        "UserDecryptRequestVerification(bytes publicKey,address[] contractAddresses,uint256 startTimestamp,uint256 durationDays,bytes extraData)"
    );
    bytes32 private constant DELEGATED_REQUEST_TYPEHASH = keccak256(
        "DelegatedUserDecryptRequestVerification(bytes publicKey,address[] contractAddresses,address delegatorAddress,uint256 startTimestamp,uint256 durationDays,bytes extraData)"
    );
    bytes32 private constant RESPONSE_TYPEHASH = keccak256(
        "UserDecryptResponseVerification(bytes publicKey,bytes32[] ctHandles,bytes userDecryptedShare,bytes extraData)"
    );

    /// @notice What a user signs.
    /// @param publicKey The key to encrypt the shares under.
    /// @param contractsInfo The contracts that are covered.
    /// @param validity When the signature is good.
    /// @param extraData The request's extra data.
    /// @return The struct hash.
    function request(
        bytes calldata publicKey,
        ContractsInfo calldata contractsInfo,
        RequestValidity calldata validity,
        bytes calldata extraData
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                REQUEST_TYPEHASH,
                keccak256(publicKey),
                keccak256(abi.encodePacked(contractsInfo.addresses)),
                validity.startTimestamp,
                validity.durationDays,
                keccak256(extraData)
            )
        );
    }

    /// @notice What a delegate signs.
    /// @param publicKey The key to encrypt the shares under.
    /// @param contractsInfo The contracts that are covered.
    /// @param accounts Delegator and delegate; only the former is under the signature.
    /// @param validity When the signature is good.
    /// @param extraData The request's extra data.
    /// @return The struct hash.
    function delegatedRequest(
        bytes calldata publicKey,
        ContractsInfo calldata contractsInfo,
        DelegationAccounts calldata accounts,
        RequestValidity calldata validity,
        bytes calldata extraData
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                DELEGATED_REQUEST_TYPEHASH,
                keccak256(publicKey),
                keccak256(abi.encodePacked(contractsInfo.addresses)),
                accounts.delegatorAddress,
                validity.startTimestamp,
                validity.durationDays,
                keccak256(extraData)
            )
        );
    }

    /// @notice What a node signs.
    /// @param publicKeyHash Hash of the request's key.
    /// @param ctHandlesHash Hash of the request's handles, packed.
    /// @param userDecryptedShare The share.
    /// @param extraData The answer's extra data.
    /// @return The struct hash.
    function response(
        bytes32 publicKeyHash,
        bytes32 ctHandlesHash,
        bytes calldata userDecryptedShare,
        bytes calldata extraData
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                RESPONSE_TYPEHASH, publicKeyHash, ctHandlesHash, keccak256(userDecryptedShare), keccak256(extraData)
            )
        );
    }

    /// @notice The digest that a user's or delegate's signature is over. A user signs on the host chain, where its
    /// wallet is, for this contract on the gateway: the domain has the chain of the one and the address of the other.
    /// @param nameHash Hash of the domain's name.
    /// @param versionHash Hash of the domain's version.
    /// @param hostChainId The host chain.
    /// @param structHash What is signed.
    /// @return The digest.
    function digest(bytes32 nameHash, bytes32 versionHash, uint256 hostChainId, bytes32 structHash)
        internal
        view
        returns (bytes32)
    {
        return MessageHashUtils.toTypedDataHash(
            keccak256(abi.encode(DOMAIN_TYPEHASH, nameHash, versionHash, hostChainId, address(this))), structHash
        );
    }
}
