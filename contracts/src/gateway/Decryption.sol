// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {Handle} from "../shared/Handle.sol";
import {CompactSignature, CompactSignatures} from "./CompactSignature.sol";
import {DecryptionBase} from "./DecryptionBase.sol";
import {GatewayOwned} from "./GatewayOwned.sol";
import {SnsCiphertextMaterial} from "./GatewayTypes.sol";
import {ICiphertextCommits} from "./ICiphertextCommits.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";
import {IProtocolPayment} from "./IProtocolPayment.sol";
import {UserDecryption} from "./UserDecryption.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title Decryption requests and answers
/// @notice Anybody may ask for the public decryption of committed ciphertexts. KMS nodes answer with a result signed
/// under EIP-712; when enough nodes of the request's context have signed the same result, it is emitted once with all
/// their signatures. Users ask for decryptions that only they can read, see UserDecryption. A request is never
/// cancelled, and its context is fixed when it is made.
/// @dev Requests stop while the contract is paused, answers do not: a request that was accepted can be answered.
contract Decryption is FromEmptyProxy, UUPSUpgradeable, UserDecryption {
    using CompactSignatures for bytes;
    using CompactSignatures for CompactSignature;
    using Handle for bytes32;

    /// @custom:storage-location erc7201:claviger.storage.PublicDecryption
    /// @dev In a namespace of ours, so that the protocol's struct keeps its shape. Of the handles only the hash is ever
    /// needed again; a signature takes two words here and five there.
    struct PublicDecryptionStorage {
        mapping(uint256 decryptionId => bytes32 hash) ctHandlesHash;
        /// @dev By the place of its sender in the list of those who gave this answer.
        mapping(uint256 decryptionId => mapping(bytes32 digest => mapping(uint256 place => CompactSignature)))
            signatures;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("claviger.storage.PublicDecryption")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0xf6cbdac5c99f8ceb7da4fdf0251eeab7407c2fc021e78868c4cfe19c92936100;

    bytes32 private constant PUBLIC_DECRYPT_TYPEHASH =
        keccak256("PublicDecryptVerification(bytes32[] ctHandles,bytes decryptedResult,bytes extraData)");

    uint64 private constant REINITIALIZER_VERSION = 8;

    /// @param gatewayConfig The GatewayConfig proxy.
    /// @param ciphertextCommits The CiphertextCommits proxy.
    /// @param protocolPayment The ProtocolPayment proxy.
    constructor(IGatewayConfig gatewayConfig, ICiphertextCommits ciphertextCommits, IProtocolPayment protocolPayment)
        GatewayOwned(gatewayConfig)
        DecryptionBase(ciphertextCommits, protocolPayment)
    {
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
    /// chain, by the nodes. The sender pays the fee.
    /// @param ctHandles At least one handle, all committed under one key, of at most 2048 bits together.
    /// @param extraData Empty or version 0: the current context; version 1 or 2: the context it names.
    function publicDecryptionRequest(bytes32[] calldata ctHandles, bytes calldata extraData) external whenNotPaused {
        if (ctHandles.length == 0) {
            revert EmptyCtHandles();
        }
        _checkBitSizes(ctHandles);
        SnsCiphertextMaterial[] memory materials = _materialsOf(ctHandles);

        DecryptionStorage storage $ = _storage();
        uint256 decryptionId = ++$.publicDecryptionCounter;
        _publicStorage().ctHandlesHash[decryptionId] = keccak256(abi.encodePacked(ctHandles));
        $.decryptionContextId[decryptionId] = _validContextOf(extraData);
        PROTOCOL_PAYMENT.collectPublicDecryptionFee(msg.sender);

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

        bytes32 digest = _hashPublicDecryption(decryptionId, decryptedResult, extraData);
        uint256 contextId = _checkAnswer(decryptionId, digest, signature, extraData);
        $.consensusTxSenderAddresses[decryptionId][digest].push(msg.sender);

        emit PublicDecryptionResponseCall(decryptionId, decryptedResult, signature, msg.sender, extraData);

        // After the decision no signature is ever emitted again, so none needs to be stored.
        if ($.decryptionDone[decryptionId]) {
            return;
        }
        uint256 count = _keepSignature(decryptionId, digest, signature);
        if (count >= GATEWAY_CONFIG.getPublicDecryptionThresholdForContext(contextId)) {
            $.decryptionDone[decryptionId] = true;
            $.decryptionConsensusDigest[decryptionId] = digest;
            emit PublicDecryptionResponse(decryptionId, decryptedResult, _signaturesOf(decryptionId, digest), extraData);
        }
    }

    /// @notice Whether a request for these handles would find its ciphertexts. The second parameter has no influence.
    /// @param ctHandles The handles.
    /// @return True if there is at least one handle and all of them have final material.
    function isPublicDecryptionReady(bytes32[] calldata ctHandles, bytes calldata) external view returns (bool) {
        for (uint256 i = 0; i < ctHandles.length; i++) {
            if (!_isCommitted(ctHandles[i])) {
                return false;
            }
        }
        return ctHandles.length != 0;
    }

    /// @notice Whether a request has its answer.
    /// @param decryptionId The request.
    /// @return True after the decision.
    function isDecryptionDone(uint256 decryptionId) external view returns (bool) {
        return _storage().decryptionDone[decryptionId];
    }

    /// @notice The nodes that gave the agreed answer, late ones included.
    /// @param decryptionId The request.
    /// @return Their accounts in order of arrival; of a public decryption, none before the
    /// decision; of a user decryption, all that have answered.
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

    function _hashPublicDecryption(uint256 decryptionId, bytes calldata decryptedResult, bytes calldata extraData)
        private
        view
        returns (bytes32)
    {
        bytes32 ctHandlesHash = _publicStorage().ctHandlesHash[decryptionId];
        if (ctHandlesHash == 0) {
            // The request was accepted by an earlier implementation, which kept the handles in full.
            bytes32[] memory ctHandles = _storage().publicCtHandles[decryptionId];
            ctHandlesHash = keccak256(abi.encodePacked(ctHandles));
        }
        return _hashTypedDataV4(
            keccak256(
                abi.encode(PUBLIC_DECRYPT_TYPEHASH, ctHandlesHash, keccak256(decryptedResult), keccak256(extraData))
            )
        );
    }

    /// @dev Keeps the signature of the answer that was counted last; returns how many have given this answer.
    function _keepSignature(uint256 decryptionId, bytes32 digest, bytes calldata signature)
        private
        returns (uint256 count)
    {
        count = _storage().consensusTxSenderAddresses[decryptionId][digest].length;
        _publicStorage().signatures[decryptionId][digest][count - 1] = signature.pack();
    }

    /// @dev All signatures under an answer, in order of arrival. Those that an earlier implementation
    /// of the proxy took came first, and stand in full in the protocol's struct.
    function _signaturesOf(uint256 decryptionId, bytes32 digest) private view returns (bytes[] memory signatures) {
        bytes[] storage inFull = _storage().verifiedPublicDecryptSignatures[decryptionId][digest];
        uint256 inFullCount = inFull.length;
        signatures = new bytes[](_storage().consensusTxSenderAddresses[decryptionId][digest].length);
        for (uint256 i = 0; i < signatures.length; i++) {
            signatures[i] = i < inFullCount ? inFull[i] : _publicStorage().signatures[decryptionId][digest][i].unpack();
        }
    }

    function _checkBitSizes(bytes32[] calldata ctHandles) private pure {
        uint256 total;
        for (uint256 i = 0; i < ctHandles.length; i++) {
            total += ctHandles[i].bitSize();
        }
        _checkTotalBits(total);
    }

    function _publicStorage() private pure returns (PublicDecryptionStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
