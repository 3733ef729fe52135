// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KeyDigest, ParamsType} from "../../src/gateway/GatewayKMSGenerationTypes.sol";
import {GatewayFixture} from "../helpers/GatewayFixture.sol";
import {KMSGenerationFixture} from "../helpers/KMSGenerationFixture.sol";
import {Vm} from "../helpers/Vm.sol";

/// Drives key generation with arbitrary requests, answers, thresholds and contexts, and notes what it saw.
contract GatewayKMSGenerationHandler is KMSGenerationFixture {
    uint256 private constant N = 5;

    mapping(uint256 requestId => uint256 count) public decisionsOf;
    mapping(uint256 requestId => mapping(uint256 opinion => uint256 count)) private votes;
    mapping(uint256 requestId => mapping(uint256 node => bool hasAnswered)) private answered;
    mapping(uint256 id => bool isTaken) private taken;
    uint256 public keyCount;
    uint256 public crsCount;
    uint256 public contextCount = 1;
    uint256 private firstNode;
    uint256 private threshold = 3;
    uint256 public decisionCount;
    string public fault;

    constructor() {
        deployGeneration(N, 3);
        requestKey();
        requestCrs();
    }

    // the owner

    function requestKey() public {
        bool ongoing = keyCount != 0 && decisionsOf[keyIdOf(keyCount)] == 0;
        vm.recordLogs();
        vm.prank(OWNER);
        try generation.keygen(ParamsType.Test) {
            if (ongoing) fault = "two keys at a time";
            keyCount++;
            Vm.Log memory log = vm.getRecordedLogs()[0];
            (uint256 prep,,) = abi.decode(log.data, (uint256, uint256, uint8));
            if (prep != prepId(keyCount)) fault = "a preparation without the next id";
            take(prep);
            take(keyIdOf(keyCount));
        } catch {
            if (!ongoing) fault = "a valid request was refused";
        }
    }

    function requestCrs() public {
        bool ongoing = crsCount != 0 && decisionsOf[crsIdOf(crsCount)] == 0;
        vm.recordLogs();
        vm.prank(OWNER);
        try generation.crsgenRequest(MAX_BITS, ParamsType.Test) {
            if (ongoing) fault = "two CRSs at a time";
            crsCount++;
            (uint256 id,,) = abi.decode(vm.getRecordedLogs()[0].data, (uint256, uint256, uint8));
            if (id != crsIdOf(crsCount)) fault = "a CRS without the next id";
            take(id);
        } catch {
            if (!ongoing) fault = "a valid request was refused";
        }
    }

    function reshare(uint256 keySeed) public {
        uint256 keyId = keyIdOf(keySeed % (keyCount + 2));
        vm.recordLogs();
        vm.prank(OWNER);
        try generation.keyReshareSameSet(keyId) {
            if (decisionsOf[keyId] != 1) fault = "a key reshared that is not there";
            (,, uint256 id,) = abi.decode(vm.getRecordedLogs()[0].data, (uint256, uint256, uint256, uint8));
            take(id);
        } catch {
            if (decisionsOf[keyId] == 1) fault = "a valid resharing was refused";
        }
    }

    function rotate(uint256 overlapSeed, uint256 thresholdSeed) public {
        if (contextCount == 4) return;
        firstNode += overlapSeed % (N + 1);
        threshold = 1 + thresholdSeed % N;
        rotateTo(CONTEXT + contextCount, firstNode, N, threshold);
        contextCount++;
    }

    function setThreshold(uint256 thresholdSeed) public {
        threshold = 1 + thresholdSeed % N;
        vm.prank(OWNER);
        config.updateKmsGenThresholdForContext(CONTEXT + contextCount - 1, threshold);
    }

    // the nodes

    /// A node of the current context with the answer that all give.
    function respondHonestly(uint256 kind, uint256 nodeSeed) public {
        uint256 node = firstNode + nodeSeed % N;
        respond(kind % 3, kind % 3 == 2 ? crsCount : keyCount, node, node, 1);
    }

    /// Anybody, in time or late, with one of two answers, to a request that is there or not.
    function respondAnyhow(uint256 kind, uint256 numberSeed, uint256 nodeSeed, uint256 senderSeed, uint256 opinionSeed)
        public
    {
        uint256 node = nodeSeed % (contextCount * N + 2);
        uint256 sender = senderSeed % 3 == 0 ? senderSeed / 3 % (contextCount * N + 2) : node;
        uint256 number = numberSeed % ((kind % 3 == 2 ? crsCount : keyCount) + 2);
        respond(kind % 3, number, node, sender, 1 + opinionSeed % 2);
    }

    function respond(uint256 kind, uint256 number, uint256 node, uint256 sender, uint256 opinion) private {
        uint256 id = kind == 0 ? prepId(number) : kind == 1 ? keyIdOf(number) : crsIdOf(number);
        if (kind == 0) opinion = 1;
        bytes memory call_ = callOf(kind, id, node, opinion);
        vm.recordLogs();
        vm.prank(kmsSender(sender));
        (bool ok,) = address(generation).call(call_);

        bool operator = node >= firstNode && node < firstNode + N && sender == node;
        bool requested = number != 0 && number <= (kind == 2 ? crsCount : keyCount);
        if (ok != (operator && requested && !answered[id][node])) {
            fault = ok ? "an answer counted that must not" : "a valid answer was refused";
        }
        if (!ok) return;
        answered[id][node] = true;
        votes[id][opinion]++;
        noteDecisions(kind, id, opinion);
    }

    function callOf(uint256 kind, uint256 id, uint256 node, uint256 opinion) private view returns (bytes memory) {
        if (kind == 0) return abi.encodeCall(generation.prepKeygenResponse, (id, prepSignature(node, id)));
        if (kind == 1) {
            KeyDigest[] memory digests = digestsOf(opinion);
            return abi.encodeCall(generation.keygenResponse, (id, digests, keySignature(node, id, digests)));
        }
        bytes memory digest = crsDigestOf(opinion);
        return abi.encodeCall(generation.crsgenResponse, (id, digest, crsSignature(node, id, digest)));
    }

    function noteDecisions(uint256 kind, uint256 id, uint256 opinion) private {
        bytes32 topic = kind == 0 ? KEYGEN_REQUEST : kind == 1 ? ACTIVATE_KEY : ACTIVATE_CRS;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bool expected = decisionsOf[id] == 0 && votes[id][opinion] >= threshold;
        if (countOf(logs, topic) != (expected ? 1 : 0)) {
            fault = expected ? "no decision at the threshold" : "a decision twice or below the threshold";
        }
        if (logs.length != (expected ? 2 : 1)) fault = "a decision on something else";
        if (!expected) return;
        decisionsOf[id]++;
        decisionCount++;
        if (kind == 0) {
            if (keccak256(logs[1].data) != keccak256(abi.encode(id, id + (1 << 248)))) fault = "another key asked for";
            return;
        }
        // both events begin with the id and the places
        (uint256 told, string[] memory places) = abi.decode(logs[1].data, (uint256, string[]));
        if (told != id) fault = "another id activated";
        if (places.length != votes[id][opinion]) fault = "not the places of those who agree";
        if ((kind == 1 ? generation.getActiveKeyId() : generation.getActiveCrsId()) != id) {
            fault = "not the active one";
        }
    }

    function take(uint256 id) private {
        if (taken[id]) fault = "an id used twice";
        taken[id] = true;
    }
}

