// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {PublicDecryptionFixture} from "../helpers/PublicDecryptionFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// Answers to public decryptions.
contract DecryptionAnswersTest is PublicDecryptionFixture {
    function decisions() private returns (uint256 count) {
        Vm.Log[] memory logs = decryptionLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == DECIDED) count++;
        }
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

    string private constant NS = "fhevm_gateway.storage.Decryption";

    function slotOfPair(bytes32 first, bytes32 second, uint256 member) private pure returns (bytes32) {
        return keccak256(abi.encode(second, keccak256(abi.encode(first, slotOf(NS, member)))));
    }

    function arraySlot(bytes32 slot, uint256 index) private pure returns (bytes32) {
        return bytes32(uint256(keccak256(abi.encode(slot))) + index);
    }

    /// What an implementation of before, which kept handles and signatures in full, left in the proxy: a request for
    /// two handles, and one answer.
    function plantRequestOfBefore(bytes memory sig) private {
        address at = address(decryption);
        bytes32 id = bytes32(requestId(1));
        vm.store(at, slotOf(NS, 6), id);
        vm.store(at, keccak256(abi.encode(id, slotOf(NS, 9))), bytes32(CONTEXT));
        bytes32 slot = keccak256(abi.encode(id, slotOf(NS, 5)));
        vm.store(at, slot, bytes32(uint256(2)));
        vm.store(at, arraySlot(slot, 0), h1);
        vm.store(at, arraySlot(slot, 1), h2);

        bytes32 digest = publicDecryptDigest(at, list(h1, h2), RESULT, "");
        vm.store(at, slotOfPair(id, bytes32(uint256(uint160(vm.addr(kmsKey(0))))), 1), bytes32(uint256(1)));
        slot = slotOfPair(id, digest, 2);
        vm.store(at, slot, bytes32(uint256(1)));
        vm.store(at, arraySlot(slot, 0), bytes32(uint256(uint160(kmsSender(0)))));
        slot = slotOfPair(id, digest, 4);
        vm.store(at, slot, bytes32(uint256(1)));
        slot = arraySlot(slot, 0);
        vm.store(at, slot, bytes32(sig.length * 2 + 1));
        (bytes32 r, bytes32 s, uint8 v) = split(sig);
        vm.store(at, arraySlot(slot, 0), r);
        vm.store(at, arraySlot(slot, 1), s);
        vm.store(at, arraySlot(slot, 2), bytes32(uint256(v) << 248));
    }

    function test_requestOfAnEarlierImplementationStaysAnswerable() public {
        bytes[] memory signatures = new bytes[](THRESHOLD);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            signatures[i] = signature(i, list(h1, h2), RESULT, "");
        }
        plantRequestOfBefore(signatures[0]);
        bytes memory err =
            abi.encodeWithSelector(DecryptionEvents.KmsNodeAlreadySigned.selector, requestId(1), vm.addr(kmsKey(0)));
        vm.prank(kmsSender(0));
        vm.expectRevert(err);
        decryption.publicDecryptionResponse(requestId(1), RESULT, signatures[0], "");

        answer(1, requestId(1), list(h1, h2), RESULT, "");
        vm.recordLogs();
        answer(2, requestId(1), list(h1, h2), RESULT, "");
        Vm.Log[] memory logs = decryptionLogs();
        vm.assertEq(logs.length, 2, "call and decision");
        vm.assertEq(logs[1].topics[0], DECIDED, "decision");
        vm.assertEq(logs[1].data, abi.encode(RESULT, signatures, bytes("")), "the signature of before comes first");
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

    /// What a requester brings must not make answers dear: the nodes pay for those.
    function test_anAnswerCostsTheSameForManyHandles() public {
        bytes32 bit = handleOf(HOST_CHAIN, 0, 50);
        commitHandle(bit);
        bytes32[] memory many = new bytes32[](1024);
        for (uint256 i = 0; i < many.length; i++) {
            many[i] = bit;
        }
        request(list(bit), "");
        request(many, "");
        bytes memory one = signature(0, list(bit), RESULT, "");
        bytes memory all = signature(0, many, RESULT, "");

        vm.startPrank(kmsSender(0));
        uint256 before = gasleft();
        decryption.publicDecryptionResponse(requestId(1), RESULT, one, "");
        uint256 first = before - gasleft();
        before = gasleft();
        decryption.publicDecryptionResponse(requestId(2), RESULT, all, "");
        vm.assertTrue(before - gasleft() <= first, "not more than for one handle");
        vm.stopPrank();
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
