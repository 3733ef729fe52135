// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayOwned} from "../../src/gateway/GatewayOwned.sol";
import {PauserSetBase} from "../../src/shared/PauserSetBase.sol";
import {GatewayFixture} from "../helpers/GatewayFixture.sol";

contract GatewayPauserSetTest is GatewayFixture {
    address private constant OTHER = address(0xA0FF);

    function setUp() public {
        deployProxies();
    }

    function test_ownerAddsRemovesAndSwaps() public {
        vm.startPrank(OWNER);
        vm.expectEmit(address(pauserSet));
        emit PauserSetBase.AddPauser(OTHER);
        pauserSet.addPauser(OTHER);
        vm.assertTrue(pauserSet.isPauser(OTHER), "added");
        vm.expectEmit(address(pauserSet));
        emit PauserSetBase.RemovePauser(OTHER);
        pauserSet.removePauser(OTHER);
        vm.assertTrue(!pauserSet.isPauser(OTHER), "removed");
        vm.expectEmit(address(pauserSet));
        emit PauserSetBase.SwapPauser(PAUSER, OTHER);
        pauserSet.swapPauser(PAUSER, OTHER);
        vm.assertTrue(!pauserSet.isPauser(PAUSER) && pauserSet.isPauser(OTHER), "swapped");
        vm.stopPrank();
        vm.assertEq(pauserSet.getVersion(), "PauserSet v0.1.0", "version");
    }

    function test_refusals() public {
        vm.startPrank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(PauserSetBase.InvalidNullPauser.selector));
        pauserSet.addPauser(address(0));
        vm.expectRevert(abi.encodeWithSelector(PauserSetBase.AccountAlreadyPauser.selector, PAUSER));
        pauserSet.addPauser(PAUSER);
        vm.expectRevert(abi.encodeWithSelector(PauserSetBase.AccountNotPauser.selector, OTHER));
        pauserSet.removePauser(OTHER);
        vm.expectRevert(abi.encodeWithSelector(PauserSetBase.InvalidNullPauser.selector));
        pauserSet.removePauser(address(0));
        vm.expectRevert(abi.encodeWithSelector(PauserSetBase.AccountNotPauser.selector, OTHER));
        pauserSet.swapPauser(OTHER, PAUSER);
        vm.expectRevert(abi.encodeWithSelector(PauserSetBase.InvalidNullPauser.selector));
        pauserSet.swapPauser(PAUSER, address(0));
        vm.stopPrank();
    }

    function test_swapForAPauserOrForNobodyReverts() public {
        vm.startPrank(OWNER);
        pauserSet.addPauser(OTHER);
        vm.expectRevert(abi.encodeWithSelector(PauserSetBase.AccountAlreadyPauser.selector, OTHER));
        pauserSet.swapPauser(PAUSER, OTHER);
        vm.expectRevert(abi.encodeWithSelector(PauserSetBase.InvalidNullPauser.selector));
        pauserSet.swapPauser(address(0), STRANGER);
        vm.stopPrank();
        vm.assertTrue(pauserSet.isPauser(PAUSER) && pauserSet.isPauser(OTHER), "as before");
        vm.assertTrue(!pauserSet.isPauser(STRANGER), "nobody new");
    }

    function test_onlyTheOwner() public {
        bytes memory err = abi.encodeWithSelector(GatewayOwned.NotGatewayOwner.selector, PAUSER);
        vm.startPrank(PAUSER);
        vm.expectRevert(err);
        pauserSet.addPauser(OTHER);
        vm.expectRevert(err);
        pauserSet.removePauser(PAUSER);
        vm.expectRevert(err);
        pauserSet.swapPauser(PAUSER, OTHER);
        vm.stopPrank();
    }
}
