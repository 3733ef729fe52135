// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostKMSGenerationBase} from "./HostKMSGenerationBase.sol";
import {KeyDigest, KeyInfo, ParamsType} from "./KeyMaterialTypes.sol";

/// @title What can be asked of KMSGeneration
abstract contract HostKMSGenerationViews is HostKMSGenerationBase {
    /// @notice The newest key.
    /// @return Its id; zero if there is none.
    function getActiveKeyId() external view returns (uint256) {
        return _storage().activeKeyId;
    }

    /// @notice The newest CRS.
    /// @return Its id; zero if there is none.
    function getActiveCrsId() external view returns (uint256) {
        return _storage().activeCrsId;
    }

    /// @notice The last key id given out.
    /// @return The id.
    function getKeyCounter() external view returns (uint256) {
        return _storage().keyCounter;
    }

    /// @notice The last CRS id given out.
    /// @return The id.
    function getCrsCounter() external view returns (uint256) {
        return _storage().crsCounter;
    }

    /// @notice Whether a preprocessing, a key or a CRS is finished or aborted.
    /// @param requestId Its id.
    /// @return True if so.
    function isRequestDone(uint256 requestId) external view returns (bool) {
        return _storage().isRequestDone[requestId];
    }

    /// @notice The accounts of the nodes that agree on a finished request, in the order of their answers. Grows with
    /// late answers.
    /// @param requestId A preprocessing, a key or a CRS.
    /// @return The accounts; none unless it is finished.
    function getConsensusTxSenders(uint256 requestId) external view returns (address[] memory) {
        KMSGenerationStorage storage $ = _storage();
        return $.consensusTxSenderAddresses[requestId][$.consensusDigest[requestId]];
    }

    /// @notice All finished keys.
    /// @return Their ids, in the order they were finished.
    function getCompletedKeyIds() external view returns (uint256[] memory) {
        return _storage().completedKeyIds;
    }

    /// @notice All finished CRSs.
    /// @return Their ids, in the order they were finished.
    function getCompletedCrsIds() external view returns (uint256[] memory) {
        return _storage().completedCrsIds;
    }

    /// @notice Where to get a key, and how to check it.
    /// @param keyId The key.
    /// @return Storage addresses of the nodes that agree on it.
    /// @return The digests of its public artefacts.
    function getKeyMaterials(uint256 keyId) external view returns (string[] memory, KeyDigest[] memory) {
        _checkKeyFinished(keyId);
        KMSGenerationStorage storage $ = _storage();
        return (_storageUrls(keyId, $.consensusDigest[keyId]), $.keyDigests[keyId]);
    }

    /// @notice Where to get a CRS, and how to check it.
    /// @param crsId The CRS.
    /// @return Storage addresses of the nodes that agree on it.
    /// @return Its digest.
    function getCrsMaterials(uint256 crsId) external view returns (string[] memory, bytes memory) {
        _checkCrsFinished(crsId);
        KMSGenerationStorage storage $ = _storage();
        return (_storageUrls(crsId, $.consensusDigest[crsId]), $.crsDigests[crsId]);
    }

    /// @notice What a key is.
    /// @param keyId The key.
    /// @return Its ids, parameters and digests.
    function getKeyInfo(uint256 keyId) external view returns (KeyInfo memory) {
        _checkKeyFinished(keyId);
        KMSGenerationStorage storage $ = _storage();
        return KeyInfo($.keygenIdPairs[keyId], keyId, _keyParamsType(keyId), $.keyDigests[keyId]);
    }

    /// @notice The parameters of a key.
    /// @param keyId The key.
    /// @return The parameters.
    function getKeyParamsType(uint256 keyId) external view returns (ParamsType) {
        _checkKeyFinished(keyId);
        return _keyParamsType(keyId);
    }

    /// @notice The parameters of a CRS.
    /// @param crsId The CRS.
    /// @return The parameters.
    function getCrsParamsType(uint256 crsId) external view returns (ParamsType) {
        _checkCrsFinished(crsId);
        return _storage().requestParamsType[crsId];
    }

    /// @dev A request begun by an earlier implementation may have them under one of the pair's ids only.
    function _keyParamsType(uint256 keyId) private view returns (ParamsType) {
        KMSGenerationStorage storage $ = _storage();
        ParamsType paramsType = $.requestParamsType[keyId];
        return paramsType == ParamsType.Default ? $.requestParamsType[$.keygenIdPairs[keyId]] : paramsType;
    }

    function _checkKeyFinished(uint256 keyId) private view {
        KMSGenerationStorage storage $ = _storage();
        if (!_isRequested(keyId, KEY_BASE, $.keyCounter) || !$.isRequestDone[keyId]) {
            revert KeyNotGenerated(keyId);
        }
        if ($.consensusDigest[keyId] == 0) {
            revert KeyAborted(keyId);
        }
    }

    function _checkCrsFinished(uint256 crsId) private view {
        KMSGenerationStorage storage $ = _storage();
        if (!_isRequested(crsId, CRS_BASE, $.crsCounter) || !$.isRequestDone[crsId]) {
            revert CrsNotGenerated(crsId);
        }
        if ($.consensusDigest[crsId] == 0) {
            revert CrsAborted(crsId);
        }
    }
}
