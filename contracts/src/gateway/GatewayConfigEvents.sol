// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Coprocessor, Custodian, HostChain, KmsNode} from "./GatewayTypes.sol";

/// @title Events and errors of GatewayConfig
interface GatewayConfigEvents {
    /// @notice A host chain was registered.
    /// @param hostChain The chain.
    event AddHostChain(HostChain hostChain);

    /// @notice A host chain was taken out of service.
    /// @param chainId The chain.
    event DisableHostChain(uint256 indexed chainId);

    /// @notice A host chain was put back into service.
    /// @param chainId The chain.
    event EnableHostChain(uint256 indexed chainId);

    /// @notice A host chain was forgotten.
    /// @param chainId The chain.
    event RemoveHostChain(uint256 indexed chainId);

    /// @notice A context was registered and is now the current one.
    /// @param newContextId The context.
    /// @param newKmsNodes Its nodes.
    /// @param newMpcThreshold Corrupted nodes its protocols withstand.
    /// @param newPublicDecryptionThreshold Equal answers that decide a public decryption.
    /// @param newUserDecryptionThreshold Answers that complete a user decryption.
    /// @param newKmsGenThreshold Equal answers that decide a key generation.
    event UpdateKmsContext(
        uint256 indexed newContextId,
        KmsNode[] newKmsNodes,
        uint256 newMpcThreshold,
        uint256 newPublicDecryptionThreshold,
        uint256 newUserDecryptionThreshold,
        uint256 newKmsGenThreshold
    );

    /// @notice A context was ended.
    /// @param kmsContextId The context.
    event DestroyKmsContext(uint256 indexed kmsContextId);

    /// @notice A threshold of a context was changed.
    /// @param contextId The context.
    /// @param newMpcThreshold The threshold.
    event UpdateMpcThresholdForContext(uint256 indexed contextId, uint256 newMpcThreshold);

    /// @notice A threshold of a context was changed.
    /// @param contextId The context.
    /// @param newPublicDecryptionThreshold The threshold.
    event UpdatePublicDecryptionThresholdForContext(uint256 indexed contextId, uint256 newPublicDecryptionThreshold);

    /// @notice A threshold of a context was changed.
    /// @param contextId The context.
    /// @param newUserDecryptionThreshold The threshold.
    event UpdateUserDecryptionThresholdForContext(uint256 indexed contextId, uint256 newUserDecryptionThreshold);

    /// @notice A threshold of a context was changed.
    /// @param contextId The context.
    /// @param newKmsGenThreshold The threshold.
    event UpdateKmsGenThresholdForContext(uint256 indexed contextId, uint256 newKmsGenThreshold);

    /// @notice All coprocessors were replaced.
    /// @param newCoprocessors The coprocessors.
    /// @param newCoprocessorThreshold Equal submissions that decide for them.
    event UpdateCoprocessors(Coprocessor[] newCoprocessors, uint256 newCoprocessorThreshold);

    /// @notice The coprocessors' threshold was changed.
    /// @param newCoprocessorThreshold The threshold.
    event UpdateCoprocessorThreshold(uint256 newCoprocessorThreshold);

    /// @notice All custodians were replaced.
    /// @param newCustodians The custodians.
    event UpdateCustodians(Custodian[] newCustodians);

    /// @notice Requests of every kind were stopped.
    event PauseAllGatewayContracts();

    /// @notice Requests of every kind are let through again.
    event UnpauseAllGatewayContracts();

    /// @notice The sender may not pause.
    /// @param account The sender.
    error NotPauser(address account);

    /// @notice There is nothing left to stop.
    error AllGatewayContractsAlreadyPaused();

    /// @notice Nothing is stopped.
    error AllGatewayContractsAlreadyUnpaused();

    /// @notice Handles have 8 bytes for the chain id.
    /// @param chainId The id.
    error ChainIdNotUint64(uint256 chainId);

    /// @notice Two coprocessors have the same key.
    /// @param coprocessorSignerAddress The key's address.
    error CoprocessorSignerAlreadyRegistered(address coprocessorSignerAddress);

