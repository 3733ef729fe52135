// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {PauserSetBase} from "../shared/PauserSetBase.sol";
import {HostOwned, IHostOwner} from "./HostOwned.sol";

/// @title Accounts that may pause the host contracts
contract PauserSet is PauserSetBase, HostOwned {
    /// @param acl The ACL proxy, which knows the owner.
    constructor(IHostOwner acl) HostOwned(acl) {}

    /// @inheritdoc PauserSetBase
    function _checkSetOwner() internal view override {
        _checkHostOwner();
    }
}
