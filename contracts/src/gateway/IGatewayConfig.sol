// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Coprocessor, KmsNode} from "./GatewayTypes.sol";

/// @title What the gateway's other contracts ask GatewayConfig
/// @dev Functions with a context id revert with InvalidKmsContext for an unknown or destroyed one, except
/// isValidKmsContext.
interface IGatewayConfig {
    /// @notice The owner of all gateway contracts.
    /// @return Its address.
    function owner() external view returns (address);

    /// @notice Whether an account may pause.
    /// @param account The account.
    /// @return True if it may.
    function isPauser(address account) external view returns (bool);

    /// @notice The context that requests and answers without an explicit one belong to.
    /// @return Its id.
    function getCurrentKmsContextId() external view returns (uint256);

    /// @notice Whether a context is registered and not destroyed.
    /// @param contextId The context.
    /// @return True if it may be used.
    function isValidKmsContext(uint256 contextId) external view returns (bool);

    /// @notice Whether a key signs for a node of the current context.
    /// @param signerAddress The key's address.
    /// @return True if it does.
    function isKmsSigner(address signerAddress) external view returns (bool);

    /// @notice The node of the current context that an account sends for; all fields zero if there is none.
    /// @param kmsTxSenderAddress The account.
    /// @return The node.
    function getKmsNode(address kmsTxSenderAddress) external view returns (KmsNode memory);

    /// @notice Equal signed answers that make a key generation of the current context final.
    /// @return Their number.
    function getKmsGenThreshold() external view returns (uint256);

    /// @notice Whether a key signs for a node of a context.
    /// @param contextId The context.
    /// @param signerAddress The key's address.
    /// @return True if it does.
    function isKmsSignerForContext(uint256 contextId, address signerAddress) external view returns (bool);

    /// @notice The node that an account sends for; all fields zero if there is none.
    /// @param contextId The context.
    /// @param kmsTxSenderAddress The account.
    /// @return The node.
    function getKmsNodeForContext(uint256 contextId, address kmsTxSenderAddress) external view returns (KmsNode memory);

    /// @notice Equal signed answers that make a public decryption final.
    /// @param contextId The context.
    /// @return Their number.
    function getPublicDecryptionThresholdForContext(uint256 contextId) external view returns (uint256);

    /// @notice Answers that let a user put the value of a user decryption together.
    /// @param contextId The context.
    /// @return Their number.
    function getUserDecryptionThresholdForContext(uint256 contextId) external view returns (uint256);

    /// @notice Whether an account sends for a coprocessor.
    /// @param txSenderAddress The account.
    /// @return True if it does.
    function isCoprocessorTxSender(address txSenderAddress) external view returns (bool);

    /// @notice Whether a key signs for a coprocessor.
    /// @param signerAddress The key's address.
    /// @return True if it does.
    function isCoprocessorSigner(address signerAddress) external view returns (bool);

    /// @notice A coprocessor; all fields zero if there is none.
    /// @param coprocessorTxSenderAddress The account it sends from.
    /// @return The coprocessor.
    function getCoprocessor(address coprocessorTxSenderAddress) external view returns (Coprocessor memory);

    /// @notice Equal submissions of coprocessors that make a commitment final.
    /// @return Their number.
    function getCoprocessorMajorityThreshold() external view returns (uint256);

    /// @notice Whether a host chain is known.
    /// @param chainId The chain.
    /// @return True if it is.
    function isHostChainRegistered(uint256 chainId) external view returns (bool);

    /// @notice Whether a host chain is out of service.
    /// @param chainId The chain.
    /// @return True if it is.
    function isHostChainDisabled(uint256 chainId) external view returns (bool);
}
