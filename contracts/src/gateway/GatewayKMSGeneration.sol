// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {GatewayKMSGenerationBase} from "./GatewayKMSGenerationBase.sol";
import {KeyDigest, ParamsType} from "./GatewayKMSGenerationTypes.sol";
import {GatewayOwned} from "./GatewayOwned.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title Generation of keys and CRSs, on the gateway
/// @notice The owner asks for a key or a CRS, one at a time; the nodes generate it among themselves and answer with
/// digests signed under EIP-712. When as many nodes as GatewayConfig wants have signed the same digests, the key or CRS
/// is active. A key comes in two steps, preparation and generation, and the first one's decision asks for the second.
/// @dev This is the contract of releases whose key generation is on the gateway. Later ones have it on the host chain
/// and keep this one's state for reading; see the README of the contracts.
contract KMSGeneration is FromEmptyProxy, UUPSUpgradeable, GatewayKMSGenerationBase {
    uint64 private constant REINITIALIZER_VERSION = 5;

    /// @param gatewayConfig The GatewayConfig proxy.
    constructor(IGatewayConfig gatewayConfig) GatewayOwned(gatewayConfig) {
        _disableInitializers();
    }

    /// @notice Initialises a new proxy.
    function initializeFromEmptyProxy() external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        __EIP712_init("KMSGeneration", "1");
        KMSGenerationStorage storage $ = _storage();
        $.prepKeygenCounter = PREP_KEYGEN_BASE;
        $.keyCounter = KEY_BASE;
        $.crsCounter = CRS_BASE;
        $.keyReshareCounter = KEY_RESHARE_BASE;
    }

    /// @notice Takes over a proxy of the previous release.
    function reinitializeV4() external reinitializer(REINITIALIZER_VERSION) {}

    /// @notice Asks for a key. The key before must be there.
    /// @param paramsType The parameters.
    function keygen(ParamsType paramsType) external onlyGatewayOwner {
        KMSGenerationStorage storage $ = _storage();
        uint256 previous = $.keyCounter;
        if (previous != KEY_BASE && !$.isRequestDone[previous]) {
            revert KeygenOngoing(previous);
        }

        // The key has its id before it is prepared, so that both can be told together.
        uint256 prepKeygenId = ++$.prepKeygenCounter;
        uint256 keyId = previous + 1;
        $.keyCounter = keyId;
        $.keygenIdPairs[prepKeygenId] = keyId;
        $.keygenIdPairs[keyId] = prepKeygenId;
        $.requestParamsType[prepKeygenId] = paramsType;
        emit PrepKeygenRequest(prepKeygenId, 0, paramsType);
    }

    /// @notice A node has prepared a key. Accepted also after the decision.
    /// @param prepKeygenId The preparation.
    /// @param signature 65 bytes over PrepKeygenVerification, by the key of the node that the sender sends for.
    function prepKeygenResponse(uint256 prepKeygenId, bytes calldata signature) external {
        address nodeKey = _nodeKeyOfSender();
        KMSGenerationStorage storage $ = _storage();
        if (prepKeygenId <= PREP_KEYGEN_BASE || prepKeygenId > $.prepKeygenCounter) {
            revert PrepKeygenNotRequested(prepKeygenId);
        }
        bytes32 digest = _hashPrepKeygen(prepKeygenId);
        _checkSignedBy(nodeKey, digest, signature);
        if ($.kmsHasSignedForResponse[prepKeygenId][nodeKey]) {
            revert KmsAlreadySignedForPrepKeygen(prepKeygenId, nodeKey);
        }

        _count(prepKeygenId, nodeKey, digest);
        emit PrepKeygenResponse(prepKeygenId, signature, msg.sender);
        // Only asks for the key, which is decided by itself.
        if (_decides(prepKeygenId, digest, false)) {
            emit KeygenRequest(prepKeygenId, $.keygenIdPairs[prepKeygenId]);
        }
    }

    /// @notice A node has generated a key. Accepted also after the decision, and whether or not the decision on the
    /// preparation is made: enough nodes that have the key have prepared it.
    /// @param keyId The key.
    /// @param keyDigests Digests of its public parts, at least one. Their order is under the signature.
    /// @param signature 65 bytes over KeygenVerification, by the key of the node that the sender sends for.
    function keygenResponse(uint256 keyId, KeyDigest[] calldata keyDigests, bytes calldata signature) external {
        address nodeKey = _nodeKeyOfSender();
        KMSGenerationStorage storage $ = _storage();
        if (keyId <= KEY_BASE || keyId > $.keyCounter) {
            revert KeygenNotRequested(keyId);
        }
        if (keyDigests.length == 0) {
            revert EmptyKeyDigests(keyId);
        }
        bytes32 digest = _hashKeygen($.keygenIdPairs[keyId], keyId, keyDigests);
        _checkSignedBy(nodeKey, digest, signature);
        // One vote per key of a node, whatever the answer says.
        if ($.kmsHasSignedForResponse[keyId][nodeKey]) {
            revert KmsAlreadySignedForKeygen(keyId, nodeKey);
        }

        _count(keyId, nodeKey, digest);
        emit KeygenResponse(keyId, keyDigests, signature, msg.sender);
        if (_decides(keyId, digest, true)) {
            for (uint256 i = 0; i < keyDigests.length; i++) {
                $.keyDigests[keyId].push(keyDigests[i]);
            }
            $.activeKeyId = keyId;
            emit ActivateKey(keyId, _storageUrls(keyId), keyDigests);
        }
    }

    /// @notice Asks for a CRS. The CRS before must be there.
    /// @param maxBitLength The most bits a proof under it can be about.
    /// @param paramsType The parameters.
    function crsgenRequest(uint256 maxBitLength, ParamsType paramsType) external onlyGatewayOwner {
        KMSGenerationStorage storage $ = _storage();
        uint256 previous = $.crsCounter;
        if (previous != CRS_BASE && !$.isRequestDone[previous]) {
            revert CrsgenOngoing(previous);
        }

        uint256 crsId = previous + 1;
        $.crsCounter = crsId;
        $.crsMaxBitLength[crsId] = maxBitLength;
        $.requestParamsType[crsId] = paramsType;
        emit CrsgenRequest(crsId, maxBitLength, paramsType);
    }

    /// @notice A node has generated a CRS. Accepted also after the decision.
    /// @param crsId The CRS.
    /// @param crsDigest Its digest.
    /// @param signature 65 bytes over CrsgenVerification, by the key of the node that the sender sends for.
    function crsgenResponse(uint256 crsId, bytes calldata crsDigest, bytes calldata signature) external {
        address nodeKey = _nodeKeyOfSender();
        KMSGenerationStorage storage $ = _storage();
        if (crsId <= CRS_BASE || crsId > $.crsCounter) {
            revert CrsgenNotRequested(crsId);
        }
        bytes32 digest = _hashCrsgen(crsId, $.crsMaxBitLength[crsId], crsDigest);
        _checkSignedBy(nodeKey, digest, signature);
        if ($.kmsHasSignedForResponse[crsId][nodeKey]) {
            revert KmsAlreadySignedForCrsgen(crsId, nodeKey);
        }

        _count(crsId, nodeKey, digest);
        emit CrsgenResponse(crsId, crsDigest, signature, msg.sender);
        if (_decides(crsId, digest, true)) {
            $.crsDigests[crsId] = crsDigest;
            $.activeCrsId = crsId;
            emit ActivateCrs(crsId, _storageUrls(crsId), crsDigest);
        }
    }

    /// @notice Has the nodes make fresh seeds of their common randomness.
    function prssInit() external onlyGatewayOwner {
        emit PRSSInit();
    }

    /// @notice Has the nodes share a key anew among themselves.
    /// @param keyId The key; the nodes have agreed on it.
    function keyReshareSameSet(uint256 keyId) external onlyGatewayOwner {
        _checkKeyGenerated(keyId);
        KMSGenerationStorage storage $ = _storage();
        uint256 prepKeygenId = $.keygenIdPairs[keyId];
        emit KeyReshareSameSet(prepKeygenId, keyId, ++$.keyReshareCounter, $.requestParamsType[prepKeygenId]);
    }

    /// @notice The parameters of a key.
    /// @param keyId The key; the nodes have agreed on it.
    /// @return The parameters.
    function getKeyParamsType(uint256 keyId) external view returns (ParamsType) {
        _checkKeyGenerated(keyId);
        KMSGenerationStorage storage $ = _storage();
        return $.requestParamsType[$.keygenIdPairs[keyId]];
    }

    /// @notice The parameters of a CRS.
    /// @param crsId The CRS; the nodes have agreed on it.
    /// @return The parameters.
    function getCrsParamsType(uint256 crsId) external view returns (ParamsType) {
        _checkCrsGenerated(crsId);
        return _storage().requestParamsType[crsId];
    }

    /// @notice The key that the nodes agreed on last.
    /// @return Its id, zero if there is none.
    function getActiveKeyId() external view returns (uint256) {
        return _storage().activeKeyId;
    }

    /// @notice The CRS that the nodes agreed on last.
    /// @return Its id, zero if there is none.
    function getActiveCrsId() external view returns (uint256) {
        return _storage().activeCrsId;
    }

    /// @notice The nodes that gave the agreed answer, late ones included.
    /// @param requestId A preparation, a key or a CRS.
    /// @return Their accounts in order of arrival; empty before the decision.
    function getConsensusTxSenders(uint256 requestId) external view returns (address[] memory) {
        return _consensusTxSenders(requestId);
    }

    /// @notice Where to get a key's public parts, and their digests.
    /// @param keyId The key; the nodes have agreed on it.
    /// @return The storage of each node that gave the agreed answer, late ones included, empty for one that GatewayConfig
    /// does not have any more.
    /// @return The digests.
    function getKeyMaterials(uint256 keyId) external view returns (string[] memory, KeyDigest[] memory) {
        _checkKeyGenerated(keyId);
        return (_storageUrls(keyId), _storage().keyDigests[keyId]);
    }

    /// @notice Where to get a CRS, and its digest.
    /// @param crsId The CRS; the nodes have agreed on it.
    /// @return The storage of each node that gave the agreed answer, late ones included, empty for one that GatewayConfig
    /// does not have any more.
    /// @return The digest.
    function getCrsMaterials(uint256 crsId) external view returns (string[] memory, bytes memory) {
        _checkCrsGenerated(crsId);
        return (_storageUrls(crsId), _storage().crsDigests[crsId]);
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "KMSGeneration v0.4.0";
    }

    function _authorizeUpgrade(address) internal view override onlyGatewayOwner {}
}
