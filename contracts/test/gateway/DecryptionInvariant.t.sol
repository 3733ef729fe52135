// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayFixture} from "../helpers/GatewayFixture.sol";
import {Vm} from "../helpers/Vm.sol";

/// Drives a gateway with arbitrary requests, answers, rotations and pauses, and notes what it saw.
contract DecryptionHandler is GatewayFixture {
    uint256 private constant N = 5;
    bytes32 private constant DECIDED = keccak256("PublicDecryptionResponse(uint256,bytes,bytes[],bytes)");

    struct Request {
        bytes32[] handles;
        uint256 contextId;
        uint256 decisions;
        uint256 accepted;
    }

    mapping(uint256 number => Request request) private requests;
    mapping(uint256 contextId => uint256 first) public firstNode;
    mapping(uint256 contextId => uint256 threshold) public thresholdOf;
    uint256 public requestCount;
    uint256 public contextCount = 1;
    uint256 public decisionCount;
    string public fault;

    constructor() {
        deployGateway(N, 3);
        thresholdOf[CONTEXT] = 3;
        for (uint256 i = 0; i < 4; i++) {
            commitHandle(handleOf(HOST_CHAIN, 5, i));
        }
        publicDecryptionRequest(0, 0);
    }

    function decisionsOf(uint256 number) external view returns (uint256) {
        return requests[number].decisions;
    }

    function isDone(uint256 number) external view returns (bool) {
        return decryption.isDecryptionDone(requestId(number));
    }

    function publicDecryptionRequest(uint256 handleSeed, uint256 contextSeed) public {
        // Mostly one open request at a time, so that campaigns get as far as decisions and late answers.
        if (requestCount != 0 && requests[requestCount].accepted < 3 && handleSeed % 8 != 0) return;
        uint256 contextId = CONTEXT + contextSeed % contextCount;
        bytes32[] memory handles = list(handleOf(HOST_CHAIN, 5, handleSeed % 4));
        vm.prank(REQUESTER);
        try decryption.publicDecryptionRequest(handles, extraV1(contextId)) {
            Request storage r = requests[++requestCount];
            r.handles = handles;
            r.contextId = contextId;
        } catch {
            if (!decryption.paused()) fault = "a valid request was refused";
        }
    }

    /// A node of the request's context with the right result.
    function respondHonestly(uint256 requestSeed, uint256 nodeSeed) public {
        uint256 number = pick(requestSeed);
        respond(number, firstNode[requests[number].contextId] + nodeSeed % N, 1, 1, 1);
    }

    /// A node of some context, rightly or wrongly, with one of two results.
    function respondAnyhow(
        uint256 requestSeed,
        uint256 nodeSeed,
        uint256 senderSeed,
        uint256 resultSeed,
        uint256 extraSeed
    ) public {
        respond(pick(requestSeed), nodeSeed % (contextCount * N + 2), senderSeed, resultSeed, extraSeed);
    }

    /// The newest requests mostly.
    function pick(uint256 seed) private view returns (uint256) {
        return seed % 4 == 0 ? 1 + seed / 4 % requestCount : requestCount;
    }

    function respond(uint256 number, uint256 nodeNumber, uint256 senderSeed, uint256 resultSeed, uint256 extraSeed)
        private
    {
        Request storage r = requests[number];
        // mostly from the node's own account
        uint256 sender = senderSeed % 4 == 0 ? senderSeed / 4 % (contextCount * N + 2) : nodeNumber;
        bytes memory result = abi.encode(resultSeed % 8 == 0 ? 1 : 0);
        uint256 contextId = extraSeed % 5 == 0 ? CONTEXT + extraSeed / 5 % contextCount : r.contextId;
        bytes memory extraData = extraSeed % 3 == 0 ? extraV2(contextId, EPOCH) : extraV1(contextId);
        bytes memory sig = signature(nodeNumber, r.handles, result, extraData);

        vm.recordLogs();
        vm.prank(kmsSender(sender));
        try decryption.publicDecryptionResponse(requestId(number), result, sig, extraData) {
            uint256 first = firstNode[r.contextId];
            bool operator = nodeNumber >= first && nodeNumber < first + N;
            if (!operator || sender != nodeNumber) fault = "an answer of a non-operator counted";
            if (contextId != r.contextId) fault = "an answer in another context counted";
            if (++r.accepted > N) fault = "a node counted twice";
            noteDecisions(r, number, result, extraData);
        } catch {}
    }

    function rotate(uint256 overlapSeed, uint256 thresholdSeed) public {
        if (contextCount == 4) return;
        uint256 contextId = CONTEXT + contextCount;
        firstNode[contextId] = firstNode[contextId - 1] + overlapSeed % (N + 1);
        thresholdOf[contextId] = 1 + thresholdSeed % N;
        rotateContext(contextId, firstNode[contextId], N, thresholdOf[contextId]);
        contextCount++;
    }

    function togglePause() public {
        if (decryption.paused()) {
            vm.prank(OWNER);
            decryption.unpause();
        } else {
            vm.prank(PAUSER);
            decryption.pause();
        }
    }

    function noteDecisions(Request storage r, uint256 number, bytes memory result, bytes memory extraData) private {
        Vm.Log[] memory logs = decryptionLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] != DECIDED) continue;
            r.decisions++;
            decisionCount++;
            if (uint256(logs[i].topics[1]) != requestId(number)) fault = "a decision on another request";
            (bytes memory decided, bytes[] memory signatures, bytes memory extra) =
                abi.decode(logs[i].data, (bytes, bytes[], bytes));
            if (keccak256(decided) != keccak256(result) || keccak256(extra) != keccak256(extraData)) {
                fault = "a decision on another result";
            }
            checkSigners(r, signatures, publicDecryptDigest(address(decryption), r.handles, decided, extra));
        }
    }

    function checkSigners(Request storage r, bytes[] memory signatures, bytes32 digest) private {
        if (signatures.length < thresholdOf[r.contextId]) fault = "a decision below its threshold";
        uint256 distinct;
        for (uint256 k = 0; k < N; k++) {
            // every signature is by one node of the context, and no two are by the same
            address node = vm.addr(kmsKey(firstNode[r.contextId] + k));
            uint256 by;
            for (uint256 i = 0; i < signatures.length; i++) {
                if (recover(digest, signatures[i]) == node) by++;
            }
            if (by > 1) fault = "a signer listed twice";
            if (by == 1) distinct++;
        }
        if (distinct != signatures.length) fault = "a signer of another context listed";
    }

    function recover(bytes32 digest, bytes memory sig) private pure returns (address) {
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly {
            r := mload(add(sig, 32))
            s := mload(add(sig, 64))
            v := byte(0, mload(add(sig, 96)))
        }
        return ecrecover(digest, v, r, s);
    }
}

contract DecryptionInvariantTest is GatewayFixture {
    DecryptionHandler private handler;

    function setUp() public {
        handler = new DecryptionHandler();
    }

    /// forge calls these contracts at random.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// At most one decision per request, and `done` says exactly whether there was one; never below the threshold of
    /// the request's context, never with a signer outside of it, never the answer of somebody who is no operator.
    function invariant_oneDecisionPerRequestByOperatorsOfItsContext() public view {
        vm.assertEq(handler.fault(), "", "what the handler saw");
        for (uint256 i = 1; i <= handler.requestCount(); i++) {
            vm.assertTrue(handler.decisionsOf(i) <= 1, "decided once");
            vm.assertTrue(handler.isDone(i) == (handler.decisionsOf(i) == 1), "done after the decision");
        }
    }

    /// The campaign means something only if its actions do reach decisions.
    function test_handlerReachesDecisions() public {
        for (uint256 i = 0; i < 5; i++) {
            handler.respondHonestly(0, i);
        }
        vm.assertEq(handler.decisionCount(), 1, "one request, five answers, one decision");
        vm.assertEq(handler.fault(), "", "no fault");
    }
}
