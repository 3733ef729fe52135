// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostOwned, IHostOwner} from "../../src/host/HostOwned.sol";
import {ProtocolConfig} from "../../src/host/ProtocolConfig.sol";
import {ProtocolConfigEvents as E} from "../../src/host/ProtocolConfigEvents.sol";
import {ChainUpgradeWindow, KmsNodeParams, KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {ProofFormat} from "../../src/shared/ProofFormat.sol";
import {KeyMaterialFixture} from "../helpers/KeyMaterialFixture.sol";
import {Initializable} from "@openzeppelin/contracts-upgradeable/proxy/utils/Initializable.sol";

/// Contexts and epochs that come about elsewhere, thresholds, upgrades, and proposals to coprocessors.
contract ProtocolConfigMirrorTest is KeyMaterialFixture {
    uint256 private constant N = 4;

    KmsThresholds private t = KmsThresholds(2, 3, 3, 1);

    function setUp() public {
        deployCanonical(N, t);
    }

    function asOwner(bytes memory err) private {
        vm.expectRevert(err);
        vm.prank(OWNER);
    }

    function mirror(uint256 contextId, uint256 epochId) private {
        vm.prank(OWNER);
        protocolConfig.mirrorKmsContextAndEpoch(
            contextId, epochId, kmsParams(10, 2), KmsThresholds(1, 1, 1, 1), SOFTWARE_VERSION, pcrs()
        );
    }

    function expectMirrorRevert(uint256 contextId, uint256 epochId, bytes memory err) private {
        asOwner(err);
        protocolConfig.mirrorKmsContextAndEpoch(
            contextId, epochId, kmsParams(10, 2), KmsThresholds(1, 1, 1, 1), SOFTWARE_VERSION, pcrs()
        );
    }

    function expectMirrorEpochRevert(uint256 contextId, uint256 epochId, bytes memory err) private {
        asOwner(err);
        protocolConfig.mirrorKmsEpoch(contextId, epochId);
    }

    function expectPair(uint256 contextId, uint256 epochId) private view {
        (uint256 c, uint256 e) = protocolConfig.getCurrentKmsContextAndEpoch();
        vm.assertEq(c, contextId, "context");
        vm.assertEq(e, epochId, "epoch");
        vm.assertTrue(protocolConfig.isValidEpochForContext(contextId, epochId), "valid pair");
    }

    function test_mirrorContext_activatesAndEmits() public {
        vm.expectEmit(address(protocolConfig));
        emit E.MirrorKmsContextAndEpoch(
            CONTEXT + 1, EPOCH + 1, kmsParams(10, 2), KmsThresholds(1, 1, 1, 1), SOFTWARE_VERSION, pcrs()
        );
        mirror(CONTEXT + 1, EPOCH + 1);
        expectPair(CONTEXT + 1, EPOCH + 1);
        vm.assertEq(protocolConfig.getKmsSigners()[1], vm.addr(kmsKey(11)), "signers");
        vm.assertTrue(protocolConfig.isValidEpochForContext(CONTEXT, EPOCH), "the old pair still is");
        (uint256 blockNumber,) = protocolConfig.getKmsContextAnchor(CONTEXT + 1);
        vm.assertEq(blockNumber, block.number, "anchor");
    }

    function testFuzz_mirrorContext_gapsAreAllowed(uint64 contextGap, uint64 epochGap) public {
        uint256 contextId = CONTEXT + 1 + contextGap;
        uint256 epochId = EPOCH + 1 + epochGap;
        mirror(contextId, epochId);
        expectPair(contextId, epochId);
        vm.assertEq(defineContext(20, 1, KmsThresholds(1, 1, 1, 1)), contextId + 1, "counts on from there");
    }

    function test_mirrorContext_nonIncreasingReverts() public {
        bytes4 err = E.NonIncreasingKmsContextId.selector;
        expectMirrorRevert(CONTEXT, EPOCH + 1, abi.encodeWithSelector(err, CONTEXT, CONTEXT));
        expectMirrorRevert(CONTEXT - 1, EPOCH + 1, abi.encodeWithSelector(err, CONTEXT - 1, CONTEXT));
        expectMirrorRevert(0, EPOCH + 1, abi.encodeWithSelector(err, 0, CONTEXT));
        err = E.NonIncreasingEpochId.selector;
        expectMirrorRevert(CONTEXT + 1, EPOCH, abi.encodeWithSelector(err, EPOCH, EPOCH));
        mirror(CONTEXT + 5, EPOCH + 5);
        expectMirrorRevert(CONTEXT + 6, EPOCH + 5, abi.encodeWithSelector(err, EPOCH + 5, EPOCH + 5));
        err = E.NonIncreasingKmsContextId.selector;
        expectMirrorRevert(CONTEXT + 4, EPOCH + 6, abi.encodeWithSelector(err, CONTEXT + 4, CONTEXT + 5));
    }

    function test_mirrorContext_idsOfAnotherKindRevert() public {
        expectMirrorRevert(8 << 248, EPOCH + 1, abi.encodeWithSelector(E.InvalidKmsContext.selector, 8 << 248));
        expectMirrorRevert(CONTEXT + 1, 9 << 248, abi.encodeWithSelector(E.InvalidKmsEpoch.selector, 9 << 248));
    }

    function test_mirror_notOwnerReverts() public {
        bytes memory err = abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER);
        vm.expectRevert(err);
        vm.prank(STRANGER);
        protocolConfig.mirrorKmsContextAndEpoch(CONTEXT + 1, EPOCH + 1, kmsParams(2), t, "", pcrs());
        vm.expectRevert(err);
        vm.prank(STRANGER);
        protocolConfig.mirrorKmsEpoch(CONTEXT, EPOCH + 1);
    }

    function test_mirrorEpoch_activates() public {
        vm.expectEmit(address(protocolConfig));
        emit E.MirrorKmsEpoch(CONTEXT, EPOCH + 3);
        vm.prank(OWNER);
        protocolConfig.mirrorKmsEpoch(CONTEXT, EPOCH + 3);
        expectPair(CONTEXT, EPOCH + 3);
    }

    function test_mirrorEpoch_invalidContextOrNonIncreasingReverts() public {
        expectMirrorEpochRevert(
            CONTEXT + 1, EPOCH + 1, abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT + 1)
        );
        bytes4 err = E.NonIncreasingEpochId.selector;
        expectMirrorEpochRevert(CONTEXT, EPOCH, abi.encodeWithSelector(err, EPOCH, EPOCH));
        mirror(CONTEXT + 1, EPOCH + 1);
        expectMirrorEpochRevert(CONTEXT, EPOCH + 2, abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT));
    }

    /// Nothing that a handshake prepares may be overtaken, or its end would go back to something older.
    function test_mirror_belowThePendingCounterOrWhileInFlightReverts() public {
        defineEpoch();
        expectMirrorEpochRevert(
            CONTEXT, EPOCH + 1, abi.encodeWithSelector(E.NonIncreasingEpochId.selector, EPOCH + 1, EPOCH + 1)
        );
        bytes4 err = E.KmsLifecycleOperationInFlight.selector;
        expectMirrorEpochRevert(CONTEXT, EPOCH + 2, abi.encodeWithSelector(err, CONTEXT, EPOCH + 1));
        expectMirrorRevert(CONTEXT + 1, EPOCH + 2, abi.encodeWithSelector(err, CONTEXT, EPOCH + 1));
        vm.prank(OWNER);
        protocolConfig.destroyKmsEpoch(EPOCH + 1);
        mirror(CONTEXT + 1, EPOCH + 2);
        // a destroyed context's id is spent, too
        defineContext(20, 1, KmsThresholds(1, 1, 1, 1));
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(CONTEXT + 2);
        bytes4 old = E.NonIncreasingKmsContextId.selector;
        expectMirrorRevert(CONTEXT + 2, EPOCH + 3, abi.encodeWithSelector(old, CONTEXT + 2, CONTEXT + 2));
        vm.prank(OWNER);
        protocolConfig.mirrorKmsEpoch(CONTEXT + 1, EPOCH + 3);
        vm.assertEq(protocolConfig.getCurrentKmsContextIdCounter(), CONTEXT + 2, "counter stays");
    }

    function canonicalInit(uint256 contextId, uint256 epochId) private view returns (bytes memory) {
        return abi.encodeCall(ProtocolConfig.initializeFromCanonical, (contextId, epochId, kmsParams(3), t));
    }

    function test_initializeFromCanonical_keepsIds() public {
        deployProxies();
        ProtocolConfig implementation = new ProtocolConfig(IHostOwner(address(acl)));
        vm.recordLogs();
        vm.prank(OWNER);
        protocolConfig.upgradeToAndCall(address(implementation), canonicalInit(CONTEXT + 7, EPOCH + 9));
        vm.assertEq(vm.getRecordedLogs().length, 2, "Upgraded and Initialized only");
        expectPair(CONTEXT + 7, EPOCH + 9);
        vm.assertEq(protocolConfig.getCurrentKmsContextIdCounter(), CONTEXT + 7, "counter");
        vm.assertTrue(!protocolConfig.isLiveKmsContext(CONTEXT), "no other context");
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        protocolConfig.initializeFromCanonical(CONTEXT + 8, EPOCH + 10, kmsParams(3), t);
    }

    function test_initializeFromCanonical_invalidIdsRevert() public {
        deployProxies();
        ProtocolConfig implementation = new ProtocolConfig(IHostOwner(address(acl)));
        uint256[4] memory bad = [uint256(0), 7 << 248, 8 << 248, 9 << 248];
        for (uint256 i = 0; i < 4; i++) {
            asOwner(abi.encodeWithSelector(E.InvalidKmsContext.selector, bad[i]));
            protocolConfig.upgradeToAndCall(address(implementation), canonicalInit(bad[i], EPOCH));
            asOwner(abi.encodeWithSelector(E.InvalidKmsEpoch.selector, bad[i]));
            protocolConfig.upgradeToAndCall(address(implementation), canonicalInit(CONTEXT, bad[i]));
        }
    }

    function setThreshold(uint256 which, uint256 contextId, uint256 threshold) private {
        if (which == 0) protocolConfig.updatePublicDecryptionThresholdForContext(contextId, threshold);
        if (which == 1) protocolConfig.updateUserDecryptionThresholdForContext(contextId, threshold);
        if (which == 2) protocolConfig.updateKmsGenThresholdForContext(contextId, threshold);
        if (which == 3) protocolConfig.updateMpcThresholdForContext(contextId, threshold);
    }

    function thresholdOf(uint256 which, uint256 contextId) private view returns (uint256) {
        if (which == 0) return protocolConfig.getPublicDecryptionThresholdForContext(contextId);
        if (which == 1) return protocolConfig.getUserDecryptionThresholdForContext(contextId);
        if (which == 2) return protocolConfig.getKmsGenThresholdForContext(contextId);
        return protocolConfig.getMpcThresholdForContext(contextId);
    }

    function test_updateThresholds_currentAndHistorical() public {
        mirror(CONTEXT + 1, EPOCH + 1);
        for (uint256 which = 0; which < 4; which++) {
            vm.expectEmit(address(protocolConfig));
            if (which == 0) emit E.PublicDecryptionThresholdUpdated(CONTEXT, N);
            if (which == 1) emit E.UserDecryptionThresholdUpdated(CONTEXT, N);
            if (which == 2) emit E.KmsGenThresholdUpdated(CONTEXT, N);
            if (which == 3) emit E.MpcThresholdUpdated(CONTEXT, N);
            vm.prank(OWNER);
            setThreshold(which, CONTEXT, N);
            vm.prank(OWNER);
            setThreshold(which, CONTEXT + 1, 2);
            vm.assertEq(thresholdOf(which, CONTEXT), N, "historical");
            vm.assertEq(thresholdOf(which, CONTEXT + 1), 2, "current");
        }
    }

    function testFuzz_updateThresholds(uint8 which, uint256 threshold) public {
        which %= 4;
        string[4] memory names = ["publicDecryption", "userDecryption", "kmsGen", "mpc"];
        if (threshold == 0) {
            asOwner(abi.encodeWithSelector(E.InvalidNullThreshold.selector, names[which]));
        } else if (threshold > 255) {
            asOwner(
                abi.encodeWithSelector(
                    ProofFormat.ThresholdExceedsProofFormatLimit.selector, names[which], threshold, 255
                )
            );
        } else if (threshold > N) {
            asOwner(abi.encodeWithSelector(E.InvalidHighThreshold.selector, names[which], threshold, N));
        } else {
            vm.prank(OWNER);
        }
        setThreshold(which, CONTEXT, threshold);
        if (threshold != 0 && threshold <= N) vm.assertEq(thresholdOf(which, CONTEXT), threshold, "set");
    }

    function test_updateThresholds_refused() public {
        for (uint256 which = 0; which < 4; which++) {
            asOwner(abi.encodeWithSelector(E.InvalidHighThreshold.selector, name(which), N + 1, N));
            setThreshold(which, CONTEXT, N + 1);
            asOwner(abi.encodeWithSelector(E.InvalidNullThreshold.selector, name(which)));
            setThreshold(which, CONTEXT, 0);
            asOwner(abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT + 1));
            setThreshold(which, CONTEXT + 1, 1);
            vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
            vm.prank(STRANGER);
            setThreshold(which, CONTEXT, 1);
        }
        defineContext(20, 1, KmsThresholds(1, 1, 1, 1));
        asOwner(abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT + 1));
        setThreshold(0, CONTEXT + 1, 1);
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(CONTEXT + 1);
        mirror(CONTEXT + 2, EPOCH + 1);
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(CONTEXT);
        asOwner(abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT));
        setThreshold(0, CONTEXT, 1);
    }

    function name(uint256 which) private pure returns (string memory) {
        return ["publicDecryption", "userDecryption", "kmsGen", "mpc"][which];
    }

    /// A proxy as the release without epochs leaves it: nodes and thresholds, but no states.
    function asPreviousRelease(uint256 current) private {
        address at = address(protocolConfig);
        bytes32 initializable = 0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00;
        vm.store(at, initializable, bytes32(uint256(2)));
        vm.store(at, slotOf(CONFIG_NS, 0), bytes32(current));
        for (uint256 member = 11; member < 14; member++) {
            vm.store(at, slotOf(CONFIG_NS, member), 0);
        }
        for (uint256 id = CONTEXT; id <= current; id++) {
            vm.store(at, keccak256(abi.encode(id, slotOf(CONFIG_NS, 14))), 0);
            bytes32 anchor = keccak256(abi.encode(id, slotOf(CONFIG_NS, 23)));
            vm.store(at, anchor, 0);
            vm.store(at, bytes32(uint256(anchor) + 1), 0);
        }
        vm.store(at, keccak256(abi.encode(EPOCH, slotOf(CONFIG_NS, 15))), 0);
        vm.store(at, keccak256(abi.encode(EPOCH, slotOf(CONFIG_NS, 16))), 0);
    }

    function test_reinitializeV2_migratesContextsWithoutEpochs() public {
        switchContext(0, N, 10, 2, KmsThresholds(1, 2, 2, 1));
        switchContext(10, 2, 20, 2, KmsThresholds(1, 2, 1, 1));
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(CONTEXT);
        asPreviousRelease(CONTEXT + 2);
        vm.assertTrue(!protocolConfig.isLiveKmsContext(CONTEXT + 2), "no state yet");

        KmsNodeParams[] memory params = kmsParams(20, 2);
        vm.roll(900);
        vm.expectEmit(address(protocolConfig));
        emit E.NewKmsContext(CONTEXT + 2, 7 << 248, params, KmsThresholds(1, 2, 1, 1), SOFTWARE_VERSION, pcrs());
        protocolConfig.reinitializeV2(params, SOFTWARE_VERSION, pcrs());
        expectPair(CONTEXT + 2, EPOCH);
        vm.assertTrue(protocolConfig.isValidKmsContext(CONTEXT + 1), "an older context stays good");
        vm.assertTrue(!protocolConfig.isValidKmsContext(CONTEXT), "a destroyed one stays destroyed");
        vm.assertEq(protocolConfig.getKmsNodeForContext(CONTEXT, kmsSender(0)).storageUrl, kmsUrl(0), "but known");
        (uint256 blockNumber, bytes32 infoHash) = protocolConfig.getKmsContextAnchor(CONTEXT + 2);
        vm.assertEq(blockNumber, 900, "anchor block");
        vm.assertEq(
            infoHash, keccak256(abi.encode(params, KmsThresholds(1, 2, 1, 1), SOFTWARE_VERSION, pcrs())), "anchor"
        );
        defineEpoch();
        vm.expectRevert(abi.encodeWithSelector(Initializable.InvalidInitialization.selector));
        protocolConfig.reinitializeV2(params, SOFTWARE_VERSION, pcrs());
    }

    function test_reinitializeV2_refusesOtherNodes() public {
        asPreviousRelease(CONTEXT);
        bytes memory err = abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT);
        vm.expectRevert(err);
        protocolConfig.reinitializeV2(kmsParams(N - 1), "", pcrs());
        vm.expectRevert(err);
        protocolConfig.reinitializeV2(kmsParams(1, N), "", pcrs());
        KmsNodeParams[] memory params = kmsParams(N);
        params[2].signerAddress = STRANGER;
        vm.expectRevert(err);
        protocolConfig.reinitializeV2(params, "", pcrs());
        protocolConfig.reinitializeV2(kmsParams(N), "", pcrs());
    }

    function windows(uint256 n) private pure returns (ChainUpgradeWindow[] memory list) {
        list = new ChainUpgradeWindow[](n);
        for (uint256 i = 0; i < n; i++) {
            list[i] = ChainUpgradeWindow(uint64(100 + i), uint64(10 + i), uint64(20 + i));
        }
    }

    function propose(uint256 id, ChainUpgradeWindow[] memory list) private {
        vm.expectEmit(address(protocolConfig));
        emit E.CoprocessorUpgradeProposed(id, "v9", list, 5);
        vm.prank(OWNER);
        protocolConfig.proposeCoprocessorUpgrade(id, "v9", list, 5);
    }

    function test_propose() public {
        propose(1, windows(1));
        propose(2, windows(3));
        propose(2, windows(3));
        propose(type(uint256).max, windows(1));
    }

    function expectProposeRevert(
        uint256 id,
        string memory version,
        ChainUpgradeWindow[] memory list,
        uint64 gwStart,
        bytes memory err
    ) private {
        asOwner(err);
        protocolConfig.proposeCoprocessorUpgrade(id, version, list, gwStart);
    }

    function test_propose_refused() public {
        expectProposeRevert(0, "v9", windows(1), 5, abi.encodeWithSelector(E.InvalidProposalId.selector));
        expectProposeRevert(1, "", windows(1), 5, abi.encodeWithSelector(E.EmptySoftwareVersion.selector));
        expectProposeRevert(1, "v9", windows(0), 5, abi.encodeWithSelector(E.EmptyChainUpgradeWindows.selector));
        expectProposeRevert(1, "v9", windows(1), 0, abi.encodeWithSelector(E.ZeroGwStartBlock.selector));
        ChainUpgradeWindow[] memory list = windows(3);
        list[1].chainId = 0;
        expectProposeRevert(1, "v9", list, 5, abi.encodeWithSelector(E.ZeroChainId.selector));
        list = windows(3);
        list[2].chainId = 100;
        expectProposeRevert(1, "v9", list, 5, abi.encodeWithSelector(E.DuplicateChainId.selector, 100));
        bytes4 err = E.InvalidBlockWindow.selector;
        list = windows(3);
        (list[2].startBlock, list[2].endBlock) = (9, 8);
        expectProposeRevert(1, "v9", list, 5, abi.encodeWithSelector(err, 102, 9, 8));
        (list[2].startBlock, list[2].endBlock) = (0, 8);
        expectProposeRevert(1, "v9", list, 5, abi.encodeWithSelector(err, 102, 0, 8));
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        vm.prank(STRANGER);
        protocolConfig.proposeCoprocessorUpgrade(1, "v9", windows(1), 5);
    }
}
