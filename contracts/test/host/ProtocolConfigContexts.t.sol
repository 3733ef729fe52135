// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostOwned} from "../../src/host/HostOwned.sol";
import {ProtocolConfigEvents as E} from "../../src/host/ProtocolConfigEvents.sol";
import {KmsNodeParams, KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {KeyMaterialFixture} from "../helpers/KeyMaterialFixture.sol";

/// A new context, until its nodes have confirmed it; and what ends contexts and epochs.
contract ProtocolConfigContextsTest is KeyMaterialFixture {
    uint256 private constant N = 4;
    uint256 private constant NEXT = CONTEXT + 1;
    bytes32 private constant NEW_EPOCH = keccak256("NewKmsEpoch(uint256,uint256,uint256,uint256,uint256)");

    KmsThresholds private t = KmsThresholds(2, 3, 3, 1);

    function setUp() public {
        deployCanonical(N, t);
    }

    function asOwner(bytes memory err) private {
        vm.expectRevert(err);
        vm.prank(OWNER);
    }

    function expectInFlight(uint256 contextId, uint256 epochId) private {
        bytes memory err = abi.encodeWithSelector(E.KmsLifecycleOperationInFlight.selector, contextId, epochId);
        asOwner(err);
        protocolConfig.defineNewKmsContextAndEpoch(kmsParams(N), t, "", pcrs());
        asOwner(err);
        protocolConfig.defineNewEpochForCurrentKmsContext();
    }

    function expectConfirmRevert(uint256 node, uint256 contextId, bytes memory err) private {
        vm.expectRevert(err);
        vm.prank(kmsSender(node));
        protocolConfig.confirmKmsContextCreation(contextId);
    }

    function test_defineContext_isPending_anchorStored_notActive() public {
        KmsNodeParams[] memory params = kmsParams(2, 5);
        vm.roll(500);
        vm.expectEmit(address(protocolConfig));
        emit E.NewKmsContext(NEXT, CONTEXT, params, KmsThresholds(3, 4, 5, 2), SOFTWARE_VERSION, pcrs());
        vm.assertEq(defineContext(2, 5, KmsThresholds(3, 4, 5, 2)), NEXT, "id");

        vm.assertEq(protocolConfig.getCurrentKmsContextId(), CONTEXT, "the old one is in use");
        vm.assertEq(protocolConfig.getPublicDecryptionThreshold(), 2, "with its threshold");
        vm.assertTrue(!protocolConfig.isValidKmsContext(NEXT) && protocolConfig.isLiveKmsContext(NEXT), "pending");
        (uint256 blockNumber, bytes32 infoHash) = protocolConfig.getKmsContextAnchor(NEXT);
        vm.assertEq(blockNumber, 500, "anchor block");
        vm.assertEq(
            infoHash, keccak256(abi.encode(params, KmsThresholds(3, 4, 5, 2), SOFTWARE_VERSION, pcrs())), "anchor"
        );
        vm.assertEq(protocolConfig.getContextCreationPreviousTxSenderThreshold(NEXT), 3, "old quorum: 4 - 1");
        vm.assertEq(newestEpoch(), EPOCH, "no epoch yet");
        vm.assertTrue(protocolConfig.isKmsTxSenderForContext(NEXT, kmsSender(6)), "live is enough");
        vm.assertEq(protocolConfig.getKmsGenThresholdForContext(NEXT), 5, "live is enough");
        vm.assertEq(protocolConfig.getKmsNodeForContext(NEXT, kmsSender(6)).storageUrl, kmsUrl(6), "known is enough");
        vm.expectRevert(abi.encodeWithSelector(E.InvalidKmsContext.selector, NEXT));
        protocolConfig.getKmsSignersForContext(NEXT);
    }

    function test_defineContext_onlyOwner() public {
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        vm.prank(STRANGER);
        protocolConfig.defineNewKmsContextAndEpoch(kmsParams(N), t, "", pcrs());
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        vm.prank(STRANGER);
        protocolConfig.defineNewEpochForCurrentKmsContext();
    }

    function test_defineContext_badNodesOrThresholdsLeaveNoTrace() public {
        asOwner(abi.encodeWithSelector(E.EmptyKmsNodes.selector));
        protocolConfig.defineNewKmsContextAndEpoch(kmsParams(0), t, "", pcrs());
        asOwner(abi.encodeWithSelector(E.InvalidHighThreshold.selector, "kmsGen", 3, 2));
        protocolConfig.defineNewKmsContextAndEpoch(kmsParams(2), KmsThresholds(2, 2, 3, 1), "", pcrs());
        asOwner(abi.encodeWithSelector(E.InvalidNullThreshold.selector, "mpc"));
        protocolConfig.defineNewKmsContextAndEpoch(kmsParams(2), KmsThresholds(2, 2, 2, 0), "", pcrs());
        vm.assertEq(protocolConfig.getCurrentKmsContextIdCounter(), CONTEXT, "no id used");
        vm.assertTrue(!protocolConfig.isLiveKmsContext(NEXT), "no context");
    }

    function test_historyIsReadableAfterARotation() public {
        switchContext(0, N, 10, 3, KmsThresholds(1, 1, 1, 1));
        vm.assertEq(protocolConfig.getCurrentKmsContextId(), NEXT, "current");
        vm.assertEq(protocolConfig.getKmsSigners().length, 3, "new set");
        vm.assertEq(protocolConfig.getKmsSignersForContext(CONTEXT).length, N, "old set");
        vm.assertEq(protocolConfig.getUserDecryptionThreshold(), 1, "new");
        vm.assertEq(protocolConfig.getUserDecryptionThresholdForContext(CONTEXT), 3, "old");
        vm.assertEq(protocolConfig.getMpcThreshold(), 1, "new");
        vm.assertEq(protocolConfig.getKmsGenThreshold(), 1, "new");
        vm.assertTrue(protocolConfig.isKmsSigner(vm.addr(kmsKey(10))), "new signer");
        vm.assertTrue(!protocolConfig.isKmsSigner(vm.addr(kmsKey(0))), "old signer");
        vm.assertTrue(protocolConfig.isKmsSignerForContext(CONTEXT, vm.addr(kmsKey(0))), "old signer in old context");
    }

    function test_confirmations_allNewAndOldQuorumNeeded_newEpochCarriesTheLastBlock() public {
        defineContext(10, 3, KmsThresholds(2, 2, 2, 1));
        vm.roll(1001);
        vm.recordLogs();
        confirm(0, NEXT);
        confirm(10, NEXT);
        confirm(11, NEXT);
        confirm(1, NEXT);
        confirm(2, NEXT);
        vm.assertEq(countLogs(vm.getRecordedLogs(), address(protocolConfig), NEW_EPOCH), 0, "one new one is missing");
        vm.assertEq(newestEpoch(), EPOCH, "no epoch");
        vm.expectEmit(address(protocolConfig));
        emit E.KmsContextCreationConfirmation(NEXT, kmsSender(12), false, true);
        vm.expectEmit(address(protocolConfig));
        emit E.NewKmsEpoch(NEXT, EPOCH + 1, CONTEXT, EPOCH, 1000);
        confirm(12, NEXT);
        vm.assertEq(newestEpoch(), EPOCH + 1, "epoch");
        vm.assertTrue(!protocolConfig.isValidKmsContext(NEXT), "created is not active");
        vm.assertTrue(!protocolConfig.isValidEpochForContext(NEXT, EPOCH + 1), "pending is not valid");
        expectConfirmRevert(3, NEXT, abi.encodeWithSelector(E.KmsContextNotPending.selector, NEXT));
    }

    function test_confirmations_partialQuorumDoesNothing() public {
        defineContext(10, 3, KmsThresholds(2, 2, 2, 1));
        for (uint256 i = 10; i < 13; i++) {
            confirm(i, NEXT);
        }
        confirm(0, NEXT);
        confirm(1, NEXT);
        vm.assertEq(newestEpoch(), EPOCH, "two of three old ones");
        confirm(2, NEXT);
        vm.assertEq(newestEpoch(), EPOCH + 1, "three");
    }

    function test_confirmations_oldQuorumIsAtLeastOne() public {
        vm.prank(OWNER);
        protocolConfig.updateMpcThresholdForContext(CONTEXT, N);
        defineContext(10, 1, KmsThresholds(1, 1, 1, 1));
        vm.assertEq(protocolConfig.getContextCreationPreviousTxSenderThreshold(NEXT), 1, "one");
        confirm(10, NEXT);
        vm.assertEq(newestEpoch(), EPOCH, "no old one yet");
        confirm(3, NEXT);
        vm.assertEq(newestEpoch(), EPOCH + 1, "one old one");
    }

    function test_confirmations_eventTellsWhichSides() public {
        defineContext(3, 2, KmsThresholds(1, 1, 1, 1));
        uint256[3] memory nodes = [uint256(0), 4, 3];
        for (uint256 i = 0; i < 3; i++) {
            vm.expectEmit(address(protocolConfig));
            emit E.KmsContextCreationConfirmation(NEXT, kmsSender(nodes[i]), nodes[i] < N, nodes[i] >= 3);
            confirm(nodes[i], NEXT);
        }
        vm.assertEq(newestEpoch(), EPOCH, "two of three old ones, all new ones");
        confirm(1, NEXT);
        vm.assertEq(newestEpoch(), EPOCH + 1, "who is in both counted for both");
    }

    function test_confirmations_unauthorizedAndReplayRevert() public {
        defineContext(10, 3, KmsThresholds(2, 2, 2, 1));
        bytes4 err = E.KmsContextCreationUnauthorized.selector;
        expectConfirmRevert(99, NEXT, abi.encodeWithSelector(err, kmsSender(99), NEXT));
        confirm(0, NEXT);
        confirm(10, NEXT);
        err = E.KmsContextCreationAlreadyConfirmed.selector;
        expectConfirmRevert(0, NEXT, abi.encodeWithSelector(err, kmsSender(0), NEXT));
        expectConfirmRevert(10, NEXT, abi.encodeWithSelector(err, kmsSender(10), NEXT));
    }

    function testFuzz_confirmations_onlyOfAPendingContext(uint256 contextId) public {
        defineContext(10, 3, KmsThresholds(2, 2, 2, 1));
        if (contextId == NEXT) return;
        expectConfirmRevert(0, contextId, abi.encodeWithSelector(E.KmsContextNotPending.selector, contextId));
    }

    function test_confirmations_nodeThatKeptItsSignerButRotatedItsSender() public {
        KmsNodeParams[] memory params = kmsParams(10, 1);
        params[0].signerAddress = vm.addr(kmsKey(0));
        vm.prank(OWNER);
        protocolConfig.defineNewKmsContextAndEpoch(params, KmsThresholds(1, 1, 1, 1), "", pcrs());
        confirm(10, NEXT);
        confirm(1, NEXT);
        confirm(2, NEXT);
        vm.assertEq(newestEpoch(), EPOCH, "its new account is no old one");
        vm.expectEmit(address(protocolConfig));
        emit E.KmsContextCreationConfirmation(NEXT, kmsSender(0), true, false);
        confirm(0, NEXT);
        vm.assertEq(newestEpoch(), EPOCH + 1, "its old account is");
    }

    /// Any order of confirmations, old and new mixed: created with the one that completes both sides.
    function testFuzz_confirmations_anyOrder(uint256 seed, uint8 mpcSeed, uint8 newSeed) public {
        uint256 mpc = 1 + mpcSeed % N;
        uint256 n = 1 + newSeed % 5;
        vm.prank(OWNER);
        protocolConfig.updateMpcThresholdForContext(CONTEXT, mpc);
        defineContext(2, n, KmsThresholds(1, 1, 1, 1));
        uint256 quorum = mpc == N ? 1 : N - mpc;
        uint256 total = 2 + n < N ? N : 2 + n;
        uint256 oldOnes;
        uint256 newOnes;
        uint256[] memory order = shuffled(total, seed);
        for (uint256 i = 0; i < total; i++) {
            bool complete = oldOnes >= quorum && newOnes == n;
            vm.assertEq(newestEpoch(), complete ? EPOCH + 1 : EPOCH, "created with the last one needed");
            if (complete) return;
            confirm(order[i], NEXT);
            if (order[i] < N) oldOnes++;
            if (order[i] >= 2 && order[i] < 2 + n) newOnes++;
        }
        vm.assertEq(newestEpoch(), EPOCH + 1, "all confirmed");
    }

    function test_inFlight_secondSwitchWhilePendingOrCreated() public {
        defineContext(10, 1, KmsThresholds(1, 1, 1, 1));
        expectInFlight(NEXT, EPOCH);
        confirm(10, NEXT);
        confirm(0, NEXT);
        confirm(1, NEXT);
        confirm(2, NEXT);
        expectInFlight(NEXT, EPOCH + 1);
        attest(10, NEXT, EPOCH + 1, 0);
        vm.assertEq(defineContext(20, 1, KmsThresholds(1, 1, 1, 1)), NEXT + 1, "free again");
    }

    function test_inFlight_whileAnEpochIsPending() public {
        defineEpoch();
        expectInFlight(CONTEXT, EPOCH + 1);
        vm.prank(OWNER);
        protocolConfig.destroyKmsEpoch(EPOCH + 1);
        defineEpoch();
        expectInFlight(CONTEXT, EPOCH + 2);
    }

    function test_inFlight_allowedAgainAfterDestroyingThePendingOrCreatedSwitch() public {
        defineContext(10, 1, KmsThresholds(1, 1, 1, 1));
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(NEXT);
        vm.assertEq(defineContext(10, 1, KmsThresholds(1, 1, 1, 1)), NEXT + 1, "an id is never used twice");
        confirm(10, NEXT + 1);
        confirm(0, NEXT + 1);
        confirm(1, NEXT + 1);
        confirm(2, NEXT + 1);
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(NEXT + 1);
        defineEpoch();
        vm.assertEq(newestEpoch(), EPOCH + 2, "nor an epoch's");
    }

    function test_destroyContext() public {
        switchContext(0, N, 10, 3, KmsThresholds(2, 2, 2, 1));
        vm.expectEmit(address(protocolConfig));
        emit E.KmsContextDestroyed(CONTEXT);
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(CONTEXT);
        vm.assertTrue(!protocolConfig.isValidKmsContext(CONTEXT), "not valid");
        vm.assertTrue(!protocolConfig.isLiveKmsContext(CONTEXT), "not live");
        vm.assertTrue(!protocolConfig.isValidEpochForContext(CONTEXT, EPOCH), "nor its epoch");
        vm.assertEq(protocolConfig.getKmsNodeForContext(CONTEXT, kmsSender(1)).storageUrl, kmsUrl(1), "node readable");
        protocolConfig.getKmsContextAnchor(CONTEXT);
        bytes memory err = abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT);
        vm.expectRevert(err);
        protocolConfig.getKmsSignersForContext(CONTEXT);
        vm.expectRevert(err);
        protocolConfig.isKmsTxSenderForContext(CONTEXT, kmsSender(0));
        vm.expectRevert(err);
        protocolConfig.getKmsGenThresholdForContext(CONTEXT);
        asOwner(err);
        protocolConfig.destroyKmsContext(CONTEXT);
    }

    function test_destroyContext_currentAndStrangerRevert() public {
        asOwner(abi.encodeWithSelector(E.LatestActiveKmsContextCannotBeDestroyed.selector, CONTEXT));
        protocolConfig.destroyKmsContext(CONTEXT);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        vm.prank(STRANGER);
        protocolConfig.destroyKmsContext(CONTEXT);
    }

    function testFuzz_destroyContext_unknownReverts(uint256 contextId) public {
        if (contextId == CONTEXT) return;
        asOwner(abi.encodeWithSelector(E.InvalidKmsContext.selector, contextId));
        protocolConfig.destroyKmsContext(contextId);
    }

    function test_destroyContext_pendingTakesNoMoreConfirmations() public {
        defineContext(10, 1, KmsThresholds(1, 1, 1, 1));
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(NEXT);
        expectConfirmRevert(10, NEXT, abi.encodeWithSelector(E.KmsContextNotPending.selector, NEXT));
    }

    function test_destroyContext_createdClearsItsEpoch() public {
        defineContext(10, 1, KmsThresholds(1, 1, 1, 1));
        confirm(10, NEXT);
        confirm(0, NEXT);
        confirm(1, NEXT);
        confirm(2, NEXT);
        // The epoch goes with its context only.
        asOwner(abi.encodeWithSelector(E.InvalidKmsEpoch.selector, EPOCH + 1));
        protocolConfig.destroyKmsEpoch(EPOCH + 1);
        vm.recordLogs();
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(NEXT);
        vm.assertEq(vm.getRecordedLogs().length, 1, "the context's event only");
        asOwner(abi.encodeWithSelector(E.InvalidKmsEpoch.selector, EPOCH + 1));
        protocolConfig.destroyKmsEpoch(EPOCH + 1);
    }

    function test_destroyEpoch() public {
        defineEpoch();
        for (uint256 i = 0; i < N; i++) {
            attest(i, CONTEXT, EPOCH + 1, 0);
        }
        vm.assertTrue(protocolConfig.isValidEpochForContext(CONTEXT, EPOCH), "the old pair still is");
        vm.expectEmit(address(protocolConfig));
        emit E.KmsEpochDestroyed(EPOCH);
        vm.prank(OWNER);
        protocolConfig.destroyKmsEpoch(EPOCH);
        vm.assertTrue(!protocolConfig.isValidEpochForContext(CONTEXT, EPOCH), "not valid any more");
        asOwner(abi.encodeWithSelector(E.InvalidKmsEpoch.selector, EPOCH));
        protocolConfig.destroyKmsEpoch(EPOCH);
    }

    function test_destroyEpoch_currentAndStrangerRevert() public {
        asOwner(abi.encodeWithSelector(E.LatestActiveKmsEpochCannotBeDestroyed.selector, EPOCH));
        protocolConfig.destroyKmsEpoch(EPOCH);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        vm.prank(STRANGER);
        protocolConfig.destroyKmsEpoch(EPOCH);
    }

    function testFuzz_destroyEpoch_unknownReverts(uint256 epochId) public {
        if (epochId == EPOCH) return;
        asOwner(abi.encodeWithSelector(E.InvalidKmsEpoch.selector, epochId));
        protocolConfig.destroyKmsEpoch(epochId);
    }

    function test_destroyEpoch_pendingUnderTheContextInUse() public {
        defineEpoch();
        vm.expectEmit(address(protocolConfig));
        emit E.KmsEpochDestroyed(EPOCH + 1);
        vm.prank(OWNER);
        protocolConfig.destroyKmsEpoch(EPOCH + 1);
        vm.expectRevert(abi.encodeWithSelector(E.InvalidKmsEpoch.selector, EPOCH + 1));
        vm.prank(kmsSender(0));
        protocolConfig.confirmEpochActivation(EPOCH + 1, attestedKeys(0, "", 0), attestedCrs(0, "", 0));
    }
}
