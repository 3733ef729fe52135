// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostContexts} from "../../src/host/HostContexts.sol";
import {HostKMSGenerationEvents as E} from "../../src/host/HostKMSGenerationEvents.sol";
import {KeyDigest, ParamsType} from "../../src/host/KeyMaterialTypes.sol";
import {ProtocolConfigEvents} from "../../src/host/ProtocolConfigEvents.sol";
import {KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {KeyMaterialFixture} from "../helpers/KeyMaterialFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// Whose answers count, and in which context.
contract HostKMSGenerationAnswersTest is KeyMaterialFixture {
    uint256 private constant N = 4;
    bytes32 private constant ACTIVATE_CRS = keccak256("ActivateCrs(uint256,string[],bytes)");

    enum Kind {
        Prep,
        Key,
        Crs
    }

    bytes private extra = extraV2(CONTEXT, EPOCH);

    function setUp() public {
        deployCanonical(N, KmsThresholds(2, 3, 3, 1));
        askKey(ParamsType.Default);
        askCrs(ParamsType.Default);
    }

    function idOf(Kind kind) private pure returns (uint256) {
        return kind == Kind.Prep ? PREP_ID : kind == Kind.Key ? KEY_ID : CRS_ID;
    }

    function structOf(Kind kind, uint256 id, bytes memory data) private pure returns (bytes32) {
        if (kind == Kind.Prep) return prepStruct(id, data);
        if (kind == Kind.Key) return keyStruct(PREP_ID, id, keyDigests(0), data);
        return crsStruct(id, MAX_BITS, crsDigest(0), data);
    }

    function respond(Kind kind, uint256 id, bytes memory sig) private {
        if (kind == Kind.Prep) generation.prepKeygenResponse(id, sig);
        if (kind == Kind.Key) generation.keygenResponse(id, keyDigests(0), sig);
        if (kind == Kind.Crs) generation.crsgenResponse(id, crsDigest(0), sig);
    }

    function sign(Kind kind, uint256 node, bytes memory data) private view returns (bytes memory) {
        return signGeneration(node, structOf(kind, idOf(kind), data));
    }

    function expectRefused(Kind kind, uint256 sender, uint256 id, bytes memory sig, bytes memory err) private {
        vm.expectRevert(err);
        vm.prank(kmsSender(sender));
        respond(kind, id, sig);
    }

    function accept(Kind kind, uint256 node, bytes memory data) private {
        bytes memory sig = sign(kind, node, data);
        vm.prank(kmsSender(node));
        respond(kind, idOf(kind), sig);
    }

    function finishPrep() private {
        for (uint256 i = 0; i < 3; i++) {
            accept(Kind.Prep, i, extra);
        }
    }

    function alreadySigned(Kind kind, uint256 node) private view returns (bytes memory) {
        bytes4 err = kind == Kind.Prep
            ? E.KmsAlreadySignedForPrepKeygen.selector
            : kind == Kind.Key ? E.KmsAlreadySignedForKeygen.selector : E.KmsAlreadySignedForCrsgen.selector;
        return abi.encodeWithSelector(err, idOf(kind), vm.addr(kmsKey(node)));
    }

    function test_nonTxSenderReverts() public {
        finishPrep();
        for (uint256 k = 0; k < 3; k++) {
            Kind kind = Kind(k);
            bytes memory err = abi.encodeWithSelector(E.NotKmsTxSender.selector, kmsSender(99));
            expectRefused(kind, 99, idOf(kind), sign(kind, 3, extra), err);
        }
    }

    function test_duplicateReverts() public {
        finishPrep();
        for (uint256 k = 0; k < 3; k++) {
            Kind kind = Kind(k);
            accept(kind, 3, extra);
            expectRefused(kind, 3, idOf(kind), sign(kind, 3, extra), alreadySigned(kind, 3));
        }
        // a vote cannot be changed either
        bytes memory other = crsDigest(1);
        bytes memory sig = signGeneration(3, crsStruct(CRS_ID, MAX_BITS, other, extra));
        vm.expectRevert(alreadySigned(Kind.Crs, 3));
        vm.prank(kmsSender(3));
        generation.crsgenResponse(CRS_ID, other, sig);
    }

    function testFuzz_notRequestedReverts(uint256 id) public {
        finishPrep();
        expectNotRequested(id);
        expectNotRequested(0);
        expectNotRequested(PREP_ID - 1);
        expectNotRequested(PREP_ID + 1);
        expectNotRequested(KEY_ID - 1);
        expectNotRequested(KEY_ID + 1);
        expectNotRequested(CRS_ID - 1);
        expectNotRequested(CRS_ID + 1);
    }

    function expectNotRequested(uint256 id) private {
        bytes4[3] memory errors =
            [E.PrepKeygenNotRequested.selector, E.KeygenNotRequested.selector, E.CrsgenNotRequested.selector];
        for (uint256 k = 0; k < 3; k++) {
            Kind kind = Kind(k);
            if (id == idOf(kind)) continue;
            // also of a stranger: the id comes first
            expectRefused(kind, 99, id, "", abi.encodeWithSelector(errors[k], id));
        }
    }

    function test_signerAndSenderMismatchReverts() public {
        finishPrep();
        for (uint256 k = 0; k < 3; k++) {
            Kind kind = Kind(k);
            bytes memory err =
                abi.encodeWithSelector(E.KmsSignerDoesNotMatchTxSender.selector, vm.addr(kmsKey(3)), kmsSender(2));
            expectRefused(kind, 2, idOf(kind), sign(kind, 3, extra), err);
        }
    }

    function test_strangerSignerReverts() public {
        finishPrep();
        for (uint256 k = 0; k < 3; k++) {
            Kind kind = Kind(k);
            bytes memory err = abi.encodeWithSelector(E.NotKmsSigner.selector, vm.addr(kmsKey(99)));
            expectRefused(kind, 3, idOf(kind), sign(kind, 99, extra), err);
        }
    }

    function test_signatureOverAnotherContextsExtraDataReverts() public {
        finishPrep();
        bytes[4] memory others = [extraV2(CONTEXT + 1, EPOCH), extraV2(CONTEXT, EPOCH + 1), extraV1(CONTEXT), bytes("")];
        for (uint256 k = 0; k < 3; k++) {
            Kind kind = Kind(k);
            for (uint256 i = 0; i < 4; i++) {
                bytes memory sig = sign(kind, 3, others[i]);
                bytes32 digest = typedDigest("KMSGeneration", address(generation), structOf(kind, idOf(kind), extra));
                bytes memory err = abi.encodeWithSelector(E.NotKmsSigner.selector, ECDSA.recover(digest, sig));
                expectRefused(kind, 3, idOf(kind), sig, err);
            }
        }
    }

    function test_malformedSignatureReverts() public {
        finishPrep();
        for (uint256 k = 0; k < 3; k++) {
            Kind kind = Kind(k);
            bytes memory sig = sign(kind, 3, extra);
            sig[64] = 0x02;
            expectRefused(kind, 3, idOf(kind), sig, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector));
            bytes memory err = abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64);
            expectRefused(kind, 3, idOf(kind), new bytes(64), err);
        }
    }

    function test_keygenResponseBeforePrepConsensusReverts() public {
        accept(Kind.Prep, 0, extra);
        accept(Kind.Prep, 1, extra);
        bytes memory err = abi.encodeWithSelector(E.KeyManagementRequestPending.selector);
        expectRefused(Kind.Key, 0, KEY_ID, sign(Kind.Key, 0, extra), err);
        accept(Kind.Prep, 2, extra);
        accept(Kind.Key, 0, extra);
    }

    /// Id, digests, sender, preprocessing, signature: the first that is wrong is told.
    function test_precedenceOfKeygenRefusals() public {
        KeyDigest[] memory none;
        vm.expectRevert(abi.encodeWithSelector(E.KeygenNotRequested.selector, KEY_ID + 1));
        vm.prank(kmsSender(99));
        generation.keygenResponse(KEY_ID + 1, none, "");
        vm.expectRevert(abi.encodeWithSelector(E.EmptyKeyDigests.selector, KEY_ID));
        vm.prank(kmsSender(99));
        generation.keygenResponse(KEY_ID, none, "");
        expectRefused(Kind.Key, 99, KEY_ID, "", abi.encodeWithSelector(E.NotKmsTxSender.selector, kmsSender(99)));
        expectRefused(Kind.Key, 0, KEY_ID, "", abi.encodeWithSelector(E.KeyManagementRequestPending.selector));
        finishPrep();
        expectRefused(Kind.Key, 0, KEY_ID, "", abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 0));
        accept(Kind.Key, 0, extra);
        bytes memory err = abi.encodeWithSelector(E.NotKmsSigner.selector, vm.addr(kmsKey(99)));
        expectRefused(Kind.Key, 0, KEY_ID, sign(Kind.Key, 99, extra), err);
    }

    function test_divergingAnswersAreCountedApart() public {
        finishPrep();
        answerKey(0, KEY_ID, keyDigests(1), extra);
        answerKey(1, KEY_ID, keyDigests(2), extra);
        answerKey(2, KEY_ID, keyDigests(1), extra);
        answerKey(3, KEY_ID, keyDigests(2), extra);
        vm.assertTrue(!generation.isRequestDone(KEY_ID), "two and two");
        vm.assertEq(generation.getActiveKeyId(), 0, "none in use");
        vm.prank(OWNER);
        generation.abortKeygen(PREP_ID);
    }

    // contexts

    function switchTo(uint256 first, uint256 n, uint256 gen) private returns (bytes memory) {
        (uint256 contextId, uint256 epochId) = switchContext(0, N, first, n, KmsThresholds(1, 1, gen, 1));
        return extraV2(contextId, epochId);
    }

    function test_pendingRequestsFinishUnderTheirContextAfterARotation_alsoByWhoLeft() public {
        accept(Kind.Prep, 0, extra);
        accept(Kind.Crs, 3, extra);
        bytes memory next = switchTo(3, 3, 1);
        accept(Kind.Prep, 1, extra);
        vm.assertTrue(!generation.isRequestDone(PREP_ID), "three are needed, as in the old context");
        accept(Kind.Prep, 3, extra);
        for (uint256 i = 0; i < 3; i++) {
            accept(Kind.Key, i, extra);
            accept(Kind.Crs, i, extra);
        }
        vm.assertEq(generation.getActiveKeyId(), KEY_ID, "key");
        vm.assertEq(generation.getActiveCrsId(), CRS_ID, "CRS");
        (string[] memory list,) = generation.getCrsMaterials(CRS_ID);
        vm.assertEq(abi.encode(list), abi.encode(urls4(3, 0, 1, 2)), "late answer of 2 grows the list");
        // a new node cannot answer an old request, even with the new pair
        bytes memory err = abi.encodeWithSelector(E.NotKmsTxSender.selector, kmsSender(4));
        expectRefused(Kind.Crs, 4, CRS_ID, sign(Kind.Crs, 4, next), err);
        // and the next request is the new nodes'
        vm.expectEmit(address(generation));
        emit E.CrsgenRequest(CRS_ID + 1, MAX_BITS, ParamsType.Default, next);
        askCrs(ParamsType.Default);
        makeCrs(CRS_ID + 1, 5, 1, next);
        vm.assertEq(generation.getActiveCrsId(), CRS_ID + 1, "by one of them");
    }

    function urls4(uint256 a, uint256 b, uint256 c, uint256 d) private pure returns (string[] memory list) {
        list = new string[](4);
        (list[0], list[1], list[2], list[3]) = (kmsUrl(a), kmsUrl(b), kmsUrl(c), kmsUrl(d));
    }

    function test_materialsStayReadableAfterTheContextIsDestroyed() public {
        makeCrs(CRS_ID, 0, 3, extra);
        switchTo(10, 2, 1);
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(CONTEXT);
        (string[] memory list,) = generation.getCrsMaterials(CRS_ID);
        vm.assertEq(abi.encode(list), abi.encode(urls(0, 1, 2)), "of its own context's nodes");
    }

    function test_destroyedContextTakesNoMoreAnswers() public {
        switchTo(10, 2, 1);
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(CONTEXT);
        bytes memory err = abi.encodeWithSelector(ProtocolConfigEvents.InvalidKmsContext.selector, CONTEXT);
        expectRefused(Kind.Prep, 0, PREP_ID, sign(Kind.Prep, 0, extra), err);
        expectRefused(Kind.Key, 0, KEY_ID, sign(Kind.Key, 0, extra), err);
        expectRefused(Kind.Crs, 0, CRS_ID, sign(Kind.Crs, 0, extra), err);
    }

    function test_requestsUseTheActiveContextWhileASwitchIsPendingOrCreated() public {
        finishPrep();
        for (uint256 i = 0; i < 3; i++) {
            accept(Kind.Key, i, extra);
            accept(Kind.Crs, i, extra);
        }
        uint256 next = defineContext(10, 1, KmsThresholds(1, 1, 1, 1));
        vm.expectEmit(address(generation));
        emit E.PrepKeygenRequest(PREP_ID + 1, ParamsType.Default, extra);
        askKey(ParamsType.Default);
        confirm(10, next);
        for (uint256 i = 0; i < 3; i++) {
            confirm(i, next);
        }
        vm.expectEmit(address(generation));
        emit E.CrsgenRequest(CRS_ID + 1, MAX_BITS, ParamsType.Default, extra);
        askCrs(ParamsType.Default);
        makeCrs(CRS_ID + 1, 1, 3, extra);
        vm.assertEq(generation.getActiveCrsId(), CRS_ID + 1, "by the old nodes");
    }

    function test_requestsUseTheActiveEpoch() public {
        makeCrs(CRS_ID, 0, 3, extra);
        defineEpoch();
        for (uint256 i = 0; i < N; i++) {
            attest(i, CONTEXT, EPOCH + 1, 0);
        }
        vm.expectEmit(address(generation));
        emit E.CrsgenRequest(CRS_ID + 1, MAX_BITS, ParamsType.Default, extraV2(CONTEXT, EPOCH + 1));
        askCrs(ParamsType.Default);
        // what was asked for in the old epoch is answered in it
        accept(Kind.Prep, 0, extra);
    }

    // extra data that another release stored

    function storeExtraData(uint256 id, bytes memory data) private {
        bytes32 slot = keccak256(abi.encode(id, slotOf(GENERATION_NS, 14)));
        bytes32 word;
        if (data.length < 32) {
            assembly {
                word := mload(add(data, 32))
            }
            word &= ~bytes32(type(uint256).max >> (8 * data.length));
            vm.store(address(generation), slot, word | bytes32(data.length * 2));
            return;
        }
        vm.store(address(generation), slot, bytes32(data.length * 2 + 1));
        for (uint256 i = 0; i * 32 < data.length; i++) {
            assembly {
                word := mload(add(add(data, 32), mul(i, 32)))
            }
            vm.store(address(generation), bytes32(uint256(keccak256(abi.encode(slot))) + i), word);
        }
    }

    function test_storedExtraData_emptyOrVersion0_v1_v2() public {
        bytes[4] memory good = [bytes(""), hex"00ff", extraV1(CONTEXT), extraV2(CONTEXT, EPOCH + 5)];
        for (uint256 i = 0; i < 4; i++) {
            storeExtraData(CRS_ID, good[i]);
            accept(Kind.Crs, i, good[i]);
        }
        // nothing and version 0 mean the context in use at the time of the answer
        switchTo(10, 2, 1);
        storeExtraData(PREP_ID, "");
        accept(Kind.Prep, 10, "");
        vm.assertTrue(generation.isRequestDone(PREP_ID), "threshold 1");
    }

    function testFuzz_storedExtraData_malformedReverts(bytes calldata tail, bool v2) public {
        bytes memory data = abi.encodePacked(v2 ? bytes1(0x02) : bytes1(0x01), tail);
        if (data.length == (v2 ? 65 : 33)) return;
        expectUnreadable(data, abi.encodeWithSelector(HostContexts.DeserializingExtraDataFail.selector));
    }

    function test_storedExtraData_trailingBytesRevert() public {
        bytes memory err = abi.encodeWithSelector(HostContexts.DeserializingExtraDataFail.selector);
        expectUnreadable(bytes.concat(extraV1(CONTEXT), hex"00"), err);
        expectUnreadable(bytes.concat(extraV2(CONTEXT, EPOCH), hex"00"), err);
        expectUnreadable(hex"01", err);
        expectUnreadable(hex"02", err);
    }

    function testFuzz_storedExtraData_unknownVersionReverts(uint8 version) public {
        if (version < 3) return;
        bytes memory err = abi.encodeWithSelector(HostContexts.UnsupportedExtraDataVersion.selector, version);
        expectUnreadable(abi.encodePacked(version, CONTEXT, EPOCH), err);
    }

    function expectUnreadable(bytes memory data, bytes memory err) private {
        storeExtraData(CRS_ID, data);
        expectRefused(Kind.Crs, 0, CRS_ID, sign(Kind.Crs, 0, data), err);
    }

    // thresholds and orders

    /// Any committee, threshold and order, with nodes that differ: decided with the answer that makes enough equal.
    function testFuzz_thresholdAndOrder(uint8 nSeed, uint8 tSeed, uint256 orderSeed, uint256 lieSeed) public {
        uint256 n = 1 + nSeed % 8;
        uint256 threshold = 1 + tSeed % n;
        deployCanonical(n, KmsThresholds(1, 1, threshold, 1));
        askCrs(ParamsType.Default);
        uint256[] memory order = shuffled(n, orderSeed);
        uint256[2] memory votes;
        uint256 decided;
        vm.recordLogs();
        for (uint256 i = 0; i < n; i++) {
            uint256 value = lieSeed >> (2 * i) & 3 == 0 ? 1 : 0;
            answerCrs(order[i], CRS_ID, crsDigest(value), extra);
            votes[value]++;
            if (decided == 0 && votes[value] == threshold) decided = 1 + value;
            vm.assertTrue(generation.isRequestDone(CRS_ID) == (decided != 0), "done with the last one needed");
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(countLogs(logs, address(generation), ACTIVATE_CRS), decided == 0 ? 0 : 1, "at most once");
        if (decided == 0) return;
        (, bytes memory digest) = generation.getCrsMaterials(CRS_ID);
        vm.assertEq(digest, crsDigest(decided - 1), "what enough agree on");
        vm.assertEq(generation.getConsensusTxSenders(CRS_ID).length, votes[decided - 1], "who agree");
    }

    /// The threshold of the request's context is read when an answer comes.
    function test_thresholdOfThePinnedContextIsUsed_alsoWhenItChanges() public {
        switchTo(10, 2, 1);
        accept(Kind.Crs, 0, extra);
        accept(Kind.Crs, 1, extra);
        vm.assertTrue(!generation.isRequestDone(CRS_ID), "three are needed");
        vm.prank(OWNER);
        protocolConfig.updateKmsGenThresholdForContext(CONTEXT, 2);
        vm.assertTrue(!generation.isRequestDone(CRS_ID), "a change alone decides nothing");
        accept(Kind.Crs, 2, extra);
        vm.assertTrue(generation.isRequestDone(CRS_ID), "the next answer does");
    }
}
