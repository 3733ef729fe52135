// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {CiphertextCommits} from "../../src/gateway/CiphertextCommits.sol";
import {Decryption} from "../../src/gateway/Decryption.sol";
import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {GatewayOwned} from "../../src/gateway/GatewayOwned.sol";
import {GatewayPausable} from "../../src/gateway/GatewayPausable.sol";
import {SnsCiphertextMaterial} from "../../src/gateway/GatewayTypes.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {FheType, Handle} from "../../src/shared/Handle.sol";
import {GatewayFixture} from "../helpers/GatewayFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

contract DecryptionTest is GatewayFixture {
    uint256 private constant N = 4;
    uint256 private constant THRESHOLD = 3;
    bytes private constant RESULT = abi.encode(uint256(424_242));
    bytes32 private constant DECIDED = keccak256("PublicDecryptionResponse(uint256,bytes,bytes[],bytes)");

    bytes32 private h1 = handleOf(HOST_CHAIN, 5, 1);
    bytes32 private h2 = handleOf(HOST_CHAIN, 2, 2);

    function setUp() public {
        deployGateway(N, THRESHOLD);
        commitHandle(h1);
        commitHandle(h2);
    }

    function decisions() private returns (uint256 count) {
        Vm.Log[] memory logs = decryptionLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == DECIDED) count++;
        }
    }

    function material(bytes32 handle) private view returns (SnsCiphertextMaterial memory) {
        return commits.getSnsCiphertextMaterials(list(handle))[0];
    }

    function expectRequestRevert(bytes32[] memory handles, bytes memory extraData, bytes memory err) private {
        vm.prank(REQUESTER);
        vm.expectRevert(err);
        decryption.publicDecryptionRequest(handles, extraData);
    }

    function expectAnswerRevert(
        uint256 signer,
        uint256 sender,
        uint256 id,
        bytes32[] memory handles,
        bytes memory extraData,
        bytes memory err
    ) private {
        bytes memory sig = signature(signer, handles, RESULT, extraData);
        vm.prank(kmsSender(sender));
        vm.expectRevert(err);
        decryption.publicDecryptionResponse(id, RESULT, sig, extraData);
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
        vm.assertEq(vm.load(address(decryption), handles), bytes32(uint256(1)), "publicCtHandles length");
        vm.assertEq(vm.load(address(decryption), keccak256(abi.encode(handles))), h1, "publicCtHandles[0]");
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
        expectRequestRevert(list(h1), "", abi.encodeWithSelector(GatewayChecks.HostChainDisabled.selector, HOST_CHAIN));
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

    // answers

    function test_oneAnswerEmitsCallOnly() public {
        request(list(h1), "");
        bytes memory sig = signature(0, list(h1), RESULT, "");
        vm.recordLogs();
        vm.prank(kmsSender(0));
        decryption.publicDecryptionResponse(requestId(1), RESULT, sig, "");
        Vm.Log[] memory logs = decryptionLogs();
        vm.assertEq(logs.length, 1, "one event");
        vm.assertEq(
            logs[0].topics[0],
            keccak256("PublicDecryptionResponseCall(uint256,bytes,bytes,address,bytes)"),
            "the call event"
        );
        vm.assertEq(logs[0].data, abi.encode(RESULT, sig, kmsSender(0), bytes("")), "its fields");
        vm.assertTrue(!decryption.isDecryptionDone(requestId(1)), "not done");
        vm.assertEq(decryption.getDecryptionConsensusTxSenders(requestId(1)).length, 0, "no consensus yet");
    }

    function test_thresholdAnswersDecideOnce_signaturesInOrderOfArrival() public {
        request(list(h1, h2), "");
        answer(2, requestId(1), list(h1, h2), RESULT, "");
        answer(0, requestId(1), list(h1, h2), RESULT, "");
        bytes[] memory signatures = new bytes[](3);
        signatures[0] = signature(2, list(h1, h2), RESULT, "");
        signatures[1] = signature(0, list(h1, h2), RESULT, "");
        signatures[2] = signature(3, list(h1, h2), RESULT, "");
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.PublicDecryptionResponseCall(requestId(1), RESULT, signatures[2], kmsSender(3), "");
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.PublicDecryptionResponse(requestId(1), RESULT, signatures, "");
        vm.prank(kmsSender(3));
        decryption.publicDecryptionResponse(requestId(1), RESULT, signatures[2], "");
        vm.assertTrue(decryption.isDecryptionDone(requestId(1)), "done");
    }

    function test_lateAnswerIsAcceptedWithoutSecondDecision() public {
        request(list(h1), "");
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answer(i, requestId(1), list(h1), RESULT, "");
        }
        vm.recordLogs();
        answer(3, requestId(1), list(h1), RESULT, "");
        vm.assertEq(decisions(), 0, "no second decision");
        vm.assertEq(decryption.getDecryptionConsensusTxSenders(requestId(1)).length, 4, "late one is listed");
    }

    function test_divergingAnswerDoesNotCount() public {
        request(list(h1), "");
        bytes memory wrong = abi.encode(uint256(1));
        answer(0, requestId(1), list(h1), RESULT, "");
        answer(3, requestId(1), list(h1), wrong, "");
        answer(1, requestId(1), list(h1), RESULT, "");
        vm.assertTrue(!decryption.isDecryptionDone(requestId(1)), "two equal answers are not three");
        answer(2, requestId(1), list(h1), RESULT, "");
        vm.assertTrue(decryption.isDecryptionDone(requestId(1)), "done");
        address[] memory senders = new address[](3);
        (senders[0], senders[1], senders[2]) = (kmsSender(0), kmsSender(1), kmsSender(2));
        vm.assertEq(decryption.getDecryptionConsensusTxSenders(requestId(1)), senders, "agreeing senders only");
    }

    function test_extraDataIsUnderTheSignature_soItSplitsTheVote() public {
        request(list(h1), "");
        answer(0, requestId(1), list(h1), RESULT, "");
        answer(1, requestId(1), list(h1), RESULT, hex"00");
        answer(2, requestId(1), list(h1), RESULT, extraV1(CONTEXT));
        answer(3, requestId(1), list(h1), RESULT, extraV2(CONTEXT, EPOCH));
        vm.assertTrue(!decryption.isDecryptionDone(requestId(1)), "four answers, none equal to another");
    }

    function test_fullRoundWithV2() public {
        bytes memory extraData = extraV2(CONTEXT, EPOCH);
        request(list(h1), extraData);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answer(i, requestId(1), list(h1), RESULT, extraData);
        }
        vm.assertTrue(decryption.isDecryptionDone(requestId(1)), "done");
    }

    function test_sameNodeTwiceReverts_alsoWithAnotherResult() public {
        request(list(h1), "");
        answer(0, requestId(1), list(h1), abi.encode(uint256(1)), "");
        bytes memory err =
            abi.encodeWithSelector(DecryptionEvents.KmsNodeAlreadySigned.selector, requestId(1), vm.addr(kmsKey(0)));
        expectAnswerRevert(0, 0, requestId(1), list(h1), "", err);
    }

    function test_answerToUnknownIdReverts() public {
        request(list(h1), "");
        uint256[4] memory ids = [uint256(1 << 248), requestId(2), uint256((2 << 248) + 1), 1];
        for (uint256 i = 0; i < ids.length; i++) {
            bytes memory err = abi.encodeWithSelector(DecryptionEvents.DecryptionNotRequested.selector, ids[i]);
            expectAnswerRevert(0, 0, ids[i], list(h1), "", err);
        }
    }

    function test_answerSignedByStrangerReverts() public {
        request(list(h1), "");
        bytes memory err = abi.encodeWithSelector(GatewayChecks.NotKmsSigner.selector, vm.addr(kmsKey(9)));
        expectAnswerRevert(9, 0, requestId(1), list(h1), "", err);
    }

    function test_answerFromUnregisteredSenderReverts() public {
        request(list(h1), "");
        bytes memory err = abi.encodeWithSelector(
            GatewayChecks.KmsSignerDoesNotMatchTxSender.selector, vm.addr(kmsKey(0)), kmsSender(9)
        );
        expectAnswerRevert(0, 9, requestId(1), list(h1), "", err);
    }

    function test_answerWithSignerOfAnotherNodeReverts() public {
        request(list(h1), "");
        bytes memory err = abi.encodeWithSelector(
            GatewayChecks.KmsSignerDoesNotMatchTxSender.selector, vm.addr(kmsKey(0)), kmsSender(1)
        );
        expectAnswerRevert(0, 1, requestId(1), list(h1), "", err);
    }

    function test_answerNamingAnotherContextReverts() public {
        request(list(h1), extraV1(CONTEXT));
        rotateContext(CONTEXT + 1, 0, N, THRESHOLD);
        bytes memory err = abi.encodeWithSelector(
            DecryptionEvents.DecryptionContextMismatch.selector, requestId(1), CONTEXT, CONTEXT + 1
        );
        expectAnswerRevert(0, 0, requestId(1), list(h1), extraV1(CONTEXT + 1), err);
        expectAnswerRevert(0, 0, requestId(1), list(h1), extraV2(CONTEXT + 1, EPOCH), err);
    }

    function test_afterRotationEmptyExtraDataMeansTheNewContext() public {
        request(list(h1), "");
        rotateContext(CONTEXT + 1, 0, N, THRESHOLD);
        bytes memory err = abi.encodeWithSelector(
            DecryptionEvents.DecryptionContextMismatch.selector, requestId(1), CONTEXT, CONTEXT + 1
        );
        expectAnswerRevert(0, 0, requestId(1), list(h1), "", err);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answer(i, requestId(1), list(h1), RESULT, extraV1(CONTEXT));
        }
        vm.assertTrue(decryption.isDecryptionDone(requestId(1)), "explicit context answers it");
    }

    function test_signerOfAnotherContextDoesNotCount() public {
        rotateContext(CONTEXT + 1, 10, N, THRESHOLD);
        request(list(h1), "");
        bytes memory err = abi.encodeWithSelector(GatewayChecks.NotKmsSigner.selector, vm.addr(kmsKey(0)));
        expectAnswerRevert(0, 0, requestId(1), list(h1), "", err);
    }

    function test_destroyedContextCannotAnswer() public {
        request(list(h1), extraV1(CONTEXT));
        rotateContext(CONTEXT + 1, 10, N, THRESHOLD);
        vm.prank(OWNER);
        config.destroyKmsContext(CONTEXT);
        bytes memory err = abi.encodeWithSelector(DecryptionEvents.InvalidKmsContext.selector, CONTEXT);
        expectAnswerRevert(0, 0, requestId(1), list(h1), extraV1(CONTEXT), err);
    }

    function test_requestFromBeforePinningTakesTheAnswersContext() public {
        request(list(h1), "");
        bytes32 pinned = keccak256(abi.encode(requestId(1), slotOf("fhevm_gateway.storage.Decryption", 9)));
        vm.store(address(decryption), pinned, bytes32(0));
        rotateContext(CONTEXT + 1, 10, N, THRESHOLD);
        answer(10, requestId(1), list(h1), RESULT, "");
        answer(0, requestId(1), list(h1), RESULT, extraV1(CONTEXT));
    }

    function test_answersWorkWhilePaused() public {
        request(list(h1), "");
        vm.prank(PAUSER);
        decryption.pause();
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answer(i, requestId(1), list(h1), RESULT, "");
        }
        vm.assertTrue(decryption.isDecryptionDone(requestId(1)), "done");
    }

    function test_malformedSignaturesRevert() public {
        request(list(h1), "");
        bytes memory sig = signature(0, list(h1), RESULT, "");
        bytes memory short = new bytes(64);
        vm.prank(kmsSender(0));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64));
        decryption.publicDecryptionResponse(requestId(1), RESULT, short, "");

        (bytes32 r, bytes32 s, uint8 v) = split(sig);
        bytes32 highS = bytes32(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141 - uint256(s));
        vm.prank(kmsSender(0));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, highS));
        decryption.publicDecryptionResponse(requestId(1), RESULT, abi.encodePacked(r, highS, uint8(55 - v)), "");

        vm.prank(kmsSender(0));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector));
        decryption.publicDecryptionResponse(requestId(1), RESULT, abi.encodePacked(r, s, v - 27), "");
    }

    function test_precedence_contextBeforeSignature() public {
        request(list(h1), "");
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(DecryptionEvents.UnsupportedExtraDataVersion.selector, 3));
        decryption.publicDecryptionResponse(requestId(1), RESULT, "", hex"03");
        vm.prank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(
                DecryptionEvents.DecryptionContextMismatch.selector, requestId(1), CONTEXT, CONTEXT + 5
            )
        );
        decryption.publicDecryptionResponse(requestId(1), RESULT, "", extraV1(CONTEXT + 5));
    }

    /// Every order of arrival and every threshold: the decision comes with exactly the threshold-th equal answer.
    function testFuzz_decisionAtThresholdInAnyOrder(uint8 n, uint8 threshold, uint256 seed, uint16 wrongMask) public {
        n = uint8(1 + n % 9);
        threshold = uint8(1 + threshold % n);
        rotateContext(CONTEXT + 1, 20, n, threshold);
        request(list(h1), "");
        uint256[] memory order = shuffled(n, seed);
        uint256[2] memory votes;
        bool done;
        for (uint256 i = 0; i < n; i++) {
            uint256 side = (wrongMask >> order[i]) & 1;
            votes[side]++;
            bool decides = !done && votes[side] == threshold;
            vm.recordLogs();
            answer(20 + order[i], requestId(1), list(h1), abi.encode(side), "");
            vm.assertEq(decisions(), decides ? 1 : 0, "decision event");
            done = done || decides;
            vm.assertTrue(decryption.isDecryptionDone(requestId(1)) == done, "done view");
        }
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

    function shuffled(uint256 n, uint256 seed) private pure returns (uint256[] memory order) {
        order = new uint256[](n);
        for (uint256 i = 0; i < n; i++) {
            order[i] = i;
        }
        for (uint256 i = n; i > 1; i--) {
            uint256 j = uint256(keccak256(abi.encode(seed, i))) % i;
            (order[i - 1], order[j]) = (order[j], order[i - 1]);
        }
    }

    function split(bytes memory sig) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly {
            r := mload(add(sig, 32))
            s := mload(add(sig, 64))
            v := byte(0, mload(add(sig, 96)))
        }
    }
}
