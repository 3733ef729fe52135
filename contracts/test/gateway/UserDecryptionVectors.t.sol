// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {VectorsFixture} from "../helpers/VectorsFixture.sol";
import {Vm} from "../helpers/Vm.sol";

/// Published messages, call data and logs of user decryption: what wallets signed is accepted, so the contract
/// computed the published digests.
contract UserDecryptionVectorsTest is VectorsFixture {
    bytes32 private constant UNIFIED_TYPEHASH = 0x4ee965201c2f6fd39bb37401a5de0ea2362ef4db8199c112ec67d694006e114e;

    function setUp() public {
        deployPublished("tests/vectors/contracts/user_decryption.json");
        commitPublished(KEY_ID, bytes32(uint256(1)));
        vm.warp(1_760_000_000 + 1 days);
    }

    function send(string memory name) private returns (Vm.Log[] memory logs) {
        vm.recordLogs();
        (bool ok,) = address(decryption).call(vm.parseJsonBytes(json, string.concat(".calldata.", name)));
        vm.assertTrue(ok, name);
        logs = decryptionLogs();
        vm.assertEq(logs.length, 2, "both generations");
    }

    function published(string memory name) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(".eip712.", name, ".digest"));
    }

    /// The request of the vectors.
    function publishedAsk(string memory name) private view returns (Ask memory a) {
        a = askFor(list(h1));
        a.validity.startTimestamp = 1_760_000_000;
        a.publicKey = vm.parseJsonBytes(json, ".constants.publicKey");
        a.extraData = hex"00";
        a.signature = vm.parseJsonBytes(json, string.concat(".eip712.", name, ".signature"));
    }

    function test_directRequest() public {
        Ask memory a = publishedAsk("direct");
        vm.assertEq(userDigest(a), published("direct"), "digest");
        vm.assertEq(signWith(USER_KEY, published("direct")), a.signature, "signature");
        checkLog(send("direct")[1], ".logs.pairs");
        sendDirect(a);
    }

    function test_delegatedRequest_sameEventAsADirectOne() public {
        Ask memory a = publishedAsk("delegated");
        vm.assertEq(delegatedDigest(a), published("delegated"), "digest");
        vm.assertEq(signWith(USER_KEY, published("delegated")), a.signature, "signature");
        checkLog(send("delegated")[1], ".logs.pairs");
        sendDelegated(a);
    }

    /// The chain does not check this signature; clients and nodes do, over this digest.
    function test_unifiedRequest() public {
        checkLog(send("unified")[1], ".logs.unified");
        bytes32 structHash = keccak256(
            abi.encode(
                UNIFIED_TYPEHASH,
                vm.addr(USER_KEY),
                keccak256(vm.parseJsonBytes(json, ".constants.publicKey")),
                keccak256(abi.encodePacked(one(DAPP))),
                uint256(1_760_000_000),
                uint256(864_000),
                keccak256(extraV2(CONTEXT, EPOCH))
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", userDomain(HOST_CHAIN), structHash));
        vm.assertEq(digest, published("unified"), "digest");
        vm.assertEq(signWith(USER_KEY, digest), vm.parseJsonBytes(json, ".eip712.unified.signature"), "signature");
    }

    /// Answers are the same for every kind of request.
    function checkResponse(string memory name) private {
        send(name);
        bytes memory sig = vm.parseJsonBytes(json, ".eip712.response.signature");
        bytes memory shareBytes = vm.parseJsonBytes(json, ".constants.share");
        vm.assertEq(
            shareDigest(vm.parseJsonBytes(json, ".constants.publicKey"), list(h1), shareBytes, ""),
            published("response"),
            "digest"
        );
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.UserDecryptionResponse(userId(1), 0, shareBytes, sig, "");
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.UserDecryptionResponseThresholdReached(userId(1));
        vm.prank(kms);
        (bool ok,) = address(decryption).call(vm.parseJsonBytes(json, ".calldata.response"));
        vm.assertTrue(ok && decryption.isDecryptionDone(userId(1)), "response");
    }

    function test_responseToADirectRequest() public {
        checkResponse("direct");
    }

    function test_responseToADelegatedRequest() public {
        checkResponse("delegated");
    }

    function test_responseToAUnifiedRequest() public {
        checkResponse("unified");
    }
}
