// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {
    HandleEntry,
    RequestValidity,
    RequestValiditySeconds,
    UserDecryptionRequestPayload
} from "./DecryptionTypes.sol";
import {SnsCiphertextMaterial} from "./GatewayTypes.sol";

/// @title What Decryption tells and why it refuses
/// @dev Requests are told twice: first with the commitments, for clients of before, then with the handles only.
abstract contract DecryptionEvents {
    /// @notice A public decryption was asked for (first generation of the event, with the commitments).
    /// @param decryptionId The request.
    /// @param snsCtMaterials The committed ciphertexts, in order.
    /// @param extraData The requester's extra data.
    event PublicDecryptionRequest(
        uint256 indexed decryptionId, SnsCiphertextMaterial[] snsCtMaterials, bytes extraData
    );

    /// @notice A public decryption was asked for (second generation, handles only).
    /// @param decryptionId The request.
    /// @param ctHandles The handles, in order.
    /// @param extraData The requester's extra data.
    event PublicDecryptionRequest(uint256 indexed decryptionId, bytes32[] ctHandles, bytes extraData);

    /// @notice One node's valid answer.
    /// @param decryptionId The request.
    /// @param decryptedResult The values, one word per handle.
    /// @param signature The node's signature.
    /// @param kmsTxSender The account it was sent from.
    /// @param extraData The extra data under the signature.
    event PublicDecryptionResponseCall(
        uint256 indexed decryptionId, bytes decryptedResult, bytes signature, address kmsTxSender, bytes extraData
    );

    /// @notice Enough nodes signed the same answer. Emitted once per request.
    /// @param decryptionId The request.
    /// @param decryptedResult The values, one word per handle.
    /// @param signatures Signatures over this answer, in order of arrival.
    /// @param extraData The extra data under the signatures.
    event PublicDecryptionResponse(
        uint256 indexed decryptionId, bytes decryptedResult, bytes[] signatures, bytes extraData
    );

    /// @notice A user decryption was asked for, directly or by a delegate (first generation, with the commitments).
    /// @param decryptionId The request.
    /// @param snsCtMaterials The committed ciphertexts, in order.
    /// @param userAddress Who signed: the user, or the delegate.
    /// @param publicKey The key to encrypt the shares under.
    /// @param extraData The requester's extra data.
    event UserDecryptionRequest(
        uint256 indexed decryptionId,
        SnsCiphertextMaterial[] snsCtMaterials,
        address userAddress,
        bytes publicKey,
        bytes extraData
    );

    /// @notice A user decryption was asked for, directly or by a delegate (second generation, handles only).
    /// @param decryptionId The request.
    /// @param ctHandles The handles, in order.
    /// @param userAddress Who signed: the user, or the delegate.
    /// @param publicKey The key to encrypt the shares under.
    /// @param extraData The requester's extra data.
    event UserDecryptionRequest(
        uint256 indexed decryptionId, bytes32[] ctHandles, address userAddress, bytes publicKey, bytes extraData
    );

    /// @notice A user decryption of own and delegated ciphertexts was asked for (first generation, with the
    /// commitments).
    /// @param decryptionId The request.
    /// @param snsCtMaterials The committed ciphertexts, in order.
    /// @param handles The handles with their contracts and owners.
    /// @param payload What the user signed, and the signature, which was not checked here.
    event UserDecryptionRequest(
        uint256 indexed decryptionId,
        SnsCiphertextMaterial[] snsCtMaterials,
        HandleEntry[] handles,
        UserDecryptionRequestPayload payload
    );

    /// @notice A user decryption of own and delegated ciphertexts was asked for (second generation, handles only).
    /// @param decryptionId The request.
    /// @param handles The handles with their contracts and owners.
    /// @param payload What the user signed, and the signature, which was not checked here.
    event UserDecryptionRequest(
        uint256 indexed decryptionId, HandleEntry[] handles, UserDecryptionRequestPayload payload
    );

    /// @notice One node's valid answer to a user decryption.
    /// @param decryptionId The request.
    /// @param indexShare How many answers came before this one; says nothing about which node it is from.
    /// @param userDecryptedShare The node's share, encrypted to the user.
    /// @param signature The node's signature.
    /// @param extraData The extra data under the signature.
    event UserDecryptionResponse(
        uint256 indexed decryptionId, uint256 indexShare, bytes userDecryptedShare, bytes signature, bytes extraData
    );

    /// @notice Enough nodes have answered for the user to put the value together. Emitted once per request.
    /// @param decryptionId The request.
    event UserDecryptionResponseThresholdReached(uint256 indexed decryptionId);

    /// @notice No handle was given.
    error EmptyCtHandles();

    /// @notice The values would take too many bits.
    /// @param maxBitSize The limit.
    /// @param totalBitSize The sum over the handles.
    error MaxDecryptionRequestBitSizeExceeded(uint256 maxBitSize, uint256 totalBitSize);

    /// @notice Ciphertexts under different keys cannot be decrypted by one request.
    /// @param firstSnsCtMaterial The first ciphertext.
    /// @param invalidSnsCtMaterial The first one under another key.
    error DifferentKeyIdsNotAllowed(
        SnsCiphertextMaterial firstSnsCtMaterial, SnsCiphertextMaterial invalidSnsCtMaterial
    );

    /// @notice No request of this kind has the id.
    /// @param decryptionId The id.
    error DecryptionNotRequested(uint256 decryptionId);

    /// @notice The key has answered this request before.
    /// @param decryptionId The request.
    /// @param signer The key's address.
    error KmsNodeAlreadySigned(uint256 decryptionId, address signer);

    /// @notice The answer names another context than the one the request is pinned to.
    /// @param decryptionId The request.
    /// @param requestContextId The pinned context.
    /// @param responseContextId The answer's context.
    error DecryptionContextMismatch(uint256 decryptionId, uint256 requestContextId, uint256 responseContextId);

    /// @notice The context is unknown or destroyed.
    /// @param kmsContextId The context.
    error InvalidKmsContext(uint256 kmsContextId);

    /// @notice Extra data names context zero.
    error InvalidNullContextId();

    /// @notice Extra data is too short for its version.
    /// @param length Its length.
    /// @param minimumLength The least length.
    error InvalidExtraDataLength(uint256 length, uint256 minimumLength);

    /// @notice Extra data has a version that is not known.
    /// @param version The version byte.
    error UnsupportedExtraDataVersion(uint8 version);

    /// @notice No handle was given (requests of own and delegated ciphertexts).
    error EmptyHandles();

    /// @notice No pair of handle and contract was given.
    error EmptyCtHandleContractPairs();

    /// @notice The signature covers no contract.
    error EmptyContractAddresses();

    /// @notice The signature covers too many contracts.
    /// @param maxLength The limit.
    /// @param actualLength Their number.
    error ContractAddressesMaxLengthExceeded(uint256 maxLength, uint256 actualLength);

    /// @notice A handle's contract is not one that the signature covers.
    /// @param contractAddress The contract.
    /// @param contractAddresses Those that are covered.
    error ContractNotInContractAddresses(address contractAddress, address[] contractAddresses);

    /// @notice A user cannot be one of the contracts.
    /// @param userAddress The user.
    /// @param contractAddresses The contracts.
    error UserAddressInContractAddresses(address userAddress, address[] contractAddresses);

    /// @notice A delegator cannot be one of the contracts.
    /// @param delegatorAddress The delegator.
    /// @param contractAddresses The contracts.
    error DelegatorAddressInContractAddresses(address delegatorAddress, address[] contractAddresses);

    /// @notice A handle is of another chain than the request.
    /// @param ctHandle The handle.
    /// @param chainId Its chain.
    /// @param contractChainId The chain of the contracts, or of the first handle.
    error CtHandleChainIdDiffersFromContractChainId(bytes32 ctHandle, uint256 chainId, uint256 contractChainId);

    /// @notice The signature would be good for no time.
    error InvalidNullDurationDays();

    /// @notice The signature would be good for no time.
    error InvalidNullDurationSeconds();

    /// @notice The signature would be good for too long.
    /// @param maxValue The limit in days.
    /// @param actualValue The duration in days.
    error MaxDurationDaysExceeded(uint256 maxValue, uint256 actualValue);

    /// @notice The signature would be good for too long.
    /// @param maxValue The limit in seconds.
    /// @param actualValue The duration in seconds.
    error MaxDurationSecondsExceeded(uint256 maxValue, uint256 actualValue);

    /// @notice The signature is not good yet.
    /// @param currentTimestamp Now.
    /// @param startTimestamp When it begins to be.
    error StartTimestampInFuture(uint256 currentTimestamp, uint256 startTimestamp);

    /// @notice The signature is no longer good.
    /// @param currentTimestamp Now.
    /// @param requestValidity When it was.
    error UserDecryptionRequestExpired(uint256 currentTimestamp, RequestValidity requestValidity);

    /// @notice The signature is no longer good.
    /// @param currentTimestamp Now.
    /// @param requestValidity When it was.
    error UserDecryptionRequestExpiredSeconds(uint256 currentTimestamp, RequestValiditySeconds requestValidity);

    /// @notice The signature is not by the user (or delegate), or not over this request.
    /// @param signature The signature.
    error InvalidUserSignature(bytes signature);
}
