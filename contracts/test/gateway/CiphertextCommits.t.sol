// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {CiphertextCommits} from "../../src/gateway/CiphertextCommits.sol";
import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {GatewayHostChains} from "../../src/gateway/GatewayHostChains.sol";
import {GatewayOwned} from "../../src/gateway/GatewayOwned.sol";
import {CiphertextMaterial, SnsCiphertextMaterial} from "../../src/gateway/GatewayTypes.sol";
import {IGatewayConfig} from "../../src/gateway/IGatewayConfig.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {GatewayFixture} from "../helpers/GatewayFixture.sol";

contract CiphertextCommitsTest is GatewayFixture {
    string private constant NS = "fhevm_gateway.storage.CiphertextCommits";
    bytes32 private handle = handleOf(HOST_CHAIN, 5, 1);

    function setUp() public {
        deployGateway(1, 1);
    }

    function senders(uint256 n) private pure returns (address[] memory result) {
        result = new address[](n);
        for (uint256 i = 0; i < n; i++) {
            result[i] = coproSender(i);
        }
    }

    function expectVote(uint256 coprocessor) private {
        vm.expectEmit(address(commits));
        emit CiphertextCommits.AddCiphertextMaterial(
            handle, KEY_ID, ciphertextDigest(handle), snsDigest(handle), coproSender(coprocessor)
        );
    }

    function test_versionAndInitialisers() public {
        vm.assertEq(commits.getVersion(), "CiphertextCommits v0.6.0", "version");
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        commits.initializeFromEmptyProxy();
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        commits.reinitializeV6();
    }

    function test_onlyOwnerUpgrades() public {
        CiphertextCommits next = new CiphertextCommits(IGatewayConfig(address(config)));
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(GatewayOwned.NotGatewayOwner.selector, STRANGER));
        commits.upgradeToAndCall(address(next), "");
        vm.prank(OWNER);
        commits.upgradeToAndCall(address(next), "");
    }

    function test_oneVoteIsNotFinal() public {
        expectVote(0);
        commitAs(0, handle, KEY_ID);
        vm.assertTrue(!commits.isCiphertextMaterialAdded(handle), "not final");
        vm.assertEq(commits.getAddCiphertextMaterialConsensusTxSenders(handle).length, 0, "no witnesses yet");
    }

    function test_secondEqualVoteDecides() public {
        commitAs(0, handle, KEY_ID);
        expectVote(1);
        vm.expectEmit(address(commits));
        emit CiphertextCommits.AddCiphertextMaterialConsensus(
            handle, KEY_ID, ciphertextDigest(handle), snsDigest(handle), senders(2)
        );
        commitAs(1, handle, KEY_ID);
        vm.assertTrue(commits.isCiphertextMaterialAdded(handle), "final");
    }

    function test_thirdEqualVoteIsWitnessWithoutSecondDecision() public {
        commitHandle(handle);
        vm.recordLogs();
        commitAs(2, handle, KEY_ID);
        vm.assertEq(vm.getRecordedLogs().length, 1, "the vote only");
        vm.assertEq(commits.getAddCiphertextMaterialConsensusTxSenders(handle), senders(3), "late one listed");
        vm.assertEq(
            commits.getSnsCiphertextMaterials(list(handle))[0].coprocessorTxSenderAddresses, senders(3), "here too"
        );
    }

    function test_differentVoteDoesNotCount() public {
        commitAs(2, handle, KEY_ID + 1);
        commitAs(0, handle, KEY_ID);
        vm.assertTrue(!commits.isCiphertextMaterialAdded(handle), "two votes, not equal");
        commitAs(1, handle, KEY_ID);
        vm.assertEq(commits.getAddCiphertextMaterialConsensusTxSenders(handle), senders(2), "the equal ones");
    }

    function testFuzz_anyDifferenceMakesAnotherGroup(uint8 field, bytes32 delta) public {
        if (delta == 0) return;
        uint256 keyId = KEY_ID;
        bytes32 ct = ciphertextDigest(handle);
        bytes32 sns = snsDigest(handle);
        commitAs(0, handle, KEY_ID);
        if (field % 3 == 0) keyId ^= uint256(delta);
        if (field % 3 == 1) ct ^= delta;
        if (field % 3 == 2) sns ^= delta;
        vm.prank(coproSender(1));
        commits.addCiphertextMaterial(handle, keyId, ct, sns);
        vm.assertTrue(!commits.isCiphertextMaterialAdded(handle), "no consensus");
    }

    function testFuzz_finalWithTheThresholdthEqualVoteInAnyOrder(uint8 n, uint8 threshold, uint256 seed) public {
        n = uint8(1 + n % 7);
        threshold = uint8(1 + threshold % n);
        vm.prank(OWNER);
        config.updateCoprocessors(coprocessors(0, n), threshold);
        uint256[2] memory votes;
        bool decided;
        for (uint256 i = 0; i < n; i++) {
            uint256 opinion = seed >> i & 1;
            bool decides = ++votes[opinion] >= threshold && !decided;
            vm.recordLogs();
            // another starting point and direction for every seed
            uint256 voter = (seed >> 128) % n;
            commitAs(seed >> 255 == 0 ? (voter + i) % n : (voter + n - i) % n, handle, KEY_ID + opinion);
            vm.assertEq(vm.getRecordedLogs().length, decides ? 2 : 1, "final with the threshold");
            decided = decided || decides;
            vm.assertTrue(commits.isCiphertextMaterialAdded(handle) == decided, "final");
        }
    }

    function test_strangerReverts() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.NotCoprocessorTxSender.selector, STRANGER));
        commits.addCiphertextMaterial(handle, KEY_ID, 0, 0);
    }

    function test_sameSenderTwiceReverts_alsoWithOtherData() public {
        commitAs(0, handle, KEY_ID);
        vm.prank(coproSender(0));
        vm.expectRevert(
            abi.encodeWithSelector(CiphertextCommits.CoprocessorAlreadyAdded.selector, handle, coproSender(0))
        );
        commits.addCiphertextMaterial(handle, KEY_ID + 1, 0, 0);
    }

    function test_unregisteredOrDisabledChainReverts() public {
        bytes32 foreign = handleOf(4, 5, 1);
        vm.prank(coproSender(0));
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.HostChainNotRegistered.selector, 4));
        commits.addCiphertextMaterial(foreign, KEY_ID, 0, 0);
        vm.prank(OWNER);
        config.disableHostChain(HOST_CHAIN);
        vm.prank(coproSender(0));
        vm.expectRevert(abi.encodeWithSelector(GatewayHostChains.HostChainDisabled.selector, HOST_CHAIN));
        commits.addCiphertextMaterial(handle, KEY_ID, 0, 0);
    }

    function test_regularMaterials() public {
        commitHandle(handle);
        CiphertextMaterial memory m = commits.getCiphertextMaterials(list(handle))[0];
        vm.assertEq(m.ctHandle, handle, "handle");
        vm.assertEq(m.keyId, KEY_ID, "key");
        vm.assertEq(m.ciphertextDigest, ciphertextDigest(handle), "digest");
        vm.assertEq(m.coprocessorTxSenderAddresses, senders(2), "witnesses");
        bytes32 unknown = handleOf(HOST_CHAIN, 5, 2);
        vm.expectRevert(abi.encodeWithSelector(CiphertextCommits.CiphertextMaterialNotFound.selector, unknown));
        commits.getCiphertextMaterials(list(handle, unknown));
        vm.expectRevert(abi.encodeWithSelector(CiphertextCommits.EmptyCtHandles.selector));
        commits.getCiphertextMaterials(new bytes32[](0));
        vm.prank(OWNER);
        config.disableHostChain(HOST_CHAIN);
        commits.getCiphertextMaterials(list(handle));
    }

    function test_snsMaterials() public {
        commitHandle(handle);
        SnsCiphertextMaterial memory m = commits.getSnsCiphertextMaterials(list(handle))[0];
        vm.assertEq(m.ctHandle, handle, "handle");
        vm.assertEq(m.keyId, KEY_ID, "key");
        vm.assertEq(m.snsCiphertextDigest, snsDigest(handle), "digest");
        vm.assertEq(m.coprocessorTxSenderAddresses, senders(2), "witnesses");
        bytes32 unknown = handleOf(HOST_CHAIN, 5, 2);
        vm.expectRevert(abi.encodeWithSelector(CiphertextCommits.CiphertextMaterialNotFound.selector, unknown));
        commits.getSnsCiphertextMaterials(list(handle, unknown));
        vm.expectRevert(abi.encodeWithSelector(CiphertextCommits.EmptyCtHandles.selector));
        commits.getSnsCiphertextMaterials(new bytes32[](0));
        vm.prank(OWNER);
        config.disableHostChain(HOST_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(GatewayHostChains.HostChainDisabled.selector, HOST_CHAIN));
        commits.getSnsCiphertextMaterials(list(handle, unknown));
    }

    function test_snsMaterialsCheckEveryChain() public {
        commitHandle(handle);
        bytes32[2] memory foreign = [handleOf(4, 5, 1), handleOf(0, 5, 1)];
        for (uint256 i = 0; i < 2; i++) {
            vm.expectRevert(abi.encodeWithSelector(GatewayChecks.HostChainNotRegistered.selector, i == 0 ? 4 : 0));
            commits.getSnsCiphertextMaterials(list(handle, foreign[i]));
            vm.expectRevert(abi.encodeWithSelector(GatewayChecks.HostChainNotRegistered.selector, i == 0 ? 4 : 0));
            commits.getSnsCiphertextMaterials(list(foreign[i], handle));
        }
    }

    function test_handleFinalisedByOneCoprocessorAloneKeepsThatWitness() public {
        commitHandle(handle);
        vm.store(
            address(commits), keccak256(abi.encode(handle, slotOf(NS, 9))), bytes32(uint256(uint160(coproSender(1))))
        );
        address[] memory alone = new address[](1);
        alone[0] = coproSender(1);
        vm.assertEq(commits.getAddCiphertextMaterialConsensusTxSenders(handle), alone, "one witness");
        vm.assertEq(commits.getSnsCiphertextMaterials(list(handle))[0].coprocessorTxSenderAddresses, alone, "here too");
    }

    function test_storageIsAtItsPlace() public {
        vm.assertEq(namespaceSlot(NS), 0xf41c60ea5b83c8f19b663613ffdd3fa441a59933b8a4fdf4da891b38433d1a00, "namespace");
        commitHandle(handle);
        bytes32[4] memory expected = [bytes32(KEY_ID), ciphertextDigest(handle), snsDigest(handle), bytes32(uint256(1))];
        for (uint256 i = 0; i < 4; i++) {
            vm.assertEq(vm.load(address(commits), keccak256(abi.encode(handle, slotOf(NS, i)))), expected[i], "member");
        }
    }
}
