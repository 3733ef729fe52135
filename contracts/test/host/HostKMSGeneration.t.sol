// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KMSGeneration} from "../../src/host/HostKMSGeneration.sol";
import {HostKMSGenerationEvents as E} from "../../src/host/HostKMSGenerationEvents.sol";
import {HostOwned} from "../../src/host/HostOwned.sol";
import {KeyDigest, KeyInfo, KeyType, ParamsType} from "../../src/host/KeyMaterialTypes.sol";
import {KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {KeyMaterialFixture} from "../helpers/KeyMaterialFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {Initializable} from "@openzeppelin/contracts-upgradeable/proxy/utils/Initializable.sol";

/// What becomes of a request that goes well, what is aborted, and what is told of both.
contract HostKMSGenerationTest is KeyMaterialFixture {
    uint256 private constant N = 4;
    bytes32 private constant KEYGEN_REQUEST = keccak256("KeygenRequest(uint256,uint256,bytes)");
    bytes32 private constant ACTIVATE_KEY = keccak256("ActivateKey(uint256,string[],(uint8,bytes)[])");
    bytes32 private constant ACTIVATE_CRS = keccak256("ActivateCrs(uint256,string[],bytes)");

    bytes private extra = extraV2(CONTEXT, EPOCH);

    function setUp() public {
        deployCanonical(N, KmsThresholds(2, 3, 3, 1));
    }

    function ids(uint256 a) private pure returns (bytes memory) {
        uint256[] memory list = new uint256[](1);
        list[0] = a;
        return abi.encode(list);
    }

    function ids(uint256 a, uint256 b) private pure returns (bytes memory) {
        uint256[] memory list = new uint256[](2);
        (list[0], list[1]) = (a, b);
        return abi.encode(list);
    }

    function three(uint256 a, uint256 b, uint256 c) private pure returns (address[] memory list) {
        list = new address[](3);
        (list[0], list[1], list[2]) = (kmsSender(a), kmsSender(b), kmsSender(c));
    }

    function test_initialisation_countersAndVersion_once() public {
        vm.assertEq(generation.getKeyCounter(), 4 << 248, "keys");
        vm.assertEq(generation.getCrsCounter(), 5 << 248, "CRSs");
        vm.assertEq(generation.getActiveKeyId() + generation.getActiveCrsId(), 0, "nothing in use");
        vm.assertEq(generation.getVersion(), "KMSGeneration v0.2.0", "version");
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        generation.initializeFromEmptyProxy();
        vm.expectRevert(abi.encodeWithSelector(Initializable.InvalidInitialization.selector));
        generation.reinitializeV2();
        (, string memory name, string memory version, uint256 chainId, address at,,) = generation.eip712Domain();
        vm.assertEq(name, "KMSGeneration", "name");
        vm.assertEq(version, "1", "version");
        vm.assertEq(chainId, HOST_CHAIN, "chain");
        vm.assertEq(at, address(generation), "contract");
    }

    function test_fullKeygenCycle_lifecycleEvents() public {
        vm.expectEmit(address(generation));
        emit E.PrepKeygenRequest(PREP_ID, ParamsType.Test, extra);
        askKey(ParamsType.Test);
        vm.assertEq(generation.getKeyCounter(), KEY_ID, "counter");

        vm.recordLogs();
        answerPrep(2, PREP_ID, extra);
        answerPrep(0, PREP_ID, extra);
        vm.assertEq(countLogs(vm.getRecordedLogs(), address(generation), KEYGEN_REQUEST), 0, "two of three");
        vm.assertTrue(!generation.isRequestDone(PREP_ID), "not yet");
        bytes memory sig = signGeneration(1, prepStruct(PREP_ID, extra));
        vm.expectEmit(address(generation));
        emit E.PrepKeygenResponse(PREP_ID, sig, kmsSender(1));
        vm.expectEmit(address(generation));
        emit E.KeygenRequest(PREP_ID, KEY_ID, extra);
        answerPrep(1, PREP_ID, extra);
        vm.assertTrue(generation.isRequestDone(PREP_ID) && !generation.isRequestDone(KEY_ID), "preprocessing done");
        vm.assertEq(generation.getConsensusTxSenders(PREP_ID), three(2, 0, 1), "in order of answers");

        KeyDigest[] memory digests = keyDigests(7);
        vm.recordLogs();
        answerKey(3, KEY_ID, digests, extra);
        answerKey(1, KEY_ID, digests, extra);
        vm.assertEq(countLogs(vm.getRecordedLogs(), address(generation), ACTIVATE_KEY), 0, "two of three");
        vm.assertEq(generation.getConsensusTxSenders(KEY_ID).length, 0, "no consensus yet");
        sig = signGeneration(0, keyStruct(PREP_ID, KEY_ID, digests, extra));
        vm.expectEmit(address(generation));
        emit E.KeygenResponse(KEY_ID, digests, sig, kmsSender(0));
        vm.expectEmit(address(generation));
        emit E.ActivateKey(KEY_ID, urls(3, 1, 0), digests);
        answerKey(0, KEY_ID, digests, extra);

        vm.assertEq(generation.getActiveKeyId(), KEY_ID, "in use");
        vm.assertEq(generation.getConsensusTxSenders(KEY_ID), three(3, 1, 0), "senders");
        (string[] memory list, KeyDigest[] memory told) = generation.getKeyMaterials(KEY_ID);
        vm.assertEq(abi.encode(list, told), abi.encode(urls(3, 1, 0), digests), "materials");
        vm.assertTrue(generation.getKeyParamsType(KEY_ID) == ParamsType.Test, "parameters");
        KeyInfo memory info = generation.getKeyInfo(KEY_ID);
        vm.assertEq(abi.encode(info), abi.encode(KeyInfo(PREP_ID, KEY_ID, ParamsType.Test, digests)), "info");
        vm.assertEq(abi.encode(generation.getCompletedKeyIds()), ids(KEY_ID), "completed");
    }

    function test_fullCrsCycle_lifecycleEvents() public {
        vm.expectEmit(address(generation));
        emit E.CrsgenRequest(CRS_ID, MAX_BITS, ParamsType.Test, extra);
        askCrs(ParamsType.Test);
        bytes memory digest = crsDigest(7);
        answerCrs(3, CRS_ID, digest, extra);
        answerCrs(2, CRS_ID, digest, extra);
        vm.assertTrue(!generation.isRequestDone(CRS_ID), "two of three");
        bytes memory sig = signGeneration(0, crsStruct(CRS_ID, MAX_BITS, digest, extra));
        vm.expectEmit(address(generation));
        emit E.CrsgenResponse(CRS_ID, digest, sig, kmsSender(0));
        vm.expectEmit(address(generation));
        emit E.ActivateCrs(CRS_ID, urls(3, 2, 0), digest);
        answerCrs(0, CRS_ID, digest, extra);

        vm.assertEq(generation.getActiveCrsId(), CRS_ID, "in use");
        vm.assertEq(generation.getConsensusTxSenders(CRS_ID), three(3, 2, 0), "senders");
        (string[] memory list, bytes memory told) = generation.getCrsMaterials(CRS_ID);
        vm.assertEq(abi.encode(list, told), abi.encode(urls(3, 2, 0), digest), "materials");
        vm.assertTrue(generation.getCrsParamsType(CRS_ID) == ParamsType.Test, "parameters");
        vm.assertEq(abi.encode(generation.getCompletedCrsIds()), ids(CRS_ID), "completed");
    }

    function test_singleSigner() public {
        deployCanonical(1, KmsThresholds(1, 1, 1, 1));
        askKey(ParamsType.Default);
        makeKey(KEY_ID, 0, 1, extra);
        askCrs(ParamsType.Default);
        makeCrs(CRS_ID, 0, 1, extra);
        vm.assertEq(generation.getActiveKeyId(), KEY_ID, "key");
        vm.assertEq(generation.getActiveCrsId(), CRS_ID, "CRS");
        vm.assertTrue(generation.getKeyParamsType(KEY_ID) == ParamsType.Default, "parameters");
        vm.assertTrue(generation.getCrsParamsType(CRS_ID) == ParamsType.Default, "parameters");
    }

    function test_everyKindOfDigest() public {
        askKey(ParamsType.Default);
        for (uint256 i = 0; i < 3; i++) {
            answerPrep(i, PREP_ID, extra);
        }
        KeyDigest[] memory digests = new KeyDigest[](3);
        digests[0] = KeyDigest(KeyType.CompressedKeySet, hex"01");
        digests[1] = KeyDigest(KeyType.Reserved, "");
        digests[2] = KeyDigest(KeyType.Public, new bytes(100));
        for (uint256 i = 0; i < 3; i++) {
            answerKey(i, KEY_ID, digests, extra);
        }
        (, KeyDigest[] memory told) = generation.getKeyMaterials(KEY_ID);
        vm.assertEq(abi.encode(told), abi.encode(digests), "as they came");
    }

    function test_secondKeygenAfterTheFirst() public {
        askKey(ParamsType.Default);
        makeKey(KEY_ID, 0, 3, extra);
        askKey(ParamsType.Test);
        vm.assertEq(generation.getActiveKeyId(), KEY_ID, "the old one until the new one is made");
        makeKey(KEY_ID + 1, 1, 3, extra);
        vm.assertEq(generation.getActiveKeyId(), KEY_ID + 1, "the new one");
        vm.assertEq(abi.encode(generation.getCompletedKeyIds()), ids(KEY_ID, KEY_ID + 1), "in order");
        generation.getKeyMaterials(KEY_ID);
    }

    function test_whileOneIsPendingAnotherIsRefused() public {
        askKey(ParamsType.Default);
        vm.expectRevert(abi.encodeWithSelector(E.KeygenOngoing.selector, KEY_ID));
        vm.prank(OWNER);
        generation.keygen(ParamsType.Default);
        for (uint256 i = 0; i < 3; i++) {
            answerPrep(i, PREP_ID, extra);
        }
        vm.expectRevert(abi.encodeWithSelector(E.KeygenOngoing.selector, KEY_ID));
        vm.prank(OWNER);
        generation.keygen(ParamsType.Default);
        askCrs(ParamsType.Default);
        vm.expectRevert(abi.encodeWithSelector(E.CrsgenOngoing.selector, CRS_ID));
        vm.prank(OWNER);
        generation.crsgenRequest(MAX_BITS, ParamsType.Default);
    }

    /// Recorded and told, but never a second decision; lists of the same answer grow.
    function test_lateResponsesAfterConsensus() public {
        askKey(ParamsType.Default);
        makeKey(KEY_ID, 0, 3, extra);
        askCrs(ParamsType.Default);
        makeCrs(CRS_ID, 0, 3, extra);
        vm.recordLogs();
        answerPrep(3, PREP_ID, extra);
        answerKey(3, KEY_ID, keyDigests(KEY_ID), extra);
        answerCrs(3, CRS_ID, crsDigest(99), extra);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3, "one event each");
        vm.assertEq(countLogs(logs, address(generation), KEYGEN_REQUEST), 0, "no request");
        vm.assertEq(countLogs(logs, address(generation), ACTIVATE_KEY), 0, "no activation");
        vm.assertEq(countLogs(logs, address(generation), ACTIVATE_CRS), 0, "no activation");
        vm.assertEq(generation.getConsensusTxSenders(PREP_ID).length, 4, "same answer");
        vm.assertEq(generation.getConsensusTxSenders(KEY_ID).length, 4, "same answer");
        vm.assertEq(generation.getConsensusTxSenders(CRS_ID).length, 3, "another answer");
        (string[] memory list,) = generation.getKeyMaterials(KEY_ID);
        vm.assertEq(list.length, 4, "one more place to get it");
        vm.assertEq(abi.encode(generation.getCompletedKeyIds()), ids(KEY_ID), "once");
    }

    function test_completedListsSkipAborted_keepOrder_exposePrepId() public {
        askKey(ParamsType.Default);
        makeKey(KEY_ID, 0, 3, extra);
        askKey(ParamsType.Default);
        vm.prank(OWNER);
        generation.abortKeygen(PREP_ID + 1);
        askKey(ParamsType.Default);
        makeKey(KEY_ID + 2, 0, 3, extra);
        vm.assertEq(abi.encode(generation.getCompletedKeyIds()), ids(KEY_ID, KEY_ID + 2), "keys");
        vm.assertEq(generation.getKeyInfo(KEY_ID + 2).prepKeygenId, PREP_ID + 2, "preprocessing");
        askCrs(ParamsType.Default);
        vm.prank(OWNER);
        generation.abortCrsgen(CRS_ID);
        askCrs(ParamsType.Default);
        makeCrs(CRS_ID + 1, 0, 3, extra);
        askCrs(ParamsType.Default);
        vm.assertEq(abi.encode(generation.getCompletedCrsIds()), ids(CRS_ID + 1), "CRSs");
    }

    function test_abortKeygen_beforePrepConsensus_newKeygenAfterwards() public {
        askKey(ParamsType.Default);
        answerPrep(0, PREP_ID, extra);
        answerPrep(1, PREP_ID, extra);
        vm.expectEmit(address(generation));
        emit E.AbortKeygen(PREP_ID);
        vm.prank(OWNER);
        generation.abortKeygen(PREP_ID);
        vm.assertTrue(generation.isRequestDone(PREP_ID) && generation.isRequestDone(KEY_ID), "both done");
        vm.recordLogs();
        answerPrep(2, PREP_ID, extra);
        for (uint256 i = 0; i < N; i++) {
            answerKey(i, KEY_ID, keyDigests(0), extra);
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 5, "answers are noted");
        vm.assertEq(countLogs(logs, address(generation), KEYGEN_REQUEST), 0, "but decide nothing");
        vm.assertEq(countLogs(logs, address(generation), ACTIVATE_KEY), 0, "but decide nothing");
        expectKeyAborted(KEY_ID);
        askKey(ParamsType.Default);
        makeKey(KEY_ID + 1, 0, 3, extra);
        vm.assertEq(generation.getActiveKeyId(), KEY_ID + 1, "the next one");
    }

    function test_abortKeygen_afterPrepConsensus() public {
        askKey(ParamsType.Default);
        for (uint256 i = 0; i < 3; i++) {
            answerPrep(i, PREP_ID, extra);
        }
        answerKey(0, KEY_ID, keyDigests(0), extra);
        answerKey(1, KEY_ID, keyDigests(0), extra);
        vm.prank(OWNER);
        generation.abortKeygen(PREP_ID);
        answerKey(2, KEY_ID, keyDigests(0), extra);
        vm.assertEq(generation.getActiveKeyId(), 0, "not in use");
        vm.assertEq(generation.getConsensusTxSenders(KEY_ID).length, 0, "no consensus");
        expectKeyAborted(KEY_ID);
    }

    function expectKeyAborted(uint256 keyId) private {
        bytes memory err = abi.encodeWithSelector(E.KeyAborted.selector, keyId);
        vm.expectRevert(err);
        generation.getKeyMaterials(keyId);
        vm.expectRevert(err);
        generation.getKeyParamsType(keyId);
        vm.expectRevert(err);
        generation.getKeyInfo(keyId);
    }

    function test_abortKeygen_afterARotation_unblocks() public {
        askKey(ParamsType.Default);
        (uint256 contextId, uint256 epochId) = switchContext(0, N, 10, 2, KmsThresholds(1, 1, 1, 1));
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(CONTEXT);
        vm.prank(OWNER);
        generation.abortKeygen(PREP_ID);
        bytes memory next = extraV2(contextId, epochId);
        vm.expectEmit(address(generation));
        emit E.PrepKeygenRequest(PREP_ID + 1, ParamsType.Default, next);
        askKey(ParamsType.Default);
        makeKey(KEY_ID + 1, 10, 1, next);
        vm.assertEq(generation.getActiveKeyId(), KEY_ID + 1, "by the new nodes");
    }

    function testFuzz_abort_invalidIdReverts(uint256 id) public {
        askKey(ParamsType.Default);
        askCrs(ParamsType.Default);
        expectNotAbortable(id);
        expectNotAbortable(PREP_ID - 1);
        expectNotAbortable(PREP_ID + 1);
        expectNotAbortable(CRS_ID - 1);
        expectNotAbortable(CRS_ID + 1);
        expectNotAbortable(KEY_ID);
    }

    function expectNotAbortable(uint256 id) private {
        if (id == PREP_ID || id == CRS_ID) return;
        vm.expectRevert(abi.encodeWithSelector(E.AbortKeygenInvalidId.selector, id));
        vm.prank(OWNER);
        generation.abortKeygen(id);
        vm.expectRevert(abi.encodeWithSelector(E.AbortCrsgenInvalidId.selector, id));
        vm.prank(OWNER);
        generation.abortCrsgen(id);
    }

    function test_abort_alreadyDoneReverts_afterCompletionAndAfterAbort() public {
        askKey(ParamsType.Default);
        makeKey(KEY_ID, 0, 3, extra);
        askCrs(ParamsType.Default);
        makeCrs(CRS_ID, 0, 3, extra);
        vm.expectRevert(abi.encodeWithSelector(E.AbortKeygenAlreadyDone.selector, PREP_ID));
        vm.prank(OWNER);
        generation.abortKeygen(PREP_ID);
        vm.expectRevert(abi.encodeWithSelector(E.AbortCrsgenAlreadyDone.selector, CRS_ID));
        vm.prank(OWNER);
        generation.abortCrsgen(CRS_ID);
        askKey(ParamsType.Default);
        askCrs(ParamsType.Default);
        vm.startPrank(OWNER);
        generation.abortKeygen(PREP_ID + 1);
        generation.abortCrsgen(CRS_ID + 1);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(E.AbortKeygenAlreadyDone.selector, PREP_ID + 1));
        vm.prank(OWNER);
        generation.abortKeygen(PREP_ID + 1);
        vm.expectRevert(abi.encodeWithSelector(E.AbortCrsgenAlreadyDone.selector, CRS_ID + 1));
        vm.prank(OWNER);
        generation.abortCrsgen(CRS_ID + 1);
    }

    function test_abortCrsgen_neverActivates_newCrsgenAfterwards() public {
        askCrs(ParamsType.Default);
        answerCrs(0, CRS_ID, crsDigest(0), extra);
        answerCrs(1, CRS_ID, crsDigest(0), extra);
        vm.expectEmit(address(generation));
        emit E.AbortCrsgen(CRS_ID);
        vm.prank(OWNER);
        generation.abortCrsgen(CRS_ID);
        answerCrs(2, CRS_ID, crsDigest(0), extra);
        vm.assertEq(generation.getActiveCrsId(), 0, "not in use");
        bytes memory err = abi.encodeWithSelector(E.CrsAborted.selector, CRS_ID);
        vm.expectRevert(err);
        generation.getCrsMaterials(CRS_ID);
        vm.expectRevert(err);
        generation.getCrsParamsType(CRS_ID);
        askCrs(ParamsType.Default);
        makeCrs(CRS_ID + 1, 0, 3, extra);
        vm.assertEq(generation.getActiveCrsId(), CRS_ID + 1, "the next one");
    }

    function test_onlyOwnerAsksAborts_andUpgrades() public {
        askKey(ParamsType.Default);
        askCrs(ParamsType.Default);
        KMSGeneration next = newGeneration();
        bytes[5] memory calls = [
            abi.encodeCall(KMSGeneration.keygen, (ParamsType.Default)),
            abi.encodeCall(KMSGeneration.crsgenRequest, (MAX_BITS, ParamsType.Default)),
            abi.encodeCall(KMSGeneration.abortKeygen, (PREP_ID)),
            abi.encodeCall(KMSGeneration.abortCrsgen, (CRS_ID)),
            abi.encodeWithSignature("upgradeToAndCall(address,bytes)", next, "")
        ];
        for (uint256 i = 0; i < 5; i++) {
            vm.prank(STRANGER);
            (bool ok, bytes memory returned) = address(generation).call(calls[i]);
            vm.assertTrue(!ok, "refused");
            vm.assertEq(returned, abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER), "NotHostOwner");
        }
        // a request begun before the upgrade is answered after it
        answerPrep(0, PREP_ID, extra);
        vm.prank(OWNER);
        generation.upgradeToAndCall(address(next), "");
        answerPrep(1, PREP_ID, extra);
        answerPrep(2, PREP_ID, extra);
        vm.assertTrue(generation.isRequestDone(PREP_ID), "done");
    }

    function testFuzz_gettersOfNeverGeneratedIdsRevert(uint256 id) public {
        askKey(ParamsType.Default);
        for (uint256 i = 0; i < 3; i++) {
            answerPrep(i, PREP_ID, extra);
        }
        askCrs(ParamsType.Default);
        bytes memory err = abi.encodeWithSelector(E.KeyNotGenerated.selector, id);
        vm.expectRevert(err);
        generation.getKeyMaterials(id);
        vm.expectRevert(err);
        generation.getKeyParamsType(id);
        vm.expectRevert(err);
        generation.getKeyInfo(id);
        err = abi.encodeWithSelector(E.CrsNotGenerated.selector, id);
        vm.expectRevert(err);
        generation.getCrsMaterials(id);
        vm.expectRevert(err);
        generation.getCrsParamsType(id);
        vm.assertTrue(id == PREP_ID || !generation.isRequestDone(id), "not done");
        if (id != PREP_ID) vm.assertEq(generation.getConsensusTxSenders(id).length, 0, "no senders");
    }

    /// Of all ids given out so far: only what is finished can be read as a key or CRS.
    function test_gettersOfEveryOpenIdRevert() public {
        uint256[8] memory list = [uint256(0), PREP_ID - 1, PREP_ID, KEY_ID - 1, KEY_ID, CRS_ID - 1, CRS_ID, CRS_ID + 1];
        uint256[8] memory all = list;
        for (uint256 i = 0; i < 8; i++) {
            deployCanonical(N, KmsThresholds(2, 3, 3, 1));
            testFuzz_gettersOfNeverGeneratedIdsRevert(all[i]);
        }
    }

    function test_reinitializeV2_backFillsOnlyWhatIsFinished() public {
        for (uint256 i = 0; i < 3; i++) {
            askKey(ParamsType.Default);
            askCrs(ParamsType.Default);
            if (i == 1) {
                vm.startPrank(OWNER);
                generation.abortKeygen(PREP_ID + 1);
                generation.abortCrsgen(CRS_ID + 1);
                vm.stopPrank();
            } else {
                makeKey(KEY_ID + i, 0, 3, extra);
                makeCrs(CRS_ID + i, 0, 3, extra);
            }
        }
        askKey(ParamsType.Default);
        askCrs(ParamsType.Default);
        // as the release without lists leaves it
        bytes32 initializable = 0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00;
        vm.store(address(generation), initializable, bytes32(uint256(2)));
        vm.store(address(generation), slotOf(GENERATION_NS, 15), 0);
        vm.store(address(generation), slotOf(GENERATION_NS, 16), 0);
        vm.assertEq(generation.getCompletedKeyIds().length, 0, "none");
        generation.reinitializeV2();
        vm.assertEq(abi.encode(generation.getCompletedKeyIds()), ids(KEY_ID, KEY_ID + 2), "keys");
        vm.assertEq(abi.encode(generation.getCompletedCrsIds()), ids(CRS_ID, CRS_ID + 2), "CRSs");
        vm.expectRevert(abi.encodeWithSelector(Initializable.InvalidInitialization.selector));
        generation.reinitializeV2();
    }

    function at(uint256 id, uint256 member) private view returns (bytes32) {
        return vm.load(address(generation), keccak256(abi.encode(id, slotOf(GENERATION_NS, member))));
    }

    function member(uint256 index) private view returns (bytes32) {
        return vm.load(address(generation), slotOf(GENERATION_NS, index));
    }

    function test_storageIsAtItsPlace() public {
        vm.assertEq(
            namespaceSlot(GENERATION_NS),
            0x26fdaf8a2cb20d20b55e36218986905e534ee7a970dd2fa827946e4b7496db00,
            "namespace"
        );
        askKey(ParamsType.Test);
        makeKey(KEY_ID, 0, 3, extra);
        askCrs(ParamsType.Test);
        makeCrs(CRS_ID, 0, 3, extra);
        bytes32 yes = bytes32(uint256(1));
        bytes32 signed = keccak256(abi.encode(KEY_ID, slotOf(GENERATION_NS, 0)));
        signed = keccak256(abi.encode(vm.addr(kmsKey(2)), signed));
        vm.assertEq(vm.load(address(generation), signed), yes, "kmsHasSignedForResponse");
        vm.assertEq(at(CRS_ID, 1), yes, "isRequestDone");
        bytes32 digest =
            typedDigest("KMSGeneration", address(generation), keyStruct(PREP_ID, KEY_ID, keyDigests(KEY_ID), extra));
        bytes32 senders = keccak256(abi.encode(digest, keccak256(abi.encode(KEY_ID, slotOf(GENERATION_NS, 2)))));
        vm.assertEq(vm.load(address(generation), senders), bytes32(uint256(3)), "consensusTxSenderAddresses");
        vm.assertEq(at(KEY_ID, 3), digest, "consensusDigest");
        vm.assertEq(member(4), bytes32(PREP_ID), "prepKeygenCounter");
        vm.assertEq(member(5), bytes32(KEY_ID), "keyCounter");
        vm.assertEq(at(PREP_ID, 6), bytes32(KEY_ID), "keygenIdPairs");
        vm.assertEq(at(KEY_ID, 6), bytes32(PREP_ID), "keygenIdPairs, back");
        vm.assertEq(at(KEY_ID, 7), bytes32(uint256(2)), "keyDigests");
        vm.assertEq(member(8), bytes32(KEY_ID), "activeKeyId");
        vm.assertEq(member(9), bytes32(CRS_ID), "crsCounter");
        vm.assertEq(at(CRS_ID, 10), bytes32(MAX_BITS), "crsMaxBitLength");
        vm.assertEq(at(CRS_ID, 11), bytes32(uint256(65)), "crsDigests: 32 bytes");
        vm.assertEq(member(12), bytes32(CRS_ID), "activeCrsId");
        vm.assertEq(at(CRS_ID, 13), yes, "requestParamsType");
        vm.assertEq(at(PREP_ID, 14), bytes32(uint256(131)), "requestExtraData: 65 bytes");
        vm.assertEq(at(KEY_ID, 14), bytes32(uint256(131)), "requestExtraData: 65 bytes");
        vm.assertEq(member(15), yes, "completedKeyIds");
        vm.assertEq(member(16), yes, "completedCrsIds");
    }

    /// An earlier implementation may have noted the parameters under the preprocessing only.
    function test_parametersNotedUnderThePreprocessing() public {
        askKey(ParamsType.Test);
        makeKey(KEY_ID, 0, 3, extra);
        vm.store(address(generation), keccak256(abi.encode(KEY_ID, slotOf(GENERATION_NS, 13))), 0);
        vm.assertTrue(generation.getKeyParamsType(KEY_ID) == ParamsType.Test, "found");
    }
}
