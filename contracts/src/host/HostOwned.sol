// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @title The owner of a host chain's contracts
interface IHostOwner {
    /// @notice The owner.
    /// @return Its address.
    function owner() external view returns (address);
}

/// @title A host contract under the one owner
/// @notice The ACL alone knows the owner; every other contract asks it.
abstract contract HostOwned {
    /// @notice The sender does not own the host contracts.
    /// @param sender The sender.
    error NotHostOwner(address sender);

    /// @dev Immutable, so that a reference costs no storage read and a deployment generates no Solidity.
    IHostOwner private immutable _acl;

    /// @param acl The ACL proxy.
    constructor(IHostOwner acl) {
        _acl = acl;
    }

    /// @dev Lets only the owner of the host contracts pass.
    modifier onlyHostOwner() {
        _checkHostOwner();
        _;
    }

    /// @dev Reverts unless the sender owns the host contracts.
    function _checkHostOwner() internal view {
        if (msg.sender != _acl.owner()) {
            revert NotHostOwner(msg.sender);
        }
    }
}