contract GatewayKMSGenerationInvariantTest is GatewayFixture {
    GatewayKMSGenerationHandler private handler;

    function setUp() public {
        handler = new GatewayKMSGenerationHandler();
    }

    /// forge calls these contracts at random.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// A preparation, key or CRS is decided at most once, with the answer that reaches the threshold and no sooner; no
    /// id is used again; the answer of somebody who is no operator, or who has answered, never counts.
    function invariant_oneDecisionPerRequestAtTheThreshold_noIdReused() public view {
        vm.assertEq(handler.fault(), "", "what the handler saw");
        for (uint256 i = 1; i <= handler.keyCount(); i++) {
            vm.assertTrue(handler.decisionsOf((3 << 248) + i) <= 1, "prepared once");
            vm.assertTrue(handler.decisionsOf((4 << 248) + i) <= 1, "activated once");
        }
        for (uint256 i = 1; i <= handler.crsCount(); i++) {
            vm.assertTrue(handler.decisionsOf((5 << 248) + i) <= 1, "activated once");
        }
    }

    /// The campaign means something only if its actions do reach decisions.
    function test_handlerReachesDecisions() public {
        for (uint256 i = 0; i < 5; i++) {
            handler.respondHonestly(0, i);
            handler.respondHonestly(1, i);
            handler.respondHonestly(2, i);
        }
        vm.assertEq(handler.decisionCount(), 3, "preparation, key and CRS");
        handler.requestKey();
        handler.requestCrs();
        handler.reshare(1);
        vm.assertEq(handler.keyCount() + handler.crsCount(), 4, "the next ones");
        vm.assertEq(handler.fault(), "", "no fault");
    }
}
