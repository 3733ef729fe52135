// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {GatewayKMSGenerationEvents as Events} from "../../src/gateway/GatewayKMSGenerationEvents.sol";
import {ParamsType} from "../../src/gateway/GatewayKMSGenerationTypes.sol";
import {KMSGenerationFixture} from "../helpers/KMSGenerationFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// A CRS from the owner's request to the active one.
contract GatewayKMSGenerationCrsTest is KMSGenerationFixture {
    uint256 private constant N = 4;
    uint256 private constant THRESHOLD = 3;

    function setUp() public {
        deployGeneration(N, THRESHOLD);
    }

    function expectCrsRevert(uint256 node, uint256 id, bytes memory digest, bytes memory sig, bytes memory err)
        private
    {
        vm.prank(kmsSender(node));
        vm.expectRevert(err);
        generation.crsgenResponse(id, digest, sig);
    }

    function checkMaterials(uint256 crsId, string[] memory expectedUrls, bytes memory expected) private view {
        (string[] memory where, bytes memory digest) = generation.getCrsMaterials(crsId);
        vm.assertEq(abi.encode(where), abi.encode(expectedUrls), "urls");
        vm.assertEq(digest, expected, "digest");
    }

    function test_crsgenRequestEmits_firstId() public {
        vm.expectEmit(address(generation));
        emit Events.CrsgenRequest(crsIdOf(1), MAX_BITS, ParamsType.Test);
        vm.prank(OWNER);
        generation.crsgenRequest(MAX_BITS, ParamsType.Test);
    }

    function test_wholeCrsgenWithFourNodes_decidedOnce() public {
        crsgen();
        vm.recordLogs();
        for (uint256 i = 0; i < N; i++) {
            answerCrs(i, crsIdOf(1), crsDigestOf(1));
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(countOf(logs, ACTIVATE_CRS), 1, "ActivateCrs once");
        vm.assertEq(logs.length, N + 1, "and four answers");
        vm.assertEq(logs[THRESHOLD].topics[0], ACTIVATE_CRS, "with the threshold's answer");
        vm.assertEq(logs[THRESHOLD].data, abi.encode(crsIdOf(1), urls(THRESHOLD), crsDigestOf(1)), "urls and digest");
    }

    function test_oneCrsgenResponseEmitsItsEventOnly() public {
        crsgen();
        vm.recordLogs();
        answerCrs(1, crsIdOf(1), crsDigestOf(1));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "one event");
        vm.assertEq(logs[0].topics[0], Events.CrsgenResponse.selector, "CrsgenResponse");
        vm.assertEq(
            logs[0].data,
            abi.encode(crsIdOf(1), crsDigestOf(1), crsSignature(1, crsIdOf(1), crsDigestOf(1)), kmsSender(1)),
            "data"
        );
        vm.assertEq(generation.getConsensusTxSenders(crsIdOf(1)).length, 0, "no decision");
    }

    function test_afterwards_paramsMaterialsActiveCrsAndConsensusSenders() public {
        vm.prank(OWNER);
        generation.crsgenRequest(MAX_BITS, ParamsType.Test);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerCrs(i, crsIdOf(1), crsDigestOf(1));
        }
        vm.assertTrue(generation.getCrsParamsType(crsIdOf(1)) == ParamsType.Test, "parameters");
        vm.assertEq(generation.getActiveCrsId(), crsIdOf(1), "active");
        vm.assertEq(generation.getConsensusTxSenders(crsIdOf(1)), senders(THRESHOLD), "who generated");
        checkMaterials(crsIdOf(1), urls(THRESHOLD), crsDigestOf(1));
    }

    function test_lateAnswersAreListed_alsoInTheMaterials() public {
        makeCrs(N);
        vm.assertEq(generation.getConsensusTxSenders(crsIdOf(1)), senders(N), "who generated");
        checkMaterials(crsIdOf(1), urls(N), crsDigestOf(1));
    }

    function test_divergingAnswersDoNotCount_alsoNotInTheLists() public {
        crsgen();
        answerCrs(3, crsIdOf(1), crsDigestOf(2));
        answerCrs(0, crsIdOf(1), crsDigestOf(1));
        answerCrs(1, crsIdOf(1), crsDigestOf(1));
        vm.assertEq(generation.getActiveCrsId(), 0, "three answers, not equal");
        answerCrs(2, crsIdOf(1), crsDigestOf(1));
        checkMaterials(crsIdOf(1), urls(THRESHOLD), crsDigestOf(1));
    }

    function test_secondCrsgenWhileOngoingReverts() public {
        crsgen();
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(Events.CrsgenOngoing.selector, crsIdOf(1)));
        generation.crsgenRequest(MAX_BITS, ParamsType.Default);
    }

    function test_nextCrsHasTheNextId_theOneBeforeStaysReadable() public {
        makeCrs(THRESHOLD);
        vm.expectEmit(address(generation));
        emit Events.CrsgenRequest(crsIdOf(2), MAX_BITS, ParamsType.Test);
        vm.prank(OWNER);
        generation.crsgenRequest(MAX_BITS, ParamsType.Test);
        vm.assertEq(generation.getActiveCrsId(), crsIdOf(1), "still the one before");
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerCrs(i, crsIdOf(2), crsDigestOf(2));
        }
        vm.assertEq(generation.getActiveCrsId(), crsIdOf(2), "active");
        checkMaterials(crsIdOf(1), urls(THRESHOLD), crsDigestOf(1));
        checkMaterials(crsIdOf(2), urls(THRESHOLD), crsDigestOf(2));
    }

    function test_crsgenDoesNotWaitForAKey() public {
        keygen();
        makeCrs(THRESHOLD);
        vm.assertEq(generation.getActiveCrsId(), crsIdOf(1), "active");
    }

    function test_mixedSignerAndSenderInCrsgenReverts() public {
        crsgen();
        expectCrsRevert(
            0,
            crsIdOf(1),
            crsDigestOf(1),
            crsSignature(1, crsIdOf(1), crsDigestOf(1)),
            abi.encodeWithSelector(
                GatewayChecks.KmsSignerDoesNotMatchTxSender.selector, vm.addr(kmsKey(1)), kmsSender(0)
            )
        );
    }

    function test_answerSignedByStrangerReverts() public {
        crsgen();
        expectCrsRevert(
            0,
            crsIdOf(1),
            crsDigestOf(1),
            crsSignature(77, crsIdOf(1), crsDigestOf(1)),
            abi.encodeWithSelector(GatewayChecks.NotKmsSigner.selector, vm.addr(kmsKey(77)))
        );
    }

    function test_sameNodeTwiceReverts_alsoWithAnotherDigestAndAfterTheDecision() public {
        crsgen();
        answerCrs(0, crsIdOf(1), crsDigestOf(1));
        bytes memory twice =
            abi.encodeWithSelector(Events.KmsAlreadySignedForCrsgen.selector, crsIdOf(1), vm.addr(kmsKey(0)));
        for (uint256 i = 1; i <= N; i++) {
            bytes memory sig = crsSignature(0, crsIdOf(1), crsDigestOf(i));
            expectCrsRevert(0, crsIdOf(1), crsDigestOf(i), sig, twice);
            if (i < N) answerCrs(i, crsIdOf(1), crsDigestOf(1));
        }
    }

    function test_crsNotRequestedReverts_beforeTheSignatureIsLookedAt() public {
        uint256[6] memory ids = [0, crsIdOf(0), crsIdOf(2), prepId(1), keyIdOf(1), 1];
        keygen();
        crsgen();
        for (uint256 i = 0; i < ids.length; i++) {
            expectCrsRevert(0, ids[i], "", "", abi.encodeWithSelector(Events.CrsgenNotRequested.selector, ids[i]));
        }
    }

    function test_malformedSignatureReverts() public {
        crsgen();
        expectCrsRevert(
            0,
            crsIdOf(1),
            crsDigestOf(1),
            new bytes(66),
            abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 66)
        );
    }

    function testFuzz_maxBitLengthIsUnderTheSignature(uint256 maxBitLength) public {
        if (maxBitLength == MAX_BITS) maxBitLength++;
        vm.prank(OWNER);
        generation.crsgenRequest(maxBitLength, ParamsType.Default);
        bytes memory other = crsSignature(0, crsIdOf(1), crsDigestOf(1)); // over MAX_BITS
        vm.prank(kmsSender(0));
        (bool ok,) =
            address(generation).call(abi.encodeCall(generation.crsgenResponse, (crsIdOf(1), crsDigestOf(1), other)));
        vm.assertTrue(!ok, "another length");
        bytes memory right = signWith(kmsKey(0), crsgenDigest(crsIdOf(1), maxBitLength, crsDigestOf(1)));
        vm.prank(kmsSender(0));
        generation.crsgenResponse(crsIdOf(1), crsDigestOf(1), right);
    }

    function test_currentContextAnswers() public {
        crsgen();
        answerCrs(0, crsIdOf(1), crsDigestOf(1));
        rotateTo(CONTEXT + 1, 4, N, 1);
        vm.prank(kmsSender(1));
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.NotKmsTxSender.selector, kmsSender(1)));
        generation.crsgenResponse(crsIdOf(1), crsDigestOf(1), "");
        answerCrs(5, crsIdOf(1), crsDigestOf(2));
        string[] memory where = new string[](1);
        where[0] = urlOf(5);
        checkMaterials(crsIdOf(1), where, crsDigestOf(2));
    }

    function testFuzz_activatedWithTheThresholdthEqualAnswerInAnyOrder(uint256 seed, uint8 threshold_) public {
        uint256 n = 7;
        uint256 threshold = 1 + threshold_ % n;
        deployGeneration(n, threshold);
        crsgen();
        uint256[3] memory votes;
        bool decided;
        for (uint256 i = 0; i < n; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 opinion = seed >> 128 & 3 == 0 ? 2 : 1;
            vm.recordLogs();
            answerCrs((i * 3 + uint256(threshold_)) % n, crsIdOf(1), crsDigestOf(opinion));
            bool now_ = !decided && ++votes[opinion] >= threshold;
            vm.assertTrue((countOf(vm.getRecordedLogs(), ACTIVATE_CRS) == 1) == now_, "activated with the threshold");
            decided = decided || now_;
            vm.assertEq(generation.getActiveCrsId(), decided ? crsIdOf(1) : 0, "active");
        }
    }
}
