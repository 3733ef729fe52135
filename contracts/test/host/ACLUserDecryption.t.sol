// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ACLUserDecryption} from "../../src/host/ACLUserDecryption.sol";
import {HostFixture} from "../helpers/HostFixture.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";

/// Delegations and void signatures.
contract ACLUserDecryptionTest is HostFixture {
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    address private constant DAPP = address(0xDA99);
    address private constant ALL = address(type(uint160).max);
    uint64 private constant NOW = 1_760_000_000;
    string private constant NS = "fhevm.storage.ACL";

    bytes32 private h1 = handleOf(HOST_CHAIN, 5, 1);
    uint256 private height = 100;

    function setUp() public {
        vm.warp(NOW);
        vm.roll(height);
        deployProxies();
        give(ALICE);
        give(DAPP);
    }

    function give(address account) private {
        vm.startPrank(EXECUTOR);
        acl.allowTransient(h1, EXECUTOR);
        acl.allow(h1, account);
        vm.stopPrank();
        acl.cleanTransientStorage();
    }

    function nextBlock() private {
        vm.roll(++height);
    }

    function delegate(address contractAddress, uint64 expiration) private {
        vm.prank(ALICE);
        acl.delegateForUserDecryption(BOB, contractAddress, expiration);
    }

    function revoke(address contractAddress) private {
        vm.prank(ALICE);
        acl.revokeDelegationForUserDecryption(BOB, contractAddress);
    }

    function isDelegated() private view returns (bool) {
        return acl.isHandleDelegatedForUserDecryption(ALICE, BOB, DAPP, h1);
    }

    function expectRefusal(address to, address contractAddress, uint64 expiration, bytes memory err) private {
        vm.prank(ALICE);
        vm.expectRevert(err);
        acl.delegateForUserDecryption(to, contractAddress, expiration);
    }

    // delegation

    function test_delegationEmitsAndIsTold() public {
        vm.expectEmit(address(acl));
        emit ACLUserDecryption.DelegatedForUserDecryption(ALICE, BOB, DAPP, 1, 0, NOW + 10);
        delegate(DAPP, NOW + 10);
        vm.assertTrue(isDelegated(), "delegated");
        vm.assertEq(acl.getUserDecryptionDelegationExpirationDate(ALICE, BOB, DAPP), NOW + 10, "date");
        vm.assertEq(acl.getUserDecryptionDelegationExpirationDate(ALICE, BOB, ALL), 0, "not the wildcard's");
        vm.assertTrue(!acl.isHandleDelegatedForUserDecryption(BOB, ALICE, DAPP, h1), "not the other way round");
        vm.assertTrue(!acl.isHandleDelegatedForUserDecryption(ALICE, STRANGER, DAPP, h1), "not to others");
    }

    function test_onlyIfContractAndDelegatorAreBothAllowed() public {
        bytes32 h2 = handleOf(HOST_CHAIN, 5, 2);
        delegate(DAPP, NOW + 10);
        vm.assertTrue(!acl.isHandleDelegatedForUserDecryption(ALICE, BOB, DAPP, h2), "neither");
        h1 = h2;
        give(ALICE);
        vm.assertTrue(!isDelegated(), "delegator only");
        h1 = handleOf(HOST_CHAIN, 5, 3);
        give(DAPP);
        vm.assertTrue(!isDelegated(), "contract only");
        give(ALICE);
        vm.assertTrue(isDelegated(), "both");
    }

    function test_transientPermissionIsNotEnough() public {
        h1 = handleOf(HOST_CHAIN, 5, 4);
        give(DAPP);
        delegate(DAPP, NOW + 10);
        vm.prank(EXECUTOR);
        acl.allowTransient(h1, ALICE);
        vm.assertTrue(acl.isAllowed(h1, ALICE) && !isDelegated(), "for good only");
    }

    function test_expires_overAtItsDate() public {
        delegate(DAPP, NOW + 10);
        vm.warp(NOW + 9);
        vm.assertTrue(isDelegated(), "last second");
        vm.warp(NOW + 10);
        vm.assertTrue(!isDelegated(), "over");
        vm.assertEq(acl.getUserDecryptionDelegationExpirationDate(ALICE, BOB, DAPP), NOW + 10, "the date stays");
    }

    function test_wildcardNeedsNoRowOfTheContract_butItsPermission() public {
        vm.assertEq(acl.WILDCARD_DELEGATION_ADDRESS(), ALL, "the wildcard");
        vm.expectEmit(address(acl));
        emit ACLUserDecryption.DelegatedForUserDecryption(ALICE, BOB, ALL, 1, 0, NOW + 10);
        delegate(ALL, NOW + 10);
        vm.assertTrue(isDelegated(), "delegated");
        vm.assertEq(acl.getUserDecryptionDelegationExpirationDate(ALICE, BOB, DAPP), 0, "no row of the contract");
        vm.assertTrue(!acl.isHandleDelegatedForUserDecryption(ALICE, BOB, STRANGER, h1), "contract without permission");
        vm.warp(NOW + 10);
        vm.assertTrue(!isDelegated(), "expires");
    }

    function test_wildcardIsRevocable_specificSurvivesIt() public {
        delegate(ALL, NOW + 10);
        nextBlock();
        revoke(ALL);
        vm.assertTrue(!isDelegated(), "revoked");
        delegate(DAPP, NOW + 10);
        nextBlock();
        delegate(ALL, NOW + 20);
        nextBlock();
        revoke(ALL);
        vm.assertTrue(isDelegated(), "the specific one is apart");
        nextBlock();
        revoke(DAPP);
        vm.assertTrue(!isDelegated(), "both gone");
    }

    function test_revokeEmits_countersIncrease() public {
        delegate(DAPP, NOW + 10);
        nextBlock();
        vm.expectEmit(address(acl));
        emit ACLUserDecryption.DelegatedForUserDecryption(ALICE, BOB, DAPP, 2, NOW + 10, NOW + 5);
        delegate(DAPP, NOW + 5);
        nextBlock();
        vm.expectEmit(address(acl));
        emit ACLUserDecryption.RevokedDelegationForUserDecryption(ALICE, BOB, DAPP, 3, NOW + 5);
        revoke(DAPP);
        vm.assertTrue(!isDelegated(), "revoked");
        vm.assertEq(acl.getUserDecryptionDelegationExpirationDate(ALICE, BOB, DAPP), 0, "no date");
        nextBlock();
        vm.expectEmit(address(acl));
        emit ACLUserDecryption.DelegatedForUserDecryption(ALICE, BOB, DAPP, 4, 0, NOW + 10);
        delegate(DAPP, NOW + 10);
    }

    function test_anExpiredDelegationCanBeRevoked() public {
        delegate(DAPP, NOW + 10);
        nextBlock();
        vm.warp(NOW + 20);
        vm.expectEmit(address(acl));
        emit ACLUserDecryption.RevokedDelegationForUserDecryption(ALICE, BOB, DAPP, 2, NOW + 10);
        revoke(DAPP);
    }

    function test_revokeWithoutDelegationReverts_alsoTwice() public {
        bytes memory err = abi.encodeWithSelector(ACLUserDecryption.NotDelegatedYet.selector, ALICE, BOB, DAPP);
        vm.expectRevert(err);
        revoke(DAPP);
        delegate(DAPP, NOW + 10);
        nextBlock();
        revoke(DAPP);
        nextBlock();
        vm.expectRevert(err);
        revoke(DAPP);
    }

    function test_oneChangeInABlock() public {
        delegate(DAPP, NOW + 10);
        bytes memory err = abi.encodeWithSelector(
            ACLUserDecryption.AlreadyDelegatedOrRevokedInSameBlock.selector, ALICE, BOB, DAPP, height
        );
        vm.expectRevert(err);
        delegate(DAPP, NOW + 20);
        vm.expectRevert(err);
        revoke(DAPP);
        delegate(ALL, NOW + 10);
        nextBlock();
        revoke(DAPP);
        err = abi.encodeWithSelector(
            ACLUserDecryption.AlreadyDelegatedOrRevokedInSameBlock.selector, ALICE, BOB, DAPP, height
        );
        vm.expectRevert(err);
        delegate(DAPP, NOW + 20);
        vm.expectRevert(err);
        revoke(DAPP);
    }

    function test_refusals() public {
        expectRefusal(
            BOB, ALICE, NOW + 1, abi.encodeWithSelector(ACLUserDecryption.SenderCannotBeContractAddress.selector, ALICE)
        );
        expectRefusal(
            ALICE, DAPP, NOW + 1, abi.encodeWithSelector(ACLUserDecryption.SenderCannotBeDelegate.selector, ALICE)
        );
        expectRefusal(
            ALL, DAPP, NOW + 1, abi.encodeWithSelector(ACLUserDecryption.DelegateCannotBeWildcard.selector, ALL)
        );
        expectRefusal(
            DAPP,
            DAPP,
            NOW + 1,
            abi.encodeWithSelector(ACLUserDecryption.DelegateCannotBeContractAddress.selector, DAPP)
        );
        bytes memory past = abi.encodeWithSelector(ACLUserDecryption.ExpirationDateInThePast.selector);
        expectRefusal(BOB, DAPP, NOW, past);
        expectRefusal(BOB, DAPP, 0, past);
        delegate(DAPP, NOW + 1);
        nextBlock();
        expectRefusal(
            BOB,
            DAPP,
            NOW + 1,
            abi.encodeWithSelector(
                ACLUserDecryption.ExpirationDateAlreadySetToSameValue.selector, ALICE, BOB, DAPP, NOW + 1
            )
        );
    }

    function test_precedenceOfRefusals() public {
        delegate(DAPP, NOW + 1);
        expectRefusal(
            BOB,
            DAPP,
            0,
            abi.encodeWithSelector(
                ACLUserDecryption.AlreadyDelegatedOrRevokedInSameBlock.selector, ALICE, BOB, DAPP, height
            )
        );
        expectRefusal(
            ALICE, ALICE, 0, abi.encodeWithSelector(ACLUserDecryption.SenderCannotBeContractAddress.selector, ALICE)
        );
        expectRefusal(ALL, ALL, 0, abi.encodeWithSelector(ACLUserDecryption.DelegateCannotBeWildcard.selector, ALL));
        expectRefusal(
            BOB, BOB, 0, abi.encodeWithSelector(ACLUserDecryption.DelegateCannotBeContractAddress.selector, BOB)
        );
    }

    function test_delegationStopsWhilePaused_readsGoOn() public {
        delegate(DAPP, NOW + 10);
        nextBlock();
        vm.prank(PAUSER);
        acl.pause();
        bytes memory err = abi.encodeWithSelector(PausableUpgradeable.EnforcedPause.selector);
        vm.expectRevert(err);
        delegate(DAPP, NOW + 20);
        vm.expectRevert(err);
        revoke(DAPP);
        vm.assertTrue(isDelegated(), "reads");
    }

    function test_deniedAccountsMayDelegate() public {
        vm.prank(OWNER);
        acl.blockAccount(ALICE);
        delegate(DAPP, NOW + 10);
        vm.assertTrue(isDelegated(), "their own affair");
    }

    // void signatures

    function test_signaturesAreGoodByDefault() public view {
        vm.assertEq(acl.decryptionSignatureInvalidatedBefore(ALICE), 0, "none void");
    }

    function test_invalidateExplicitly_andNow() public {
        vm.expectEmit(address(acl));
        emit ACLUserDecryption.DecryptionSignaturesInvalidated(ALICE, NOW - 5);
        vm.prank(ALICE);
        acl.invalidateDecryptionSignaturesBefore(NOW - 5);
        vm.assertEq(acl.decryptionSignatureInvalidatedBefore(ALICE), NOW - 5, "explicit");
        vm.expectEmit(address(acl));
        emit ACLUserDecryption.DecryptionSignaturesInvalidated(ALICE, NOW);
        vm.prank(ALICE);
        acl.invalidateDecryptionSignaturesBefore(0);
        vm.assertEq(acl.decryptionSignatureInvalidatedBefore(ALICE), NOW, "now");
        vm.assertEq(acl.decryptionSignatureInvalidatedBefore(BOB), 0, "one's own only");
    }

    function test_invalidateEqualLowerOrFutureReverts() public {
        vm.startPrank(ALICE);
        acl.invalidateDecryptionSignaturesBefore(NOW);
        bytes memory low = abi.encodeWithSelector(ACLUserDecryption.InvalidationTimestampTooLow.selector);
        vm.expectRevert(low);
        acl.invalidateDecryptionSignaturesBefore(NOW);
        vm.expectRevert(low);
        acl.invalidateDecryptionSignaturesBefore(NOW - 1);
        vm.expectRevert(low);
        acl.invalidateDecryptionSignaturesBefore(0);
        vm.expectRevert(abi.encodeWithSelector(ACLUserDecryption.InvalidationTimestampInTheFuture.selector));
        acl.invalidateDecryptionSignaturesBefore(NOW + 1);
        vm.warp(NOW + 1);
        acl.invalidateDecryptionSignaturesBefore(0);
        vm.stopPrank();
        vm.assertEq(acl.decryptionSignatureInvalidatedBefore(ALICE), NOW + 1, "later");
    }

    function test_invalidateWorksWhilePausedAndForDeniedAccounts() public {
        vm.prank(PAUSER);
        acl.pause();
        vm.prank(OWNER);
        acl.blockAccount(ALICE);
        vm.prank(ALICE);
        acl.invalidateDecryptionSignaturesBefore(0);
        vm.assertEq(acl.decryptionSignatureInvalidatedBefore(ALICE), NOW, "done");
    }

    function testFuzz_invalidationOnlyEverRises(uint32[8] calldata times) public {
        uint256 highest;
        for (uint256 i = 0; i < times.length; i++) {
            uint256 time = times[i] % 4 == 0 ? 0 : NOW - 1000 + times[i] % 1100;
            uint256 meant = time == 0 ? NOW : time;
            vm.prank(ALICE);
            (bool ok,) = address(acl).call(abi.encodeCall(acl.invalidateDecryptionSignaturesBefore, (time)));
            vm.assertTrue(ok == (meant > highest && meant <= NOW), "accepted");
            if (ok) highest = meant;
            vm.assertEq(acl.decryptionSignatureInvalidatedBefore(ALICE), highest, "highest");
        }
    }

    function test_storageIsAtItsPlace() public {
        delegate(DAPP, NOW + 10);
        vm.prank(ALICE);
        acl.invalidateDecryptionSignaturesBefore(0);
        bytes32 row =
            keccak256(abi.encode(DAPP, keccak256(abi.encode(BOB, keccak256(abi.encode(ALICE, slotOf(NS, 2)))))));
        uint256 packed = uint256(vm.load(address(acl), row));
        vm.assertEq(packed, (uint256(1) << 128) | (height << 64) | (NOW + 10), "date, block, counter");
        vm.assertEq(
            vm.load(address(acl), keccak256(abi.encode(ALICE, slotOf(NS, 4)))), bytes32(uint256(NOW)), "void before"
        );
    }
}
