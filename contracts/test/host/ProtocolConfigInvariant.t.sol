// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {EpochCrsResult, EpochKeyResult} from "../../src/host/KeyMaterialTypes.sol";
import {KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {KeyMaterialFixture} from "../helpers/KeyMaterialFixture.sol";
import {TestBase} from "../helpers/TestBase.sol";
import {Vm} from "../helpers/Vm.sol";

/// Drives the life of contexts and epochs in any order, and keeps its own account of who confirmed what.
contract ProtocolConfigHandler is KeyMaterialFixture {
    uint256 private constant N = 3;
    uint256 private constant NODES_MAX = 14;
    bytes32 private constant NEW_EPOCH = keccak256("NewKmsEpoch(uint256,uint256,uint256,uint256,uint256)");
    bytes32 private constant ACTIVATED = keccak256(
        "ActivateEpoch(uint256,uint256,(uint256,uint256,(uint8,bytes)[],bytes)[],(uint256,uint256,bytes,bytes)[],string[])"
    );

    mapping(uint256 contextId => uint256 first) private firstNode;
    mapping(uint256 contextId => mapping(uint256 node => bool hasConfirmed)) private confirmed;
    mapping(uint256 epochId => mapping(uint256 node => uint256 data)) private attested;
    mapping(uint256 epochId => uint256 contextId) private contextOf;
    mapping(uint256 id => bool isUsed) private used;
    uint256 private newestContext = CONTEXT;
    uint256 private newest = EPOCH;
    /// The context or epoch on its way; zero if there is none.
    uint256 private pendingContext;
    uint256 private pendingEpoch;
    uint256 public latestContext = CONTEXT;
    uint256 public latestEpoch = EPOCH;
    uint256 public activations;
    string public fault;

    constructor() {
        deployCanonical(N, KmsThresholds(1, 1, 1, 1));
        (used[CONTEXT], used[EPOCH]) = (true, true);
        contextOf[EPOCH] = CONTEXT;
    }

    function take(uint256 id) private {
        if (used[id]) fault = "an id was used twice";
        used[id] = true;
    }

    function isNodeOf(uint256 contextId, uint256 node) private view returns (bool) {
        return node >= firstNode[contextId] && node < firstNode[contextId] + N;
    }

    function inFlight() private view returns (bool) {
        return pendingContext != 0 || pendingEpoch != 0;
    }

    function announce(uint256 firstSeed) public {
        uint256 first = firstSeed % (NODES_MAX - N);
        vm.prank(OWNER);
        try protocolConfig.defineNewKmsContextAndEpoch(kmsParams(first, N), KmsThresholds(1, 1, 1, 1), "", pcrs()) {
            if (inFlight()) fault = "two at a time";
            uint256 contextId = protocolConfig.getCurrentKmsContextIdCounter();
            take(contextId);
            firstNode[contextId] = first;
            (pendingContext, newestContext) = (contextId, contextId);
        } catch {
            if (!inFlight()) fault = "an announcement was refused";
        }
    }

    function reshare() public {
        vm.prank(OWNER);
        try protocolConfig.defineNewEpochForCurrentKmsContext() {
            if (inFlight()) fault = "two at a time";
            noteEpoch(latestContext);
        } catch {
            if (!inFlight()) fault = "an epoch was refused";
        }
    }

    function noteEpoch(uint256 contextId) private {
        uint256 epochId = newestEpoch();
        take(epochId);
        if (epochId <= newest) fault = "epoch ids do not rise";
        contextOf[epochId] = contextId;
        (pendingEpoch, newest) = (epochId, epochId);
    }

    function confirmContext(uint256 nodeSeed, uint256 contextSeed) public {
        uint256 contextId = contextSeed % 8 == 0 ? CONTEXT + contextSeed / 8 % 8 : newestContext;
        uint256 node = nodeSeed % NODES_MAX;
        vm.recordLogs();
        vm.prank(kmsSender(node));
        try protocolConfig.confirmKmsContextCreation(contextId) {
            if (contextId != pendingContext || pendingEpoch != 0) fault = "a context that was not pending";
            if (!isNodeOf(contextId, node) && !isNodeOf(latestContext, node)) fault = "a stranger confirmed";
            if (confirmed[contextId][node]) fault = "a node confirmed twice";
            confirmed[contextId][node] = true;
            bool isComplete = countConfirmed(contextId, contextId) == N && countConfirmed(contextId, latestContext) >= 2;
            uint256 seen = countLogs(vm.getRecordedLogs(), address(protocolConfig), NEW_EPOCH);
            if (seen != (isComplete ? 1 : 0)) fault = "created without its nodes, or not with them";
            if (isComplete) noteEpoch(contextId);
        } catch {}
    }

    /// Some or all nodes in some order, so that campaigns get as far as activations.
    function confirmMany(uint256 orderSeed, uint256 count) public {
        uint256[] memory order = shuffled(NODES_MAX, orderSeed);
        for (uint256 i = 0; i < (count % 4 == 0 ? count / 4 % NODES_MAX : NODES_MAX); i++) {
            confirmContext(order[i], 1);
        }
    }

    /// How many nodes of a context confirmed another one.
    function countConfirmed(uint256 contextId, uint256 by) private view returns (uint256 count) {
        for (uint256 i = 0; i < N; i++) {
            if (confirmed[contextId][firstNode[by] + i]) count++;
        }
    }

    /// Somebody attests, mostly a node of the epoch's context, mostly what all do.
    function attestEpoch(uint256 nodeSeed, uint256 senderSeed, uint256 dataSeed, uint256 epochSeed) public {
        uint256 epochId = epochSeed % 8 == 0 ? EPOCH + epochSeed / 8 % 8 : newest;
        uint256 node = nodeSeed % 4 == 0 ? nodeSeed / 4 % NODES_MAX : firstNode[contextOf[epochId]] + nodeSeed % N;
        uint256 sender = senderSeed % 4 == 0 ? senderSeed / 4 % NODES_MAX : node;
        uint256 data = dataSeed % 16 == 0 ? 2 : 1;
        bytes memory extra = extraV2(contextOf[epochId], epochId);
        EpochKeyResult[] memory keys = attestedKeys(node, extra, data);
        EpochCrsResult[] memory crs = attestedCrs(node, extra, data);
        vm.recordLogs();
        vm.prank(kmsSender(sender));
        try protocolConfig.confirmEpochActivation(epochId, keys, crs) {
            noteAttestation(epochId, node, sender, data);
        } catch {}
    }

    /// Some or all nodes in some order, mostly with the same data.
    function attestMany(uint256 orderSeed, uint256 count, uint256 dataSeed) public {
        uint256[] memory order = shuffled(NODES_MAX, orderSeed);
        for (uint256 i = 0; i < (count % 4 == 0 ? count / 4 % NODES_MAX : NODES_MAX); i++) {
            attestEpoch(4 * order[i], 1, dataSeed % 4 == 0 ? dataSeed >> i : 1, 1);
        }
    }

    function noteAttestation(uint256 epochId, uint256 node, uint256 sender, uint256 data) private {
        if (epochId != pendingEpoch) fault = "an epoch that was not pending";
        if (sender != node || !isNodeOf(contextOf[epochId], node)) fault = "a stranger attested";
        if (attested[epochId][node] != 0) fault = "a node attested twice";
        attested[epochId][node] = data;
        bool isUnanimous = true;
        for (uint256 i = 0; i < N; i++) {
            if (attested[epochId][firstNode[contextOf[epochId]] + i] != data) isUnanimous = false;
        }
        uint256 seen = countLogs(vm.getRecordedLogs(), address(protocolConfig), ACTIVATED);
        if (seen != (isUnanimous ? 1 : 0)) fault = "active without its nodes, or not with them";
        if (isUnanimous) {
            activations++;
            (latestContext, latestEpoch) = (contextOf[epochId], epochId);
            (pendingContext, pendingEpoch) = (0, 0);
        }
    }

    function destroyContext(uint256 seed) public {
        if (seed % 4 != 0) return;
        uint256 contextId = CONTEXT + seed / 4 % 8;
        vm.prank(OWNER);
        try protocolConfig.destroyKmsContext(contextId) {
            if (contextId == latestContext) fault = "the context in use was destroyed";
            if (contextId == pendingContext) (pendingContext, pendingEpoch) = (0, 0);
        } catch {
            if (contextId == pendingContext) fault = "a pending context could not be destroyed";
        }
    }

    function destroyEpoch(uint256 seed) public {
        if (seed % 4 != 0) return;
        uint256 epochId = EPOCH + seed / 4 % 8;
        vm.prank(OWNER);
        try protocolConfig.destroyKmsEpoch(epochId) {
            if (epochId == latestEpoch) fault = "the epoch in use was destroyed";
            if (epochId == pendingEpoch) {
                if (pendingContext != 0) fault = "a new context lost its epoch";
                pendingEpoch = 0;
            }
        } catch {}
    }

    function mirror(uint256 seed) public {
        if (seed % 8 != 0) return;
        uint256 contextId = latestContext + seed / 8 % 3;
        uint256 epochId = latestEpoch + seed / 32 % 3;
        uint256 first = seed / 128 % (NODES_MAX - N);
        vm.prank(OWNER);
        try protocolConfig.mirrorKmsContextAndEpoch(
            contextId, epochId, kmsParams(first, N), KmsThresholds(1, 1, 1, 1), "", pcrs()
        ) {
            if (inFlight()) fault = "a handshake was overtaken";
            take(contextId);
            take(epochId);
            firstNode[contextId] = first;
            contextOf[epochId] = contextId;
            (latestContext, latestEpoch) = (contextId, epochId);
            (newestContext, newest) = (contextId, epochId);
        } catch {
            if (!inFlight() && contextId > newestContext && epochId > newest) fault = "a mirror was refused";
        }
    }

    /// What the contract says is in use agrees with the handler's account, and is valid.
    function checkPair() external view {
        (uint256 contextId, uint256 epochId) = protocolConfig.getCurrentKmsContextAndEpoch();
        vm.assertEq(contextId, latestContext, "context");
        vm.assertEq(epochId, latestEpoch, "epoch");
        vm.assertTrue(protocolConfig.isValidEpochForContext(contextId, epochId), "valid");
        vm.assertEq(protocolConfig.getKmsSigners()[0], vm.addr(kmsKey(firstNode[contextId])), "its nodes");
        if (pendingEpoch != 0) {
            vm.assertTrue(!protocolConfig.isValidEpochForContext(contextOf[pendingEpoch], pendingEpoch), "not before");
        }
        if (pendingContext != 0) vm.assertTrue(!protocolConfig.isValidKmsContext(pendingContext), "not before");
    }
}

contract ProtocolConfigInvariantTest is TestBase {
    ProtocolConfigHandler private handler;

    function setUp() public {
        handler = new ProtocolConfigHandler();
    }

    /// forge calls these contracts at random.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// At most one context or epoch on its way; what is in use got there by its nodes' handshakes or was mirrored, is
    /// valid, and only ever gives way to something newer; no id is used twice.
    function invariant_whatIsInUseGotThereByItsNodes() public view {
        vm.assertEq(handler.fault(), "", "what the handler saw");
        handler.checkPair();
    }

    /// The campaign means something only if its actions do reach activations.
    function test_handlerReachesActivations() public {
        handler.announce(2);
        for (uint256 i = 0; i < 6; i++) {
            handler.confirmContext(i, 1);
        }
        for (uint256 i = 0; i < 6; i++) {
            handler.attestEpoch(1 + i % 3, 1, 1, 1);
        }
        handler.reshare();
        for (uint256 i = 0; i < 12; i++) {
            handler.attestEpoch(i, 1, 1, 1);
        }
        vm.assertEq(handler.activations(), 2, "a switch and a resharing");
        vm.assertEq(handler.latestContext(), CONTEXT + 1, "context");
        handler.destroyContext(0);
        handler.mirror(32);
        vm.assertEq(handler.latestContext(), CONTEXT + 2, "mirrored");
        invariant_whatIsInUseGotThereByItsNodes();
    }
}
