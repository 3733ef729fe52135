// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {GatewayKMSGenerationEvents as Events} from "../../src/gateway/GatewayKMSGenerationEvents.sol";
import {KeyDigest, KeyType, ParamsType} from "../../src/gateway/GatewayKMSGenerationTypes.sol";
import {KmsNode} from "../../src/gateway/GatewayTypes.sol";
import {KMSGenerationFixture} from "../helpers/KMSGenerationFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// A key from the owner's request over the preparation to the active key.
contract GatewayKMSGenerationKeyTest is KMSGenerationFixture {
    uint256 private constant N = 4;
    uint256 private constant THRESHOLD = 3;

    function setUp() public {
        deployGeneration(N, THRESHOLD);
    }

    function expectPrepRevert(uint256 node, uint256 id, bytes memory sig, bytes memory err) private {
        vm.prank(kmsSender(node));
        vm.expectRevert(err);
        generation.prepKeygenResponse(id, sig);
    }

    function expectKeyRevert(uint256 node, uint256 id, KeyDigest[] memory digests, bytes memory sig, bytes memory err)
        private
    {
        vm.prank(kmsSender(node));
        vm.expectRevert(err);
        generation.keygenResponse(id, digests, sig);
    }

    function mismatch(uint256 signerOf, uint256 senderOf) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            GatewayChecks.KmsSignerDoesNotMatchTxSender.selector, vm.addr(kmsKey(signerOf)), kmsSender(senderOf)
        );
    }

    // the whole way

    function test_keygenEmitsPrepKeygenRequest_firstIds_epochZero() public {
        vm.expectEmit(address(generation));
        emit Events.PrepKeygenRequest(prepId(1), 0, ParamsType.Test);
        vm.prank(OWNER);
        generation.keygen(ParamsType.Test);
    }

    function test_wholeKeygenWithFourNodes_eachDecisionOnce() public {
        keygen();
        vm.recordLogs();
        for (uint256 i = 0; i < N; i++) {
            answerPrep(i, prepId(1));
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(countOf(logs, KEYGEN_REQUEST), 1, "KeygenRequest once");
        vm.assertEq(logs.length, N + 1, "and four answers");
        vm.assertEq(logs[THRESHOLD].topics[0], KEYGEN_REQUEST, "with the threshold's answer");
        vm.assertEq(logs[THRESHOLD].data, abi.encode(prepId(1), keyIdOf(1)), "ids");

        for (uint256 i = 0; i < N; i++) {
            answerKey(i, keyIdOf(1), digestsOf(1));
        }
        logs = vm.getRecordedLogs();
        vm.assertEq(countOf(logs, ACTIVATE_KEY), 1, "ActivateKey once");
        vm.assertEq(logs.length, N + 1, "and four answers");
        vm.assertEq(logs[THRESHOLD].topics[0], ACTIVATE_KEY, "with the threshold's answer");
        vm.assertEq(logs[THRESHOLD].data, abi.encode(keyIdOf(1), urls(THRESHOLD), digestsOf(1)), "urls and digests");
    }

    function test_onePrepKeygenResponseEmitsItsEventOnly() public {
        keygen();
        vm.recordLogs();
        answerPrep(2, prepId(1));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "one event");
        vm.assertEq(logs[0].topics[0], Events.PrepKeygenResponse.selector, "PrepKeygenResponse");
        vm.assertEq(logs[0].data, abi.encode(prepId(1), prepSignature(2, prepId(1)), kmsSender(2)), "data");
        vm.assertEq(generation.getConsensusTxSenders(prepId(1)).length, 0, "no decision");
    }

    function test_oneKeygenResponseEmitsItsEventOnly() public {
        keygen();
        vm.recordLogs();
        answerKey(2, keyIdOf(1), digestsOf(1));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "one event");
        vm.assertEq(logs[0].topics[0], Events.KeygenResponse.selector, "KeygenResponse");
        vm.assertEq(
            logs[0].data,
            abi.encode(keyIdOf(1), digestsOf(1), keySignature(2, keyIdOf(1), digestsOf(1)), kmsSender(2)),
            "data"
        );
        vm.assertEq(generation.getActiveKeyId(), 0, "no decision");
    }

    // afterwards

    function test_afterwards_paramsMaterialsActiveKeyAndConsensusSenders() public {
        vm.prank(OWNER);
        generation.keygen(ParamsType.Test);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerPrep(i, prepId(1));
        }
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerKey(i, keyIdOf(1), digestsOf(1));
        }
        vm.assertTrue(generation.getKeyParamsType(keyIdOf(1)) == ParamsType.Test, "parameters");
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "active");
        vm.assertEq(generation.getConsensusTxSenders(prepId(1)), senders(THRESHOLD), "who prepared");
        vm.assertEq(generation.getConsensusTxSenders(keyIdOf(1)), senders(THRESHOLD), "who generated");
        checkMaterials(keyIdOf(1), urls(THRESHOLD), digestsOf(1));
    }

    function checkMaterials(uint256 keyId, string[] memory expectedUrls, KeyDigest[] memory expected) private view {
        (string[] memory where, KeyDigest[] memory digests) = generation.getKeyMaterials(keyId);
        vm.assertEq(abi.encode(where), abi.encode(expectedUrls), "urls");
        vm.assertEq(abi.encode(digests), abi.encode(expected), "digests");
    }

    function test_lateAnswersAreListed_alsoInTheMaterials() public {
        makeKey(THRESHOLD);
        answerPrep(3, prepId(1));
        answerKey(3, keyIdOf(1), digestsOf(1));
        vm.assertEq(generation.getConsensusTxSenders(prepId(1)), senders(N), "who prepared");
        vm.assertEq(generation.getConsensusTxSenders(keyIdOf(1)), senders(N), "who generated");
        checkMaterials(keyIdOf(1), urls(N), digestsOf(1));
    }

    function test_divergingAnswersDoNotCount_alsoNotInTheLists() public {
        keygen();
        answerKey(3, keyIdOf(1), digestsOf(2));
        answerKey(0, keyIdOf(1), digestsOf(1));
        answerKey(1, keyIdOf(1), digestsOf(1));
        vm.assertEq(generation.getActiveKeyId(), 0, "three answers, not equal");
        answerKey(2, keyIdOf(1), digestsOf(1));
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "three equal");
        checkMaterials(keyIdOf(1), urls(THRESHOLD), digestsOf(1));
    }

    function testFuzz_anyDifferenceOfTheDigestsSplitsTheVote(uint8 kind, uint256 delta) public {
        KeyDigest[] memory other = digestsOf(1);
        if (kind % 4 == 0) other[delta % 2].digest[delta % 32] ^= 0x01;
        if (kind % 4 == 1) (other[0], other[1]) = (other[1], other[0]);
        if (kind % 4 == 2) other[delta % 2].keyType = delta % 2 == 0 ? KeyType.Public : KeyType.Server;
        if (kind % 4 == 3) other[1].digest = abi.encodePacked(other[1].digest, uint8(0));
        keygen();
        answerKey(0, keyIdOf(1), digestsOf(1));
        answerKey(1, keyIdOf(1), digestsOf(1));
        answerKey(2, keyIdOf(1), other);
        vm.assertEq(generation.getActiveKeyId(), 0, "no decision");
    }

    function test_digestOfAnyLengthAndOneDigestAloneAreAccepted() public {
        KeyDigest[] memory digests = new KeyDigest[](1);
        digests[0] = KeyDigest(KeyType.Public, new bytes(100));
        keygen();
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerKey(i, keyIdOf(1), digests);
        }
        checkMaterials(keyIdOf(1), urls(THRESHOLD), digests);
    }

    // one at a time

    function test_secondKeygenWhileOngoingReverts_alsoAfterThePreparation() public {
        keygen();
        bytes memory ongoing = abi.encodeWithSelector(Events.KeygenOngoing.selector, keyIdOf(1));
        vm.prank(OWNER);
        vm.expectRevert(ongoing);
        generation.keygen(ParamsType.Default);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerPrep(i, prepId(1));
        }
        vm.prank(OWNER);
        vm.expectRevert(ongoing);
        generation.keygen(ParamsType.Default);
    }

    function test_nextKeyHasTheNextIds_theOneBeforeStaysReadable() public {
        makeKey(THRESHOLD);
        vm.expectEmit(address(generation));
        emit Events.PrepKeygenRequest(prepId(2), 0, ParamsType.Test);
        vm.prank(OWNER);
        generation.keygen(ParamsType.Test);
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "still the one before");
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerKey(i, keyIdOf(2), digestsOf(2));
        }
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(2), "active");
        checkMaterials(keyIdOf(1), urls(THRESHOLD), digestsOf(1));
        checkMaterials(keyIdOf(2), urls(THRESHOLD), digestsOf(2));
        vm.assertTrue(generation.getKeyParamsType(keyIdOf(1)) == ParamsType.Default, "parameters 1");
        vm.assertTrue(generation.getKeyParamsType(keyIdOf(2)) == ParamsType.Test, "parameters 2");
    }

    function test_keygenDoesNotWaitForACrs() public {
        crsgen();
        makeKey(THRESHOLD);
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "active");
    }

    // whose answers count

    function test_mixedSignerAndSenderInPrepReverts() public {
        keygen();
        expectPrepRevert(0, prepId(1), prepSignature(1, prepId(1)), mismatch(1, 0));
    }

    function test_mixedSignerAndSenderInKeygenReverts() public {
        keygen();
        expectKeyRevert(0, keyIdOf(1), digestsOf(1), keySignature(1, keyIdOf(1), digestsOf(1)), mismatch(1, 0));
    }

    function test_answerSignedByStrangerReverts() public {
        keygen();
        bytes memory err = abi.encodeWithSelector(GatewayChecks.NotKmsSigner.selector, vm.addr(kmsKey(77)));
        expectPrepRevert(0, prepId(1), prepSignature(77, prepId(1)), err);
        expectKeyRevert(0, keyIdOf(1), digestsOf(1), keySignature(77, keyIdOf(1), digestsOf(1)), err);
    }

    function test_sameNodeTwiceReverts_alsoWithOtherDigestsAndAfterTheDecision() public {
        keygen();
        answerPrep(0, prepId(1));
        answerKey(0, keyIdOf(1), digestsOf(1));
        address signer = vm.addr(kmsKey(0));
        bytes memory prepTwice =
            abi.encodeWithSelector(Events.KmsAlreadySignedForPrepKeygen.selector, prepId(1), signer);
        bytes memory keyTwice = abi.encodeWithSelector(Events.KmsAlreadySignedForKeygen.selector, keyIdOf(1), signer);
        for (uint256 i = 1; i <= N; i++) {
            expectPrepRevert(0, prepId(1), prepSignature(0, prepId(1)), prepTwice);
            expectKeyRevert(0, keyIdOf(1), digestsOf(i), keySignature(0, keyIdOf(1), digestsOf(i)), keyTwice);
            if (i < N) answerPrep(i, prepId(1));
            if (i < N) answerKey(i, keyIdOf(1), digestsOf(1));
        }
    }

    function test_malformedSignaturesRevert() public {
        keygen();
        expectPrepRevert(
            0, prepId(1), new bytes(64), abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64)
        );
        expectKeyRevert(
            0, keyIdOf(1), digestsOf(1), new bytes(65), abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector)
        );
    }

    // ids

    function test_prepNotRequestedReverts() public {
        uint256[6] memory ids = [0, prepId(0), prepId(2), keyIdOf(1), crsIdOf(1), 1];
        keygen();
        crsgen();
        for (uint256 i = 0; i < ids.length; i++) {
            expectPrepRevert(
                0,
                ids[i],
                prepSignature(0, ids[i]),
                abi.encodeWithSelector(Events.PrepKeygenNotRequested.selector, ids[i])
            );
        }
    }

    function test_keyNotRequestedReverts_beforeTheDigestsAreLookedAt() public {
        uint256[6] memory ids = [0, keyIdOf(0), keyIdOf(2), prepId(1), crsIdOf(1), 1];
        keygen();
        crsgen();
        for (uint256 i = 0; i < ids.length; i++) {
            expectKeyRevert(
                0, ids[i], new KeyDigest[](0), "", abi.encodeWithSelector(Events.KeygenNotRequested.selector, ids[i])
            );
        }
    }

    function test_emptyDigestsRevert_beforeTheSignatureIsLookedAt() public {
        keygen();
        expectKeyRevert(
            0, keyIdOf(1), new KeyDigest[](0), "", abi.encodeWithSelector(Events.EmptyKeyDigests.selector, keyIdOf(1))
        );
    }

    function test_signatureOverAnotherPreparationOrKeyDoesNotCount() public {
        makeKey(THRESHOLD);
        keygen();
        bytes memory sig = prepSignature(0, prepId(1));
        vm.prank(kmsSender(0));
        (bool ok,) = address(generation).call(abi.encodeCall(generation.prepKeygenResponse, (prepId(2), sig)));
        vm.assertTrue(!ok, "signature of the preparation before");
        sig = keySignature(0, keyIdOf(1), digestsOf(1));
        vm.prank(kmsSender(0));
        (ok,) = address(generation).call(abi.encodeCall(generation.keygenResponse, (keyIdOf(2), digestsOf(1), sig)));
        vm.assertTrue(!ok, "signature of the key before");
    }

    function test_keyTypeOutOfRangeRevertsWithoutData() public {
        keygen();
        bytes memory call_ = abi.encodeCall(generation.keygenResponse, (keyIdOf(1), digestsOf(1), new bytes(65)));
        call_[4 + 6 * 32 + 31] = 0x02; // head of three words, length, two offsets, then the first key type
        vm.prank(kmsSender(0));
        (bool ok, bytes memory data) = address(generation).call(call_);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(data.length, 0, "no data");
    }

    function test_keygenResponseDoesNotWaitForThePreparationsDecision() public {
        keygen();
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerKey(i, keyIdOf(1), digestsOf(1));
        }
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "active");
        // and the preparation can still be decided
        vm.recordLogs();
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerPrep(i, prepId(1));
        }
        vm.assertEq(countOf(vm.getRecordedLogs(), KEYGEN_REQUEST), 1, "KeygenRequest");
    }

    // contexts

    /// The same nodes with the same accounts, of which the first has another key: whose number is `keyNumber`.
    function rotateKeyOfFirst(uint256 keyNumber) private {
        KmsNode[] memory list = nodes(0, N);
        list[0].signerAddress = vm.addr(kmsKey(keyNumber));
        vm.prank(OWNER);
        config.updateKmsContext(CONTEXT + 1, list, 0, 1, 1, THRESHOLD);
    }

    function test_anAccountWhoseKeyWasRotatedCountsOnce() public {
        keygen();
        answerKey(0, keyIdOf(1), digestsOf(1));
        answerKey(1, keyIdOf(1), digestsOf(1));
        rotateKeyOfFirst(9);
        bytes memory sig = keySignature(9, keyIdOf(1), digestsOf(1));
        vm.prank(kmsSender(0));
        generation.keygenResponse(keyIdOf(1), digestsOf(1), sig);
        vm.assertEq(generation.getActiveKeyId(), 0, "three answers of two nodes");
        answerKey(2, keyIdOf(1), digestsOf(1));
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "the third node");
    }

    function test_anAccountWhoseKeyWasRotatedCountsOnce_alsoForACrs() public {
        crsgen();
        answerCrs(0, crsIdOf(1), crsDigestOf(1));
        answerCrs(1, crsIdOf(1), crsDigestOf(1));
        rotateKeyOfFirst(9);
        bytes memory sig = crsSignature(9, crsIdOf(1), crsDigestOf(1));
        vm.prank(kmsSender(0));
        generation.crsgenResponse(crsIdOf(1), crsDigestOf(1), sig);
        vm.assertEq(generation.getActiveCrsId(), 0, "three answers of two nodes");
        answerCrs(2, crsIdOf(1), crsDigestOf(1));
        vm.assertEq(generation.getActiveCrsId(), crsIdOf(1), "the third node");
    }

    function test_currentContextAnswers_signersThresholdAndStorage() public {
        keygen();
        answerKey(0, keyIdOf(1), digestsOf(1));
        rotateTo(CONTEXT + 1, 1, N, 2);
        vm.prank(kmsSender(0));
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.NotKmsTxSender.selector, kmsSender(0)));
        generation.prepKeygenResponse(prepId(1), "");
        bytes memory former = abi.encodeWithSelector(GatewayChecks.NotKmsSigner.selector, vm.addr(kmsKey(0)));
        expectPrepRevert(1, prepId(1), prepSignature(0, prepId(1)), former);

        // node 0 counted when it was one; its storage is not in the registry any more
        answerKey(4, keyIdOf(1), digestsOf(1));
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "two of the threshold two");
        string[] memory where = new string[](2);
        where[1] = urlOf(4);
        checkMaterials(keyIdOf(1), where, digestsOf(1));
    }

    // thresholds and orders

    function testFuzz_activatedWithTheThresholdthEqualAnswerInAnyOrder(uint256 seed, uint8 threshold_) public {
        uint256 n = 7;
        uint256 threshold = 1 + threshold_ % n;
        deployGeneration(n, threshold);
        keygen();
        uint256[] memory order = new uint256[](n);
        for (uint256 i = 0; i < n; i++) {
            order[i] = i;
        }
        uint256[3] memory votes;
        bool decided;
        bool prepared;
        for (uint256 i = 0; i < n; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 j = i + seed % (n - i);
            (order[i], order[j]) = (order[j], order[i]);
            uint256 opinion = seed >> 128 & 3 == 0 ? 2 : 1;
            vm.recordLogs();
            answerPrep(order[i], prepId(1));
            vm.assertTrue(
                (countOf(vm.getRecordedLogs(), KEYGEN_REQUEST) == 1) == (!prepared && i + 1 >= threshold), "prepared"
            );
            prepared = prepared || i + 1 >= threshold;
            answerKey(order[i], keyIdOf(1), digestsOf(opinion));
            bool now_ = !decided && ++votes[opinion] >= threshold;
            vm.assertTrue((countOf(vm.getRecordedLogs(), ACTIVATE_KEY) == 1) == now_, "activated with the threshold");
            decided = decided || now_;
            vm.assertEq(generation.getActiveKeyId(), decided ? keyIdOf(1) : 0, "active");
        }
    }
}
