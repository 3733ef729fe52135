// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayConfig} from "../../src/gateway/GatewayConfig.sol";
import {GatewayConfigEvents as E} from "../../src/gateway/GatewayConfigEvents.sol";
import {Coprocessor, Custodian, HostChain, KmsNode, ProtocolMetadata} from "../../src/gateway/GatewayTypes.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {ProofFormat} from "../../src/shared/ProofFormat.sol";
import {GatewayFixture} from "../helpers/GatewayFixture.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";

contract GatewayConfigTest is GatewayFixture {
    uint256 private constant N = 4;
    string private constant NS = "fhevm_gateway.storage.GatewayConfig";

    function setUp() public {
        deployGateway(N, 3);
    }

    function expectOwnerRevert(bytes memory err) private {
        vm.prank(OWNER);
        vm.expectRevert(err);
    }

    function expectStrangerRevert() private {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, STRANGER));
    }

    // deployment

    function test_versionAndOwner() public view {
        vm.assertEq(config.getVersion(), "GatewayConfig v0.8.0", "version");
        vm.assertEq(config.owner(), OWNER, "the owner of the empty proxy stays");
    }

    function test_initialisationStoresAndEmitsEverything() public {
        deployProxies();
        GatewayConfig implementation = newConfig();
        KmsNode[] memory nodes = kmsNodes(0, N);
        GatewayConfig.Thresholds memory t = thresholds(1, 2, 3, 4);
        vm.expectEmit(address(config));
        emit GatewayConfig.InitializeGatewayConfig(
            CONTEXT,
            ProtocolMetadata("test", "http://127.0.0.1"),
            t,
            nodes,
            coprocessors(0, N_COPROCESSORS),
            custodians(0, 1)
        );
        vm.prank(OWNER);
        config.upgradeToAndCall(address(implementation), configInit(nodes, t));
        vm.assertEq(config.getProtocolMetadata().name, "test", "name");
        vm.assertEq(config.getProtocolMetadata().website, "http://127.0.0.1", "website");
        vm.assertEq(config.getMpcThreshold(), 1, "mpc");
        vm.assertEq(config.getPublicDecryptionThresholdForContext(CONTEXT), 2, "public");
        vm.assertEq(config.getUserDecryptionThresholdForContext(CONTEXT), 3, "user");
        vm.assertEq(config.getKmsGenThreshold(), 4, "kmsGen");
        vm.assertEq(config.getCoprocessorMajorityThreshold(), COPROCESSOR_THRESHOLD, "coprocessor");
        vm.assertEq(config.getCurrentKmsContextId(), CONTEXT, "context");
    }

    function test_initialiseAgainReverts() public {
        GatewayConfig.Thresholds memory t = thresholds(0, 1, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        config.initializeFromEmptyProxy(
            CONTEXT, ProtocolMetadata("", ""), t, kmsNodes(0, 1), coprocessors(0, 2), custodians(0, 1)
        );
    }

    function test_upgradeClearsThePriorityCoprocessorSlot_once() public {
        deployProxies();
        GatewayConfig implementation = newConfig();
        vm.store(address(config), slotOf(NS, 36), bytes32(uint256(0xdead)));
        vm.prank(OWNER);
        config.upgradeToAndCall(address(implementation), abi.encodeCall(GatewayConfig.reinitializeV9, ()));
        vm.assertEq(vm.load(address(config), slotOf(NS, 36)), bytes32(0), "cleared");
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        config.reinitializeV9();
    }

    function test_onlyOwnerUpgrades() public {
        GatewayConfig next = newConfig();
        expectStrangerRevert();
        config.upgradeToAndCall(address(next), "");
        vm.prank(OWNER);
        config.upgradeToAndCall(address(next), "");
        vm.assertEq(config.getCurrentKmsContextId(), CONTEXT, "state stays");
    }

    function test_ownershipMovesInTwoSteps() public {
        vm.prank(OWNER);
        config.transferOwnership(STRANGER);
        vm.assertEq(config.owner(), OWNER, "not yet");
        vm.prank(STRANGER);
        config.acceptOwnership();
        vm.assertEq(config.owner(), STRANGER, "now");
    }

    function test_storageIsAtItsPlace() public {
        vm.assertEq(namespaceSlot(NS), 0x86d3070a8993f6b209bee6185186d38a07fce8bbd97c750d934451b72f35b400, "namespace");
        vm.assertEq(vm.load(address(config), slotOf(NS, 13)), bytes32(N_COPROCESSORS), "coprocessor senders");
        vm.assertEq(vm.load(address(config), slotOf(NS, 16)), bytes32(uint256(1)), "hostChains");
        vm.assertEq(vm.load(address(config), slotOf(NS, 23)), bytes32(COPROCESSOR_THRESHOLD), "coprocessorThreshold");
        vm.assertEq(vm.load(address(config), slotOf(NS, 24)), bytes32(CONTEXT), "currentKmsContextId");
        bytes32 pub = keccak256(abi.encode(CONTEXT, slotOf(NS, 30)));
        vm.assertEq(vm.load(address(config), pub), bytes32(uint256(3)), "publicDecryptionThresholdForContext");
        vm.prank(OWNER);
        config.disableHostChain(HOST_CHAIN);
        bytes32 disabled = keccak256(abi.encode(HOST_CHAIN, slotOf(NS, 35)));
        vm.assertEq(vm.load(address(config), disabled), bytes32(uint256(1)), "disabledHostChains");
    }

    // contexts

    function updateContext(uint256 id, KmsNode[] memory nodes, uint256 mpc, uint256 pub, uint256 user, uint256 gen)
        private
    {
        config.updateKmsContext(id, nodes, mpc, pub, user, gen);
    }

    function test_updateKmsContextReplacesTheCurrentSet_oldOneStaysReadable() public {
        KmsNode[] memory nodes = kmsNodes(10, 3);
        vm.expectEmit(address(config));
        emit E.UpdateKmsContext(CONTEXT + 5, nodes, 0, 1, 2, 3);
        vm.prank(OWNER);
        updateContext(CONTEXT + 5, nodes, 0, 1, 2, 3);
        vm.assertEq(config.getCurrentKmsContextId(), CONTEXT + 5, "current");
        vm.assertTrue(config.isKmsTxSender(kmsSender(10)) && !config.isKmsTxSender(kmsSender(0)), "senders");
        vm.assertTrue(config.isKmsSigner(vm.addr(kmsKey(10))) && !config.isKmsSigner(vm.addr(kmsKey(0))), "signers");
        vm.assertEq(config.getKmsTxSenders().length, 3, "senders");
        vm.assertEq(config.getKmsSigners()[2], nodes[2].signerAddress, "signers in order");
        vm.assertEq(config.getKmsNode(kmsSender(11)).signerAddress, nodes[1].signerAddress, "node");
        vm.assertTrue(config.isKmsTxSenderForContext(CONTEXT, kmsSender(0)), "old sender");
        vm.assertTrue(config.isKmsSignerForContext(CONTEXT, vm.addr(kmsKey(0))), "old signer");
        vm.assertEq(config.getKmsTxSendersForContext(CONTEXT).length, N, "old senders");
        vm.assertEq(config.getKmsSignersForContext(CONTEXT).length, N, "old signers");
        vm.assertEq(config.getPublicDecryptionThresholdForContext(CONTEXT), 3, "old threshold");
        vm.assertEq(config.getKmsNodeForContext(CONTEXT, kmsSender(10)).signerAddress, address(0), "not its node");
    }

    function test_updateKmsContextWhilePaused() public {
        vm.prank(PAUSER);
        decryption.pause();
        rotateContext(CONTEXT + 1, 0, N, 1);
    }

    function test_updateKmsContextRefused() public {
        KmsNode[] memory n3 = kmsNodes(0, 3);
        uint256 id = CONTEXT + 1;
        expectStrangerRevert();
        updateContext(id, n3, 0, 1, 1, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidNullKmsContextId.selector));
        updateContext(0, n3, 0, 1, 1, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.KmsContextAlreadyRegistered.selector, CONTEXT, CONTEXT));
        updateContext(CONTEXT, n3, 0, 1, 1, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.EmptyKmsNodes.selector));
        updateContext(id, kmsNodes(0, 0), 0, 1, 1, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidHighMpcThreshold.selector, 3, 3));
        updateContext(id, n3, 3, 1, 1, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidNullPublicDecryptionThreshold.selector));
        updateContext(id, n3, 0, 0, 1, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidHighPublicDecryptionThreshold.selector, 4, 3));
        updateContext(id, n3, 0, 4, 1, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidNullUserDecryptionThreshold.selector));
        updateContext(id, n3, 0, 1, 0, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidHighUserDecryptionThreshold.selector, 4, 3));
        updateContext(id, n3, 0, 1, 4, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidNullKmsGenThreshold.selector));
        updateContext(id, n3, 0, 1, 1, 0);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidHighKmsGenThreshold.selector, 4, 3));
        updateContext(id, n3, 0, 1, 1, 4);
    }

    function test_moreThan255NodesRevert_255AreAccepted() public {
        KmsNode[] memory nodes = kmsNodes(0, 256);
        expectOwnerRevert(abi.encodeWithSelector(ProofFormat.KmsSignerSetExceedsProofFormatLimit.selector, 256, 255));
        updateContext(CONTEXT + 1, nodes, 0, 1, 1, 1);
        assembly {
            mstore(nodes, 255)
        }
        vm.prank(OWNER);
        updateContext(CONTEXT + 1, nodes, 254, 255, 255, 255);
    }

    function test_thresholdAbove255IsNamedInTheError() public {
        bytes4 err = ProofFormat.ThresholdExceedsProofFormatLimit.selector;
        expectOwnerRevert(abi.encodeWithSelector(err, "mpc", 256, 255));
        updateContext(CONTEXT + 1, kmsNodes(0, 3), 256, 1, 1, 1);
        expectOwnerRevert(abi.encodeWithSelector(err, "publicDecryption", 256, 255));
        updateContext(CONTEXT + 1, kmsNodes(0, 3), 0, 256, 1, 1);
        expectOwnerRevert(abi.encodeWithSelector(err, "userDecryption", 256, 255));
        updateContext(CONTEXT + 1, kmsNodes(0, 3), 0, 1, 256, 1);
        expectOwnerRevert(abi.encodeWithSelector(err, "kmsGen", 256, 255));
        updateContext(CONTEXT + 1, kmsNodes(0, 3), 0, 1, 1, 256);
    }

    function testFuzz_thresholdsAreAcceptedExactlyInTheirRange(uint8 n, uint8 mpc, uint8 pub, uint8 user, uint8 gen)
        public
    {
        n = uint8(1 + n % 6);
        (mpc, pub, user, gen) = (mpc % 8, pub % 8, user % 8, gen % 8);
        bool valid = mpc < n && pub != 0 && pub <= n && user != 0 && user <= n && gen != 0 && gen <= n;
        vm.prank(OWNER);
        try config.updateKmsContext(CONTEXT + 1, kmsNodes(0, n), mpc, pub, user, gen) {
            vm.assertTrue(valid, "accepted");
        } catch {
            vm.assertTrue(!valid, "refused");
        }
        vm.assertEq(config.getCurrentKmsContextId(), valid ? CONTEXT + 1 : CONTEXT, "current context");
    }

    function test_destroyOldContext_itsGettersRevert() public {
        rotateContext(CONTEXT + 1, 10, N, 1);
        vm.expectEmit(address(config));
        emit E.DestroyKmsContext(CONTEXT);
        vm.prank(OWNER);
        config.destroyKmsContext(CONTEXT);
        vm.assertTrue(!config.isValidKmsContext(CONTEXT) && config.isValidKmsContext(CONTEXT + 1), "validity");
        bytes memory err = abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT);
        vm.expectRevert(err);
        config.isKmsTxSenderForContext(CONTEXT, kmsSender(0));
        vm.expectRevert(err);
        config.isKmsSignerForContext(CONTEXT, kmsSender(0));
        vm.expectRevert(err);
        config.getKmsNodeForContext(CONTEXT, kmsSender(0));
        vm.expectRevert(err);
        config.getKmsTxSendersForContext(CONTEXT);
        vm.expectRevert(err);
        config.getKmsSignersForContext(CONTEXT);
        vm.expectRevert(err);
        config.getPublicDecryptionThresholdForContext(CONTEXT);
        vm.expectRevert(err);
        config.getUserDecryptionThresholdForContext(CONTEXT);
    }

    function test_destroyContextRefused() public {
        rotateContext(CONTEXT + 1, 10, N, 1);
        expectStrangerRevert();
        config.destroyKmsContext(CONTEXT);
        expectOwnerRevert(abi.encodeWithSelector(E.CurrentKmsContextCannotBeDestroyed.selector, CONTEXT + 1));
        config.destroyKmsContext(CONTEXT + 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT + 2));
        config.destroyKmsContext(CONTEXT + 2);
        vm.prank(OWNER);
        config.destroyKmsContext(CONTEXT);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT));
        config.destroyKmsContext(CONTEXT);
    }

    function testFuzz_unknownContextIsNotValid(uint256 id) public view {
        vm.assertTrue(config.isValidKmsContext(id) == (id == CONTEXT), "only the registered one");
    }

    function test_thresholdsOfCurrentAndOlderContextCanBeChanged() public {
        rotateContext(CONTEXT + 1, 10, N, 1);
        vm.startPrank(OWNER);
        for (uint256 id = CONTEXT; id <= CONTEXT + 1; id++) {
            vm.expectEmit(address(config));
            emit E.UpdateMpcThresholdForContext(id, 0);
            config.updateMpcThresholdForContext(id, 0);
            vm.expectEmit(address(config));
            emit E.UpdatePublicDecryptionThresholdForContext(id, 4);
            config.updatePublicDecryptionThresholdForContext(id, 4);
            vm.expectEmit(address(config));
            emit E.UpdateUserDecryptionThresholdForContext(id, 2);
            config.updateUserDecryptionThresholdForContext(id, 2);
            vm.expectEmit(address(config));
            emit E.UpdateKmsGenThresholdForContext(id, 3);
            config.updateKmsGenThresholdForContext(id, 3);
            vm.assertEq(config.getPublicDecryptionThresholdForContext(id), 4, "public");
            vm.assertEq(config.getUserDecryptionThresholdForContext(id), 2, "user");
        }
        vm.assertEq(config.getKmsGenThreshold(), 3, "kmsGen");
        vm.stopPrank();
    }

    function test_thresholdUpdatesRefused() public {
        expectStrangerRevert();
        config.updateMpcThresholdForContext(CONTEXT, 0);
        expectStrangerRevert();
        config.updatePublicDecryptionThresholdForContext(CONTEXT, 1);
        expectStrangerRevert();
        config.updateUserDecryptionThresholdForContext(CONTEXT, 1);
        expectStrangerRevert();
        config.updateKmsGenThresholdForContext(CONTEXT, 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT + 1));
        config.updateMpcThresholdForContext(CONTEXT + 1, 0);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidHighMpcThreshold.selector, N, N));
        config.updateMpcThresholdForContext(CONTEXT, N);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidNullPublicDecryptionThreshold.selector));
        config.updatePublicDecryptionThresholdForContext(CONTEXT, 0);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidHighUserDecryptionThreshold.selector, N + 1, N));
        config.updateUserDecryptionThresholdForContext(CONTEXT, N + 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidHighKmsGenThreshold.selector, N + 1, N));
        config.updateKmsGenThresholdForContext(CONTEXT, N + 1);
    }

    // coprocessors and custodians

    function test_updateCoprocessorsReplacesTheWholeSet() public {
        Coprocessor[] memory next = coprocessors(2, 2);
        vm.expectEmit(address(config));
        emit E.UpdateCoprocessors(next, 2);
        vm.prank(OWNER);
        config.updateCoprocessors(next, 2);
        vm.assertTrue(!config.isCoprocessorTxSender(coproSender(0)), "gone");
        vm.assertTrue(!config.isCoprocessorSigner(address(0xE000)), "its key too");
        vm.assertEq(config.getCoprocessor(coproSender(0)).signerAddress, address(0), "its record too");
        vm.assertTrue(
            config.isCoprocessorTxSender(coproSender(2)) && config.isCoprocessorTxSender(coproSender(3)), "in"
        );
        vm.assertTrue(config.isCoprocessorSigner(address(0xE003)), "key");
        vm.assertEq(config.getCoprocessor(coproSender(3)).s3BucketUrl, "http://127.0.0.1/ciphertexts", "bucket");
        vm.assertEq(config.getCoprocessorTxSenders().length, 2, "senders");
        vm.assertEq(config.getCoprocessorSigners()[1], address(0xE003), "signers");
    }

    function test_coprocessorUpdatesRefused() public {
        expectStrangerRevert();
        config.updateCoprocessors(coprocessors(0, 1), 1);
        expectOwnerRevert(abi.encodeWithSelector(E.EmptyCoprocessors.selector));
        config.updateCoprocessors(coprocessors(0, 0), 1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidNullCoprocessorThreshold.selector));
        config.updateCoprocessors(coprocessors(0, 1), 0);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidHighCoprocessorThreshold.selector, 2, 1));
        config.updateCoprocessors(coprocessors(0, 1), 2);
        expectStrangerRevert();
        config.updateCoprocessorThreshold(1);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidNullCoprocessorThreshold.selector));
        config.updateCoprocessorThreshold(0);
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidHighCoprocessorThreshold.selector, 4, 3));
        config.updateCoprocessorThreshold(4);
        vm.prank(OWNER);
        config.updateCoprocessorThreshold(3);
        vm.assertEq(config.getCoprocessorMajorityThreshold(), 3, "threshold");
    }

    function test_updateCustodians() public {
        expectStrangerRevert();
        config.updateCustodians(custodians(1, 2));
        expectOwnerRevert(abi.encodeWithSelector(E.EmptyCustodians.selector));
        config.updateCustodians(custodians(0, 0));
        vm.expectEmit(address(config));
        emit E.UpdateCustodians(custodians(1, 2));
        vm.prank(OWNER);
        config.updateCustodians(custodians(1, 2));
        vm.assertTrue(
            !config.isCustodianTxSender(address(0xF000)) && config.isCustodianTxSender(address(0xF001)), "set"
        );
        vm.assertTrue(!config.isCustodianSigner(address(0xF100)) && config.isCustodianSigner(address(0xF102)), "keys");
        vm.assertEq(config.getCustodian(address(0xF001)).encryptionKey, hex"c0ffee", "record");
        vm.assertEq(config.getCustodianTxSenders().length, 2, "senders");
        vm.assertEq(config.getCustodianSigners()[0], address(0xF101), "signers");
    }

    // host chains and pausers

    function test_addHostChain() public {
        vm.expectEmit(address(config));
        emit E.AddHostChain(hostChain(1));
        vm.prank(OWNER);
        config.addHostChain(hostChain(1));
        vm.assertTrue(config.isHostChainRegistered(1) && !config.isHostChainDisabled(1), "registered");
        vm.assertEq(config.getHostChain(1).chainId, 1, "by place");
        vm.assertEq(config.getHostChains().length, 2, "all");
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x32));
        config.getHostChain(2);
    }

    function test_addHostChainRefused() public {
        expectStrangerRevert();
        config.addHostChain(hostChain(1));
        expectOwnerRevert(abi.encodeWithSelector(E.InvalidNullChainId.selector));
        config.addHostChain(hostChain(0));
        expectOwnerRevert(abi.encodeWithSelector(E.ChainIdNotUint64.selector, 1 << 64));
        config.addHostChain(hostChain(1 << 64));
        expectOwnerRevert(abi.encodeWithSelector(E.HostChainAlreadyRegistered.selector, HOST_CHAIN));
        config.addHostChain(hostChain(HOST_CHAIN));
    }

    function test_disableAndEnableHostChain() public {
        expectStrangerRevert();
        config.disableHostChain(HOST_CHAIN);
        expectOwnerRevert(abi.encodeWithSelector(E.HostChainNotRegistered.selector, 9));
        config.disableHostChain(9);
        vm.expectEmit(address(config));
        emit E.DisableHostChain(HOST_CHAIN);
        vm.prank(OWNER);
        config.disableHostChain(HOST_CHAIN);
        expectOwnerRevert(abi.encodeWithSelector(E.HostChainAlreadyDisabled.selector, HOST_CHAIN));
        config.disableHostChain(HOST_CHAIN);
        expectStrangerRevert();
        config.enableHostChain(HOST_CHAIN);
        expectOwnerRevert(abi.encodeWithSelector(E.HostChainNotRegistered.selector, 9));
        config.enableHostChain(9);
        vm.expectEmit(address(config));
        emit E.EnableHostChain(HOST_CHAIN);
        vm.prank(OWNER);
        config.enableHostChain(HOST_CHAIN);
        expectOwnerRevert(abi.encodeWithSelector(E.HostChainAlreadyEnabled.selector, HOST_CHAIN));
        config.enableHostChain(HOST_CHAIN);
    }

    function test_removeHostChain_lastOneTakesItsPlace_canComeBack() public {
        vm.startPrank(OWNER);
        config.addHostChain(hostChain(1));
        config.addHostChain(hostChain(2));
        vm.expectRevert(abi.encodeWithSelector(E.HostChainNotDisabled.selector, HOST_CHAIN));
        config.removeHostChain(HOST_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(E.HostChainNotRegistered.selector, 9));
        config.removeHostChain(9);
        config.disableHostChain(HOST_CHAIN);
        vm.expectEmit(address(config));
        emit E.RemoveHostChain(HOST_CHAIN);
        config.removeHostChain(HOST_CHAIN);
        vm.assertTrue(!config.isHostChainRegistered(HOST_CHAIN), "gone");
        HostChain[] memory chains = config.getHostChains();
        vm.assertEq(chains.length, 2, "two left");
        vm.assertEq(chains[0].chainId, 2, "the last one in its place");
        config.addHostChain(hostChain(HOST_CHAIN));
        vm.assertTrue(!config.isHostChainDisabled(HOST_CHAIN), "back in service");
        config.disableHostChain(HOST_CHAIN);
        config.removeHostChain(HOST_CHAIN);
        vm.stopPrank();
        expectStrangerRevert();
        config.removeHostChain(1);
    }

    function test_isPauserAsksThePauserSet() public view {
        vm.assertTrue(config.isPauser(PAUSER) && !config.isPauser(OWNER), "pausers");
    }
}
