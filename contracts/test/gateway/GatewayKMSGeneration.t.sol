// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {KMSGeneration} from "../../src/gateway/GatewayKMSGeneration.sol";
import {GatewayKMSGenerationEvents as Events} from "../../src/gateway/GatewayKMSGenerationEvents.sol";
import {KeyDigest, KeyType, ParamsType} from "../../src/gateway/GatewayKMSGenerationTypes.sol";
import {GatewayOwned} from "../../src/gateway/GatewayOwned.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {KMSGenerationFixture} from "../helpers/KMSGenerationFixture.sol";
import {Initializable} from "@openzeppelin/contracts-upgradeable/proxy/utils/Initializable.sol";

/// The contract itself: initialisers, upgrades, storage, who may ask, and what it says before anything is generated.
contract GatewayKMSGenerationTest is KMSGenerationFixture {
    uint256 private constant N = 4;
    uint256 private constant THRESHOLD = 3;

    function setUp() public {
        deployGeneration(N, THRESHOLD);
    }

    function expectNotOwner() private {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(GatewayOwned.NotGatewayOwner.selector, STRANGER));
    }

    function expectNotKmsTxSender() private {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.NotKmsTxSender.selector, STRANGER));
    }

    function upgrade() private {
        KMSGeneration next = newGeneration();
        vm.prank(OWNER);
        generation.upgradeToAndCall(address(next), "");
    }

    // initialisation and upgrades

    function test_versionString() public view {
        vm.assertEq(generation.getVersion(), "KMSGeneration v0.4.0", "version");
    }

    function test_initialiseNotFromEmptyProxyReverts() public {
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        generation.initializeFromEmptyProxy();
    }

    function test_reinitialiseAfterInitialiseReverts() public {
        vm.expectRevert(abi.encodeWithSelector(Initializable.InvalidInitialization.selector));
        generation.reinitializeV4();
    }

    function test_implementationItselfCannotBeInitialised() public {
        KMSGeneration implementation = newGeneration();
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        implementation.initializeFromEmptyProxy();
        vm.expectRevert(abi.encodeWithSelector(Initializable.InvalidInitialization.selector));
        implementation.reinitializeV4();
    }

    function test_onlyOwnerUpgrades_ownerLosesTheRightAfterTransfer() public {
        KMSGeneration next = newGeneration();
        expectNotOwner();
        generation.upgradeToAndCall(address(next), "");
        upgrade();
        vm.prank(OWNER);
        config.transferOwnership(REQUESTER);
        vm.prank(REQUESTER);
        config.acceptOwnership();
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(GatewayOwned.NotGatewayOwner.selector, OWNER));
        generation.upgradeToAndCall(address(next), "");
        vm.prank(REQUESTER);
        generation.upgradeToAndCall(address(next), "");
    }

    function test_keyBegunBeforeAnUpgradeStaysAnswerableAfterIt() public {
        keygen();
        answerPrep(0, prepId(1));
        answerPrep(1, prepId(1));
        upgrade();
        vm.expectEmit(address(generation));
        emit Events.PrepKeygenResponse(prepId(1), prepSignature(2, prepId(1)), kmsSender(2));
        vm.expectEmit(address(generation));
        emit Events.KeygenRequest(prepId(1), keyIdOf(1));
        answerPrep(2, prepId(1));
        answerKey(0, keyIdOf(1), digestsOf(1));
        upgrade();
        answerKey(1, keyIdOf(1), digestsOf(1));
        answerKey(2, keyIdOf(1), digestsOf(1));
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "active");
    }

    function test_crsBegunBeforeAnUpgradeStaysAnswerableAfterIt() public {
        crsgen();
        answerCrs(0, crsIdOf(1), crsDigestOf(1));
        upgrade();
        answerCrs(1, crsIdOf(1), crsDigestOf(1));
        answerCrs(2, crsIdOf(1), crsDigestOf(1));
        vm.assertEq(generation.getActiveCrsId(), crsIdOf(1), "active");
    }

    /// A proxy of the previous release, as far as initialisation goes.
    function test_takesOverAProxyOfThePreviousRelease_once() public {
        makeKey(THRESHOLD);
        bytes32 slot = 0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00;
        vm.store(address(generation), slot, bytes32(uint256(4)));
        KMSGeneration next = newGeneration();
        vm.prank(OWNER);
        generation.upgradeToAndCall(address(next), abi.encodeCall(KMSGeneration.reinitializeV4, ()));
        vm.assertEq(vm.load(address(generation), slot), bytes32(uint256(5)), "initialised version");
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "key stays");
        vm.expectRevert(abi.encodeWithSelector(Initializable.InvalidInitialization.selector));
        generation.reinitializeV4();
        keygen();
        answerPrep(0, prepId(2));
    }

    // who may ask

    function test_keygenByStrangerReverts() public {
        expectNotOwner();
        generation.keygen(ParamsType.Test);
    }

    function test_crsgenRequestByStrangerReverts() public {
        expectNotOwner();
        generation.crsgenRequest(MAX_BITS, ParamsType.Test);
    }

    function test_prssInitByStrangerReverts() public {
        expectNotOwner();
        generation.prssInit();
    }

    function test_keyReshareSameSetByStrangerReverts() public {
        makeKey(THRESHOLD);
        expectNotOwner();
        generation.keyReshareSameSet(keyIdOf(1));
    }

    function test_responsesByStrangerRevert_beforeAnythingAboutTheRequest() public {
        KeyDigest[] memory none = new KeyDigest[](0);
        expectNotKmsTxSender();
        generation.prepKeygenResponse(0, "");
        expectNotKmsTxSender();
        generation.keygenResponse(0, none, "");
        expectNotKmsTxSender();
        generation.crsgenResponse(0, "", "");
    }

    // nothing generated yet

    function test_freshProxyHasNoConsensusSendersAndNothingActive() public view {
        vm.assertEq(generation.getConsensusTxSenders(prepId(1)).length, 0, "preparation");
        vm.assertEq(generation.getConsensusTxSenders(keyIdOf(1)).length, 0, "key");
        vm.assertEq(generation.getConsensusTxSenders(crsIdOf(1)).length, 0, "CRS");
        vm.assertEq(generation.getActiveKeyId(), 0, "active key");
        vm.assertEq(generation.getActiveCrsId(), 0, "active CRS");
    }

    function testFuzz_gettersRevertBeforeGeneration(uint256 id) public {
        checkNothingOf(id);
    }

    function test_gettersRevertBeforeGeneration_alsoWhileItIsOngoing() public {
        keygen();
        crsgen();
        checkNothingOf(keyIdOf(1));
        checkNothingOf(crsIdOf(1));
    }

    function checkNothingOf(uint256 id) private {
        bytes memory noKey = abi.encodeWithSelector(Events.KeyNotGenerated.selector, id);
        bytes memory noCrs = abi.encodeWithSelector(Events.CrsNotGenerated.selector, id);
        vm.expectRevert(noKey);
        generation.getKeyParamsType(id);
        vm.expectRevert(noKey);
        generation.getKeyMaterials(id);
        vm.expectRevert(noCrs);
        generation.getCrsParamsType(id);
        vm.expectRevert(noCrs);
        generation.getCrsMaterials(id);
        vm.prank(OWNER);
        vm.expectRevert(noKey);
        generation.keyReshareSameSet(id);
    }

    // PRSS and resharing

    function test_prssInitEmits() public {
        vm.expectEmit(address(generation));
        emit Events.PRSSInit();
        vm.prank(OWNER);
        generation.prssInit();
    }

    function test_keyReshareSameSetEmitsIds_everyTimeANewOne() public {
        makeKey(THRESHOLD);
        for (uint256 i = 1; i <= 3; i++) {
            vm.expectEmit(address(generation));
            emit Events.KeyReshareSameSet(prepId(1), keyIdOf(1), reshareId(i), ParamsType.Default);
            vm.prank(OWNER);
            generation.keyReshareSameSet(keyIdOf(1));
        }
    }

    function test_keyReshareSameSetTellsTheKeysParameters() public {
        vm.prank(OWNER);
        generation.keygen(ParamsType.Test);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerKey(i, keyIdOf(1), digestsOf(1));
        }
        vm.expectEmit(address(generation));
        emit Events.KeyReshareSameSet(prepId(1), keyIdOf(1), reshareId(1), ParamsType.Test);
        vm.prank(OWNER);
        generation.keyReshareSameSet(keyIdOf(1));
    }

    function test_keyReshareOfAnUnknownKeyReverts_alsoOfAnotherKindOfId() public {
        keygen();
        uint256[4] memory ids = [keyIdOf(1), keyIdOf(2), prepId(1), crsIdOf(1)];
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerPrep(i, prepId(1));
        }
        makeCrs(THRESHOLD);
        for (uint256 i = 0; i < ids.length; i++) {
            vm.prank(OWNER);
            vm.expectRevert(abi.encodeWithSelector(Events.KeyNotGenerated.selector, ids[i]));
            generation.keyReshareSameSet(ids[i]);
        }
    }

    // layout

    function test_storageIsAtItsPlace() public {
        vm.assertEq(namespaceSlot(NS), 0x0b8fdb1f0a6356dd20a6cbc6f9668fac23b85f96575d10e333e603faa794ac00, "namespace");
        vm.assertEq(member(4), prepId(0), "prepKeygenCounter begins");
        vm.assertEq(member(5), keyIdOf(0), "keyCounter begins");
        vm.assertEq(member(9), crsIdOf(0), "crsCounter begins");
        vm.assertEq(member(14), reshareId(0), "keyReshareCounter begins");

        vm.prank(OWNER);
        generation.keygen(ParamsType.Test);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            answerPrep(i, prepId(1));
            answerKey(i, keyIdOf(1), digestsOf(1));
        }
        makeCrs(THRESHOLD);
        vm.prank(OWNER);
        generation.keyReshareSameSet(keyIdOf(1));

        bytes32 voted = keccak256(abi.encode(keyIdOf(1), slotOf(NS, 0)));
        vm.assertEq(at(keccak256(abi.encode(vm.addr(kmsKey(0)), voted))), 1, "kmsHasSignedForResponse");
        vm.assertEq(mapped(1, keyIdOf(1)), 1, "isRequestDone");
        bytes32 digest = keygenDigest(prepId(1), keyIdOf(1), digestsOf(1));
        bytes32 lists = keccak256(abi.encode(keyIdOf(1), slotOf(NS, 2)));
        vm.assertEq(at(keccak256(abi.encode(digest, lists))), THRESHOLD, "consensusTxSenderAddresses");
        vm.assertEq(mapped(3, keyIdOf(1)), uint256(digest), "consensusDigest");
        vm.assertEq(member(4), prepId(1), "prepKeygenCounter");
        vm.assertEq(member(5), keyIdOf(1), "keyCounter");
        vm.assertEq(mapped(6, prepId(1)), keyIdOf(1), "keygenIdPairs");
        vm.assertEq(mapped(6, keyIdOf(1)), prepId(1), "keygenIdPairs back");
        vm.assertEq(mapped(7, keyIdOf(1)), 2, "keyDigests length");
        bytes32 second = keccak256(abi.encode(keccak256(abi.encode(keyIdOf(1), slotOf(NS, 7)))));
        vm.assertEq(at(bytes32(uint256(second) + 2)), uint256(KeyType.Public), "keyDigests[1].keyType");
        vm.assertEq(member(8), keyIdOf(1), "activeKeyId");
        vm.assertEq(member(9), crsIdOf(1), "crsCounter");
        vm.assertEq(mapped(10, crsIdOf(1)), MAX_BITS, "crsMaxBitLength");
        vm.assertEq(mapped(11, crsIdOf(1)), 2 * 32 + 1, "crsDigests length");
        vm.assertEq(member(12), crsIdOf(1), "activeCrsId");
        vm.assertEq(mapped(13, prepId(1)), uint256(ParamsType.Test), "requestParamsType");
        vm.assertEq(member(14), reshareId(1), "keyReshareCounter");
    }

    function at(bytes32 slot) private view returns (uint256) {
        return uint256(vm.load(address(generation), slot));
    }

    function member(uint256 number) private view returns (uint256) {
        return at(slotOf(NS, number));
    }

    function mapped(uint256 number, uint256 key) private view returns (uint256) {
        return at(keccak256(abi.encode(key, slotOf(NS, number))));
    }

    /// The archive that later releases leave in this contract's place has these functions; their callers are served.
    function test_hasTheFunctionsOfTheArchiveOfLaterReleases() public pure {
        vm.assertEq(bytes32(KMSGeneration.getConsensusTxSenders.selector), bytes32(bytes4(0x16c713d9)), "senders");
        vm.assertEq(bytes32(KMSGeneration.getCrsMaterials.selector), bytes32(bytes4(0xc55b8724)), "CRS");
        vm.assertEq(bytes32(KMSGeneration.getCrsParamsType.selector), bytes32(bytes4(0x45af261b)), "CRS parameters");
        vm.assertEq(bytes32(KMSGeneration.getKeyMaterials.selector), bytes32(bytes4(0x936608ae)), "key");
        vm.assertEq(bytes32(KMSGeneration.getKeyParamsType.selector), bytes32(bytes4(0x19f4f632)), "key parameters");
    }
}
