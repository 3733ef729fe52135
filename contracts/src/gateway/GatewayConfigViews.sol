// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayConfigBase} from "./GatewayConfigBase.sol";
import {Coprocessor, Custodian, HostChain} from "./GatewayTypes.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";

/// @title What GatewayConfig tells of those that belong to no context: coprocessors, custodians, host chains
abstract contract GatewayConfigViews is IGatewayConfig, GatewayConfigBase {
    /// @inheritdoc IGatewayConfig
    function isCoprocessorTxSender(address txSenderAddress) external view returns (bool) {
        return _storage().isCoprocessorTxSender[txSenderAddress];
    }

    /// @notice Whether a key signs for a coprocessor.
    /// @param signerAddress The key's address.
    /// @return True if it does.
    function isCoprocessorSigner(address signerAddress) external view returns (bool) {
        return _storage().isCoprocessorSigner[signerAddress];
    }

    /// @inheritdoc IGatewayConfig
    function getCoprocessorMajorityThreshold() external view returns (uint256) {
        return _storage().coprocessorThreshold;
    }

    /// @notice A coprocessor; all fields zero if there is none.
    /// @param coprocessorTxSenderAddress The account it sends from.
    /// @return The coprocessor.
    function getCoprocessor(address coprocessorTxSenderAddress) external view returns (Coprocessor memory) {
        return _storage().coprocessors[coprocessorTxSenderAddress];
    }

    /// @notice The accounts the coprocessors send from.
    /// @return In order of registration.
    function getCoprocessorTxSenders() external view returns (address[] memory) {
        return _storage().coprocessorTxSenderAddresses;
    }

    /// @notice The keys the coprocessors sign with.
    /// @return Their addresses, in order of registration.
    function getCoprocessorSigners() external view returns (address[] memory) {
        return _storage().coprocessorSignerAddresses;
    }

    /// @notice Whether an account sends for a custodian.
    /// @param txSenderAddress The account.
    /// @return True if it does.
    function isCustodianTxSender(address txSenderAddress) external view returns (bool) {
        return _storage().isCustodianTxSender[txSenderAddress];
    }

    /// @notice Whether a key signs for a custodian.
    /// @param signerAddress The key's address.
    /// @return True if it does.
    function isCustodianSigner(address signerAddress) external view returns (bool) {
        return _storage().isCustodianSigner[signerAddress];
    }

    /// @notice A custodian; all fields zero if there is none.
    /// @param custodianTxSenderAddress The account it sends from.
    /// @return The custodian.
    function getCustodian(address custodianTxSenderAddress) external view returns (Custodian memory) {
        return _storage().custodians[custodianTxSenderAddress];
    }

    /// @notice The accounts the custodians send from.
    /// @return In order of registration.
    function getCustodianTxSenders() external view returns (address[] memory) {
        return _storage().custodianTxSenderAddresses;
    }

    /// @notice The keys the custodians sign with.
    /// @return Their addresses, in order of registration.
    function getCustodianSigners() external view returns (address[] memory) {
        return _storage().custodianSignerAddresses;
    }

    /// @inheritdoc IGatewayConfig
    function isHostChainRegistered(uint256 chainId) external view returns (bool) {
        return _storage().isHostChainRegistered[chainId];
    }

    /// @inheritdoc IGatewayConfig
    function isHostChainDisabled(uint256 chainId) external view returns (bool) {
        return _storage().disabledHostChains[chainId];
    }

    /// @notice A host chain by its place in the list; panics beyond the end.
    /// @param index Its place.
    /// @return The chain.
    function getHostChain(uint256 index) external view returns (HostChain memory) {
        return _storage().hostChains[index];
    }

    /// @notice All host chains, disabled ones included.
    /// @return The list; removal moves its last element into the gap.
    function getHostChains() external view returns (HostChain[] memory) {
        return _storage().hostChains;
    }
}
