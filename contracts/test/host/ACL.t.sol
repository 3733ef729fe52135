// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ACL} from "../../src/host/ACL.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {HostFixture} from "../helpers/HostFixture.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";

/// One call in a test is one transaction to transient storage, so several of them share it.
contract ACLTest is HostFixture {
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    string private constant NS = "fhevm.storage.ACL";

    bytes32 private h1 = handleOf(HOST_CHAIN, 5, 1);
    bytes32 private h2 = handleOf(HOST_CHAIN, 5, 2);

    function setUp() public {
        deployProxies();
    }

    /// What the executor does for the contract that made a handle.
    function give(bytes32 handle, address account) private {
        vm.startPrank(EXECUTOR);
        acl.allowTransient(handle, EXECUTOR);
        acl.allow(handle, account);
        vm.stopPrank();
        acl.cleanTransientStorage();
    }

    function test_versionAndGetters() public view {
        vm.assertEq(acl.getVersion(), "ACL v0.5.0", "version");
        vm.assertEq(acl.getFHEVMExecutorAddress(), EXECUTOR, "executor");
        vm.assertEq(acl.getConfidentialBridgeAddress(), BRIDGE, "bridge");
        vm.assertEq(acl.getPauserSetAddress(), address(pauserSet), "pauser set");
        vm.assertEq(acl.owner(), OWNER, "the owner of the empty proxy stays");
        vm.assertTrue(acl.isPauser(PAUSER) && !acl.isPauser(OWNER), "pausers");
    }

    function testFuzz_readsAreFalseByDefault(bytes32 handle, address account) public view {
        vm.assertTrue(!acl.isAllowed(handle, account), "isAllowed");
        vm.assertTrue(!acl.persistAllowed(handle, account), "persistAllowed");
        vm.assertTrue(!acl.allowedTransient(handle, account), "allowedTransient");
        vm.assertTrue(!acl.isAllowedForDecryption(handle), "isAllowedForDecryption");
        vm.assertTrue(!acl.isAccountDenied(account), "isAccountDenied");
    }

    function test_allowNeedsOwnPermission() public {
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(ACL.SenderNotAllowed.selector, ALICE));
        acl.allow(h1, ALICE);
        vm.expectRevert(abi.encodeWithSelector(ACL.SenderNotAllowed.selector, ALICE));
        acl.allowTransient(h1, ALICE);
        vm.stopPrank();
        vm.prank(EXECUTOR);
        vm.expectRevert(abi.encodeWithSelector(ACL.SenderNotAllowed.selector, EXECUTOR));
        acl.allow(h1, ALICE);
    }

    function test_executorAndBridgeMayAllowTransiently_lostAfterCleaning() public {
        vm.prank(EXECUTOR);
        acl.allowTransient(h1, ALICE);
        vm.prank(BRIDGE);
        acl.allowTransient(h2, BOB);
        vm.assertTrue(acl.isAllowed(h1, ALICE) && acl.allowedTransient(h1, ALICE), "allowed");
        vm.assertTrue(acl.isAllowed(h2, BOB) && !acl.isAllowed(h1, BOB) && !acl.isAllowed(h2, ALICE), "each their own");
        vm.assertTrue(!acl.persistAllowed(h1, ALICE), "not for good");
        vm.prank(STRANGER);
        acl.cleanTransientStorage();
        vm.assertTrue(!acl.isAllowed(h1, ALICE) && !acl.isAllowed(h2, BOB), "gone");
        acl.cleanTransientStorage();
        vm.prank(EXECUTOR);
        acl.allowTransient(h1, ALICE);
        vm.assertTrue(acl.isAllowed(h1, ALICE), "can be given again");
    }

    function test_transientHolderMayPassItOn() public {
        vm.prank(EXECUTOR);
        acl.allowTransient(h1, ALICE);
        vm.prank(ALICE);
        acl.allowTransient(h1, BOB);
        vm.prank(BOB);
        acl.allow(h1, BOB);
        acl.cleanTransientStorage();
        vm.assertTrue(acl.isAllowed(h1, BOB) && !acl.isAllowed(h1, ALICE), "what was given for good stays");
    }

    function test_allowPersistsAndEmits() public {
        give(h1, ALICE);
        vm.expectEmit(address(acl));
        emit ACL.Allowed(ALICE, BOB, h1);
        vm.prank(ALICE);
        acl.allow(h1, BOB);
        vm.assertTrue(acl.persistAllowed(h1, BOB) && acl.isAllowed(h1, BOB), "allowed");
        vm.assertTrue(!acl.isAllowed(h2, BOB), "this handle only");
    }

    function test_allowForDecryption() public {
        give(h1, ALICE);
        give(h2, ALICE);
        vm.expectEmit(address(acl));
        emit ACL.AllowedForDecryption(ALICE, list(h1, h2));
        vm.prank(ALICE);
        acl.allowForDecryption(list(h1, h2));
        vm.assertTrue(acl.isAllowedForDecryption(h1) && acl.isAllowedForDecryption(h2), "allowed");
    }

    function test_allowForDecryptionRefused() public {
        give(h1, ALICE);
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(ACL.HandlesListIsEmpty.selector));
        acl.allowForDecryption(new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(ACL.SenderNotAllowed.selector, ALICE));
        acl.allowForDecryption(list(h2));
        vm.expectRevert(abi.encodeWithSelector(ACL.SenderNotAllowed.selector, ALICE));
        acl.allowForDecryption(list(h1, h2));
        vm.stopPrank();
        vm.assertTrue(!acl.isAllowedForDecryption(h1), "nothing half done");
    }

    function test_multicallKeepsTheSender() public {
        bytes[] memory calls = new bytes[](3);
        calls[0] = abi.encodeCall(ACL.allowTransient, (h1, EXECUTOR));
        calls[1] = abi.encodeCall(ACL.allow, (h1, ALICE));
        calls[2] = abi.encodeCall(ACL.allowForDecryption, (list(h1)));
        vm.prank(EXECUTOR);
        acl.multicall(calls);
        vm.assertTrue(acl.persistAllowed(h1, ALICE) && acl.isAllowedForDecryption(h1), "all three");
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(ACL.SenderNotAllowed.selector, STRANGER));
        acl.multicall(calls);
    }

    function test_everyMutatorStopsWhilePaused() public {
        give(h1, ALICE);
        vm.prank(PAUSER);
        acl.pause();
        bytes memory err = abi.encodeWithSelector(PausableUpgradeable.EnforcedPause.selector);
        vm.startPrank(ALICE);
        vm.expectRevert(err);
        acl.allow(h1, BOB);
        vm.expectRevert(err);
        acl.allowTransient(h1, BOB);
        vm.expectRevert(err);
        acl.allowForDecryption(list(h1));
        vm.stopPrank();
        vm.assertTrue(acl.isAllowed(h1, ALICE), "reads go on");
        vm.prank(OWNER);
        acl.unpause();
        vm.prank(ALICE);
        acl.allow(h1, BOB);
    }

    function test_pauseRights() public {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(ACL.NotPauser.selector, OWNER));
        acl.pause();
        vm.prank(PAUSER);
        acl.pause();
        vm.prank(PAUSER);
        vm.expectRevert(abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, PAUSER));
        acl.unpause();
    }

    function test_denyList() public {
        give(h1, ALICE);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, STRANGER));
        acl.blockAccount(ALICE);
        vm.expectEmit(address(acl));
        emit ACL.BlockedAccount(ALICE);
        vm.prank(OWNER);
        acl.blockAccount(ALICE);
        vm.assertTrue(acl.isAccountDenied(ALICE), "denied");
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(ACL.AccountAlreadyBlocked.selector, ALICE));
        acl.blockAccount(ALICE);

        bytes memory err = abi.encodeWithSelector(ACL.SenderDenied.selector, ALICE);
        vm.startPrank(ALICE);
        vm.expectRevert(err);
        acl.allow(h1, BOB);
        vm.expectRevert(err);
        acl.allowTransient(h1, BOB);
        vm.expectRevert(err);
        acl.allowForDecryption(list(h1));
        vm.stopPrank();

        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, STRANGER));
        acl.unblockAccount(ALICE);
        vm.expectEmit(address(acl));
        emit ACL.UnblockedAccount(ALICE);
        vm.prank(OWNER);
        acl.unblockAccount(ALICE);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(ACL.AccountNotBlocked.selector, ALICE));
        acl.unblockAccount(ALICE);
        vm.prank(ALICE);
        acl.allow(h1, BOB);
    }

    function test_initialisersRunOnce() public {
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        acl.initializeFromEmptyProxy();
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        acl.reinitializeV5();
    }

    function test_onlyOwnerUpgrades_permissionsStay() public {
        give(h1, ALICE);
        ACL next = new ACL(EXECUTOR, address(0), pauserSet);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, STRANGER));
        acl.upgradeToAndCall(address(next), "");
        vm.prank(OWNER);
        acl.upgradeToAndCall(address(next), "");
        vm.assertTrue(acl.persistAllowed(h1, ALICE), "permission stays");
        vm.prank(address(0));
        vm.expectRevert(abi.encodeWithSelector(ACL.SenderNotAllowed.selector, address(0)));
        acl.allowTransient(h1, BOB);
    }

    function test_storageIsAtItsPlace() public {
        vm.assertEq(namespaceSlot(NS), 0xa688f31953c2015baaf8c0a488ee1ee22eb0e05273cc1fd31ea4cbee42febc00, "namespace");
        give(h1, ALICE);
        vm.prank(ALICE);
        acl.allowForDecryption(list(h1));
        vm.prank(OWNER);
        acl.blockAccount(BOB);
        bytes32 one = bytes32(uint256(1));
        bytes32 pair = keccak256(abi.encode(ALICE, keccak256(abi.encode(h1, slotOf(NS, 0)))));
        vm.assertEq(vm.load(address(acl), pair), one, "persistedAllowedPairs");
        vm.assertEq(vm.load(address(acl), keccak256(abi.encode(h1, slotOf(NS, 1)))), one, "allowedForDecryption");
        vm.assertEq(vm.load(address(acl), keccak256(abi.encode(BOB, slotOf(NS, 3)))), one, "denyList");
    }
}
