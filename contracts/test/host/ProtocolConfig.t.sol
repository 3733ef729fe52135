// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostOwned, IHostOwner} from "../../src/host/HostOwned.sol";
import {ProtocolConfig} from "../../src/host/ProtocolConfig.sol";
import {ProtocolConfigEvents as E} from "../../src/host/ProtocolConfigEvents.sol";
import {KmsNode, KmsNodeParams, KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {ProofFormat} from "../../src/shared/ProofFormat.sol";
import {HostFixture} from "../helpers/HostFixture.sol";

contract ProtocolConfigTest is HostFixture {
    uint256 private constant N = 4;
    string private constant NS = "fhevm.storage.ProtocolConfig";

    function setUp() public {
        deployProxies();
    }

    function install() private {
        installProtocolConfig(kmsParams(N), KmsThresholds(2, 3, 4, 1));
    }

    function expectInitRevert(KmsNodeParams[] memory params, KmsThresholds memory t, bytes memory err) private {
        ProtocolConfig implementation = new ProtocolConfig(IHostOwner(address(acl)));
        vm.prank(OWNER);
        vm.expectRevert(err);
        protocolConfig.upgradeToAndCall(address(implementation), protocolInit(params, t));
    }

    function test_initialisationActivatesFirstContextAndEpoch() public {
        KmsNodeParams[] memory params = kmsParams(N);
        KmsThresholds memory t = KmsThresholds(2, 3, 4, 1);
        ProtocolConfig implementation = new ProtocolConfig(IHostOwner(address(acl)));
        vm.roll(77);
        vm.expectEmit(address(protocolConfig));
        emit E.NewKmsContext(CONTEXT, 7 << 248, params, t, SOFTWARE_VERSION, pcrs());
        vm.prank(OWNER);
        protocolConfig.upgradeToAndCall(address(implementation), protocolInit(params, t));

        (uint256 contextId, uint256 epochId) = protocolConfig.getCurrentKmsContextAndEpoch();
        vm.assertEq(contextId, CONTEXT, "context");
        vm.assertEq(epochId, EPOCH, "epoch");
        vm.assertEq(protocolConfig.getCurrentKmsContextId(), CONTEXT, "context again");
        vm.assertEq(protocolConfig.getCurrentKmsContextIdCounter(), CONTEXT, "highest id");
        (uint256 blockNumber, bytes32 infoHash) = protocolConfig.getKmsContextAnchor(CONTEXT);
        vm.assertEq(blockNumber, 77, "anchor block");
        vm.assertEq(infoHash, keccak256(abi.encode(params, t, SOFTWARE_VERSION, pcrs())), "anchor hash");
        vm.assertEq(protocolConfig.getVersion(), "ProtocolConfig v0.2.0", "version");
    }

    function test_getters() public {
        install();
        vm.assertEq(protocolConfig.getPublicDecryptionThreshold(), 2, "public");
        vm.assertEq(protocolConfig.getUserDecryptionThreshold(), 3, "user");
        vm.assertEq(protocolConfig.getKmsGenThreshold(), 4, "kmsGen");
        vm.assertEq(protocolConfig.getMpcThreshold(), 1, "mpc");
        vm.assertEq(protocolConfig.getPublicDecryptionThresholdForContext(CONTEXT), 2, "public");
        vm.assertEq(protocolConfig.getUserDecryptionThresholdForContext(CONTEXT), 3, "user");
        vm.assertEq(protocolConfig.getKmsGenThresholdForContext(CONTEXT), 4, "kmsGen");
        vm.assertEq(protocolConfig.getMpcThresholdForContext(CONTEXT), 1, "mpc");
        KmsNodeParams[] memory params = kmsParams(N);
        KmsNode[] memory nodes = protocolConfig.getKmsNodesForContext(CONTEXT);
        vm.assertEq(nodes.length, N, "nodes");
        for (uint256 i = 0; i < N; i++) {
            vm.assertEq(nodes[i].txSenderAddress, params[i].txSenderAddress, "sender");
            vm.assertEq(nodes[i].signerAddress, params[i].signerAddress, "signer");
            vm.assertEq(nodes[i].storageUrl, params[i].storageUrl, "storage");
            vm.assertEq(protocolConfig.getKmsSigners()[i], params[i].signerAddress, "in party order");
            vm.assertEq(protocolConfig.getKmsSignersForContext(CONTEXT)[i], params[i].signerAddress, "in party order");
            vm.assertTrue(protocolConfig.isKmsSigner(params[i].signerAddress), "signer");
            vm.assertTrue(protocolConfig.isKmsSignerForContext(CONTEXT, params[i].signerAddress), "signer");
            vm.assertTrue(protocolConfig.isKmsTxSenderForContext(CONTEXT, params[i].txSenderAddress), "sender");
            vm.assertEq(
                protocolConfig.getKmsNodeForContext(CONTEXT, params[i].txSenderAddress).signerAddress,
                params[i].signerAddress,
                "node"
            );
        }
        vm.assertTrue(!protocolConfig.isKmsSigner(STRANGER), "stranger");
        vm.assertEq(protocolConfig.getKmsNodeForContext(CONTEXT, STRANGER).signerAddress, address(0), "stranger");
    }

    function testFuzz_gettersRefuseAnInvalidContext(uint256 id) public {
        install();
        if (id == CONTEXT) return;
        vm.assertTrue(!protocolConfig.isValidKmsContext(id) && !protocolConfig.isLiveKmsContext(id), "not valid");
        vm.assertTrue(!protocolConfig.isValidEpochForContext(id, EPOCH), "epoch of another context");
        bytes memory err = abi.encodeWithSelector(E.InvalidKmsContext.selector, id);
        vm.expectRevert(err);
        protocolConfig.getKmsSignersForContext(id);
        vm.expectRevert(err);
        protocolConfig.isKmsSignerForContext(id, STRANGER);
        vm.expectRevert(err);
        protocolConfig.isKmsTxSenderForContext(id, STRANGER);
        vm.expectRevert(err);
        protocolConfig.getKmsNodesForContext(id);
        vm.expectRevert(err);
        protocolConfig.getKmsNodeForContext(id, STRANGER);
        vm.expectRevert(err);
        protocolConfig.getKmsContextAnchor(id);
        vm.expectRevert(err);
        protocolConfig.getPublicDecryptionThresholdForContext(id);
        vm.expectRevert(err);
        protocolConfig.getUserDecryptionThresholdForContext(id);
        vm.expectRevert(err);
        protocolConfig.getKmsGenThresholdForContext(id);
        vm.expectRevert(err);
        protocolConfig.getMpcThresholdForContext(id);
    }

    function test_destroyedContextStaysInTheRecords() public {
        install();
        vm.store(address(protocolConfig), keccak256(abi.encode(CONTEXT, slotOf(NS, 10))), bytes32(uint256(1)));
        vm.assertTrue(!protocolConfig.isValidKmsContext(CONTEXT), "not valid");
        vm.assertTrue(!protocolConfig.isLiveKmsContext(CONTEXT), "not live");
        vm.assertTrue(!protocolConfig.isValidEpochForContext(CONTEXT, EPOCH), "nor its epoch");
        vm.expectRevert(abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT));
        protocolConfig.getKmsSignersForContext(CONTEXT);
        protocolConfig.getKmsContextAnchor(CONTEXT);
        address sender = kmsParams(1)[0].txSenderAddress;
        vm.assertEq(protocolConfig.getKmsNodeForContext(CONTEXT, sender).txSenderAddress, sender, "node readable");
    }

    function testFuzz_epochIsValidOnlyWithItsContext(uint256 epochId) public {
        install();
        vm.assertTrue(protocolConfig.isValidEpochForContext(CONTEXT, epochId) == (epochId == EPOCH), "epoch");
    }

    function test_initialiseAgainReverts() public {
        install();
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        protocolConfig.initializeFromEmptyProxy(kmsParams(1), KmsThresholds(1, 1, 1, 1), "", pcrs());
    }

    function test_onlyOwnerUpgrades() public {
        install();
        ProtocolConfig next = new ProtocolConfig(IHostOwner(address(acl)));
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        protocolConfig.upgradeToAndCall(address(next), "");
        vm.prank(OWNER);
        protocolConfig.upgradeToAndCall(address(next), "");
    }

    function test_badNodesRevert() public {
        KmsThresholds memory t = KmsThresholds(1, 1, 1, 1);
        expectInitRevert(kmsParams(0), t, abi.encodeWithSelector(E.EmptyKmsNodes.selector));
        KmsNodeParams[] memory params = kmsParams(3);
        params[1].txSenderAddress = address(0);
        expectInitRevert(params, t, abi.encodeWithSelector(E.KmsNodeNullTxSender.selector));
        params = kmsParams(3);
        params[1].signerAddress = address(0);
        expectInitRevert(params, t, abi.encodeWithSelector(E.KmsNodeNullSigner.selector));
        params = kmsParams(3);
        params[2].txSenderAddress = params[0].txSenderAddress;
        bytes4 err = E.KmsTxSenderAlreadyRegistered.selector;
        expectInitRevert(params, t, abi.encodeWithSelector(err, params[0].txSenderAddress));
        params = kmsParams(3);
        params[2].signerAddress = params[0].signerAddress;
        err = E.KmsSignerAlreadyRegistered.selector;
        expectInitRevert(params, t, abi.encodeWithSelector(err, params[0].signerAddress));
        err = ProofFormat.KmsSignerSetExceedsProofFormatLimit.selector;
        expectInitRevert(kmsParams(256), t, abi.encodeWithSelector(err, 256, 255));
    }

    function test_badThresholdsAreNamedInTheError() public {
        string[4] memory names = ["publicDecryption", "userDecryption", "kmsGen", "mpc"];
        for (uint256 i = 0; i < 4; i++) {
            uint256[4] memory v = [uint256(1), 1, 1, 1];
            v[i] = 0;
            bytes4 err = E.InvalidNullThreshold.selector;
            expectInitRevert(kmsParams(3), KmsThresholds(v[0], v[1], v[2], v[3]), abi.encodeWithSelector(err, names[i]));
            v[i] = 4;
            err = E.InvalidHighThreshold.selector;
            expectInitRevert(
                kmsParams(3), KmsThresholds(v[0], v[1], v[2], v[3]), abi.encodeWithSelector(err, names[i], 4, 3)
            );
            v[i] = 256;
            err = ProofFormat.ThresholdExceedsProofFormatLimit.selector;
            expectInitRevert(
                kmsParams(3), KmsThresholds(v[0], v[1], v[2], v[3]), abi.encodeWithSelector(err, names[i], 256, 255)
            );
        }
    }

    function test_storageIsAtItsPlace() public {
        install();
        vm.assertEq(namespaceSlot(NS), 0x80f3585af86806c5774303b06c1ee640aa83b6ef3e45df49bb26c8524500c200, "namespace");
        vm.assertEq(vm.load(address(protocolConfig), slotOf(NS, 0)), bytes32(CONTEXT), "currentKmsContextId");
        vm.assertEq(vm.load(address(protocolConfig), slotOf(NS, 11)), bytes32(CONTEXT), "latestActiveKmsContextId");
        vm.assertEq(vm.load(address(protocolConfig), slotOf(NS, 12)), bytes32(EPOCH), "epochCounter");
        vm.assertEq(vm.load(address(protocolConfig), slotOf(NS, 13)), bytes32(EPOCH), "latestActiveEpochId");
        bytes32 owner = keccak256(abi.encode(EPOCH, slotOf(NS, 16)));
        vm.assertEq(vm.load(address(protocolConfig), owner), bytes32(CONTEXT), "contextForEpoch");
        bytes32 anchor = keccak256(abi.encode(CONTEXT, slotOf(NS, 23)));
        vm.assertEq(vm.load(address(protocolConfig), anchor), bytes32(block.number), "contextAnchors");
    }
}
