// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {PauserSetBase} from "../shared/PauserSetBase.sol";
import {GatewayOwned} from "./GatewayOwned.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";

/// @title Accounts that may pause the gateway
contract PauserSet is PauserSetBase, GatewayOwned {
    /// @param gatewayConfig The GatewayConfig proxy, which knows the owner.
    constructor(IGatewayConfig gatewayConfig) GatewayOwned(gatewayConfig) {}

    /// @inheritdoc PauserSetBase
    function _checkSetOwner() internal view override {
        _checkGatewayOwner();
    }
}
