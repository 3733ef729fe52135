// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {HostOwned, IHostOwner} from "./HostOwned.sol";
import {ProtocolConfigHandshakes} from "./ProtocolConfigHandshakes.sol";
import {
    ChainUpgradeWindow,
    ContextState,
    EpochState,
    KmsNode,
    KmsNodeParams,
    KmsThresholds,
    PcrValues
} from "./ProtocolConfigTypes.sol";
import {ProtocolConfigViews} from "./ProtocolConfigViews.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title KMS contexts and epochs
/// @notice A context is a set of nodes with its thresholds; an epoch is one sharing of the keys among them. A
/// deployment begins with one active context and one active epoch. On the canonical chain the owner announces a new
/// context, or a new epoch for the same nodes, and the nodes' handshakes bring it into use; one at a time. On other
/// chains the owner mirrors the outcome. Older contexts stay good for decryption until they are destroyed.
/// @dev Of a node only what contracts and clients ask for is stored. The rest is in the event, and a hash of
/// everything is kept as the context's anchor.
contract ProtocolConfig is FromEmptyProxy, UUPSUpgradeable, HostOwned, ProtocolConfigViews, ProtocolConfigHandshakes {
    uint64 private constant REINITIALIZER_VERSION = 3;

    /// @param acl The ACL proxy, which knows the owner.
    constructor(IHostOwner acl) HostOwned(acl) {
        _disableInitializers();
    }

    /// @notice Initialises a new proxy with the first context and the first epoch, both active.
    /// @param initialKmsNodeParams The nodes, 1 to 255, in party order; accounts and keys unique among them.
    /// @param initialThresholds The thresholds, each 1 to n.
    /// @param softwareVersion What the nodes are to run.
    /// @param pcrValues Enclave measurements that the nodes' software may have.
    function initializeFromEmptyProxy(
        KmsNodeParams[] calldata initialKmsNodeParams,
        KmsThresholds calldata initialThresholds,
        string calldata softwareVersion,
        PcrValues[] calldata pcrValues
    ) external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        _storeContext(CONTEXT_BASE + 1, initialKmsNodeParams, initialThresholds);
        _adopt(CONTEXT_BASE + 1, EPOCH_BASE + 1);
        _announce(CONTEXT_BASE + 1, CONTEXT_BASE, initialKmsNodeParams, initialThresholds, softwareVersion, pcrValues);
    }

    /// @notice Initialises a new proxy on another chain with what is in use on the canonical one.
    /// @param canonicalContextId The context there.
    /// @param canonicalEpochId The epoch there.
    /// @param canonicalKmsNodeParams The context's nodes, in party order.
    /// @param canonicalThresholds Its thresholds.
    function initializeFromCanonical(
        uint256 canonicalContextId,
        uint256 canonicalEpochId,
        KmsNodeParams[] calldata canonicalKmsNodeParams,
        KmsThresholds calldata canonicalThresholds
    ) external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        _checkContextId(canonicalContextId);
        _checkEpochId(canonicalEpochId);
        _storeContext(canonicalContextId, canonicalKmsNodeParams, canonicalThresholds);
        _adopt(canonicalContextId, canonicalEpochId);
    }

    /// @notice Takes over a proxy of the previous release, which had contexts that were active at once, and no epochs.
    /// @param kmsNodeParams The nodes of the context in use, as they are stored, with what was not stored then.
    /// @param softwareVersion What the nodes run.
    /// @param pcrValues Enclave measurements that the nodes' software may have.
    function reinitializeV2(
        KmsNodeParams[] calldata kmsNodeParams,
        string calldata softwareVersion,
        PcrValues[] calldata pcrValues
    ) external reinitializer(REINITIALIZER_VERSION) {
        ProtocolConfigStorage storage $ = _storage();
        uint256 current = $.currentKmsContextId;
        _checkStoredNodes(current, kmsNodeParams);
        // Also the older ones: a proof or an open request may be theirs, unless they were destroyed.
        for (uint256 id = CONTEXT_BASE + 1; id <= current; id++) {
            if ($.kmsSignerAddressesForContext[id].length != 0) {
                $.contextState[id] = ContextState.Active;
            }
        }
        _adopt(current, EPOCH_BASE + 1);
        KmsThresholds memory thresholds = KmsThresholds(
            $.publicDecryptionThresholdForContext[current],
            $.userDecryptionThresholdForContext[current],
            $.kmsGenThresholdForContext[current],
            $.mpcThresholdForContext[current]
        );
        _announce(current, CONTEXT_BASE, kmsNodeParams, thresholds, softwareVersion, pcrValues);
    }

    /// @notice Announces a new context. It waits for its nodes' confirmations; then it gets an epoch.
    /// @param kmsNodeParams Its nodes, in party order.
    /// @param thresholds Its thresholds.
    /// @param softwareVersion What the nodes are to run.
    /// @param pcrValues Enclave measurements that the nodes' software may have.
    function defineNewKmsContextAndEpoch(
        KmsNodeParams[] calldata kmsNodeParams,
        KmsThresholds calldata thresholds,
        string calldata softwareVersion,
        PcrValues[] calldata pcrValues
    ) external onlyHostOwner {
        _checkNothingInFlight();
        ProtocolConfigStorage storage $ = _storage();
        uint256 previous = $.latestActiveKmsContextId;
        uint256 contextId = ++$.currentKmsContextId;
        _storeContext(contextId, kmsNodeParams, thresholds);
        $.contextState[contextId] = ContextState.Pending;

        // As many as are left if all whose corruption the protocols withstand stay silent.
        uint256 n = $.kmsSignerAddressesForContext[previous].length;
        uint256 mpc = $.mpcThresholdForContext[previous];
        $.contextCreationPreviousTxSenderThreshold[contextId] = n > mpc ? n - mpc : 1;
        _announce(contextId, previous, kmsNodeParams, thresholds, softwareVersion, pcrValues);
    }

    /// @notice Has the nodes of the context in use share the keys anew.
    function defineNewEpochForCurrentKmsContext() external onlyHostOwner {
        _checkNothingInFlight();
        _startEpoch(_storage().latestActiveKmsContextId);
    }

    /// @notice Ends a context, whether it is in preparation or older than the one in use.
    /// @param kmsContextId The context; not the one in use.
    function destroyKmsContext(uint256 kmsContextId) external onlyHostOwner {
        ProtocolConfigStorage storage $ = _storage();
        if (kmsContextId == $.latestActiveKmsContextId) {
            revert LatestActiveKmsContextCannotBeDestroyed(kmsContextId);
        }
        _checkLive(kmsContextId);
        $.destroyedContexts[kmsContextId] = true;
        // What is pending can be confirmed, and to ask there whether it was destroyed would cost every node.
        if ($.contextState[kmsContextId] == ContextState.Pending) {
            $.contextState[kmsContextId] = ContextState.Created;
        }
        // Only the newest epoch can be pending.
        uint256 epochId = $.epochCounter;
        if ($.contextForEpoch[epochId] == kmsContextId && $.epochState[epochId] == EpochState.Pending) {
            delete $.epochState[epochId];
        }
        emit KmsContextDestroyed(kmsContextId);
    }

    /// @notice Ends an epoch: an old one, or one that the context in use prepares. The first epoch of a new context is
    /// ended with its context.
    /// @param epochId The epoch; not the one in use.
    function destroyKmsEpoch(uint256 epochId) external onlyHostOwner {
        ProtocolConfigStorage storage $ = _storage();
        if (epochId == $.latestActiveEpochId) {
            revert LatestActiveKmsEpochCannotBeDestroyed(epochId);
        }
        EpochState state = $.epochState[epochId];
        if (
            state == EpochState.None
                || (state == EpochState.Pending && $.contextState[$.contextForEpoch[epochId]] != ContextState.Active)
        ) {
            revert InvalidKmsEpoch(epochId);
        }
        delete $.epochState[epochId];
        emit KmsEpochDestroyed(epochId);
    }

    /// @notice Puts a context and an epoch of the canonical chain into use here.
    /// @param contextId The context; newer than all here, ids may be left out.
    /// @param epochId The epoch; newer than all here, ids may be left out.
    /// @param kmsNodeParams The context's nodes, in party order.
    /// @param thresholds Its thresholds.
    /// @param softwareVersion What the nodes run.
    /// @param pcrValues Enclave measurements that the nodes' software may have.
    function mirrorKmsContextAndEpoch(
        uint256 contextId,
        uint256 epochId,
        KmsNodeParams[] calldata kmsNodeParams,
        KmsThresholds calldata thresholds,
        string calldata softwareVersion,
        PcrValues[] calldata pcrValues
    ) external onlyHostOwner {
        uint256 newest = _storage().currentKmsContextId;
        if (contextId <= newest) {
            revert NonIncreasingKmsContextId(contextId, newest);
        }
        _checkContextId(contextId);
        _checkNewEpoch(epochId);
        _storeContext(contextId, kmsNodeParams, thresholds);
        _storeAnchor(contextId, kmsNodeParams, thresholds, softwareVersion, pcrValues);
        _adopt(contextId, epochId);
        emit MirrorKmsContextAndEpoch(contextId, epochId, kmsNodeParams, thresholds, softwareVersion, pcrValues);
    }

    /// @notice Puts another epoch of the context in use into use here.
    /// @param contextId The context in use.
    /// @param epochId The epoch; newer than all here, ids may be left out.
    function mirrorKmsEpoch(uint256 contextId, uint256 epochId) external onlyHostOwner {
        if (contextId != _storage().latestActiveKmsContextId) {
            revert InvalidKmsContext(contextId);
        }
        _checkNewEpoch(epochId);
        ProtocolConfigStorage storage $ = _storage();
        $.epochCounter = epochId;
        $.contextForEpoch[epochId] = contextId;
        _activate(contextId, epochId);
        emit MirrorKmsEpoch(contextId, epochId);
    }

    /// @notice Sets how many signatures prove a public decryption.
    /// @param kmsContextId The context; active.
    /// @param threshold The number, 1 to n.
    function updatePublicDecryptionThresholdForContext(uint256 kmsContextId, uint256 threshold) external onlyHostOwner {
        _checkNewThreshold("publicDecryption", kmsContextId, threshold);
        _storage().publicDecryptionThresholdForContext[kmsContextId] = threshold;
        emit PublicDecryptionThresholdUpdated(kmsContextId, threshold);
    }

    /// @notice Sets how many shares complete a user decryption.
    /// @param kmsContextId The context; active.
    /// @param threshold The number, 1 to n.
    function updateUserDecryptionThresholdForContext(uint256 kmsContextId, uint256 threshold) external onlyHostOwner {
        _checkNewThreshold("userDecryption", kmsContextId, threshold);
        _storage().userDecryptionThresholdForContext[kmsContextId] = threshold;
        emit UserDecryptionThresholdUpdated(kmsContextId, threshold);
    }

    /// @notice Sets how many equal answers decide a key generation.
    /// @param kmsContextId The context; active.
    /// @param threshold The number, 1 to n.
    function updateKmsGenThresholdForContext(uint256 kmsContextId, uint256 threshold) external onlyHostOwner {
        _checkNewThreshold("kmsGen", kmsContextId, threshold);
        _storage().kmsGenThresholdForContext[kmsContextId] = threshold;
        emit KmsGenThresholdUpdated(kmsContextId, threshold);
    }

    /// @notice Sets how many corrupted nodes the protocols withstand.
    /// @param kmsContextId The context; active.
    /// @param threshold The number, 1 to n.
    function updateMpcThresholdForContext(uint256 kmsContextId, uint256 threshold) external onlyHostOwner {
        _checkNewThreshold("mpc", kmsContextId, threshold);
        _storage().mpcThresholdForContext[kmsContextId] = threshold;
        emit MpcThresholdUpdated(kmsContextId, threshold);
    }

    /// @notice Tells coprocessors when to change their software. Nothing is stored.
    /// @param proposalId The proposal, numbered by the owner; not zero.
    /// @param softwareVersion The version to change to.
    /// @param chainUpgradeWindows When, on each host chain; no chain twice.
    /// @param gwStartBlock When, on the gateway; not zero.
    function proposeCoprocessorUpgrade(
        uint256 proposalId,
        string calldata softwareVersion,
        ChainUpgradeWindow[] calldata chainUpgradeWindows,
        uint64 gwStartBlock
    ) external onlyHostOwner {
        if (proposalId == 0) {
            revert InvalidProposalId();
        }
        if (bytes(softwareVersion).length == 0) {
            revert EmptySoftwareVersion();
        }
        if (chainUpgradeWindows.length == 0) {
            revert EmptyChainUpgradeWindows();
        }
        if (gwStartBlock == 0) {
            revert ZeroGwStartBlock();
        }
        for (uint256 i = 0; i < chainUpgradeWindows.length; i++) {
            ChainUpgradeWindow calldata window = chainUpgradeWindows[i];
            if (window.chainId == 0) {
                revert ZeroChainId();
            }
            if (window.startBlock == 0 || window.startBlock >= window.endBlock) {
                revert InvalidBlockWindow(window.chainId, window.startBlock, window.endBlock);
            }
            for (uint256 j = 0; j < i; j++) {
                if (chainUpgradeWindows[j].chainId == window.chainId) {
                    revert DuplicateChainId(window.chainId);
                }
            }
        }
        emit CoprocessorUpgradeProposed(proposalId, softwareVersion, chainUpgradeWindows, gwStartBlock);
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "ProtocolConfig v0.2.0";
    }

    function _authorizeUpgrade(address) internal view override onlyHostOwner {}

    /// @dev Keeps the anchor of a context and tells of it.
    function _announce(
        uint256 contextId,
        uint256 previousContextId,
        KmsNodeParams[] calldata params,
        KmsThresholds memory thresholds,
        string calldata softwareVersion,
        PcrValues[] calldata pcrValues
    ) private {
        _storeAnchor(contextId, params, thresholds, softwareVersion, pcrValues);
        emit NewKmsContext(contextId, previousContextId, params, thresholds, softwareVersion, pcrValues);
    }

    /// @dev Reverts unless a mirrored epoch is newer than all here. What a handshake prepares here would come to an end
    /// in which it replaces something newer; so there must be none.
    function _checkNewEpoch(uint256 epochId) private view {
        uint256 newest = _storage().epochCounter;
        if (epochId <= newest) {
            revert NonIncreasingEpochId(epochId, newest);
        }
        _checkEpochId(epochId);
        _checkNothingInFlight();
    }

    function _checkNewThreshold(string memory name, uint256 contextId, uint256 threshold) private view {
        _checkValid(contextId);
        _checkThreshold(name, threshold, _storage().kmsSignerAddressesForContext[contextId].length);
    }

    /// @dev Reverts unless these are the nodes of a context: the anchor must be of what is stored.
    function _checkStoredNodes(uint256 contextId, KmsNodeParams[] calldata params) private view {
        KmsNode[] storage nodes = _storage().kmsNodesForContext[contextId];
        bool same = nodes.length != 0 && nodes.length == params.length;
        for (uint256 i = 0; same && i < params.length; i++) {
            same = nodes[i].txSenderAddress == params[i].txSenderAddress
                && nodes[i].signerAddress == params[i].signerAddress;
        }
        if (!same) {
            revert InvalidKmsContext(contextId);
        }
    }
}
