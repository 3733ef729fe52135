// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {EpochCrsResult, EpochKeyResult} from "../../src/host/KeyMaterialTypes.sol";
import {ProtocolConfigEvents as E} from "../../src/host/ProtocolConfigEvents.sol";
import {KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {KeyMaterialFixture} from "../helpers/KeyMaterialFixture.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// From a pending epoch to one in use.
contract ProtocolConfigEpochsTest is KeyMaterialFixture {
    uint256 private constant N = 3;
    uint256 private constant NEXT = CONTEXT + 1;
    bytes32 private constant ACTIVATED = keccak256(
        "ActivateEpoch(uint256,uint256,(uint256,uint256,(uint8,bytes)[],bytes)[],(uint256,uint256,bytes,bytes)[],string[])"
    );

    function setUp() public {
        deployCanonical(N, KmsThresholds(2, 2, 2, 1));
    }

    function expectAttestRevert(
        uint256 node,
        uint256 epochId,
        EpochKeyResult[] memory keys,
        EpochCrsResult[] memory crs,
        bytes memory err
    ) private {
        vm.expectRevert(err);
        vm.prank(kmsSender(node));
        protocolConfig.confirmEpochActivation(epochId, keys, crs);
    }

    /// Right in everything, but for the epoch or the sender.
    function expectAttestRevert(uint256 node, uint256 contextId, uint256 epochId, bytes memory err) private {
        bytes memory extra = extraV2(contextId, epochId);
        expectAttestRevert(node, epochId, attestedKeys(node, extra, 0), attestedCrs(node, extra, 0), err);
    }

    function create(uint256 first, uint256 n) private {
        defineContext(first, n, KmsThresholds(1, 1, 1, 1));
        confirm(0, NEXT);
        confirm(1, NEXT);
        for (uint256 i = 0; i < n; i++) {
            confirm(first + i, NEXT);
        }
    }

    function activations() private returns (uint256) {
        return countLogs(vm.getRecordedLogs(), address(protocolConfig), ACTIVATED);
    }

    function test_fullSameSetFlow() public {
        vm.roll(42);
        vm.expectEmit(address(protocolConfig));
        emit E.NewKmsEpoch(CONTEXT, EPOCH + 1, CONTEXT, EPOCH, 41);
        defineEpoch();
        vm.assertTrue(!protocolConfig.isValidEpochForContext(CONTEXT, EPOCH + 1), "pending");
        attest(0, CONTEXT, EPOCH + 1, 0);
        attest(2, CONTEXT, EPOCH + 1, 0);
        (, uint256 epochId) = protocolConfig.getCurrentKmsContextAndEpoch();
        vm.assertEq(epochId, EPOCH, "all must attest");

        bytes memory extra = extraV2(CONTEXT, EPOCH + 1);
        vm.expectEmit(address(protocolConfig));
        emit E.EpochActivationConfirmation(EPOCH + 1, vm.addr(kmsKey(1)), attestedHash(0));
        vm.expectEmit(address(protocolConfig));
        emit E.ActivateEpoch(CONTEXT, EPOCH + 1, attestedKeys(1, extra, 0), attestedCrs(1, extra, 0), urls(0, 1, 2));
        attest(1, CONTEXT, EPOCH + 1, 0);
        (, epochId) = protocolConfig.getCurrentKmsContextAndEpoch();
        vm.assertEq(epochId, EPOCH + 1, "in use");
        vm.assertTrue(protocolConfig.isValidEpochForContext(CONTEXT, EPOCH + 1), "after activation");
        vm.assertTrue(protocolConfig.isValidEpochForContext(CONTEXT, EPOCH), "the old pair still is");
        expectAttestRevert(1, CONTEXT, EPOCH + 1, abi.encodeWithSelector(E.InvalidKmsEpoch.selector, EPOCH + 1));
    }

    function test_fullSwitchFlow_activationCarriesMaterialAndUrls() public {
        create(10, 2);
        attest(11, NEXT, EPOCH + 1, 0);
        bytes memory extra = extraV2(NEXT, EPOCH + 1);
        vm.expectEmit(address(protocolConfig));
        emit E.ActivateEpoch(NEXT, EPOCH + 1, attestedKeys(10, extra, 0), attestedCrs(10, extra, 0), urls(10, 11));
        attest(10, NEXT, EPOCH + 1, 0);
        (uint256 contextId, uint256 epochId) = protocolConfig.getCurrentKmsContextAndEpoch();
        vm.assertEq(contextId, NEXT, "context");
        vm.assertEq(epochId, EPOCH + 1, "epoch");
        vm.assertTrue(protocolConfig.isValidKmsContext(NEXT) && protocolConfig.isValidKmsContext(CONTEXT), "both");
        vm.assertTrue(protocolConfig.isValidEpochForContext(NEXT, EPOCH + 1), "after switch");
        vm.assertTrue(protocolConfig.isValidEpochForContext(CONTEXT, EPOCH), "the old pair still is");
        vm.assertTrue(!protocolConfig.isValidEpochForContext(CONTEXT, EPOCH + 1), "no mixed pair");
    }

    function test_epochIdsCountGlobally() public {
        defineEpoch();
        for (uint256 i = 0; i < N; i++) {
            attest(i, CONTEXT, EPOCH + 1, 0);
        }
        (, uint256 epochId) = switchContext(0, N, 10, 2, KmsThresholds(1, 1, 1, 1));
        vm.assertEq(epochId, EPOCH + 2, "one counter for all contexts");
        vm.assertEq(epochId >> 248, 8, "tag");
    }

    function test_activationBeforeCreationReverts() public {
        defineContext(10, 2, KmsThresholds(1, 1, 1, 1));
        expectAttestRevert(10, NEXT, EPOCH + 1, abi.encodeWithSelector(E.InvalidKmsEpoch.selector, EPOCH + 1));
        // No call brings a proxy here, but what comes from elsewhere is refused all the same.
        vm.store(address(protocolConfig), keccak256(abi.encode(EPOCH + 1, slotOf(CONFIG_NS, 15))), bytes32(uint256(1)));
        vm.store(address(protocolConfig), keccak256(abi.encode(EPOCH + 1, slotOf(CONFIG_NS, 16))), bytes32(NEXT));
        expectAttestRevert(10, NEXT, EPOCH + 1, abi.encodeWithSelector(E.KmsContextNotCreated.selector, NEXT));
        vm.assertTrue(!protocolConfig.isValidEpochForContext(NEXT, EPOCH + 1), "pending under pending");
    }

    function test_pendingEpochOfADestroyedContextReverts() public {
        create(10, 2);
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(NEXT);
        expectAttestRevert(10, NEXT, EPOCH + 1, abi.encodeWithSelector(E.InvalidKmsEpoch.selector, EPOCH + 1));
        vm.store(address(protocolConfig), keccak256(abi.encode(EPOCH + 1, slotOf(CONFIG_NS, 15))), bytes32(uint256(1)));
        expectAttestRevert(10, NEXT, EPOCH + 1, abi.encodeWithSelector(E.InvalidKmsContext.selector, NEXT));
    }

    function test_emptyPayload_keysOnly_crsOnly() public {
        defineEpoch();
        bytes memory extra = extraV2(CONTEXT, EPOCH + 1);
        bytes memory err = abi.encodeWithSelector(E.EmptyEpochActivationAttestation.selector, EPOCH + 1);
        EpochKeyResult[] memory noKeys;
        EpochCrsResult[] memory noCrs;
        expectAttestRevert(0, EPOCH + 1, noKeys, noCrs, err);
        expectAttestRevert(0, EPOCH + 1, attestedKeys(0, extra, 0), noCrs, err);
        expectAttestRevert(0, EPOCH + 1, noKeys, attestedCrs(0, extra, 0), err);
    }

    function test_unauthorizedAndReplayRevert() public {
        create(10, 2);
        bytes4 err = E.EpochActivationUnauthorized.selector;
        expectAttestRevert(99, NEXT, EPOCH + 1, abi.encodeWithSelector(err, kmsSender(99), EPOCH + 1));
        expectAttestRevert(0, NEXT, EPOCH + 1, abi.encodeWithSelector(err, kmsSender(0), EPOCH + 1));
        attest(10, NEXT, EPOCH + 1, 0);
        err = E.EpochActivationAlreadyConfirmed.selector;
        expectAttestRevert(10, NEXT, EPOCH + 1, abi.encodeWithSelector(err, vm.addr(kmsKey(10)), EPOCH + 1));
        // not with other data either: a vote cannot be changed
        bytes memory extra = extraV2(NEXT, EPOCH + 1);
        expectAttestRevert(
            10,
            EPOCH + 1,
            attestedKeys(10, extra, 1),
            attestedCrs(10, extra, 1),
            abi.encodeWithSelector(err, vm.addr(kmsKey(10)), EPOCH + 1)
        );
    }

    function test_signerMismatchReverts_ofAnyElement() public {
        defineEpoch();
        bytes memory extra = extraV2(CONTEXT, EPOCH + 1);
        bytes4 err = E.EpochActivationSignerDoesNotMatchTxSender.selector;
        // another node of the context, a stranger; in the keys, in the CRSs
        for (uint256 i = 1; i < 100; i += 98) {
            bytes memory expected = abi.encodeWithSelector(err, vm.addr(kmsKey(i)), kmsSender(0));
            expectAttestRevert(0, EPOCH + 1, attestedKeys(i, extra, 0), attestedCrs(0, extra, 0), expected);
            expectAttestRevert(0, EPOCH + 1, attestedKeys(0, extra, 0), attestedCrs(i, extra, 0), expected);
        }
        // a second, badly signed key
        EpochKeyResult[] memory keys = new EpochKeyResult[](2);
        keys[0] = attestedKeys(0, extra, 0)[0];
        keys[1] = attestedKeys(1, extra, 0)[0];
        expectAttestRevert(
            0, EPOCH + 1, keys, attestedCrs(0, extra, 0), abi.encodeWithSelector(err, vm.addr(kmsKey(1)), kmsSender(0))
        );
    }

    /// Extra data of another pair, version 1 extra data, another domain: each gives another signer.
    function test_signatureOfAnotherEpochContextVersionOrDomainReverts() public {
        defineEpoch();
        bytes memory good = extraV2(CONTEXT, EPOCH + 1);
        bytes[4] memory extras = [extraV2(CONTEXT, EPOCH), extraV2(NEXT, EPOCH + 1), extraV1(CONTEXT), bytes("")];
        for (uint256 i = 0; i < 4; i++) {
            EpochKeyResult[] memory keys = attestedKeys(0, extras[i], 0);
            bytes32 digest =
                typedDigest("ProtocolConfig", address(protocolConfig), keyStruct(PREP_ID, KEY_ID, keyDigests(0), good));
            expectMismatch(keys, attestedCrs(0, good, 0), digest);
        }
        EpochKeyResult[] memory foreign = attestedKeys(0, good, 0);
        bytes32 keyHash = keyStruct(PREP_ID, KEY_ID, keyDigests(0), good);
        foreign[0].signature = signGeneration(0, keyHash);
        expectMismatch(
            foreign, attestedCrs(0, good, 0), typedDigest("ProtocolConfig", address(protocolConfig), keyHash)
        );
    }

    function expectMismatch(EpochKeyResult[] memory keys, EpochCrsResult[] memory crs, bytes32 digest) private {
        address recovered = ECDSA.recover(digest, keys[0].signature);
        expectAttestRevert(
            0,
            EPOCH + 1,
            keys,
            crs,
            abi.encodeWithSelector(E.EpochActivationSignerDoesNotMatchTxSender.selector, recovered, kmsSender(0))
        );
    }

    function test_malformedSignatureReverts() public {
        defineEpoch();
        bytes memory extra = extraV2(CONTEXT, EPOCH + 1);
        EpochKeyResult[] memory keys = attestedKeys(0, extra, 0);
        keys[0].signature = hex"1234";
        bytes memory err = abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 2);
        expectAttestRevert(0, EPOCH + 1, keys, attestedCrs(0, extra, 0), err);
        keys[0].signature = new bytes(65);
        err = abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector);
        expectAttestRevert(0, EPOCH + 1, keys, attestedCrs(0, extra, 0), err);
    }

    function test_divergingDigestsAreCountedApart_ownerCanDestroyTheStuckEpoch() public {
        defineEpoch();
        vm.recordLogs();
        attest(0, CONTEXT, EPOCH + 1, 0);
        attest(1, CONTEXT, EPOCH + 1, 1);
        attest(2, CONTEXT, EPOCH + 1, 0);
        vm.assertEq(activations(), 0, "two of three agree");
        vm.prank(OWNER);
        protocolConfig.destroyKmsEpoch(EPOCH + 1);
        defineEpoch();
        for (uint256 i = 0; i < N; i++) {
            attest(i, CONTEXT, EPOCH + 2, 1);
        }
        vm.assertEq(activations(), 1, "the next one works");
        (, uint256 epochId) = protocolConfig.getCurrentKmsContextAndEpoch();
        vm.assertEq(epochId, EPOCH + 2, "in use");
    }

    function test_theOrderOfKeysMatters() public {
        defineEpoch();
        bytes memory extra = extraV2(CONTEXT, EPOCH + 1);
        vm.recordLogs();
        for (uint256 node = 0; node < N; node++) {
            EpochKeyResult[] memory keys = new EpochKeyResult[](2);
            keys[node % 2] = attestedKeys(node, extra, 0)[0];
            keys[1 - node % 2] = attestedKeys(node, extra, 1)[0];
            EpochCrsResult[] memory crs = attestedCrs(node, extra, 0);
            vm.prank(kmsSender(node));
            protocolConfig.confirmEpochActivation(EPOCH + 1, keys, crs);
        }
        vm.assertEq(activations(), 0, "no two orders are equal");
    }

    /// Any order, any data: active exactly when all attested the same, with the last of them.
    function testFuzz_unanimity(uint8 nSeed, uint256 orderSeed, uint256 dataSeed) public {
        uint256 n = 1 + nSeed % 6;
        create(10, n);
        uint256[] memory order = shuffled(n, orderSeed);
        bool same = true;
        vm.recordLogs();
        for (uint256 i = 0; i < n; i++) {
            vm.assertEq(protocolConfig.getCurrentKmsContextId(), CONTEXT, "not before the last one");
            uint256 data = dataSeed >> (8 * i) & 7 == 0 ? 1 : 0;
            if (data != (dataSeed & 7 == 0 ? 1 : 0)) same = false;
            attest(10 + order[i], NEXT, EPOCH + 1, data);
        }
        vm.assertEq(activations(), same ? 1 : 0, "unanimous");
        vm.assertEq(protocolConfig.getCurrentKmsContextId(), same ? NEXT : CONTEXT, "in use");
    }
}
