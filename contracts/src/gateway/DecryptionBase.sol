// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Handle} from "../shared/Handle.sol";
import {DecryptionEvents} from "./DecryptionEvents.sol";
import {GatewayHostChains} from "./GatewayHostChains.sol";
import {GatewayPausable} from "./GatewayPausable.sol";
import {SnsCiphertextMaterial} from "./GatewayTypes.sol";
import {ICiphertextCommits} from "./ICiphertextCommits.sol";
import {IProtocolPayment} from "./IProtocolPayment.sol";
import {EIP712Upgradeable} from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title What public and user decryption share
/// @notice The storage, the ciphertexts of a request, its context, and whose answers count.
abstract contract DecryptionBase is DecryptionEvents, GatewayHostChains, EIP712Upgradeable, GatewayPausable {
    using Handle for bytes32;

    /// @notice What an answer to a user decryption signs besides the share, in full.
    struct UserDecryptionPayload {
        bytes publicKey;
        bytes32[] ctHandles;
    }

    /// @custom:storage-location erc7201:fhevm_gateway.storage.Decryption
    /// @dev Members are only ever appended.
    struct DecryptionStorage {
        mapping(uint256 decryptionId => bool isDone) decryptionDone;
        mapping(uint256 decryptionId => mapping(address signer => bool hasSigned)) kmsNodeAlreadySigned;
        /// @dev User decryptions keep all their senders under digest zero: no two answers are equal.
        mapping(uint256 decryptionId => mapping(bytes32 digest => address[] txSenders)) consensusTxSenderAddresses;
        mapping(uint256 decryptionId => bytes32 digest) decryptionConsensusDigest;
        /// @dev This and the next only of what an earlier implementation of the proxy accepted; see Decryption.
        mapping(uint256 decryptionId => mapping(bytes32 digest => bytes[] signatures)) verifiedPublicDecryptSignatures;
        mapping(uint256 decryptionId => bytes32[] ctHandles) publicCtHandles;
        uint256 publicDecryptionCounter;
        /// @dev Only of requests that an earlier implementation of the proxy accepted; see UserDecryption.
        mapping(uint256 decryptionId => UserDecryptionPayload payload) userDecryptionPayloads;
        uint256 userDecryptionCounter;
        /// @dev Zero for requests made before contexts were pinned.
        mapping(uint256 decryptionId => uint256 contextId) decryptionContextId;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm_gateway.storage.Decryption")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x68113e68af494c6efd0210fc4bf9ba748d1ffadaa4718217fdf63548c4aee700;

    /// @dev Ids carry their kind in the top byte; the counters start here and are incremented before use.
    uint256 internal constant PUBLIC_DECRYPTION_BASE = 1 << 248;
    uint256 internal constant USER_DECRYPTION_BASE = 2 << 248;

    uint256 private constant MAX_BIT_SIZE = 2048;
    uint256 private constant EXTRA_DATA_CONTEXT_LENGTH = 33;

    ICiphertextCommits private immutable CIPHERTEXT_COMMITS;
    IProtocolPayment internal immutable PROTOCOL_PAYMENT;

    /// @param ciphertextCommits The CiphertextCommits proxy.
    /// @param protocolPayment The ProtocolPayment proxy.
    constructor(ICiphertextCommits ciphertextCommits, IProtocolPayment protocolPayment) {
        CIPHERTEXT_COMMITS = ciphertextCommits;
        PROTOCOL_PAYMENT = protocolPayment;
    }

    /// @dev The commitments of a request's handles, all under one key.
    function _materialsOf(bytes32[] memory ctHandles) internal view returns (SnsCiphertextMaterial[] memory materials) {
        materials = CIPHERTEXT_COMMITS.getSnsCiphertextMaterials(ctHandles);
        for (uint256 i = 1; i < materials.length; i++) {
            if (materials[i].keyId != materials[0].keyId) {
                revert DifferentKeyIdsNotAllowed(materials[0], materials[i]);
            }
        }
    }

    /// @dev Reverts if the values of a request would take too many bits together.
    function _checkTotalBits(uint256 total) internal pure {
        if (total > MAX_BIT_SIZE) {
            revert MaxDecryptionRequestBitSizeExceeded(MAX_BIT_SIZE, total);
        }
    }

    /// @dev Whether a handle has final material.
    function _isCommitted(bytes32 ctHandle) internal view returns (bool) {
        return CIPHERTEXT_COMMITS.isCiphertextMaterialAdded(ctHandle);
    }

    /// @dev The context that a request with this extra data belongs to; it is registered and not destroyed.
    function _validContextOf(bytes calldata extraData) internal view returns (uint256 contextId) {
        contextId = _contextOf(extraData);
        if (!GATEWAY_CONFIG.isValidKmsContext(contextId)) {
            revert InvalidKmsContext(contextId);
        }
    }

    /// @dev Checks context and signer of an answer and counts the signer; returns the context.
    function _checkAnswer(uint256 decryptionId, bytes32 digest, bytes calldata signature, bytes calldata extraData)
        internal
        returns (uint256 contextId)
    {
        DecryptionStorage storage $ = _storage();
        contextId = _contextOf(extraData);
        uint256 pinned = $.decryptionContextId[decryptionId];
        if (pinned != 0 && pinned != contextId) {
            revert DecryptionContextMismatch(decryptionId, pinned, contextId);
        }

        address signer = ECDSA.recover(digest, signature);
        _checkKmsOperator(contextId, signer);

        // One vote per key and request, whatever the answer says.
        if ($.kmsNodeAlreadySigned[decryptionId][signer]) {
            revert KmsNodeAlreadySigned(decryptionId, signer);
        }
        $.kmsNodeAlreadySigned[decryptionId][signer] = true;
    }

    /// @dev The epoch of version 2 means nothing to the gateway; longer data than needed is accepted.
    function _contextOf(bytes calldata extraData) internal view returns (uint256 contextId) {
        if (extraData.length == 0 || extraData[0] == 0x00) {
            return GATEWAY_CONFIG.getCurrentKmsContextId();
        }
        uint8 version = uint8(extraData[0]);
        if (version > 2) {
            revert UnsupportedExtraDataVersion(version);
        }
        if (extraData.length < EXTRA_DATA_CONTEXT_LENGTH) {
            revert InvalidExtraDataLength(extraData.length, EXTRA_DATA_CONTEXT_LENGTH);
        }
        contextId = uint256(bytes32(extraData[1:EXTRA_DATA_CONTEXT_LENGTH]));
        if (contextId == 0) {
            revert InvalidNullContextId();
        }
    }

    /// @dev The namespace's struct.
    function _storage() internal pure returns (DecryptionStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
