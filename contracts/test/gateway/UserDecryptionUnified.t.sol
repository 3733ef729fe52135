// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {CiphertextCommits} from "../../src/gateway/CiphertextCommits.sol";
import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {HandleEntry, RequestValiditySeconds} from "../../src/gateway/DecryptionTypes.sol";
import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {GatewayHostChains} from "../../src/gateway/GatewayHostChains.sol";
import {SnsCiphertextMaterial} from "../../src/gateway/GatewayTypes.sol";
import {FheType, Handle} from "../../src/shared/Handle.sol";
import {UserDecryptionFixture} from "../helpers/UserDecryptionFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";

/// Requests by handle entries.
contract UserDecryptionUnifiedTest is UserDecryptionFixture {
    bytes32 private h1 = handleOf(HOST_CHAIN, 5, 1);
    bytes32 private h2 = handleOf(HOST_CHAIN, 2, 2);

    function setUp() public {
        vm.warp(NOW);
        deployGateway(4, 3);
        commitHandle(h1);
        commitHandle(h2);
    }

    function expectRefusal(Unified memory u, bytes memory err) private {
        vm.expectRevert(err);
        sendUnified(u);
    }

    function refuse(bytes4 selector) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector);
    }

    function checkEvents(Unified memory u, uint256 id) private {
        bytes32[] memory handles = new bytes32[](u.handles.length);
        for (uint256 i = 0; i < handles.length; i++) {
            handles[i] = u.handles[i].handle;
        }
        SnsCiphertextMaterial[] memory materials = commits.getSnsCiphertextMaterials(handles);
        vm.recordLogs();
        sendUnified(u);
        Vm.Log[] memory logs = decryptionLogs();
        vm.assertEq(logs.length, 2, "two events: those of requests with pairs are not emitted");
        vm.assertEq(
            logs[0].topics[0],
            0x1f80a47b51979837976f999a7735fdccbbe570e0d40081644ec88f8ed76c9612,
            "with commitments first"
        );
        vm.assertEq(
            logs[1].topics[0], 0x8ed4fab8b1d050676cd7d7d9fa448d5d22113375fab8ad4dc690e54593c527bf, "handles second"
        );
        vm.assertEq(logs[0].topics[1], bytes32(id), "id");
        vm.assertEq(logs[1].topics[1], bytes32(id), "same id");
        vm.assertEq(logs[0].data, abi.encode(materials, u.handles, u.payload), "first data");
        vm.assertEq(logs[1].data, abi.encode(u.handles, u.payload), "second data");
    }

    function test_allDirectHandles_bothUnifiedEventsOnly() public {
        checkEvents(unifiedFor(list(h1, h2)), userId(1));
    }

    function test_mixedOwnersAreAccepted() public {
        Unified memory u = unifiedFor(list(h1, h2));
        u.handles[1].ownerAddress = DELEGATOR;
        checkEvents(u, userId(1));
    }

    function test_emptyAllowedContractsAreAccepted() public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.allowedContracts = new address[](0);
        checkEvents(u, userId(1));
    }

    function test_severalAllowedContractsAreAccepted_tenAtMost() public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.allowedContracts = new address[](10);
        checkEvents(u, userId(1));
        u.payload.allowedContracts = new address[](11);
        expectRefusal(u, abi.encodeWithSelector(DecryptionEvents.ContractAddressesMaxLengthExceeded.selector, 10, 11));
    }

    function testFuzz_arbitrarySignatureBytesAreAccepted(bytes calldata sig, bytes calldata publicKey) public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.signature = sig;
        u.payload.publicKey = publicKey;
        checkEvents(u, userId(1));
    }

    function test_sharesItsCounterWithRequestsWithPairs() public {
        Ask memory a = askFor(list(h1));
        a.signature = signWith(USER_KEY, userDigest(a));
        sendDirect(a);
        checkEvents(unifiedFor(list(h1)), userId(2));
    }

    function test_noHandlesRevert() public {
        expectRefusal(unifiedFor(new bytes32[](0)), refuse(DecryptionEvents.EmptyHandles.selector));
    }

    function test_zeroSecondsRevert() public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.requestValidity.durationSeconds = 0;
        expectRefusal(u, refuse(DecryptionEvents.InvalidNullDurationSeconds.selector));
    }

    function test_moreThanAYearReverts_aYearIsAccepted() public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.requestValidity.durationSeconds = 31_536_001;
        expectRefusal(
            u, abi.encodeWithSelector(DecryptionEvents.MaxDurationSecondsExceeded.selector, 31_536_000, 31_536_001)
        );
        u.payload.requestValidity.durationSeconds = 31_536_000;
        sendUnified(u);
    }

    function test_futureStartReverts() public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.requestValidity.startTimestamp = NOW + 1;
        expectRefusal(u, abi.encodeWithSelector(DecryptionEvents.StartTimestampInFuture.selector, NOW, NOW + 1));
    }

    function test_expiredReverts_lastSecondIsAccepted() public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.requestValidity = RequestValiditySeconds(NOW - 11, 10);
        expectRefusal(
            u,
            abi.encodeWithSelector(
                DecryptionEvents.UserDecryptionRequestExpiredSeconds.selector, NOW, u.payload.requestValidity
            )
        );
        u.payload.requestValidity.durationSeconds = 11;
        sendUnified(u);
    }

    function test_handlesOfTwoChainsRevert() public {
        vm.prank(OWNER);
        config.addHostChain(hostChain(777));
        bytes32 foreign = handleOf(777, 5, 1);
        commitHandle(foreign);
        expectRefusal(
            unifiedFor(list(h1, foreign)),
            abi.encodeWithSelector(
                DecryptionEvents.CtHandleChainIdDiffersFromContractChainId.selector, foreign, 777, HOST_CHAIN
            )
        );
        checkEvents(unifiedFor(list(foreign)), userId(1));
    }

    function test_unregisteredChainReverts() public {
        expectRefusal(
            unifiedFor(list(handleOf(777, 5, 1))),
            abi.encodeWithSelector(GatewayChecks.HostChainNotRegistered.selector, 777)
        );
    }

    function test_disabledChainReverts_afterTheTypes() public {
        vm.prank(OWNER);
        config.disableHostChain(HOST_CHAIN);
        expectRefusal(
            unifiedFor(list(h1)), abi.encodeWithSelector(GatewayHostChains.HostChainDisabled.selector, HOST_CHAIN)
        );
        expectRefusal(
            unifiedFor(list(handleOf(HOST_CHAIN, 84, 1))), abi.encodeWithSelector(Handle.InvalidFHEType.selector, 84)
        );
    }

    function test_undecryptableTypeReverts() public {
        expectRefusal(
            unifiedFor(list(handleOf(HOST_CHAIN, 1, 1))),
            abi.encodeWithSelector(Handle.UnsupportedFHEType.selector, FheType.Uint4)
        );
    }

    function test_moreThan2048BitsRevert() public {
        bytes32[] memory nine = new bytes32[](9);
        for (uint256 i = 0; i < 9; i++) {
            nine[i] = handleOf(HOST_CHAIN, 8, 100 + i);
        }
        expectRefusal(
            unifiedFor(nine),
            abi.encodeWithSelector(DecryptionEvents.MaxDecryptionRequestBitSizeExceeded.selector, 2048, 2304)
        );
    }

    function test_noMaterialReverts() public {
        bytes32 unknown = handleOf(HOST_CHAIN, 5, 3);
        expectRefusal(
            unifiedFor(list(h1, unknown)),
            abi.encodeWithSelector(CiphertextCommits.CiphertextMaterialNotFound.selector, unknown)
        );
    }

    function test_differentKeysRevert() public {
        bytes32 other = handleOf(HOST_CHAIN, 5, 4);
        commitHandle(other, KEY_ID + 1);
        SnsCiphertextMaterial[] memory materials = commits.getSnsCiphertextMaterials(list(h1, other));
        expectRefusal(
            unifiedFor(list(h1, other)),
            abi.encodeWithSelector(DecryptionEvents.DifferentKeyIdsNotAllowed.selector, materials[0], materials[1])
        );
    }

    function test_nullContextReverts_v1AndV2() public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.extraData = extraV1(0);
        expectRefusal(u, refuse(DecryptionEvents.InvalidNullContextId.selector));
        u.payload.extraData = extraV2(0, EPOCH);
        expectRefusal(u, refuse(DecryptionEvents.InvalidNullContextId.selector));
    }

    function test_unknownContextReverts_beforeAnythingAboutTheHandles_noIdConsumed() public {
        Unified memory u = unifiedFor(list(handleOf(777, 84, 1)));
        u.payload.extraData = extraV1(CONTEXT + 1);
        expectRefusal(u, abi.encodeWithSelector(DecryptionEvents.InvalidKmsContext.selector, CONTEXT + 1));
        u = unifiedFor(list(h1));
        u.payload.extraData = extraV2(CONTEXT + 1, EPOCH);
        expectRefusal(u, abi.encodeWithSelector(DecryptionEvents.InvalidKmsContext.selector, CONTEXT + 1));
        checkEvents(unifiedFor(list(h1)), userId(1));
    }

    function test_pausedReverts() public {
        vm.prank(PAUSER);
        decryption.pause();
        expectRefusal(unifiedFor(list(h1)), refuse(PausableUpgradeable.EnforcedPause.selector));
    }

    // answers

    function test_threeSharesReachTheThreshold() public {
        rotateContext(CONTEXT + 1, 0, 3, 3);
        Unified memory u = unifiedFor(list(h1, h2));
        u.payload.extraData = extraV2(CONTEXT + 1, EPOCH);
        sendUnified(u);
        for (uint256 i = 0; i < 3; i++) {
            vm.recordLogs();
            share(i, userId(1), u.payload.publicKey, list(h1, h2), u.payload.extraData);
            vm.assertEq(countLogs(REACHED_TOPIC), i == 2 ? 1 : 0, "reached with the third");
        }
        vm.assertTrue(decryption.isDecryptionDone(userId(1)), "done");
    }

    function test_responseNamingAnotherContextReverts_v1AndV2() public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.extraData = extraV1(CONTEXT);
        sendUnified(u);
        rotateContext(CONTEXT + 1, 0, 4, 3);
        for (uint256 i = 0; i < 3; i++) {
            bytes memory extra = i == 0 ? extraV1(CONTEXT + 1) : i == 1 ? extraV2(CONTEXT + 1, EPOCH) : bytes("");
            bytes memory sig = shareSignature(0, u.payload.publicKey, list(h1), extra);
            vm.prank(kmsSender(0));
            vm.expectRevert(
                abi.encodeWithSelector(
                    DecryptionEvents.DecryptionContextMismatch.selector, userId(1), CONTEXT, CONTEXT + 1
                )
            );
            decryption.userDecryptionResponse(userId(1), shareOf(0), sig, extra);
        }
    }

    // views

    function test_readyIfAllAreCommitted() public view {
        HandleEntry[] memory entries = unifiedFor(list(h1, h2)).handles;
        vm.assertTrue(decryption.isUserDecryptionReady(entries, hex"ff"), "all");
        entries[1].handle = handleOf(HOST_CHAIN, 5, 3);
        vm.assertTrue(!decryption.isUserDecryptionReady(entries, ""), "one missing");
        vm.assertTrue(!decryption.isUserDecryptionReady(new HandleEntry[](0), ""), "none");
    }
}
