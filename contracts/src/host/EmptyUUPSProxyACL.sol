// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Ownable2StepUpgradeable} from "@openzeppelin/contracts-upgradeable/access/Ownable2StepUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title First implementation of the ACL proxy
/// @notice Sets the owner of all host contracts, which the real implementation keeps.
contract EmptyUUPSProxyACL is UUPSUpgradeable, Ownable2StepUpgradeable {
    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the owner.
    /// @param initialOwner The owner of all host contracts.
    function initialize(address initialOwner) external initializer {
        __Ownable_init(initialOwner);
    }

    function _authorizeUpgrade(address) internal view override onlyOwner {}
}
