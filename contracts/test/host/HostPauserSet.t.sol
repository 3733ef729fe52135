// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostOwned} from "../../src/host/HostOwned.sol";
import {PauserSetBase} from "../../src/shared/PauserSetBase.sol";
import {HostFixture} from "../helpers/HostFixture.sol";

contract HostPauserSetTest is HostFixture {
    function setUp() public {
        deployProxies();
    }

    function test_ownerOfTheAclKeepsTheSet() public {
        vm.prank(OWNER);
        acl.transferOwnership(STRANGER);
        vm.prank(STRANGER);
        acl.acceptOwnership();
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, OWNER));
        pauserSet.swapPauser(PAUSER, OWNER);
        vm.expectEmit(address(pauserSet));
        emit PauserSetBase.SwapPauser(PAUSER, OWNER);
        vm.prank(STRANGER);
        pauserSet.swapPauser(PAUSER, OWNER);
        vm.prank(OWNER);
        acl.pause();
        vm.assertTrue(acl.paused(), "the ACL asks the set");
    }
}
