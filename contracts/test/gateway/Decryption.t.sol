// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {CiphertextCommits} from "../../src/gateway/CiphertextCommits.sol";
import {Decryption} from "../../src/gateway/Decryption.sol";
import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {GatewayHostChains} from "../../src/gateway/GatewayHostChains.sol";
import {GatewayOwned} from "../../src/gateway/GatewayOwned.sol";
import {GatewayPausable} from "../../src/gateway/GatewayPausable.sol";
import {SnsCiphertextMaterial} from "../../src/gateway/GatewayTypes.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {FheType, Handle} from "../../src/shared/Handle.sol";
import {PublicDecryptionFixture} from "../helpers/PublicDecryptionFixture.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";

/// Requests of public decryptions, and the contract itself.
contract DecryptionTest is PublicDecryptionFixture {
    function material(bytes32 handle) private view returns (SnsCiphertextMaterial memory) {
        return commits.getSnsCiphertextMaterials(list(handle))[0];
    }

    function expectRequestRevert(bytes32[] memory handles, bytes memory extraData, bytes memory err) private {
        vm.prank(REQUESTER);
        vm.expectRevert(err);
        decryption.publicDecryptionRequest(handles, extraData);
    }

    // deployment

    function test_version() public view {
        vm.assertEq(decryption.getVersion(), "Decryption v0.7.0", "version");
    }

    function test_initialiseAgainReverts() public {
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        decryption.initializeFromEmptyProxy();
    }

    function test_reinitialiseAfterInitialiseReverts() public {
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        decryption.reinitializeV7();
    }

    function test_onlyOwnerUpgrades() public {
        Decryption next = newDecryption();
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(GatewayOwned.NotGatewayOwner.selector, STRANGER));
        decryption.upgradeToAndCall(address(next), "");
        vm.prank(OWNER);
        decryption.upgradeToAndCall(address(next), "");
    }

    function test_requestStaysAnswerableAfterUpgrade() public {
        request(list(h1), "");
        answer(0, requestId(1), list(h1), RESULT, "");
        test_onlyOwnerUpgrades();
        answer(1, requestId(1), list(h1), RESULT, "");
        answer(2, requestId(1), list(h1), RESULT, "");
        vm.assertTrue(decryption.isDecryptionDone(requestId(1)), "done");
    }

    function test_storageIsAtItsPlace() public {
        string memory ns = "fhevm_gateway.storage.Decryption";
        vm.assertEq(namespaceSlot(ns), 0x68113e68af494c6efd0210fc4bf9ba748d1ffadaa4718217fdf63548c4aee700, "namespace");
        request(list(h1), extraV1(CONTEXT));
        vm.assertEq(vm.load(address(decryption), slotOf(ns, 6)), bytes32(requestId(1)), "publicDecryptionCounter");
        vm.assertEq(vm.load(address(decryption), slotOf(ns, 8)), bytes32(uint256(2 << 248)), "userDecryptionCounter");
        bytes32 pinned = keccak256(abi.encode(requestId(1), slotOf(ns, 9)));
        vm.assertEq(vm.load(address(decryption), pinned), bytes32(CONTEXT), "decryptionContextId");
        bytes32 handles = keccak256(abi.encode(requestId(1), slotOf(ns, 5)));
        vm.assertEq(vm.load(address(decryption), handles), bytes32(0), "publicCtHandles: nothing new");
        bytes32 ours = keccak256(abi.encode(requestId(1), namespaceSlot("claviger.storage.PublicDecryption")));
        vm.assertEq(vm.load(address(decryption), ours), keccak256(abi.encodePacked(h1)), "hash of the handles");
    }

    // requests

    function test_requestSeveralHandles_bothEventsLegacyFirst() public {
        SnsCiphertextMaterial[] memory materials = commits.getSnsCiphertextMaterials(list(h1, h2));
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.PublicDecryptionRequest(requestId(1), materials, hex"00");
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.PublicDecryptionRequest(requestId(1), list(h1, h2), hex"00");
        request(list(h1, h2), hex"00");
    }

    function test_requestOneHandle_bothEvents() public {
        SnsCiphertextMaterial[] memory materials = new SnsCiphertextMaterial[](1);
        materials[0] = material(h1);
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.PublicDecryptionRequest(requestId(1), materials, "");
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.PublicDecryptionRequest(requestId(1), list(h1), "");
        request(list(h1), "");
    }

    function test_requestsHaveIncreasingIds_duplicateHandlesAllowed() public {
        request(list(h1), "");
        vm.recordLogs();
        request(list(h1, h1), "");
        vm.assertEq(uint256(decryptionLogs()[0].topics[1]), requestId(2), "id");
    }

    function test_requestWithoutHandlesReverts() public {
        expectRequestRevert(new bytes32[](0), "", abi.encodeWithSelector(DecryptionEvents.EmptyCtHandles.selector));
    }

    function test_requestWithUnknownTypeReverts() public {
        expectRequestRevert(
            list(handleOf(HOST_CHAIN, 84, 1)), "", abi.encodeWithSelector(Handle.InvalidFHEType.selector, 84)
        );
    }

    function testFuzz_onlyEightTypesAreDecryptable(uint8 fheType) public {
        bytes32 handle = handleOf(HOST_CHAIN, fheType, 77);
        commitHandle(handle);
        bool decryptable = fheType == 0 || (fheType >= 2 && fheType <= 8);
        if (fheType > 83) {
            expectRequestRevert(list(handle), "", abi.encodeWithSelector(Handle.InvalidFHEType.selector, fheType));
        } else if (!decryptable) {
            expectRequestRevert(
                list(handle), "", abi.encodeWithSelector(Handle.UnsupportedFHEType.selector, FheType(fheType))
            );
        } else {
            request(list(handle), "");
        }
    }

    function test_requestOfExactly2048BitsIsAccepted_oneBoolMoreReverts() public {
        bytes32[] memory eight = new bytes32[](8);
        bytes32[] memory nine = new bytes32[](9);
        for (uint256 i = 0; i < 8; i++) {
            eight[i] = nine[i] = handleOf(HOST_CHAIN, 8, 100 + i);
            commitHandle(eight[i]);
        }
        nine[8] = handleOf(HOST_CHAIN, 0, 200);
        commitHandle(nine[8]);
        request(eight, "");
        expectRequestRevert(
            nine, "", abi.encodeWithSelector(DecryptionEvents.MaxDecryptionRequestBitSizeExceeded.selector, 2048, 2050)
        );
    }

    function test_requestWithoutCommitsReverts() public {
        bytes32 unknown = handleOf(HOST_CHAIN, 5, 3);
        expectRequestRevert(
            list(h1, unknown),
            "",
            abi.encodeWithSelector(CiphertextCommits.CiphertextMaterialNotFound.selector, unknown)
        );
    }

    function test_requestForDisabledChainReverts() public {
        vm.prank(OWNER);
        config.disableHostChain(HOST_CHAIN);
        expectRequestRevert(
            list(h1), "", abi.encodeWithSelector(GatewayHostChains.HostChainDisabled.selector, HOST_CHAIN)
        );
    }

    function test_requestForUnregisteredChainReverts() public {
        expectRequestRevert(
            list(handleOf(777, 5, 1)), "", abi.encodeWithSelector(GatewayChecks.HostChainNotRegistered.selector, 777)
        );
    }

    function test_requestUnderDifferentKeysReverts() public {
        bytes32 other = handleOf(HOST_CHAIN, 5, 4);
        commitHandle(other, KEY_ID + 1);
        expectRequestRevert(
            list(h1, other),
            "",
            abi.encodeWithSelector(DecryptionEvents.DifferentKeyIdsNotAllowed.selector, material(h1), material(other))
        );
    }

    function test_requestWhilePausedReverts() public {
        vm.prank(PAUSER);
        decryption.pause();
        expectRequestRevert(list(h1), "", abi.encodeWithSelector(PausableUpgradeable.EnforcedPause.selector));
    }

    function test_requestV1WithNullContextReverts() public {
        bytes memory err = abi.encodeWithSelector(DecryptionEvents.InvalidNullContextId.selector);
        expectRequestRevert(list(h1), extraV1(0), err);
    }

    function test_requestV2WithNullContextReverts() public {
        bytes memory err = abi.encodeWithSelector(DecryptionEvents.InvalidNullContextId.selector);
        expectRequestRevert(list(h1), extraV2(0, EPOCH), err);
    }

    function test_requestWithUnknownContextReverts_noIdConsumed() public {
        bytes memory err = abi.encodeWithSelector(DecryptionEvents.InvalidKmsContext.selector, CONTEXT + 1);
        expectRequestRevert(list(h1), extraV1(CONTEXT + 1), err);
        expectRequestRevert(list(h1), extraV2(CONTEXT + 1, EPOCH), err);
        vm.recordLogs();
        request(list(h1), "");
        vm.assertEq(uint256(decryptionLogs()[0].topics[1]), requestId(1), "first id");
    }

    function test_requestWithDestroyedContextReverts() public {
        rotateContext(CONTEXT + 1, 10, N, THRESHOLD);
        vm.prank(OWNER);
        config.destroyKmsContext(CONTEXT);
        bytes memory err = abi.encodeWithSelector(DecryptionEvents.InvalidKmsContext.selector, CONTEXT);
        expectRequestRevert(list(h1), extraV1(CONTEXT), err);
    }

    function testFuzz_extraDataVersionsAboveTwoRevert(uint8 version, bytes calldata rest) public {
        version = uint8(3 + version % 253);
        expectRequestRevert(
            list(h1),
            abi.encodePacked(version, rest),
            abi.encodeWithSelector(DecryptionEvents.UnsupportedExtraDataVersion.selector, version)
        );
    }

    function testFuzz_extraDataShorterThan33Reverts(uint8 version, uint8 length) public {
        bytes memory extraData = new bytes(1 + length % 32);
        extraData[0] = bytes1(1 + version % 2);
        expectRequestRevert(
            list(h1),
            extraData,
            abi.encodeWithSelector(DecryptionEvents.InvalidExtraDataLength.selector, extraData.length, 33)
        );
    }

    function testFuzz_extraDataLongerThan33IsAccepted(uint8 version, bytes calldata rest) public {
        request(list(h1), abi.encodePacked(uint8(1 + version % 2), CONTEXT, rest));
    }

    function testFuzz_version0IgnoresWhatFollows(bytes calldata rest) public {
        request(list(h1), abi.encodePacked(uint8(0), rest));
    }

    // pausing and views

    function test_pauserPausesOwnerUnpauses() public {
        vm.expectEmit(address(decryption));
        emit PausableUpgradeable.Paused(PAUSER);
        vm.prank(PAUSER);
        decryption.pause();
        vm.expectEmit(address(decryption));
        emit PausableUpgradeable.Unpaused(OWNER);
        vm.prank(OWNER);
        decryption.unpause();
        request(list(h1), "");
    }

    function test_pauseByOtherReverts() public {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(GatewayPausable.NotPauserOrGatewayConfig.selector, OWNER));
        decryption.pause();
    }

    function test_unpauseByOtherReverts() public {
        vm.prank(PAUSER);
        decryption.pause();
        vm.prank(PAUSER);
        vm.expectRevert(abi.encodeWithSelector(GatewayPausable.NotOwnerOrGatewayConfig.selector, PAUSER));
        decryption.unpause();
    }

    function test_gatewayConfigItselfMayPauseAndUnpause() public {
        vm.prank(address(config));
        decryption.pause();
        vm.prank(address(config));
        decryption.unpause();
        vm.assertTrue(!decryption.paused(), "running");
    }

    function test_readyOnlyForCommittedHandles() public view {
        vm.assertTrue(decryption.isPublicDecryptionReady(list(h1, h2), hex"ffff"), "committed");
        vm.assertTrue(!decryption.isPublicDecryptionReady(list(h1, handleOf(HOST_CHAIN, 5, 3)), ""), "one missing");
        vm.assertTrue(!decryption.isPublicDecryptionReady(new bytes32[](0), ""), "none");
    }
}