    /// @notice Two coprocessors have the same account.
    /// @param coprocessorTxSenderAddress The account.
    error CoprocessorTxSenderAlreadyRegistered(address coprocessorTxSenderAddress);

    /// @notice The current context must be replaced first.
    /// @param currentKmsContextId The context.
    error CurrentKmsContextCannotBeDestroyed(uint256 currentKmsContextId);

    /// @notice Two custodians have the same key.
    /// @param custodianSignerAddress The key's address.
    error CustodianSignerAlreadyRegistered(address custodianSignerAddress);

    /// @notice Two custodians have the same account.
    /// @param custodianTxSenderAddress The account.
    error CustodianTxSenderAlreadyRegistered(address custodianTxSenderAddress);

    /// @notice No coprocessor was given.
    error EmptyCoprocessors();

    /// @notice No custodian was given.
    error EmptyCustodians();

    /// @notice No node was given.
    error EmptyKmsNodes();

    /// @notice The host chain is out of service.
    /// @param chainId The chain.
    error HostChainAlreadyDisabled(uint256 chainId);

    /// @notice The host chain is in service.
    /// @param chainId The chain.
    error HostChainAlreadyEnabled(uint256 chainId);

    /// @notice The host chain is known.
    /// @param chainId The chain.
    error HostChainAlreadyRegistered(uint256 chainId);

    /// @notice The host chain is in service.
    /// @param chainId The chain.
    error HostChainNotDisabled(uint256 chainId);

    /// @notice The host chain is unknown.
    /// @param chainId The chain.
    error HostChainNotRegistered(uint256 chainId);

    /// @notice More than there are coprocessors.
    /// @param coprocessorThreshold The threshold.
    /// @param nCoprocessors Their number.
    error InvalidHighCoprocessorThreshold(uint256 coprocessorThreshold, uint256 nCoprocessors);

    /// @notice More than there are nodes.
    /// @param kmsGenThreshold The threshold.
    /// @param nKmsNodes Their number.
    error InvalidHighKmsGenThreshold(uint256 kmsGenThreshold, uint256 nKmsNodes);

    /// @notice Not less than there are nodes.
    /// @param mpcThreshold The threshold.
    /// @param nKmsNodes Their number.
    error InvalidHighMpcThreshold(uint256 mpcThreshold, uint256 nKmsNodes);

    /// @notice More than there are nodes.
    /// @param publicDecryptionThreshold The threshold.
    /// @param nKmsNodes Their number.
    error InvalidHighPublicDecryptionThreshold(uint256 publicDecryptionThreshold, uint256 nKmsNodes);

    /// @notice More than there are nodes.
    /// @param userDecryptionThreshold The threshold.
    /// @param nKmsNodes Their number.
    error InvalidHighUserDecryptionThreshold(uint256 userDecryptionThreshold, uint256 nKmsNodes);

    /// @notice The context is unknown or destroyed.
    /// @param kmsContextId The context.
    error InvalidKmsContext(uint256 kmsContextId);

    /// @notice A chain id is not zero.
    error InvalidNullChainId();

    /// @notice The threshold is not zero.
    error InvalidNullCoprocessorThreshold();

    /// @notice A context id is not zero.
    error InvalidNullKmsContextId();

    /// @notice The threshold is not zero.
    error InvalidNullKmsGenThreshold();

    /// @notice The threshold is not zero.
    error InvalidNullPublicDecryptionThreshold();

    /// @notice The threshold is not zero.
    error InvalidNullUserDecryptionThreshold();

    /// @notice Context ids only grow.
    /// @param contextId The id.
    /// @param currentKmsContextId The current context.
    error KmsContextAlreadyRegistered(uint256 contextId, uint256 currentKmsContextId);

    /// @notice Two nodes have the same key.
    /// @param kmsSignerAddress The key's address.
    error KmsSignerAlreadyRegistered(address kmsSignerAddress);

    /// @notice Two nodes have the same account.
    /// @param kmsTxSenderAddress The account.
    error KmsTxSenderAlreadyRegistered(address kmsTxSenderAddress);
}
