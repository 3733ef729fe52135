// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KeyDigest, ParamsType} from "../../src/host/KeyMaterialTypes.sol";
import {KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {KeyMaterialFixture} from "../helpers/KeyMaterialFixture.sol";
import {TestBase} from "../helpers/TestBase.sol";
import {Vm} from "../helpers/Vm.sol";

/// Drives key and CRS generation with arbitrary requests, answers, aborts and rotations, and keeps its own account.
contract HostKMSGenerationHandler is KeyMaterialFixture {
    uint256 private constant N = 4;
    uint256 private constant CONTEXTS_MAX = 4;
    bytes32 private constant PREP_REQUESTED = keccak256("PrepKeygenRequest(uint256,uint8,bytes)");
    bytes32 private constant CRS_REQUESTED = keccak256("CrsgenRequest(uint256,uint256,uint8,bytes)");
    bytes32 private constant PREP_DECIDED = keccak256("KeygenRequest(uint256,uint256,bytes)");
    bytes32 private constant KEY_DECIDED = keccak256("ActivateKey(uint256,string[],(uint8,bytes)[])");
    bytes32 private constant CRS_DECIDED = keccak256("ActivateCrs(uint256,string[],bytes)");

    struct Request {
        uint256 contextId;
        uint256 epochId;
        bool isDone;
        uint256 decisions;
        uint256 accepted;
    }

    mapping(uint256 id => Request request) private requests;
    mapping(uint256 id => mapping(uint256 value => uint256 count)) private votes;
    mapping(uint256 id => mapping(uint256 node => bool hasAnswered)) private answered;
    mapping(uint256 contextId => uint256 first) private firstNode;
    mapping(uint256 contextId => uint256 epochId) private epochOf;
    mapping(uint256 contextId => uint256 threshold) private thresholdOf;
    uint256 public contextCount = 1;
    uint256 public keyCount;
    uint256 public crsCount;
    uint256 public decisionCount;
    string public fault;

    constructor() {
        deployCanonical(N, KmsThresholds(1, 1, 3, 1));
        thresholdOf[CONTEXT] = 3;
        epochOf[CONTEXT] = EPOCH;
        keygen(0);
        crsgen(0);
    }

    function current() private view returns (uint256) {
        return CONTEXT + contextCount - 1;
    }

    function begin(uint256 id) private {
        Request storage r = requests[id];
        if (r.contextId != 0) fault = "an id was used twice";
        r.contextId = current();
        r.epochId = epochOf[r.contextId];
    }

    function keygen(uint256 paramsSeed) public {
        vm.recordLogs();
        vm.prank(OWNER);
        try generation.keygen(ParamsType(paramsSeed % 2)) {
            if (keyCount != 0 && !requests[KEY_ID + keyCount - 1].isDone) fault = "two keys at a time";
            Vm.Log[] memory logs = vm.getRecordedLogs();
            uint256 prepId = abi.decode(logs[0].data, (uint256));
            if (logs[0].topics[0] != PREP_REQUESTED || prepId != PREP_ID + keyCount) fault = "not the next id";
            begin(prepId);
            begin(prepId + (1 << 248));
            keyCount++;
        } catch {
            if (requests[KEY_ID + keyCount - 1].isDone) fault = "a valid request was refused";
        }
    }

    function crsgen(uint256 paramsSeed) public {
        vm.recordLogs();
        vm.prank(OWNER);
        try generation.crsgenRequest(MAX_BITS, ParamsType(paramsSeed % 2)) {
            if (crsCount != 0 && !requests[CRS_ID + crsCount - 1].isDone) fault = "two CRSs at a time";
            Vm.Log[] memory logs = vm.getRecordedLogs();
            uint256 crsId = abi.decode(logs[0].data, (uint256));
            if (logs[0].topics[0] != CRS_REQUESTED || crsId != CRS_ID + crsCount) fault = "not the next id";
            begin(crsId);
            crsCount++;
        } catch {
            if (requests[CRS_ID + crsCount - 1].isDone) fault = "a valid request was refused";
        }
    }

    function abort(uint256 seed) public {
        if (seed % 4 != 0) return;
        if (seed / 4 % 2 == 0) {
            uint256 prepId = PREP_ID + keyCount - 1;
            bool wasDone = requests[prepOfKey(prepId)].isDone;
            vm.prank(OWNER);
            try generation.abortKeygen(prepId) {
                if (wasDone) fault = "a finished key was aborted";
                requests[prepId].isDone = true;
                requests[prepOfKey(prepId)].isDone = true;
            } catch {
                if (!wasDone) fault = "an abort was refused";
            }
        } else {
            uint256 crsId = CRS_ID + crsCount - 1;
            bool wasDone = requests[crsId].isDone;
            vm.prank(OWNER);
            try generation.abortCrsgen(crsId) {
                if (wasDone) fault = "a finished CRS was aborted";
                requests[crsId].isDone = true;
            } catch {
                if (!wasDone) fault = "an abort was refused";
            }
        }
    }

    /// The key of a preprocessing.
    function prepOfKey(uint256 prepId) private pure returns (uint256) {
        return prepId + (1 << 248);
    }

    /// A node of the request's context with the right answer, mostly to the newest request.
    function answerHonestly(uint256 kindSeed, uint256 idSeed, uint256 nodeSeed) public {
        uint256 id = pick(kindSeed, idSeed);
        uint256 node = firstNode[requests[id].contextId] + nodeSeed % N;
        answer(id, node, node, 0, extraV2(requests[id].contextId, requests[id].epochId), true);
    }

    /// Somebody, rightly or wrongly, with one of two answers, in some context.
    function answerAnyhow(uint256 kindSeed, uint256 idSeed, uint256 nodeSeed, uint256 senderSeed, uint256 seed) public {
        uint256 id = pick(kindSeed, idSeed);
        uint256 node = nodeSeed % (contextCount * N + 2);
        uint256 sender = senderSeed % 3 == 0 ? senderSeed / 3 % (contextCount * N + 2) : node;
        Request storage r = requests[id];
        uint256 contextId = seed % 4 == 0 ? CONTEXT + seed / 4 % contextCount : r.contextId;
        uint256 epochId = seed % 5 == 0 ? r.epochId + 1 : contextId == r.contextId ? r.epochId : epochOf[contextId];
        bool isRight = contextId == r.contextId && epochId == r.epochId;
        answer(id, node, sender, seed >> 128 & 3 == 0 ? 1 : 0, extraV2(contextId, epochId), isRight);
    }

    function pick(uint256 kindSeed, uint256 idSeed) private view returns (uint256) {
        uint256 keys = idSeed % 4 == 0 ? idSeed / 4 % keyCount : keyCount - 1;
        uint256 list = idSeed % 4 == 0 ? idSeed / 4 % crsCount : crsCount - 1;
        return [PREP_ID + keys, KEY_ID + keys, CRS_ID + list][kindSeed % 3];
    }

    function answer(uint256 id, uint256 node, uint256 sender, uint256 value, bytes memory extra, bool isRight) private {
        bool isOpen = id >> 248 != 4 || requests[prepOf(id)].isDone;
        if (id >> 248 == 3) value = 0;
        vm.recordLogs();
        if (!send(id, node, sender, value, extra)) return;
        Request storage r = requests[id];
        uint256 first = firstNode[r.contextId];
        if (node < first || node >= first + N || sender != node) fault = "an answer of a non-operator counted";
        if (!isRight) fault = "an answer in another context counted";
        if (!isOpen) fault = "a key before its preprocessing";
        if (answered[id][node]) fault = "a node counted twice";
        answered[id][node] = true;
        votes[id][value]++;
        noteDecision(id, value);
    }

    function send(uint256 id, uint256 node, uint256 sender, uint256 value, bytes memory extra) private returns (bool) {
        bytes memory call;
        if (id >> 248 == 3) {
            bytes memory sig = signGeneration(node, prepStruct(id, extra));
            call = abi.encodeCall(generation.prepKeygenResponse, (id, sig));
        } else if (id >> 248 == 4) {
            KeyDigest[] memory digests = keyDigests(value);
            bytes memory sig = signGeneration(node, keyStruct(prepOf(id), id, digests, extra));
            call = abi.encodeCall(generation.keygenResponse, (id, digests, sig));
        } else {
            bytes memory sig = signGeneration(node, crsStruct(id, MAX_BITS, crsDigest(value), extra));
            call = abi.encodeCall(generation.crsgenResponse, (id, crsDigest(value), sig));
        }
        vm.prank(kmsSender(sender));
        (bool ok,) = address(generation).call(call);
        return ok;
    }

    /// Decided now if and only if it was open and this vote made enough equal ones.
    function noteDecision(uint256 id, uint256 value) private {
        Request storage r = requests[id];
        bool expected = !r.isDone && votes[id][value] >= thresholdOf[r.contextId];
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 seen = countLogs(logs, address(generation), PREP_DECIDED)
            + countLogs(logs, address(generation), KEY_DECIDED) + countLogs(logs, address(generation), CRS_DECIDED);
        if (seen != (expected ? 1 : 0)) fault = "a decision missing, twice, or below its threshold";
        if (!expected) return;
        r.isDone = true;
        r.decisions++;
        decisionCount++;
        if (abi.decode(logs[logs.length - 1].data, (uint256)) != id) fault = "a decision on another request";
        address[] memory senders = generation.getConsensusTxSenders(id);
        if (senders.length != votes[id][value]) fault = "a sender too many or too few";
        for (uint256 i = 0; i < senders.length; i++) {
            uint256 node = uint160(senders[i]) - uint160(kmsSender(0));
            uint256 first = firstNode[r.contextId];
            if (node < first || node >= first + N) fault = "a sender of another context listed";
        }
    }

    function rotate(uint256 overlapSeed, uint256 thresholdSeed) public {
        if (contextCount == CONTEXTS_MAX || overlapSeed % 3 != 0) return;
        uint256 old = firstNode[current()];
        uint256 first = old + overlapSeed / 3 % (N + 1);
        uint256 threshold = 1 + thresholdSeed % N;
        (uint256 contextId, uint256 epochId) = switchContext(old, N, first, N, KmsThresholds(1, 1, threshold, 1));
        contextCount++;
        (firstNode[contextId], epochOf[contextId], thresholdOf[contextId]) = (first, epochId, threshold);
    }

    function setThreshold(uint256 contextSeed, uint256 threshold) public {
        uint256 contextId = CONTEXT + contextSeed % contextCount;
        thresholdOf[contextId] = 1 + threshold % N;
        vm.prank(OWNER);
        protocolConfig.updateKmsGenThresholdForContext(contextId, 1 + threshold % N);
    }

    /// Everything told of a request agrees with the handler's account.
    function check(uint256 id) external view {
        Request storage r = requests[id];
        vm.assertTrue(r.decisions <= 1, "decided once");
        vm.assertTrue(generation.isRequestDone(id) == r.isDone, "done");
        vm.assertTrue((generation.getConsensusTxSenders(id).length != 0) == (r.decisions == 1), "consensus");
    }

    function decisionsOf(uint256 base, uint256 count) private view returns (uint256 sum) {
        for (uint256 i = 0; i < count; i++) {
            sum += requests[base + i].decisions;
        }
    }

    function checkLists() external view {
        vm.assertEq(generation.getCompletedKeyIds().length, decisionsOf(KEY_ID, keyCount), "completed keys");
        vm.assertEq(generation.getCompletedCrsIds().length, decisionsOf(CRS_ID, crsCount), "completed CRSs");
        vm.assertEq(generation.getKeyCounter(), KEY_ID + keyCount - 1, "key ids");
        vm.assertEq(generation.getCrsCounter(), CRS_ID + crsCount - 1, "CRS ids");
    }
}

contract HostKMSGenerationInvariantTest is TestBase {
    HostKMSGenerationHandler private handler;

    function setUp() public {
        handler = new HostKMSGenerationHandler();
    }

    /// forge calls these contracts at random.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// A request is decided at most once, never below the threshold of its context, never with a sender outside of it,
    /// never by somebody who is no operator, never after an abort; no id is used twice.
    function invariant_oneDecisionPerRequestByOperatorsOfItsContext() public view {
        vm.assertEq(handler.fault(), "", "what the handler saw");
        for (uint256 i = 0; i < handler.keyCount(); i++) {
            handler.check((3 << 248) + 1 + i);
            handler.check(KEY_ID + i);
        }
        for (uint256 i = 0; i < handler.crsCount(); i++) {
            handler.check((5 << 248) + 1 + i);
        }
        handler.checkLists();
    }

    /// The campaign means something only if its actions do reach decisions.
    function test_handlerReachesDecisions() public {
        for (uint256 kind = 0; kind < 3; kind++) {
            for (uint256 node = 0; node < 4; node++) {
                handler.answerHonestly(kind, 1, node);
            }
        }
        vm.assertEq(handler.decisionCount(), 3, "preprocessing, key, CRS");
        handler.rotate(3, 0);
        vm.assertEq(handler.contextCount(), 2, "rotated");
        handler.keygen(1);
        handler.answerHonestly(0, 1, 0);
        handler.abort(0);
        handler.keygen(1);
        vm.assertEq(handler.keyCount(), 3, "keys asked for");
        vm.assertEq(handler.decisionCount(), 4, "threshold 1");
        invariant_oneDecisionPerRequestByOperatorsOfItsContext();
    }
}
