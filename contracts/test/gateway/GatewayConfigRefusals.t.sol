// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayConfig} from "../../src/gateway/GatewayConfig.sol";
import {GatewayConfigEvents as E} from "../../src/gateway/GatewayConfigEvents.sol";
import {ProtocolMetadata} from "../../src/gateway/GatewayTypes.sol";
import {ProofFormat} from "../../src/shared/ProofFormat.sol";
import {GatewayFixture} from "../helpers/GatewayFixture.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";

/// Every threshold in every place it can be set, every getter after initialisation, and what goes on while paused.
contract GatewayConfigRefusalsTest is GatewayFixture {
    uint256 private constant N = 4;

    function setUp() public {
        deployGateway(N, 3);
    }

    // thresholds, numbered: 0 mpc, 1 public decryption, 2 user decryption, 3 generation

    function setThreshold(uint256 kind, uint256 contextId, uint256 value) private {
        if (kind == 0) config.updateMpcThresholdForContext(contextId, value);
        if (kind == 1) config.updatePublicDecryptionThresholdForContext(contextId, value);
        if (kind == 2) config.updateUserDecryptionThresholdForContext(contextId, value);
        if (kind == 3) config.updateKmsGenThresholdForContext(contextId, value);
    }

    function nullError(uint256 kind) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            kind == 1
                ? E.InvalidNullPublicDecryptionThreshold.selector
                : kind == 2 ? E.InvalidNullUserDecryptionThreshold.selector : E.InvalidNullKmsGenThreshold.selector
        );
    }

    function highError(uint256 kind, uint256 value) private pure returns (bytes memory) {
        bytes4[4] memory selectors = [
            E.InvalidHighMpcThreshold.selector,
            E.InvalidHighPublicDecryptionThreshold.selector,
            E.InvalidHighUserDecryptionThreshold.selector,
            E.InvalidHighKmsGenThreshold.selector
        ];
        return abi.encodeWithSelector(selectors[kind], value, N);
    }

    function limitError(uint256 kind) private pure returns (bytes memory) {
        string[4] memory names = ["mpc", "publicDecryption", "userDecryption", "kmsGen"];
        return abi.encodeWithSelector(ProofFormat.ThresholdExceedsProofFormatLimit.selector, names[kind], 256, 255);
    }

    function expectInitRevert(uint256 kind, uint256 value, bytes memory err) private {
        uint256[4] memory values = [uint256(1), 1, 1, 1];
        values[kind] = value;
        deployProxies();
        GatewayConfig implementation = newConfig();
        bytes memory init = configInit(kmsNodes(0, N), thresholds(values[0], values[1], values[2], values[3]));
        vm.prank(OWNER);
        vm.expectRevert(err);
        config.upgradeToAndCall(address(implementation), init);
    }

    function test_initWithAThresholdOutOfRangeReverts_eachOfThem() public {
        for (uint256 kind = 0; kind < 4; kind++) {
            if (kind != 0) expectInitRevert(kind, 0, nullError(kind));
            uint256 high = kind == 0 ? N : N + 1;
            expectInitRevert(kind, high, highError(kind, high));
            expectInitRevert(kind, 256, limitError(kind));
        }
    }

    function test_initWithoutContextIdReverts() public {
        deployProxies();
        GatewayConfig implementation = newConfig();
        bytes memory init = abi.encodeCall(
            GatewayConfig.initializeFromEmptyProxy,
            (0, ProtocolMetadata("", ""), thresholds(0, 1, 1, 1), kmsNodes(0, 1), coprocessors(0, 2), custodians(0, 1))
        );
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(E.InvalidNullKmsContextId.selector));
        config.upgradeToAndCall(address(implementation), init);
    }

    function test_thresholdOutOfRangeReverts_eachOfThem_ofCurrentAndOlderContext() public {
        rotateContext(CONTEXT + 1, 10, N, 1);
        vm.startPrank(OWNER);
        for (uint256 contextId = CONTEXT; contextId <= CONTEXT + 1; contextId++) {
            for (uint256 kind = 0; kind < 4; kind++) {
                if (kind == 0) {
                    setThreshold(kind, contextId, 0);
                } else {
                    vm.expectRevert(nullError(kind));
                    setThreshold(kind, contextId, 0);
                }
                uint256 high = kind == 0 ? N : N + 1;
                setThreshold(kind, contextId, high - 1);
                vm.expectRevert(highError(kind, high));
                setThreshold(kind, contextId, high);
                vm.expectRevert(limitError(kind));
                setThreshold(kind, contextId, 256);
            }
        }
        vm.stopPrank();
    }

    function test_thresholdOfAnUnknownOrDestroyedContextReverts_eachOfThem() public {
        rotateContext(CONTEXT + 1, 10, N, 1);
        vm.startPrank(OWNER);
        config.destroyKmsContext(CONTEXT);
        for (uint256 kind = 0; kind < 4; kind++) {
            vm.expectRevert(abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT));
            setThreshold(kind, CONTEXT, 1);
            vm.expectRevert(abi.encodeWithSelector(E.InvalidKmsContext.selector, CONTEXT + 2));
            setThreshold(kind, CONTEXT + 2, 1);
        }
        vm.stopPrank();
    }

    // while paused

    function test_thresholdsCanBeSetWhilePaused() public {
        pauseAll();
        for (uint256 kind = 0; kind < 4; kind++) {
            vm.prank(OWNER);
            setThreshold(kind, CONTEXT, 2);
        }
        vm.assertEq(config.getMpcThreshold(), 2, "mpc");
        vm.assertEq(config.getPublicDecryptionThresholdForContext(CONTEXT), 2, "public decryption");
        vm.assertEq(config.getUserDecryptionThresholdForContext(CONTEXT), 2, "user decryption");
        vm.assertEq(config.getKmsGenThreshold(), 2, "generation");
    }

    function test_destroyKmsContextWhilePaused() public {
        rotateContext(CONTEXT + 1, 10, N, 1);
        pauseAll();
        vm.prank(OWNER);
        config.destroyKmsContext(CONTEXT);
        vm.assertTrue(!config.isValidKmsContext(CONTEXT), "destroyed");
    }

    function test_coprocessorsAndTheirThresholdCanBeSetWhilePausedAndWhileNot() public {
        for (uint256 i = 1; i <= 2; i++) {
            vm.expectEmit(address(config));
            emit E.UpdateCoprocessorThreshold(i);
            vm.prank(OWNER);
            config.updateCoprocessorThreshold(i);
            vm.prank(OWNER);
            config.updateCoprocessors(coprocessors(i, 3), i);
            vm.assertEq(config.getCoprocessorMajorityThreshold(), i, "threshold");
            if (i == 1) pauseAll();
        }
    }

    function pauseAll() private {
        vm.prank(PAUSER);
        config.pauseAllGatewayContracts();
    }

    // contexts

    function test_contextIdThatIsNotGreaterReverts() public {
        rotateContext(CONTEXT + 5, 10, N, 1);
        for (uint256 id = CONTEXT; id <= CONTEXT + 5; id++) {
            vm.prank(OWNER);
            vm.expectRevert(abi.encodeWithSelector(E.KmsContextAlreadyRegistered.selector, id, CONTEXT + 5));
            config.updateKmsContext(id, kmsNodes(0, N), 0, 1, 1, 1);
        }
        rotateContext(CONTEXT + 6, 0, N, 1);
    }

    function test_strangerSetsNothing() public {
        vm.startPrank(STRANGER);
        for (uint256 kind = 0; kind < 4; kind++) {
            vm.expectRevert(abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, STRANGER));
            setThreshold(kind, CONTEXT, 1);
        }
        vm.stopPrank();
    }

    // getters after initialisation

    function test_gettersAfterInit_kmsNodes() public view {
        address[] memory txSenders = config.getKmsTxSenders();
        address[] memory signers = config.getKmsSigners();
        vm.assertEq(txSenders.length, N, "senders");
        vm.assertEq(signers.length, N, "signers");
        for (uint256 i = 0; i < N; i++) {
            vm.assertEq(txSenders[i], kmsSender(i), "sender");
            vm.assertEq(signers[i], vm.addr(kmsKey(i)), "signer");
            vm.assertTrue(config.isKmsTxSender(kmsSender(i)) && config.isKmsSigner(signers[i]), "in");
            vm.assertEq(abi.encode(config.getKmsNode(kmsSender(i))), abi.encode(kmsNodes(i, 1)[0]), "node");
        }
        vm.assertTrue(!config.isKmsTxSender(STRANGER) && !config.isKmsSigner(STRANGER), "not in");
        vm.assertTrue(!config.isKmsTxSender(signers[0]) && !config.isKmsSigner(txSenders[0]), "not mixed up");
        vm.assertEq(config.getKmsNode(STRANGER).txSenderAddress, address(0), "no node");
    }

    function test_gettersAfterInit_coprocessors() public view {
        address[] memory txSenders = config.getCoprocessorTxSenders();
        address[] memory signers = config.getCoprocessorSigners();
        vm.assertEq(txSenders.length, N_COPROCESSORS, "senders");
        vm.assertEq(signers.length, N_COPROCESSORS, "signers");
        for (uint256 i = 0; i < N_COPROCESSORS; i++) {
            vm.assertEq(txSenders[i], coproSender(i), "sender");
            vm.assertTrue(config.isCoprocessorTxSender(txSenders[i]) && config.isCoprocessorSigner(signers[i]), "in");
            vm.assertEq(
                abi.encode(config.getCoprocessor(txSenders[i])), abi.encode(coprocessors(i, 1)[0]), "coprocessor"
            );
        }
        vm.assertTrue(!config.isCoprocessorTxSender(STRANGER) && !config.isCoprocessorSigner(STRANGER), "not in");
    }

    function test_gettersAfterInit_custodians() public view {
        address[] memory txSenders = config.getCustodianTxSenders();
        address[] memory signers = config.getCustodianSigners();
        vm.assertEq(txSenders.length, 1, "senders");
        vm.assertEq(signers.length, 1, "signers");
        vm.assertTrue(config.isCustodianTxSender(txSenders[0]) && config.isCustodianSigner(signers[0]), "in");
        vm.assertEq(abi.encode(config.getCustodian(txSenders[0])), abi.encode(custodians(0, 1)[0]), "custodian");
        vm.assertTrue(!config.isCustodianTxSender(STRANGER) && !config.isCustodianSigner(STRANGER), "not in");
    }

    function test_gettersAfterInit_hostChains() public view {
        vm.assertEq(config.getHostChains().length, 1, "all");
        vm.assertEq(abi.encode(config.getHostChain(0)), abi.encode(hostChain(HOST_CHAIN)), "by place");
        vm.assertTrue(config.isHostChainRegistered(HOST_CHAIN) && !config.isHostChainRegistered(1), "registered");
        vm.assertTrue(!config.isHostChainDisabled(HOST_CHAIN), "in service");
    }
}
