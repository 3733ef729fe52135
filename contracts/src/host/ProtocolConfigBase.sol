// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ProofFormat} from "../shared/ProofFormat.sol";
import {ProtocolConfigEvents} from "./ProtocolConfigEvents.sol";
import {
    ContextAnchor,
    ContextState,
    EpochState,
    KmsNode,
    KmsNodeParams,
    KmsThresholds,
    PcrValues
} from "./ProtocolConfigTypes.sol";

/// @title What ProtocolConfig stores, and the rules for what may be stored
abstract contract ProtocolConfigBase is ProtocolConfigEvents {
    /// @custom:storage-location erc7201:fhevm.storage.ProtocolConfig
    /// @dev Members are only ever appended.
    struct ProtocolConfigStorage {
        /// @dev The highest id given to a context.
        uint256 currentKmsContextId;
        mapping(uint256 contextId => KmsNode[] nodes) kmsNodesForContext;
        mapping(uint256 contextId => mapping(address txSender => bool isRegistered)) isKmsTxSenderForContext;
        mapping(uint256 contextId => mapping(address signer => bool isRegistered)) isKmsSignerForContext;
        mapping(uint256 contextId => mapping(address txSender => KmsNode node)) kmsNodeByTxSenderForContext;
        mapping(uint256 contextId => address[] signers) kmsSignerAddressesForContext;
        mapping(uint256 contextId => uint256 threshold) publicDecryptionThresholdForContext;
        mapping(uint256 contextId => uint256 threshold) userDecryptionThresholdForContext;
        mapping(uint256 contextId => uint256 threshold) kmsGenThresholdForContext;
        mapping(uint256 contextId => uint256 threshold) mpcThresholdForContext;
        mapping(uint256 contextId => bool isDestroyed) destroyedContexts;
        uint256 latestActiveKmsContextId;
        /// @dev The highest id given to an epoch.
        uint256 epochCounter;
        uint256 latestActiveEpochId;
        mapping(uint256 contextId => ContextState state) contextState;
        mapping(uint256 epochId => EpochState state) epochState;
        mapping(uint256 epochId => uint256 contextId) contextForEpoch;
        mapping(uint256 contextId => mapping(address txSender => bool hasConfirmed)) contextCreationConfirmedByTxSender;
        mapping(uint256 epochId => mapping(address signer => bool hasConfirmed)) epochActivationConfirmedBySigner;
        mapping(uint256 epochId => mapping(bytes32 dataHash => uint256 count))
            epochActivationConfirmationCountForDigest;
        mapping(uint256 contextId => uint256 threshold) contextCreationPreviousTxSenderThreshold;
        mapping(uint256 contextId => uint256 count) contextCreationNewTxSenderConfirmationCount;
        mapping(uint256 contextId => uint256 count) contextCreationPreviousTxSenderConfirmationCount;
        mapping(uint256 contextId => ContextAnchor anchor) contextAnchors;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm.storage.ProtocolConfig")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x80f3585af86806c5774303b06c1ee640aa83b6ef3e45df49bb26c8524500c200;

    /// @dev Ids carry their kind in the top byte; the first id is one above these.
    uint256 internal constant CONTEXT_BASE = 7 << 248;
    uint256 internal constant EPOCH_BASE = 8 << 248;
    uint256 private constant KIND_SHIFT = 248;

    /// @dev Stores nodes and thresholds under an id that nothing is stored under yet.
    function _storeContext(uint256 contextId, KmsNodeParams[] calldata params, KmsThresholds calldata thresholds)
        internal
    {
        ProtocolConfigStorage storage $ = _storage();
        uint256 n = params.length;
        if (n == 0) {
            revert EmptyKmsNodes();
        }
        ProofFormat.checkSignerCount(n);
        _checkThreshold("publicDecryption", thresholds.publicDecryption, n);
        _checkThreshold("userDecryption", thresholds.userDecryption, n);
        _checkThreshold("kmsGen", thresholds.kmsGen, n);
        _checkThreshold("mpc", thresholds.mpc, n);
        for (uint256 i = 0; i < n; i++) {
            _storeNode(contextId, params[i]);
        }
        $.publicDecryptionThresholdForContext[contextId] = thresholds.publicDecryption;
        $.userDecryptionThresholdForContext[contextId] = thresholds.userDecryption;
        $.kmsGenThresholdForContext[contextId] = thresholds.kmsGen;
        $.mpcThresholdForContext[contextId] = thresholds.mpc;
    }

    function _storeNode(uint256 contextId, KmsNodeParams calldata params) private {
        ProtocolConfigStorage storage $ = _storage();
        address txSender = params.txSenderAddress;
        address signer = params.signerAddress;
        if (txSender == address(0)) {
            revert KmsNodeNullTxSender();
        }
        if (signer == address(0)) {
            revert KmsNodeNullSigner();
        }
        if ($.isKmsTxSenderForContext[contextId][txSender]) {
            revert KmsTxSenderAlreadyRegistered(txSender);
        }
        if ($.isKmsSignerForContext[contextId][signer]) {
            revert KmsSignerAlreadyRegistered(signer);
        }
        KmsNode memory node = KmsNode(txSender, signer, params.ipAddress, params.storageUrl);
        $.isKmsTxSenderForContext[contextId][txSender] = true;
        $.isKmsSignerForContext[contextId][signer] = true;
        $.kmsNodeByTxSenderForContext[contextId][txSender] = node;
        $.kmsNodesForContext[contextId].push(node);
        $.kmsSignerAddressesForContext[contextId].push(signer);
    }

    /// @dev Keeps the hash of what is announced now.
    function _storeAnchor(
        uint256 contextId,
        KmsNodeParams[] calldata params,
        KmsThresholds memory thresholds,
        string calldata softwareVersion,
        PcrValues[] calldata pcrValues
    ) internal {
        _storage().contextAnchors[contextId] = ContextAnchor(
            block.number, keccak256(abi.encode(params, thresholds, softwareVersion, pcrValues))
        );
    }

    /// @dev Puts a context and one of its epochs into use; both are the newest of their kind.
    function _activate(uint256 contextId, uint256 epochId) internal {
        ProtocolConfigStorage storage $ = _storage();
        $.contextState[contextId] = ContextState.Active;
        $.latestActiveKmsContextId = contextId;
        $.epochState[epochId] = EpochState.Active;
        $.latestActiveEpochId = epochId;
    }

    /// @dev Puts a context and an epoch into use that did not come about here.
    function _adopt(uint256 contextId, uint256 epochId) internal {
        ProtocolConfigStorage storage $ = _storage();
        $.currentKmsContextId = contextId;
        $.epochCounter = epochId;
        $.contextForEpoch[epochId] = contextId;
        _activate(contextId, epochId);
    }

    /// @dev Gives out the next epoch, for a context whose nodes are now to share the keys.
    function _startEpoch(uint256 contextId) internal {
        ProtocolConfigStorage storage $ = _storage();
        uint256 epochId = ++$.epochCounter;
        $.epochState[epochId] = EpochState.Pending;
        $.contextForEpoch[epochId] = contextId;
        // This block may still bring a key, and nodes must all read the same list: they read it as of the last block.
        emit NewKmsEpoch(contextId, epochId, $.latestActiveKmsContextId, $.latestActiveEpochId, block.number - 1);
    }

    /// @dev Reverts if a context or an epoch is on its way. Only the newest of each can be.
    function _checkNothingInFlight() internal view {
        ProtocolConfigStorage storage $ = _storage();
        uint256 contextId = $.currentKmsContextId;
        uint256 epochId = $.epochCounter;
        if (
            ($.contextState[contextId] != ContextState.Active && _isLive(contextId))
                || $.epochState[epochId] == EpochState.Pending
        ) {
            revert KmsLifecycleOperationInFlight(contextId, epochId);
        }
    }

    /// @dev Reverts unless an id is one a context can have.
    function _checkContextId(uint256 contextId) internal pure {
        if (contextId >> KIND_SHIFT != CONTEXT_BASE >> KIND_SHIFT || contextId == CONTEXT_BASE) {
            revert InvalidKmsContext(contextId);
        }
    }

    /// @dev Reverts unless an id is one an epoch can have.
    function _checkEpochId(uint256 epochId) internal pure {
        if (epochId >> KIND_SHIFT != EPOCH_BASE >> KIND_SHIFT || epochId == EPOCH_BASE) {
            revert InvalidKmsEpoch(epochId);
        }
    }

    /// @dev Reverts unless the context is active and not destroyed.
    function _checkValid(uint256 contextId) internal view {
        if (!_isValid(contextId)) {
            revert InvalidKmsContext(contextId);
        }
    }

    /// @dev Reverts unless the context exists and is not destroyed.
    function _checkLive(uint256 contextId) internal view {
        if (!_isLive(contextId)) {
            revert InvalidKmsContext(contextId);
        }
    }

    /// @dev Reverts unless the context exists.
    function _checkKnown(uint256 contextId) internal view {
        if (_storage().contextState[contextId] == ContextState.None) {
            revert InvalidKmsContext(contextId);
        }
    }

    /// @dev Whether the context exists and is not destroyed.
    function _isLive(uint256 contextId) internal view returns (bool) {
        ProtocolConfigStorage storage $ = _storage();
        return $.contextState[contextId] != ContextState.None && !$.destroyedContexts[contextId];
    }

    /// @dev Whether the context is active and not destroyed.
    function _isValid(uint256 contextId) internal view returns (bool) {
        ProtocolConfigStorage storage $ = _storage();
        return $.contextState[contextId] == ContextState.Active && !$.destroyedContexts[contextId];
    }

    /// @dev Reverts unless a threshold can be reached, by n nodes and in a proof.
    function _checkThreshold(string memory name, uint256 threshold, uint256 n) internal pure {
        if (threshold == 0) {
            revert InvalidNullThreshold(name);
        }
        ProofFormat.checkThreshold(name, threshold);
        if (threshold > n) {
            revert InvalidHighThreshold(name, threshold, n);
        }
    }

    /// @dev The namespace's struct.
    function _storage() internal pure returns (ProtocolConfigStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
