// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {HostKMSGenerationBase} from "./HostKMSGenerationBase.sol";
import {HostKMSGenerationViews} from "./HostKMSGenerationViews.sol";
import {HostOwned, IHostOwner} from "./HostOwned.sol";
import {IProtocolConfig} from "./IProtocolConfig.sol";
import {KeyMaterialMessages} from "./KeyMaterialMessages.sol";
import {KeyDigest, ParamsType} from "./KeyMaterialTypes.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title Keys and CRSs
/// @notice The owner asks for a key or a CRS, one of each at a time. The nodes of the context that was in use then make
/// it and answer with its digests; enough equal answers put it into use. A request keeps its context, also when another
/// comes into use meanwhile. What does not come to an end, the owner aborts.
contract KMSGeneration is FromEmptyProxy, UUPSUpgradeable, HostOwned, HostKMSGenerationViews {
    uint64 private constant REINITIALIZER_VERSION = 3;

    /// @param acl The ACL proxy, which knows the owner.
    /// @param protocolConfig The ProtocolConfig proxy, which knows the contexts.
    constructor(IHostOwner acl, IProtocolConfig protocolConfig) HostOwned(acl) HostKMSGenerationBase(protocolConfig) {
        _disableInitializers();
    }

    /// @notice Initialises a new proxy.
    function initializeFromEmptyProxy() external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        __EIP712_init("KMSGeneration", "1");
        KMSGenerationStorage storage $ = _storage();
        $.prepKeygenCounter = PREP_KEYGEN_BASE;
        $.keyCounter = KEY_BASE;
        $.crsCounter = CRS_BASE;
    }

    /// @notice Takes over a proxy of the previous release, which kept no lists of what is finished.
    function reinitializeV2() external reinitializer(REINITIALIZER_VERSION) {
        KMSGenerationStorage storage $ = _storage();
        for (uint256 id = KEY_BASE + 1; id <= $.keyCounter; id++) {
            if ($.isRequestDone[id] && $.consensusDigest[id] != 0) {
                $.completedKeyIds.push(id);
            }
        }
        for (uint256 id = CRS_BASE + 1; id <= $.crsCounter; id++) {
            if ($.isRequestDone[id] && $.consensusDigest[id] != 0) {
                $.completedCrsIds.push(id);
            }
        }
    }

    /// @notice Asks for a key. Its preprocessing comes first.
    /// @param paramsType The parameters of the key.
    function keygen(ParamsType paramsType) external onlyHostOwner {
        KMSGenerationStorage storage $ = _storage();
        uint256 last = $.keyCounter;
        if (last != KEY_BASE && !$.isRequestDone[last]) {
            revert KeygenOngoing(last);
        }
        uint256 prepKeygenId = ++$.prepKeygenCounter;
        uint256 keyId = last + 1;
        $.keyCounter = keyId;
        $.keygenIdPairs[prepKeygenId] = keyId;
        $.keygenIdPairs[keyId] = prepKeygenId;
        bytes memory extraData = _currentExtraData();
        $.requestExtraData[prepKeygenId] = extraData;
        $.requestExtraData[keyId] = extraData;
        $.requestParamsType[prepKeygenId] = paramsType;
        $.requestParamsType[keyId] = paramsType;
        emit PrepKeygenRequest(prepKeygenId, paramsType, extraData);
    }

    /// @notice A node's answer: its preprocessing is finished.
    /// @param prepKeygenId The preprocessing.
    /// @param signature The node's signature.
    function prepKeygenResponse(uint256 prepKeygenId, bytes calldata signature) external {
        KMSGenerationStorage storage $ = _storage();
        if (!_isRequested(prepKeygenId, PREP_KEYGEN_BASE, $.prepKeygenCounter)) {
            revert PrepKeygenNotRequested(prepKeygenId);
        }
        bytes memory extraData = $.requestExtraData[prepKeygenId];
        uint256 contextId = _contextOf(extraData);
        _checkTxSender(contextId);
        (address signer, bytes32 digest) =
            _checkSigner(contextId, KeyMaterialMessages.prepKeygen(prepKeygenId, keccak256(extraData)), signature);
        if (!_noteSigner(prepKeygenId, signer)) {
            revert KmsAlreadySignedForPrepKeygen(prepKeygenId, signer);
        }
        emit PrepKeygenResponse(prepKeygenId, signature, msg.sender);
        if (_countVote(prepKeygenId, contextId, digest)) {
            emit KeygenRequest(prepKeygenId, $.keygenIdPairs[prepKeygenId], extraData);
        }
    }

    /// @notice A node's answer: it made a key.
    /// @param keyId The key.
    /// @param keyDigests The digests of its public artefacts.
    /// @param signature The node's signature.
    function keygenResponse(uint256 keyId, KeyDigest[] calldata keyDigests, bytes calldata signature) external {
        KMSGenerationStorage storage $ = _storage();
        if (!_isRequested(keyId, KEY_BASE, $.keyCounter)) {
            revert KeygenNotRequested(keyId);
        }
        if (keyDigests.length == 0) {
            revert EmptyKeyDigests(keyId);
        }
        bytes memory extraData = $.requestExtraData[keyId];
        uint256 contextId = _contextOf(extraData);
        _checkTxSender(contextId);
        uint256 prepKeygenId = $.keygenIdPairs[keyId];
        if (!$.isRequestDone[prepKeygenId]) {
            revert KeyManagementRequestPending();
        }
        bytes32 structHash = KeyMaterialMessages.keygen(
            prepKeygenId, keyId, KeyMaterialMessages.hashKeyDigests(keyDigests), keccak256(extraData)
        );
        (address signer, bytes32 digest) = _checkSigner(contextId, structHash, signature);
        if (!_noteSigner(keyId, signer)) {
            revert KmsAlreadySignedForKeygen(keyId, signer);
        }
        emit KeygenResponse(keyId, keyDigests, signature, msg.sender);
        if (_countVote(keyId, contextId, digest)) {
            for (uint256 i = 0; i < keyDigests.length; i++) {
                $.keyDigests[keyId].push(keyDigests[i]);
            }
            $.activeKeyId = keyId;
            $.completedKeyIds.push(keyId);
            emit ActivateKey(keyId, _storageUrls(keyId, digest), keyDigests);
        }
    }

    /// @notice Asks for a CRS.
    /// @param maxBitLength The size of what is to be proven with it.
    /// @param paramsType Its parameters.
    function crsgenRequest(uint256 maxBitLength, ParamsType paramsType) external onlyHostOwner {
        KMSGenerationStorage storage $ = _storage();
        uint256 last = $.crsCounter;
        if (last != CRS_BASE && !$.isRequestDone[last]) {
            revert CrsgenOngoing(last);
        }
        uint256 crsId = last + 1;
        $.crsCounter = crsId;
        $.crsMaxBitLength[crsId] = maxBitLength;
        bytes memory extraData = _currentExtraData();
        $.requestExtraData[crsId] = extraData;
        $.requestParamsType[crsId] = paramsType;
        emit CrsgenRequest(crsId, maxBitLength, paramsType, extraData);
    }

    /// @notice A node's answer: it made a CRS.
    /// @param crsId The CRS.
    /// @param crsDigest Its digest.
    /// @param signature The node's signature.
    function crsgenResponse(uint256 crsId, bytes calldata crsDigest, bytes calldata signature) external {
        KMSGenerationStorage storage $ = _storage();
        if (!_isRequested(crsId, CRS_BASE, $.crsCounter)) {
            revert CrsgenNotRequested(crsId);
        }
        bytes memory extraData = $.requestExtraData[crsId];
        uint256 contextId = _contextOf(extraData);
        _checkTxSender(contextId);
        bytes32 structHash =
            KeyMaterialMessages.crsgen(crsId, $.crsMaxBitLength[crsId], crsDigest, keccak256(extraData));
        (address signer, bytes32 digest) = _checkSigner(contextId, structHash, signature);
        if (!_noteSigner(crsId, signer)) {
            revert KmsAlreadySignedForCrsgen(crsId, signer);
        }
        emit CrsgenResponse(crsId, crsDigest, signature, msg.sender);
        if (_countVote(crsId, contextId, digest)) {
            $.crsDigests[crsId] = crsDigest;
            $.activeCrsId = crsId;
            $.completedCrsIds.push(crsId);
            emit ActivateCrs(crsId, _storageUrls(crsId, digest), crsDigest);
        }
    }

    /// @notice Gives a key up, whether its preprocessing is finished or not. Answers are still noted, but decide nothing.
    /// @param prepKeygenId Its preprocessing.
    function abortKeygen(uint256 prepKeygenId) external onlyHostOwner {
        KMSGenerationStorage storage $ = _storage();
        if (!_isRequested(prepKeygenId, PREP_KEYGEN_BASE, $.prepKeygenCounter)) {
            revert AbortKeygenInvalidId(prepKeygenId);
        }
        uint256 keyId = $.keygenIdPairs[prepKeygenId];
        if ($.isRequestDone[keyId]) {
            revert AbortKeygenAlreadyDone(prepKeygenId);
        }
        $.isRequestDone[prepKeygenId] = true;
        $.isRequestDone[keyId] = true;
        emit AbortKeygen(prepKeygenId);
    }

    /// @notice Gives a CRS up. Answers are still noted, but decide nothing.
    /// @param crsId The CRS.
    function abortCrsgen(uint256 crsId) external onlyHostOwner {
        KMSGenerationStorage storage $ = _storage();
        if (!_isRequested(crsId, CRS_BASE, $.crsCounter)) {
            revert AbortCrsgenInvalidId(crsId);
        }
        if ($.isRequestDone[crsId]) {
            revert AbortCrsgenAlreadyDone(crsId);
        }
        $.isRequestDone[crsId] = true;
        emit AbortCrsgen(crsId);
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "KMSGeneration v0.2.0";
    }

    function _authorizeUpgrade(address) internal view override onlyHostOwner {}
}
