// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostOwned, IHostOwner} from "./HostOwned.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title First implementation of a host proxy
/// @notice Holds the proxy's address until the real implementation can be installed.
contract EmptyUUPSProxy is UUPSUpgradeable, HostOwned {
    /// @param acl The ACL proxy, which knows the owner.
    constructor(IHostOwner acl) HostOwned(acl) {
        _disableInitializers();
    }

    /// @notice Marks the proxy as standing on its empty implementation.
    function initialize() external initializer {}

    function _authorizeUpgrade(address) internal view override onlyHostOwner {}
}
