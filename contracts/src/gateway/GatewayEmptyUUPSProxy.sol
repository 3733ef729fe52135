// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayOwned} from "./GatewayOwned.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title First implementation of a gateway proxy
/// @notice Holds the proxy's address until the real implementation can be installed.
contract EmptyUUPSProxy is UUPSUpgradeable, GatewayOwned {
    /// @param gatewayConfig The GatewayConfig proxy, which knows the owner.
    constructor(IGatewayConfig gatewayConfig) GatewayOwned(gatewayConfig) {
        _disableInitializers();
    }

    /// @notice Marks the proxy as standing on its empty implementation.
    function initialize() external initializer {}

    function _authorizeUpgrade(address) internal view override onlyGatewayOwner {}
}
