// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {Handle} from "../shared/Handle.sol";
import {GatewayChecks} from "./GatewayChecks.sol";
import {GatewayOwned} from "./GatewayOwned.sol";
import {SnsCiphertextMaterial} from "./GatewayTypes.sol";
import {ICiphertextCommits} from "./ICiphertextCommits.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";
import {EIP712Upgradeable} from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Decryption requests and answers
/// @notice Anybody may ask for the public decryption of committed ciphertexts. KMS nodes answer with a result signed
/// under EIP-712; when enough nodes of the request's context have signed the same result, it is emitted once with all
/// their signatures. A request is never cancelled, and its context is fixed when it is made.
/// @dev Requests stop while the contract is paused, answers do not: a request that was accepted can be answered.
contract Decryption is FromEmptyProxy, UUPSUpgradeable, EIP712Upgradeable, PausableUpgradeable, GatewayChecks {
    using Handle for bytes32;

    /// @notice What an answer to a user decryption signs besides the share.
    struct UserDecryptionPayload {
        bytes publicKey;
        bytes32[] ctHandles;
    }

    /// @custom:storage-location erc7201:fhevm_gateway.storage.Decryption
    /// @dev Members are only ever appended.
    struct DecryptionStorage {
        mapping(uint256 decryptionId => bool isDone) decryptionDone;
        mapping(uint256 decryptionId => mapping(address signer => bool hasSigned)) kmsNodeAlreadySigned;
        mapping(uint256 decryptionId => mapping(bytes32 digest => address[] txSenders)) consensusTxSenderAddresses;
        mapping(uint256 decryptionId => bytes32 digest) decryptionConsensusDigest;
        mapping(uint256 decryptionId => mapping(bytes32 digest => bytes[] signatures)) verifiedPublicDecryptSignatures;
        mapping(uint256 decryptionId => bytes32[] ctHandles) publicCtHandles;
        uint256 publicDecryptionCounter;
        /// @dev User decryptions have their own ids; these two members belong to them.
        mapping(uint256 decryptionId => UserDecryptionPayload payload) userDecryptionPayloads;
        uint256 userDecryptionCounter;
        /// @dev Zero for requests made before contexts were pinned.
        mapping(uint256 decryptionId => uint256 contextId) decryptionContextId;
    }

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

    /// @notice The sender may not pause.
    /// @param notPauserOrGatewayConfig The sender.
    error NotPauserOrGatewayConfig(address notPauserOrGatewayConfig);

    /// @notice The sender may not unpause.
    /// @param notOwnerOrGatewayConfig The sender.
    error NotOwnerOrGatewayConfig(address notOwnerOrGatewayConfig);

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm_gateway.storage.Decryption")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x68113e68af494c6efd0210fc4bf9ba748d1ffadaa4718217fdf63548c4aee700;

    bytes32 private constant PUBLIC_DECRYPT_TYPEHASH =
        keccak256("PublicDecryptVerification(bytes32[] ctHandles,bytes decryptedResult,bytes extraData)");

    /// @dev Ids carry their kind in the top byte; the counters start here and are incremented before use.
    uint256 private constant PUBLIC_DECRYPTION_BASE = 1 << 248;
    uint256 private constant USER_DECRYPTION_BASE = 2 << 248;

    uint256 private constant MAX_BIT_SIZE = 2048;
    uint256 private constant EXTRA_DATA_CONTEXT_LENGTH = 33;
    uint64 private constant REINITIALIZER_VERSION = 8;

    ICiphertextCommits private immutable CIPHERTEXT_COMMITS;

    /// @param gatewayConfig The GatewayConfig proxy.
    /// @param ciphertextCommits The CiphertextCommits proxy.
    constructor(IGatewayConfig gatewayConfig, ICiphertextCommits ciphertextCommits) GatewayOwned(gatewayConfig) {
        CIPHERTEXT_COMMITS = ciphertextCommits;
        _disableInitializers();
    }

    /// @notice Initialises a new proxy.
    function initializeFromEmptyProxy() external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        __EIP712_init("Decryption", "1");
        __Pausable_init();
        DecryptionStorage storage $ = _storage();
        $.publicDecryptionCounter = PUBLIC_DECRYPTION_BASE;
        $.userDecryptionCounter = USER_DECRYPTION_BASE;
    }

    /// @notice Takes over a proxy of the previous release.
    function reinitializeV7() external reinitializer(REINITIALIZER_VERSION) {}

    /// @notice Asks for the public decryption of ciphertexts. Whether it is allowed is decided on the handles' host
    /// chain, by the nodes.
    /// @dev Requests are free: the fee has its place between pinning the context and the events.
    /// @param ctHandles At least one handle, all committed under one key, of at most 2048 bits together.
    /// @param extraData Empty or version 0: the current context; version 1 or 2: the context it names.
    function publicDecryptionRequest(bytes32[] calldata ctHandles, bytes calldata extraData) external whenNotPaused {
        if (ctHandles.length == 0) {
            revert EmptyCtHandles();
        }
        _checkBitSizes(ctHandles);

        SnsCiphertextMaterial[] memory materials = CIPHERTEXT_COMMITS.getSnsCiphertextMaterials(ctHandles);
        _checkSameKey(materials);

        DecryptionStorage storage $ = _storage();
        uint256 decryptionId = ++$.publicDecryptionCounter;
        $.publicCtHandles[decryptionId] = ctHandles;
        _pinContext(decryptionId, extraData);

        emit PublicDecryptionRequest(decryptionId, materials, extraData);
        emit PublicDecryptionRequest(decryptionId, ctHandles, extraData);
    }

    /// @notice A KMS node's answer to a public decryption. Accepted while paused, and also after the decision.
    /// @param decryptionId The request.
    /// @param decryptedResult The values, one word per handle.
    /// @param signature 65 bytes over PublicDecryptVerification of the request's handles, this result and this extra
    /// data, by the key of the node that the sender sends for.
    /// @param extraData Names the context the request is pinned to, as in the request.
    function publicDecryptionResponse(
        uint256 decryptionId,
        bytes calldata decryptedResult,
        bytes calldata signature,
        bytes calldata extraData
    ) external {
        DecryptionStorage storage $ = _storage();
        if (decryptionId <= PUBLIC_DECRYPTION_BASE || decryptionId > $.publicDecryptionCounter) {
            revert DecryptionNotRequested(decryptionId);
        }

        bytes32 digest = _hashPublicDecryption($.publicCtHandles[decryptionId], decryptedResult, extraData);
        uint256 contextId = _checkAnswer(decryptionId, digest, signature, extraData);
        $.consensusTxSenderAddresses[decryptionId][digest].push(msg.sender);

        emit PublicDecryptionResponseCall(decryptionId, decryptedResult, signature, msg.sender, extraData);

        // After the decision no signature is ever emitted again, so none needs to be stored.
        if ($.decryptionDone[decryptionId]) {
            return;
        }
        bytes[] storage signatures = $.verifiedPublicDecryptSignatures[decryptionId][digest];
        signatures.push(signature);

        if (signatures.length >= GATEWAY_CONFIG.getPublicDecryptionThresholdForContext(contextId)) {
            $.decryptionDone[decryptionId] = true;
            $.decryptionConsensusDigest[decryptionId] = digest;
            emit PublicDecryptionResponse(decryptionId, decryptedResult, signatures, extraData);
        }
    }

    /// @notice Stops requests.
    function pause() external {
        if (msg.sender != address(GATEWAY_CONFIG) && !GATEWAY_CONFIG.isPauser(msg.sender)) {
            revert NotPauserOrGatewayConfig(msg.sender);
        }
        _pause();
    }

    /// @notice Lets requests through again.
    function unpause() external {
        if (msg.sender != address(GATEWAY_CONFIG) && msg.sender != GATEWAY_CONFIG.owner()) {
            revert NotOwnerOrGatewayConfig(msg.sender);
        }
        _unpause();
    }

    /// @notice Whether a request for these handles would find its ciphertexts. The second parameter has no influence.
    /// @param ctHandles The handles.
    /// @return True if there is at least one handle and all of them have final material.
    function isPublicDecryptionReady(bytes32[] calldata ctHandles, bytes calldata) external view returns (bool) {
        if (ctHandles.length == 0) {
            return false;
        }
        for (uint256 i = 0; i < ctHandles.length; i++) {
            if (!CIPHERTEXT_COMMITS.isCiphertextMaterialAdded(ctHandles[i])) {
                return false;
            }
        }
        return true;
    }

    /// @notice Whether a request has its answer.
    /// @param decryptionId The request.
    /// @return True after the decision.
    function isDecryptionDone(uint256 decryptionId) external view returns (bool) {
        return _storage().decryptionDone[decryptionId];
    }

    /// @notice The nodes that gave the agreed answer, late ones included.
    /// @param decryptionId The request.
    /// @return Their accounts in order of arrival; empty before the decision on a public decryption.
    function getDecryptionConsensusTxSenders(uint256 decryptionId) external view returns (address[] memory) {
        DecryptionStorage storage $ = _storage();
        return $.consensusTxSenderAddresses[decryptionId][$.decryptionConsensusDigest[decryptionId]];
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "Decryption v0.7.0";
    }

    function _authorizeUpgrade(address) internal view override onlyGatewayOwner {}

    /// @dev Checks context and signer of an answer and counts the signer; returns the context.
    function _checkAnswer(uint256 decryptionId, bytes32 digest, bytes calldata signature, bytes calldata extraData)
        private
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

    function _pinContext(uint256 decryptionId, bytes calldata extraData) private {
        uint256 contextId = _contextOf(extraData);
        if (!GATEWAY_CONFIG.isValidKmsContext(contextId)) {
            revert InvalidKmsContext(contextId);
        }
        _storage().decryptionContextId[decryptionId] = contextId;
    }

    /// @dev The epoch of version 2 means nothing to the gateway; longer data than needed is accepted.
    function _contextOf(bytes calldata extraData) private view returns (uint256 contextId) {
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

    function _hashPublicDecryption(bytes32[] memory ctHandles, bytes calldata decryptedResult, bytes calldata extraData)
        private
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    PUBLIC_DECRYPT_TYPEHASH,
                    keccak256(abi.encodePacked(ctHandles)),
                    keccak256(decryptedResult),
                    keccak256(extraData)
                )
            )
        );
    }

    function _checkBitSizes(bytes32[] calldata ctHandles) private pure {
        uint256 total;
        for (uint256 i = 0; i < ctHandles.length; i++) {
            total += ctHandles[i].bitSize();
        }
        if (total > MAX_BIT_SIZE) {
            revert MaxDecryptionRequestBitSizeExceeded(MAX_BIT_SIZE, total);
        }
    }

    function _checkSameKey(SnsCiphertextMaterial[] memory materials) private pure {
        for (uint256 i = 1; i < materials.length; i++) {
            if (materials[i].keyId != materials[0].keyId) {
                revert DifferentKeyIdsNotAllowed(materials[0], materials[i]);
            }
        }
    }

    function _storage() private pure returns (DecryptionStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
