// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {EpochCrsResult, EpochKeyResult} from "./KeyMaterialTypes.sol";
import {ChainUpgradeWindow, KmsNodeParams, KmsThresholds, PcrValues} from "./ProtocolConfigTypes.sol";

/// @title What ProtocolConfig tells, and what it refuses
abstract contract ProtocolConfigEvents {
    /// @notice A context was announced.
    /// @param contextId Its id.
    /// @param previousContextId The context it follows; for the first one, an id that no context has.
    /// @param kmsNodeParams Its nodes, in party order.
    /// @param thresholds Its thresholds.
    /// @param softwareVersion What the nodes are to run.
    /// @param pcrValues Enclave measurements that the nodes' software may have.
    event NewKmsContext(
        uint256 indexed contextId,
        uint256 indexed previousContextId,
        KmsNodeParams[] kmsNodeParams,
        KmsThresholds thresholds,
        string softwareVersion,
        PcrValues[] pcrValues
    );

    /// @notice A node confirmed that it knows a new context.
    /// @param kmsContextId The context.
    /// @param txSender The node's account.
    /// @param isPreviousTxSender Whether it counts as a node of the context in use.
    /// @param isNewTxSender Whether it counts as a node of the new context.
    event KmsContextCreationConfirmation(
        uint256 indexed kmsContextId, address indexed txSender, bool isPreviousTxSender, bool isNewTxSender
    );

    /// @notice The nodes of a context are to share all keys anew.
    /// @param kmsContextId The context.
    /// @param epochId The new sharing.
    /// @param previousContextId The context that has the keys now; the same one if only the shares change.
    /// @param previousEpochId The sharing of now.
    /// @param materialBlockNumber The block at which to read which keys and CRSs there are.
    event NewKmsEpoch(
        uint256 indexed kmsContextId,
        uint256 indexed epochId,
        uint256 previousContextId,
        uint256 previousEpochId,
        uint256 materialBlockNumber
    );

    /// @notice A node attested what it has after sharing anew.
    /// @param epochId The epoch.
    /// @param signer The address of the node's key.
    /// @param dataHash Hash of what it attested; all nodes' must be equal.
    event EpochActivationConfirmation(uint256 indexed epochId, address indexed signer, bytes32 dataHash);

    /// @notice An epoch, and with it its context, is in use.
    /// @param kmsContextId The context.
    /// @param epochId The epoch.
    /// @param keys Its keys.
    /// @param crsList Its CRSs.
    /// @param kmsNodeStorageUrls Where the context's nodes publish them, in party order.
    event ActivateEpoch(
        uint256 indexed kmsContextId,
        uint256 indexed epochId,
        EpochKeyResult[] keys,
        EpochCrsResult[] crsList,
        string[] kmsNodeStorageUrls
    );

    /// @notice A context may not be used any more.
    /// @param kmsContextId The context.
    event KmsContextDestroyed(uint256 indexed kmsContextId);

    /// @notice An epoch may not be used any more.
    /// @param epochId The epoch.
    event KmsEpochDestroyed(uint256 indexed epochId);

    /// @notice A context and an epoch of the canonical chain are in use here, too.
    /// @param contextId The context.
    /// @param epochId The epoch.
    /// @param kmsNodeParams The context's nodes, in party order.
    /// @param thresholds Its thresholds.
    /// @param softwareVersion What the nodes run.
    /// @param pcrValues Enclave measurements that the nodes' software may have.
    event MirrorKmsContextAndEpoch(
        uint256 indexed contextId,
        uint256 indexed epochId,
        KmsNodeParams[] kmsNodeParams,
        KmsThresholds thresholds,
        string softwareVersion,
        PcrValues[] pcrValues
    );

    /// @notice An epoch of the canonical chain is in use here, too.
    /// @param contextId The context.
    /// @param epochId The epoch.
    event MirrorKmsEpoch(uint256 indexed contextId, uint256 indexed epochId);

    /// @notice A context's threshold of public decryptions changed.
    /// @param kmsContextId The context.
    /// @param threshold The new value.
    event PublicDecryptionThresholdUpdated(uint256 indexed kmsContextId, uint256 threshold);

    /// @notice A context's threshold of user decryptions changed.
    /// @param kmsContextId The context.
    /// @param threshold The new value.
    event UserDecryptionThresholdUpdated(uint256 indexed kmsContextId, uint256 threshold);

    /// @notice A context's threshold of key generations changed.
    /// @param kmsContextId The context.
    /// @param threshold The new value.
    event KmsGenThresholdUpdated(uint256 indexed kmsContextId, uint256 threshold);

    /// @notice The number of corrupted nodes that a context's protocols withstand changed.
    /// @param kmsContextId The context.
    /// @param threshold The new value.
    event MpcThresholdUpdated(uint256 indexed kmsContextId, uint256 threshold);

    /// @notice Coprocessors are to change their software.
    /// @param proposalId The proposal, numbered by the owner.
    /// @param softwareVersion The version to change to.
    /// @param chainUpgradeWindows When, on each host chain.
    /// @param gwStartBlock When, on the gateway.
    event CoprocessorUpgradeProposed(
        uint256 indexed proposalId,
        string softwareVersion,
        ChainUpgradeWindow[] chainUpgradeWindows,
        uint64 gwStartBlock
    );

    /// @notice No node was given.
    error EmptyKmsNodes();

    /// @notice A threshold is not zero.
    /// @param thresholdName Which threshold.
    error InvalidNullThreshold(string thresholdName);

    /// @notice More than there are nodes.
    /// @param thresholdName Which threshold.
    /// @param threshold Its value.
    /// @param nodeCount Their number.
    error InvalidHighThreshold(string thresholdName, uint256 threshold, uint256 nodeCount);

    /// @notice A node has no account.
    error KmsNodeNullTxSender();

    /// @notice A node has no key.
    error KmsNodeNullSigner();

    /// @notice Two nodes have the same account.
    /// @param txSender The account.
    error KmsTxSenderAlreadyRegistered(address txSender);

    /// @notice Two nodes have the same key.
    /// @param signer The key's address.
    error KmsSignerAlreadyRegistered(address signer);

    /// @notice The context is unknown, destroyed, or not yet as far as the call needs it.
    /// @param kmsContextId The context.
    error InvalidKmsContext(uint256 kmsContextId);

    /// @notice The epoch is unknown, destroyed, or not as far as the call needs it.
    /// @param epochId The epoch.
    error InvalidKmsEpoch(uint256 epochId);

    /// @notice A context or an epoch is on its way already; let it finish or destroy it first.
    /// @param kmsContextId The highest id given to a context.
    /// @param epochId The highest id given to an epoch.
    error KmsLifecycleOperationInFlight(uint256 kmsContextId, uint256 epochId);

    /// @notice The context does not wait for confirmations.
    /// @param kmsContextId The context.
    error KmsContextNotPending(uint256 kmsContextId);

    /// @notice The sender is a node neither of the context in use nor of the new one.
    /// @param caller The sender.
    /// @param kmsContextId The new context.
    error KmsContextCreationUnauthorized(address caller, uint256 kmsContextId);

    /// @notice The node has confirmed the context before.
    /// @param txSender The node's account.
    /// @param kmsContextId The context.
    error KmsContextCreationAlreadyConfirmed(address txSender, uint256 kmsContextId);

    /// @notice The epoch's context still waits for confirmations.
    /// @param kmsContextId The context.
    error KmsContextNotCreated(uint256 kmsContextId);

    /// @notice The sender is no node of the epoch's context.
    /// @param caller The sender.
    /// @param epochId The epoch.
    error EpochActivationUnauthorized(address caller, uint256 epochId);

    /// @notice An epoch without a key or without a CRS is of no use.
    /// @param epochId The epoch.
    error EmptyEpochActivationAttestation(uint256 epochId);

    /// @notice A result is not signed by the sender's key.
    /// @param signer The recovered address.
    /// @param txSender The sender.
    error EpochActivationSignerDoesNotMatchTxSender(address signer, address txSender);

    /// @notice The node has attested before; it cannot change its mind.
    /// @param signer The address of the node's key.
    /// @param epochId The epoch.
    error EpochActivationAlreadyConfirmed(address signer, uint256 epochId);

    /// @notice The context in use stays.
    /// @param kmsContextId The context.
    error LatestActiveKmsContextCannotBeDestroyed(uint256 kmsContextId);

    /// @notice The epoch in use stays.
    /// @param epochId The epoch.
    error LatestActiveKmsEpochCannotBeDestroyed(uint256 epochId);

    /// @notice A context to mirror is not newer than what is here.
    /// @param contextId The context.
    /// @param latestActiveKmsContextId The highest id known here.
    error NonIncreasingKmsContextId(uint256 contextId, uint256 latestActiveKmsContextId);

    /// @notice An epoch to mirror is not newer than what is here.
    /// @param epochId The epoch.
    /// @param currentEpochId The highest id known here.
    error NonIncreasingEpochId(uint256 epochId, uint256 currentEpochId);

    /// @notice A proposal is not numbered zero.
    error InvalidProposalId();

    /// @notice No software version was given.
    error EmptySoftwareVersion();

    /// @notice No host chain was given.
    error EmptyChainUpgradeWindows();

    /// @notice A host chain is not zero.
    error ZeroChainId();

    /// @notice A host chain was given twice.
    /// @param chainId The chain.
    error DuplicateChainId(uint64 chainId);

    /// @notice The blocks of a window are not in order, or begin at zero.
    /// @param chainId The chain.
    /// @param startBlock Its first block.
    /// @param endBlock Its last block.
    error InvalidBlockWindow(uint64 chainId, uint64 startBlock, uint64 endBlock);

    /// @notice The gateway's block is not zero.
    error ZeroGwStartBlock();
}
