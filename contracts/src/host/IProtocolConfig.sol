// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KmsNode} from "./ProtocolConfigTypes.sol";

/// @title What the host's other contracts ask ProtocolConfig
/// @dev Functions with a context id revert with InvalidKmsContext unless that context is active, if they do not say
/// otherwise.
interface IProtocolConfig {
    /// @notice The context in use.
    /// @return Its id.
    function getCurrentKmsContextId() external view returns (uint256);

    /// @notice The context and the epoch in use.
    /// @return contextId The context.
    /// @return epochId The epoch.
    function getCurrentKmsContextAndEpoch() external view returns (uint256 contextId, uint256 epochId);

    /// @notice The keys the nodes of the context in use sign with.
    /// @return Their addresses, in party order.
    function getKmsSigners() external view returns (address[] memory);

    /// @notice The keys a context's nodes sign with.
    /// @param kmsContextId The context.
    /// @return Their addresses, in party order.
    function getKmsSignersForContext(uint256 kmsContextId) external view returns (address[] memory);

    /// @notice Whether a key signs for a node of the context in use.
    /// @param signer The key's address.
    /// @return True if it does.
    function isKmsSigner(address signer) external view returns (bool);

    /// @notice Whether a key signs for a node of a context.
    /// @param kmsContextId The context.
    /// @param signer The key's address.
    /// @return True if it does.
    function isKmsSignerForContext(uint256 kmsContextId, address signer) external view returns (bool);

    /// @notice Whether an account sends for a node of a context that need not be active yet.
    /// @param kmsContextId The context; not destroyed.
    /// @param txSender The account.
    /// @return True if it does.
    function isKmsTxSenderForContext(uint256 kmsContextId, address txSender) external view returns (bool);

    /// @notice A node of any context, also a destroyed one; all fields zero if there is none.
    /// @param kmsContextId The context.
    /// @param txSender The account it sends from.
    /// @return The node.
    function getKmsNodeForContext(uint256 kmsContextId, address txSender) external view returns (KmsNode memory);

    /// @notice Distinct signatures that prove a public decryption in the context in use.
    /// @return Their number.
    function getPublicDecryptionThreshold() external view returns (uint256);

    /// @notice Distinct signatures that prove a public decryption in a context.
    /// @param kmsContextId The context.
    /// @return Their number.
    function getPublicDecryptionThresholdForContext(uint256 kmsContextId) external view returns (uint256);

    /// @notice Equal answers that decide a key generation in a context that need not be active yet.
    /// @param kmsContextId The context; not destroyed.
    /// @return Their number.
    function getKmsGenThresholdForContext(uint256 kmsContextId) external view returns (uint256);
}
