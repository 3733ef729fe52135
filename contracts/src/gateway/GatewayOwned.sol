// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {IGatewayConfig} from "./IGatewayConfig.sol";

/// @title A gateway contract under the one owner
/// @notice GatewayConfig alone knows the owner; every other contract asks it.
abstract contract GatewayOwned {
    /// @notice The sender does not own the gateway.
    /// @param sender The sender.
    error NotGatewayOwner(address sender);

    /// @dev Immutable, so that a reference costs no storage read and a deployment generates no Solidity.
    IGatewayConfig internal immutable GATEWAY_CONFIG;

    /// @param gatewayConfig The GatewayConfig proxy.
    constructor(IGatewayConfig gatewayConfig) {
        GATEWAY_CONFIG = gatewayConfig;
    }

    /// @dev Lets only the owner of the gateway pass.
    modifier onlyGatewayOwner() {
        _checkGatewayOwner();
        _;
    }

    /// @dev Reverts unless the sender owns the gateway.
    function _checkGatewayOwner() internal view {
        if (msg.sender != GATEWAY_CONFIG.owner()) {
            revert NotGatewayOwner(msg.sender);
        }
    }
}
