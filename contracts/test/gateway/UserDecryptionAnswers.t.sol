// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Decryption} from "../../src/gateway/Decryption.sol";
import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {CtHandleContractPair} from "../../src/gateway/DecryptionTypes.sol";
import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {UserDecryptionFixture} from "../helpers/UserDecryptionFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// Answers to user decryptions: four nodes, three shares are enough.
contract UserDecryptionAnswersTest is UserDecryptionFixture {
    string private constant NS = "fhevm_gateway.storage.Decryption";
    uint256 private constant N = 4;
    uint256 private constant THRESHOLD = 3;

    bytes32 private h1 = handleOf(HOST_CHAIN, 5, 1);
    bytes32 private h2 = handleOf(HOST_CHAIN, 2, 2);
    bytes private publicKey = publicKeyOf(1);

    function setUp() public {
        vm.warp(NOW);
        deployProxies();
        installConfig(kmsNodes(0, N), thresholds(1, 2, THRESHOLD, N));
        installTheRest();
        commitHandle(h1);
        commitHandle(h2);
    }

    function ask(bytes memory extraData) private {
        Ask memory a = askFor(list(h1));
        a.extraData = extraData;
        a.signature = signWith(USER_KEY, userDigest(a));
        sendDirect(a);
    }

    function give(uint256 nodeNumber, bytes memory extraData) private {
        share(nodeNumber, userId(1), publicKey, list(h1), extraData);
    }

    function expectRefusal(uint256 signer, uint256 sender, uint256 id, bytes memory extraData, bytes memory err)
        private
    {
        bytes memory sig = shareSignature(signer, publicKey, list(h1), extraData);
        vm.prank(kmsSender(sender));
        vm.expectRevert(err);
        decryption.userDecryptionResponse(id, shareOf(signer), sig, extraData);
    }

    /// The user threshold of a context with `n` nodes from number `first` is `user`.
    function rotate(uint256 contextId, uint256 first, uint256 n, uint256 user) private {
        vm.prank(OWNER);
        config.updateKmsContext(contextId, kmsNodes(first, n), 0, 1, user, 1);
    }

    function test_threeSharesWithIndices_thresholdReachedOnce_done() public {
        ask("");
        uint256[3] memory order = [uint256(2), 0, 3];
        for (uint256 i = 0; i < 3; i++) {
            vm.assertTrue(!decryption.isDecryptionDone(userId(1)), "not before");
            vm.recordLogs();
            give(order[i], "");
            Vm.Log[] memory logs = decryptionLogs();
            vm.assertEq(logs.length, i == 2 ? 2 : 1, "events");
            vm.assertEq(logs[0].topics[0], SHARE_TOPIC, "the share");
            vm.assertEq(logs[0].topics[1], bytes32(userId(1)), "its request");
            vm.assertEq(
                logs[0].data,
                abi.encode(i, shareOf(order[i]), shareSignature(order[i], publicKey, list(h1), ""), bytes("")),
                "index by arrival, share, signature, extra data"
            );
            if (i == 2) {
                vm.assertEq(logs[1].topics[0], REACHED_TOPIC, "reached");
                vm.assertEq(logs[1].topics[1], bytes32(userId(1)), "its request");
                vm.assertEq(logs[1].data.length, 0, "nothing else in it");
            }
        }
        vm.assertTrue(decryption.isDecryptionDone(userId(1)), "done");
    }

    function test_fourthShareIsAccepted_thresholdNotReachedAgain() public {
        test_threeSharesWithIndices_thresholdReachedOnce_done();
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.UserDecryptionResponse(
            userId(1), 3, shareOf(1), shareSignature(1, publicKey, list(h1), ""), ""
        );
        vm.recordLogs();
        give(1, "");
        vm.assertEq(countLogs(REACHED_TOPIC), 0, "not again");
    }

    function test_consensusTxSendersAreAllResponders() public {
        ask("");
        vm.assertEq(decryption.getDecryptionConsensusTxSenders(userId(1)).length, 0, "nobody yet");
        address[] memory senders = new address[](4);
        for (uint256 i = 0; i < N; i++) {
            give(N - 1 - i, "");
            senders[i] = kmsSender(N - 1 - i);
            vm.assertEq(
                decryption.getDecryptionConsensusTxSenders(userId(1)).length, i + 1, "also before the threshold"
            );
        }
        vm.assertEq(decryption.getDecryptionConsensusTxSenders(userId(1)), senders, "in order of arrival");
    }

    function test_delegatedRequestIsAnsweredAlike() public {
        Ask memory a = askFor(list(h1));
        a.signature = signWith(USER_KEY, delegatedDigest(a));
        sendDelegated(a);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            give(i, "");
        }
        vm.assertTrue(decryption.isDecryptionDone(userId(1)), "done");
    }

    function test_delegatedRequest_fourthShareIsAccepted_anotherContextReverts() public {
        test_delegatedRequestIsAnsweredAlike();
        rotate(CONTEXT + 1, 0, N, THRESHOLD);
        bytes memory err = abi.encodeWithSelector(
            DecryptionEvents.DecryptionContextMismatch.selector, userId(1), CONTEXT, CONTEXT + 1
        );
        expectRefusal(3, 3, userId(1), extraV1(CONTEXT + 1), err);
        expectRefusal(3, 3, userId(1), extraV2(CONTEXT + 1, EPOCH), err);
        vm.recordLogs();
        give(3, extraV1(CONTEXT));
        vm.assertEq(countLogs(REACHED_TOPIC), 0, "not again");
    }

    function test_sharesWithDifferentExtraDataCountTogether() public {
        ask("");
        give(0, "");
        give(1, hex"00");
        give(2, extraV2(CONTEXT, EPOCH));
        vm.assertTrue(decryption.isDecryptionDone(userId(1)), "shares differ anyhow");
    }

    function test_answersWorkWhilePaused() public {
        ask("");
        vm.prank(PAUSER);
        decryption.pause();
        for (uint256 i = 0; i < THRESHOLD; i++) {
            give(i, "");
        }
        vm.assertTrue(decryption.isDecryptionDone(userId(1)), "done");
    }

    function test_duplicateResponseReverts_alsoWithAnotherShare() public {
        ask("");
        give(0, "");
        bytes memory err =
            abi.encodeWithSelector(DecryptionEvents.KmsNodeAlreadySigned.selector, userId(1), vm.addr(kmsKey(0)));
        expectRefusal(0, 0, userId(1), "", err);
        bytes memory sig = signWith(kmsKey(0), shareDigest(publicKey, list(h1), hex"01", ""));
        vm.prank(kmsSender(0));
        vm.expectRevert(err);
        decryption.userDecryptionResponse(userId(1), hex"01", sig, "");
    }

    function test_unknownIdReverts() public {
        ask("");
        request(list(h1), "");
        uint256[4] memory ids = [uint256(2 << 248), userId(2), requestId(1), 1];
        for (uint256 i = 0; i < ids.length; i++) {
            expectRefusal(
                0, 0, ids[i], "", abi.encodeWithSelector(DecryptionEvents.DecryptionNotRequested.selector, ids[i])
            );
        }
        vm.prank(kmsSender(0));
        vm.expectRevert(abi.encodeWithSelector(DecryptionEvents.DecryptionNotRequested.selector, userId(1)));
        decryption.publicDecryptionResponse(userId(1), "", "", "");
    }

    function test_nonKmsSignerReverts() public {
        ask("");
        expectRefusal(
            9, 0, userId(1), "", abi.encodeWithSelector(GatewayChecks.NotKmsSigner.selector, vm.addr(kmsKey(9)))
        );
    }

    function test_nonKmsSenderReverts_andMixedNodes() public {
        ask("");
        for (uint256 i = 0; i < 2; i++) {
            uint256 sender = i == 0 ? 9 : 1;
            expectRefusal(
                0,
                sender,
                userId(1),
                "",
                abi.encodeWithSelector(
                    GatewayChecks.KmsSignerDoesNotMatchTxSender.selector, vm.addr(kmsKey(0)), kmsSender(sender)
                )
            );
        }
    }

    function test_signatureOverAnotherKeyOrOtherHandlesReverts() public {
        ask("");
        for (uint256 i = 0; i < 2; i++) {
            bytes32 digest = i == 0
                ? shareDigest(publicKeyOf(2), list(h1), shareOf(0), "")
                : shareDigest(publicKey, list(h2), shareOf(0), "");
            bytes memory sig = signWith(kmsKey(0), digest);
            vm.prank(kmsSender(0));
            (bool ok, bytes memory err) = address(decryption)
                .call(abi.encodeCall(decryption.userDecryptionResponse, (userId(1), shareOf(0), sig, "")));
            vm.assertTrue(!ok && bytes4(err) == GatewayChecks.NotKmsSigner.selector, "another signer comes out");
        }
    }

    function test_malformedSignatureReverts() public {
        ask("");
        vm.prank(kmsSender(0));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 0));
        decryption.userDecryptionResponse(userId(1), SHARE, "", "");
    }

    function test_contextMismatchReverts_v1AndV2() public {
        ask(extraV1(CONTEXT));
        rotate(CONTEXT + 1, 0, N, THRESHOLD);
        bytes memory err = abi.encodeWithSelector(
            DecryptionEvents.DecryptionContextMismatch.selector, userId(1), CONTEXT, CONTEXT + 1
        );
        expectRefusal(0, 0, userId(1), extraV1(CONTEXT + 1), err);
        expectRefusal(0, 0, userId(1), extraV2(CONTEXT + 1, EPOCH), err);
        expectRefusal(0, 0, userId(1), "", err);
    }

    function test_pinnedContextDecides_signersAndThreshold() public {
        rotate(CONTEXT + 1, 10, 2, 2);
        ask("");
        rotate(CONTEXT + 2, 0, N, 4);
        expectRefusal(
            0,
            0,
            userId(1),
            extraV1(CONTEXT + 1),
            abi.encodeWithSelector(GatewayChecks.NotKmsSigner.selector, vm.addr(kmsKey(0)))
        );
        give(10, extraV1(CONTEXT + 1));
        vm.assertTrue(!decryption.isDecryptionDone(userId(1)), "one of two");
        give(11, extraV1(CONTEXT + 1));
        vm.assertTrue(decryption.isDecryptionDone(userId(1)), "two of two");
    }

    function test_destroyedContextCannotAnswer() public {
        ask("");
        rotate(CONTEXT + 1, 10, 2, 2);
        vm.prank(OWNER);
        config.destroyKmsContext(CONTEXT);
        expectRefusal(
            0,
            0,
            userId(1),
            extraV1(CONTEXT),
            abi.encodeWithSelector(DecryptionEvents.InvalidKmsContext.selector, CONTEXT)
        );
    }

    function test_precedence_contextBeforeSignature() public {
        ask("");
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(DecryptionEvents.InvalidExtraDataLength.selector, 1, 33));
        decryption.userDecryptionResponse(userId(1), SHARE, "", hex"01");
        vm.prank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(DecryptionEvents.DecryptionContextMismatch.selector, userId(1), CONTEXT, CONTEXT + 5)
        );
        decryption.userDecryptionResponse(userId(1), SHARE, "", extraV1(CONTEXT + 5));
    }

    /// Every order of arrival and every threshold.
    function testFuzz_reachedWithTheThresholdthShareInAnyOrder(uint8 n, uint8 threshold, uint256 seed) public {
        n = uint8(1 + n % 13);
        threshold = uint8(1 + threshold % n);
        rotate(CONTEXT + 1, 20, n, threshold);
        ask("");
        uint256 left = (1 << n) - 1;
        for (uint256 i = 0; i < n; i++) {
            uint256 node = uint256(keccak256(abi.encode(seed, i))) % n;
            while ((left >> node) & 1 == 0) {
                node = (node + 1) % n;
            }
            left ^= 1 << node;
            vm.recordLogs();
            give(20 + node, "");
            vm.assertEq(countLogs(REACHED_TOPIC), i + 1 == threshold ? 1 : 0, "reached");
            vm.assertTrue(decryption.isDecryptionDone(userId(1)) == (i + 1 >= threshold), "done");
        }
    }

    // what is kept

    function test_keyAndHandlesAreKeptAsHashes_theirPlaceInTheProtocolsStructStaysEmpty() public {
        ask(extraV1(CONTEXT));
        bytes32 ours = keccak256(abi.encode(userId(1), namespaceSlot("claviger.storage.UserDecryption")));
        vm.assertEq(vm.load(address(decryption), ours), keccak256(publicKey), "key");
        vm.assertEq(
            vm.load(address(decryption), bytes32(uint256(ours) + 1)), keccak256(abi.encodePacked(h1)), "handles"
        );
        bytes32 payload = keccak256(abi.encode(userId(1), slotOf(NS, 7)));
        vm.assertEq(vm.load(address(decryption), payload), bytes32(0), "userDecryptionPayloads");
        vm.assertEq(vm.load(address(decryption), slotOf(NS, 8)), bytes32(userId(1)), "userDecryptionCounter");
        vm.assertEq(
            vm.load(address(decryption), keccak256(abi.encode(userId(1), slotOf(NS, 9)))),
            bytes32(CONTEXT),
            "decryptionContextId"
        );
    }

    /// What an implementation of before, which kept everything in full, left in the proxy.
    function plantRequestOfBefore(bytes memory key, bytes32[] memory handles, uint256 contextId) private {
        address at = address(decryption);
        vm.store(at, slotOf(NS, 8), bytes32(userId(1)));
        vm.store(at, keccak256(abi.encode(userId(1), slotOf(NS, 9))), bytes32(contextId));
        bytes32 slot = keccak256(abi.encode(userId(1), slotOf(NS, 7)));
        vm.store(at, slot, bytes32(key.length * 2 + 1));
        for (uint256 i = 0; i < key.length; i += 32) {
            bytes32 word;
            assembly {
                word := mload(add(add(key, 32), i))
            }
            vm.store(at, bytes32(uint256(keccak256(abi.encode(slot))) + i / 32), word);
        }
        bytes32 second = bytes32(uint256(slot) + 1);
        vm.store(at, second, bytes32(handles.length));
        for (uint256 i = 0; i < handles.length; i++) {
            vm.store(at, bytes32(uint256(keccak256(abi.encode(second))) + i), handles[i]);
        }
    }

    function test_requestOfAnEarlierImplementationStaysAnswerable() public {
        plantRequestOfBefore(publicKey, list(h1, h2), CONTEXT);
        for (uint256 i = 0; i < THRESHOLD; i++) {
            share(i, userId(1), publicKey, list(h1, h2), "");
        }
        vm.assertTrue(decryption.isDecryptionDone(userId(1)), "done");
    }

    function test_requestFromBeforePinningTakesTheAnswersContext() public {
        plantRequestOfBefore(publicKey, list(h1), 0);
        rotate(CONTEXT + 1, 10, N, THRESHOLD);
        give(10, "");
        give(0, extraV1(CONTEXT));
    }

    function test_requestStaysAnswerableAfterUpgrade() public {
        ask("");
        give(0, "");
        Decryption next = newDecryption();
        vm.prank(OWNER);
        decryption.upgradeToAndCall(address(next), "");
        give(1, "");
        give(2, "");
        vm.assertTrue(decryption.isDecryptionDone(userId(1)), "done");
    }

    // views

    function test_readyOnlyForCommittedHandles() public view {
        CtHandleContractPair[] memory pairs = pairsOf(list(h1, h2), DAPP);
        vm.assertTrue(decryption.isUserDecryptionReady(pairs, hex"ff"), "committed");
        vm.assertTrue(decryption.isUserDecryptionReady(STRANGER, pairs, hex"ff"), "with a user");
        vm.assertTrue(decryption.isDelegatedUserDecryptionReady(pairs, hex"ff"), "delegated");
        pairs[1].ctHandle = handleOf(777, 5, 3);
        vm.assertTrue(!decryption.isUserDecryptionReady(pairs, ""), "one missing");
        vm.assertTrue(!decryption.isUserDecryptionReady(STRANGER, pairs, ""), "one missing, with a user");
        vm.assertTrue(!decryption.isDelegatedUserDecryptionReady(pairs, ""), "one missing, delegated");
        pairs = new CtHandleContractPair[](0);
        vm.assertTrue(!decryption.isUserDecryptionReady(pairs, ""), "none");
        vm.assertTrue(!decryption.isUserDecryptionReady(STRANGER, pairs, ""), "none, with a user");
        vm.assertTrue(!decryption.isDelegatedUserDecryptionReady(pairs, ""), "none, delegated");
    }
}
