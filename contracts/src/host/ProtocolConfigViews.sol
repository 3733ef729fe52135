// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {IProtocolConfig} from "./IProtocolConfig.sol";
import {ProtocolConfigBase} from "./ProtocolConfigBase.sol";
import {ContextAnchor, EpochState, KmsNode} from "./ProtocolConfigTypes.sol";

/// @title What can be asked of ProtocolConfig
abstract contract ProtocolConfigViews is IProtocolConfig, ProtocolConfigBase {
    /// @inheritdoc IProtocolConfig
    function getCurrentKmsContextId() external view returns (uint256) {
        return _storage().latestActiveKmsContextId;
    }

    /// @notice The highest id given to a context, which need not be active.
    /// @return The id.
    function getCurrentKmsContextIdCounter() external view returns (uint256) {
        return _storage().currentKmsContextId;
    }

    /// @inheritdoc IProtocolConfig
    function getCurrentKmsContextAndEpoch() external view returns (uint256 contextId, uint256 epochId) {
        ProtocolConfigStorage storage $ = _storage();
        return ($.latestActiveKmsContextId, $.latestActiveEpochId);
    }

    /// @notice What a context was announced as; also for a destroyed one.
    /// @param contextId The context.
    /// @return emissionBlockNumber The block of the event.
    /// @return contextInfoHash Keccak-256 of the event's unindexed fields, ABI encoded.
    function getKmsContextAnchor(uint256 contextId)
        external
        view
        returns (uint256 emissionBlockNumber, bytes32 contextInfoHash)
    {
        _checkKnown(contextId);
        ContextAnchor storage anchor = _storage().contextAnchors[contextId];
        return (anchor.emissionBlockNumber, anchor.contextInfoHash);
    }

    /// @notice Whether a context is active and not destroyed.
    /// @param kmsContextId The context.
    /// @return True if it may be used.
    function isValidKmsContext(uint256 kmsContextId) external view returns (bool) {
        return _isValid(kmsContextId);
    }

    /// @notice Whether a context exists, in any state, and is not destroyed.
    /// @param kmsContextId The context.
    /// @return True if it does.
    function isLiveKmsContext(uint256 kmsContextId) external view returns (bool) {
        return _isLive(kmsContextId);
    }

    /// @notice Whether an epoch is active and belongs to a context that may be used.
    /// @param kmsContextId The context.
    /// @param epochId The epoch.
    /// @return True if both may be used together.
    function isValidEpochForContext(uint256 kmsContextId, uint256 epochId) external view returns (bool) {
        ProtocolConfigStorage storage $ = _storage();
        return _isValid(kmsContextId) && $.epochState[epochId] == EpochState.Active
            && $.contextForEpoch[epochId] == kmsContextId;
    }

    /// @inheritdoc IProtocolConfig
    function getKmsSigners() external view returns (address[] memory) {
        ProtocolConfigStorage storage $ = _storage();
        return $.kmsSignerAddressesForContext[$.latestActiveKmsContextId];
    }

    /// @inheritdoc IProtocolConfig
    function getKmsSignersForContext(uint256 kmsContextId) external view returns (address[] memory) {
        _checkValid(kmsContextId);
        return _storage().kmsSignerAddressesForContext[kmsContextId];
    }

    /// @inheritdoc IProtocolConfig
    function isKmsSigner(address signer) external view returns (bool) {
        ProtocolConfigStorage storage $ = _storage();
        return $.isKmsSignerForContext[$.latestActiveKmsContextId][signer];
    }

    /// @inheritdoc IProtocolConfig
    function isKmsSignerForContext(uint256 kmsContextId, address signer) external view returns (bool) {
        _checkValid(kmsContextId);
        return _storage().isKmsSignerForContext[kmsContextId][signer];
    }

    /// @inheritdoc IProtocolConfig
    function isKmsTxSenderForContext(uint256 kmsContextId, address txSender) external view returns (bool) {
        _checkLive(kmsContextId);
        return _storage().isKmsTxSenderForContext[kmsContextId][txSender];
    }

    /// @notice A context's nodes.
    /// @param kmsContextId The context.
    /// @return In party order.
    function getKmsNodesForContext(uint256 kmsContextId) external view returns (KmsNode[] memory) {
        _checkValid(kmsContextId);
        return _storage().kmsNodesForContext[kmsContextId];
    }

    /// @inheritdoc IProtocolConfig
    function getKmsNodeForContext(uint256 kmsContextId, address txSender) external view returns (KmsNode memory) {
        _checkKnown(kmsContextId);
        return _storage().kmsNodeByTxSenderForContext[kmsContextId][txSender];
    }

    /// @inheritdoc IProtocolConfig
    function getPublicDecryptionThreshold() external view returns (uint256) {
        ProtocolConfigStorage storage $ = _storage();
        return $.publicDecryptionThresholdForContext[$.latestActiveKmsContextId];
    }

    /// @notice Shares that complete a user decryption in the context in use.
    /// @return Their number.
    function getUserDecryptionThreshold() external view returns (uint256) {
        ProtocolConfigStorage storage $ = _storage();
        return $.userDecryptionThresholdForContext[$.latestActiveKmsContextId];
    }

    /// @notice Equal answers that decide a key generation in the context in use.
    /// @return Their number.
    function getKmsGenThreshold() external view returns (uint256) {
        ProtocolConfigStorage storage $ = _storage();
        return $.kmsGenThresholdForContext[$.latestActiveKmsContextId];
    }

    /// @notice Corrupted nodes that the protocols of the context in use withstand.
    /// @return Their number.
    function getMpcThreshold() external view returns (uint256) {
        ProtocolConfigStorage storage $ = _storage();
        return $.mpcThresholdForContext[$.latestActiveKmsContextId];
    }

    /// @inheritdoc IProtocolConfig
    function getPublicDecryptionThresholdForContext(uint256 kmsContextId) external view returns (uint256) {
        _checkValid(kmsContextId);
        return _storage().publicDecryptionThresholdForContext[kmsContextId];
    }

    /// @notice Shares that complete a user decryption in a context.
    /// @param kmsContextId The context.
    /// @return Their number.
    function getUserDecryptionThresholdForContext(uint256 kmsContextId) external view returns (uint256) {
        _checkValid(kmsContextId);
        return _storage().userDecryptionThresholdForContext[kmsContextId];
    }

    /// @inheritdoc IProtocolConfig
    function getKmsGenThresholdForContext(uint256 kmsContextId) external view returns (uint256) {
        _checkLive(kmsContextId);
        return _storage().kmsGenThresholdForContext[kmsContextId];
    }

    /// @notice Corrupted nodes that a context's protocols withstand.
    /// @param kmsContextId The context.
    /// @return Their number.
    function getMpcThresholdForContext(uint256 kmsContextId) external view returns (uint256) {
        _checkValid(kmsContextId);
        return _storage().mpcThresholdForContext[kmsContextId];
    }

    /// @notice How many nodes of the context that was in use must confirm a new one.
    /// @param kmsContextId The new context.
    /// @return Their number, as it was fixed when the context was announced; zero for one that came about otherwise.
    function getContextCreationPreviousTxSenderThreshold(uint256 kmsContextId) external view returns (uint256) {
        return _storage().contextCreationPreviousTxSenderThreshold[kmsContextId];
    }
}
