// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {UserDecryptionFixture} from "../helpers/UserDecryptionFixture.sol";
import {Vm} from "../helpers/Vm.sol";

/// Drives a gateway with arbitrary user decryptions of all three kinds, shares, rotations, upgrades and pauses, and
/// notes what it saw.
contract UserDecryptionHandler is UserDecryptionFixture {
    uint256 private constant N = 5;

    struct Request {
        bytes32[] handles;
        bytes publicKey;
        uint256 contextId;
        uint256 accepted;
        uint256 reached;
        mapping(uint256 nodeNumber => bool hasAnswered) answered;
    }

    mapping(uint256 number => Request request) private requests;
    mapping(uint256 contextId => uint256 first) public firstNode;
    mapping(uint256 contextId => uint256 threshold) public thresholdOf;
    uint256 public requestCount;
    uint256 public contextCount = 1;
    uint256 public reachedCount;
    string public fault;

    constructor() {
        vm.warp(NOW);
        deployProxies();
        installConfig(kmsNodes(0, N), thresholds(1, N, 3, N));
        installTheRest();
        thresholdOf[CONTEXT] = 3;
        for (uint256 i = 0; i < 4; i++) {
            commitHandle(handleOf(HOST_CHAIN, 5, i));
        }
    }

    function reachedOf(uint256 number) external view returns (uint256) {
        return requests[number].reached;
    }

    function acceptedOf(uint256 number) external view returns (uint256) {
        return requests[number].accepted;
    }

    function contextOf(uint256 number) external view returns (uint256) {
        return requests[number].contextId;
    }

    function isDone(uint256 number) external view returns (bool) {
        return decryption.isDecryptionDone(userId(number));
    }

    function senderCount(uint256 number) external view returns (uint256) {
        return decryption.getDecryptionConsensusTxSenders(userId(number)).length;
    }

    function userRequest(uint256 kind, uint256 handleSeed, uint256 contextSeed) public {
        // Mostly one open request at a time, so that campaigns get as far as thresholds and late shares.
        if (requestCount != 0 && requests[requestCount].accepted < 3 && handleSeed % 8 != 0) return;
        uint256 contextId = CONTEXT + contextSeed % contextCount;
        bytes32[] memory handles = list(handleOf(HOST_CHAIN, 5, handleSeed % 4));
        bytes memory key = abi.encodePacked("key", handleSeed);
        vm.recordLogs();
        if (kind % 3 == 2) requestUnified(handles, key, contextId);
        else requestPairs(kind % 3 == 1, handles, key, contextId);
        Vm.Log[] memory logs = decryptionLogs();
        if (logs.length == 0) {
            if (!decryption.paused()) fault = "a valid request was refused";
            return;
        }
        if (uint256(logs[0].topics[1]) != userId(++requestCount)) fault = "an id was left out or used again";
        Request storage r = requests[requestCount];
        (r.handles, r.publicKey, r.contextId) = (handles, key, contextId);
    }

    function requestPairs(bool delegated, bytes32[] memory handles, bytes memory key, uint256 contextId) private {
        Ask memory a = askFor(handles);
        a.publicKey = key;
        a.extraData = extraV1(contextId);
        a.signature = signWith(USER_KEY, delegated ? delegatedDigest(a) : userDigest(a));
        try this.sendPairs(delegated, a) {} catch {}
    }

    function sendPairs(bool delegated, Ask memory a) external {
        delegated ? sendDelegated(a) : sendDirect(a);
    }

    function requestUnified(bytes32[] memory handles, bytes memory key, uint256 contextId) private {
        Unified memory u = unifiedFor(handles);
        u.payload.publicKey = key;
        u.payload.extraData = extraV1(contextId);
        try this.sendEntries(u) {} catch {}
    }

    function sendEntries(Unified memory u) external {
        sendUnified(u);
    }

    /// A node of the request's context.
    function respondHonestly(uint256 requestSeed, uint256 nodeSeed) public {
        uint256 number = pick(requestSeed);
        respond(number, firstNode[requests[number].contextId] + nodeSeed % N, 1, 1, 1);
    }

    /// A node of some context or of none, from its own or another account, in the request's context or another.
    function respondAnyhow(uint256 requestSeed, uint256 nodeSeed, uint256 senderSeed, uint256 keySeed, uint256 extra)
        public
    {
        respond(pick(requestSeed), nodeSeed % (contextCount * N + 2), senderSeed, keySeed, extra);
    }

    function pick(uint256 seed) private view returns (uint256) {
        return seed % 4 == 0 ? 1 + seed / 4 % requestCount : requestCount;
    }

    function respond(uint256 number, uint256 nodeNumber, uint256 senderSeed, uint256 keySeed, uint256 extraSeed)
        private
    {
        Request storage r = requests[number];
        uint256 sender = senderSeed % 4 == 0 ? senderSeed / 4 % (contextCount * N + 2) : nodeNumber;
        bytes memory key = keySeed % 8 == 0 ? bytes("another") : r.publicKey;
        uint256 contextId = extraSeed % 5 == 0 ? CONTEXT + extraSeed / 5 % contextCount : r.contextId;
        bytes memory extraData = extraSeed % 3 == 0 ? extraV2(contextId, EPOCH) : extraV1(contextId);
        bytes memory sig = shareSignature(nodeNumber, key, r.handles, extraData);

        vm.recordLogs();
        vm.prank(kmsSender(sender));
        try decryption.userDecryptionResponse(userId(number), shareOf(nodeNumber), sig, extraData) {
            uint256 first = firstNode[r.contextId];
            if (nodeNumber < first || nodeNumber >= first + N || sender != nodeNumber) {
                fault = "a share of a non-operator counted";
            }
            if (contextId != r.contextId) fault = "a share in another context counted";
            if (keySeed % 8 == 0) fault = "a share for another key counted";
            if (r.answered[nodeNumber]) fault = "a node counted twice";
            r.answered[nodeNumber] = true;
            noteEvents(r, number);
        } catch {}
    }

    function noteEvents(Request storage r, uint256 number) private {
        Vm.Log[] memory logs = decryptionLogs();
        if (logs[0].topics[0] != SHARE_TOPIC || uint256(logs[0].topics[1]) != userId(number)) {
            fault = "an answer without its event";
        }
        (uint256 index,,,) = abi.decode(logs[0].data, (uint256, bytes, bytes, bytes));
        if (index != r.accepted++) fault = "an index is not the order of arrival";
        if (logs.length == 1) return;
        r.reached++;
        reachedCount++;
        if (logs[1].topics[0] != REACHED_TOPIC || uint256(logs[1].topics[1]) != userId(number)) {
            fault = "the threshold of another request";
        }
        if (r.accepted != thresholdOf[r.contextId]) fault = "reached below or after the threshold";
    }

    function rotate(uint256 overlapSeed, uint256 thresholdSeed) public {
        if (contextCount == 4) return;
        uint256 contextId = CONTEXT + contextCount;
        firstNode[contextId] = firstNode[contextId - 1] + overlapSeed % (N + 1);
        thresholdOf[contextId] = 1 + thresholdSeed % N;
        vm.prank(OWNER);
        config.updateKmsContext(contextId, kmsNodes(firstNode[contextId], N), 0, N, thresholdOf[contextId], N);
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
}

contract UserDecryptionInvariantTest is UserDecryptionFixture {
    UserDecryptionHandler private handler;

    function setUp() public {
        handler = new UserDecryptionHandler();
        handler.userRequest(0, 0, 0);
    }

    /// forge calls these contracts at random.
    function targetContracts() public view returns (address[] memory targets) {
        targets = one(address(handler));
    }

    /// forge calls nothing of the handler that is only there for itself.
    function excludeSelectors() public view returns (FuzzSelector[] memory excluded) {
        excluded = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](2);
        selectors[0] = UserDecryptionHandler.sendPairs.selector;
        selectors[1] = UserDecryptionHandler.sendEntries.selector;
        excluded[0] = FuzzSelector(address(handler), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// At most one ThresholdReached per request, exactly with the threshold-th share, and `done` says whether there was
    /// one; only operators of the request's context count, each once; ids follow one another.
    function invariant_thresholdReachedOnceByOperatorsOfTheContext() public view {
        vm.assertEq(handler.fault(), "", "what the handler saw");
        for (uint256 i = 1; i <= handler.requestCount(); i++) {
            bool enough = handler.acceptedOf(i) >= handler.thresholdOf(handler.contextOf(i));
            vm.assertEq(handler.reachedOf(i), enough ? 1 : 0, "reached once, not below the threshold");
            vm.assertTrue(handler.isDone(i) == enough, "done with the threshold");
            vm.assertEq(handler.senderCount(i), handler.acceptedOf(i), "every responder is listed");
        }
    }

    /// The campaign means something only if its actions do reach thresholds.
    function test_handlerReachesThresholds() public {
        for (uint256 kind = 0; kind < 3; kind++) {
            for (uint256 i = 0; i < 5; i++) {
                handler.respondHonestly(1, i);
            }
            vm.assertEq(handler.reachedCount(), kind + 1, "five shares, one threshold");
            handler.userRequest(kind + 1, 1, 0);
        }
        vm.assertEq(handler.requestCount(), 4, "all kinds");
        vm.assertEq(handler.fault(), "", "no fault");
    }
}
