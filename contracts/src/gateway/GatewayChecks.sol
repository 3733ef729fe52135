// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayOwned} from "./GatewayOwned.sol";

/// @title Who may do what on the gateway
/// @dev The errors are one family in the published interface of every contract that deals with operators, raised there
/// or not.
abstract contract GatewayChecks is GatewayOwned {
    /// @notice The account sends for no KMS node.
    /// @param txSenderAddress The account.
    error NotKmsTxSender(address txSenderAddress);

    /// @notice The key signs for no node of the context.
    /// @param signerAddress The recovered address.
    error NotKmsSigner(address signerAddress);

    /// @notice The key signs for another node than the account sends for (or the account sends for none).
    /// @param signerAddress The recovered address.
    /// @param txSenderAddress The account.
    error KmsSignerDoesNotMatchTxSender(address signerAddress, address txSenderAddress);

    /// @notice The account sends for no coprocessor.
    /// @param txSenderAddress The account.
    error NotCoprocessorTxSender(address txSenderAddress);

    /// @notice The key signs for no coprocessor.
    /// @param signerAddress The recovered address.
    error NotCoprocessorSigner(address signerAddress);

    /// @notice The key signs for another coprocessor than the account sends for.
    /// @param signerAddress The recovered address.
    /// @param txSenderAddress The account.
    error CoprocessorSignerDoesNotMatchTxSender(address signerAddress, address txSenderAddress);

    /// @notice The host chain is unknown.
    /// @param chainId The chain.
    error HostChainNotRegistered(uint256 chainId);

    /// @dev Lets only a coprocessor's account pass.
    modifier onlyCoprocessorTxSender() {
        if (!GATEWAY_CONFIG.isCoprocessorTxSender(msg.sender)) {
            revert NotCoprocessorTxSender(msg.sender);
        }
        _;
    }

    /// @dev Reverts unless the key belongs to the context and to the node that the sender sends for.
    function _checkKmsOperator(uint256 contextId, address signer) internal view {
        if (!GATEWAY_CONFIG.isKmsSignerForContext(contextId, signer)) {
            revert NotKmsSigner(signer);
        }
        if (GATEWAY_CONFIG.getKmsNodeForContext(contextId, msg.sender).signerAddress != signer) {
            revert KmsSignerDoesNotMatchTxSender(signer, msg.sender);
        }
    }

    /// @dev Reverts unless the key belongs to the coprocessor that the sender sends for.
    function _checkCoprocessor(address signer) internal view {
        if (!GATEWAY_CONFIG.isCoprocessorSigner(signer)) {
            revert NotCoprocessorSigner(signer);
        }
        if (GATEWAY_CONFIG.getCoprocessor(msg.sender).signerAddress != signer) {
            revert CoprocessorSignerDoesNotMatchTxSender(signer, msg.sender);
        }
    }
}
