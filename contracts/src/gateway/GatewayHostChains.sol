// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayChecks} from "./GatewayChecks.sol";

/// @title Who may do what on the gateway, and for which host chain
abstract contract GatewayHostChains is GatewayChecks {
    /// @notice The host chain is out of service.
    /// @param chainId The chain.
    error HostChainDisabled(uint256 chainId);

    /// @dev Reverts unless the host chain is registered and in service.
    function _checkHostChain(uint256 chainId) internal view {
        if (!GATEWAY_CONFIG.isHostChainRegistered(chainId)) {
            revert HostChainNotRegistered(chainId);
        }
        if (GATEWAY_CONFIG.isHostChainDisabled(chainId)) {
            revert HostChainDisabled(chainId);
        }
    }
}
