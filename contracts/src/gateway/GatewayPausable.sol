// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayOwned} from "./GatewayOwned.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";

/// @title A gateway contract whose requests can be stopped
/// @notice Any pauser may stop it, only the owner may start it again; GatewayConfig may do both, for all at once.
abstract contract GatewayPausable is GatewayOwned, PausableUpgradeable {
    /// @notice The sender may not pause.
    /// @param notPauserOrGatewayConfig The sender.
    error NotPauserOrGatewayConfig(address notPauserOrGatewayConfig);

    /// @notice The sender may not unpause.
    /// @param notOwnerOrGatewayConfig The sender.
    error NotOwnerOrGatewayConfig(address notOwnerOrGatewayConfig);

    /// @notice Stops requests.
    function pause() external {
        if (msg.sender != address(GATEWAY_CONFIG) && !GATEWAY_CONFIG.isPauser(msg.sender)) {
            revert NotPauserOrGatewayConfig(msg.sender);
        }
        _pause();
    }

    /// @notice Lets requests through again.
    function unpause() external {
        if (msg.sender != address(GATEWAY_CONFIG) && msg.sender != GATEWAY_CONFIG.owner()) {
            revert NotOwnerOrGatewayConfig(msg.sender);
        }
        _unpause();
    }
}
