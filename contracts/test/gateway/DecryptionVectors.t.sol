// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {VectorsFixture} from "../helpers/VectorsFixture.sol";
import {Vm} from "../helpers/Vm.sol";

/// Published messages, call data and logs of public decryption, with a Decryption contract at the address they name.
contract DecryptionVectorsTest is VectorsFixture {
    function setUp() public {
        deployPublished("tests/vectors/contracts/public_decryption.json");
        // Key and digest of the material are in the published log.
        bytes memory legacy = vm.parseJsonBytes(json, ".logs['PublicDecryptionRequest legacy'].data");
        commitPublished(uint256(word(legacy, 5)), word(legacy, 6));
    }

    function word(bytes memory data, uint256 index) private pure returns (bytes32 value) {
        assembly {
            value := mload(add(add(data, 32), mul(index, 32)))
        }
    }

    function path(uint256 i, string memory field) private pure returns (string memory) {
        return string.concat(".eip712[", i == 0 ? "0" : i == 1 ? "1" : "2", "].", field);
    }

    /// The published signature is accepted, so the contract computed the published digest.
    function checkVector(uint256 i) private {
        bytes32[] memory handles = vm.parseJsonBytes32Array(json, path(i, "message.ctHandles"));
        bytes memory result = vm.parseJsonBytes(json, path(i, "message.decryptedResult"));
        bytes memory extraData = vm.parseJsonBytes(json, path(i, "message.extraData"));
        bytes memory sig = vm.parseJsonBytes(json, path(i, "signature"));
        vm.assertEq(
            publicDecryptDigest(address(decryption), handles, result, extraData),
            vm.parseJsonBytes32(json, path(i, "digest")),
            "our digest"
        );
        vm.prank(REQUESTER);
        decryption.publicDecryptionRequest(handles, extraData);
        vm.expectEmit(address(decryption));
        emit DecryptionEvents.PublicDecryptionResponseCall(requestId(1), result, sig, kms, extraData);
        vm.prank(kms);
        decryption.publicDecryptionResponse(requestId(1), result, sig, extraData);
        vm.assertTrue(decryption.isDecryptionDone(requestId(1)), "done");
    }

    function test_digestOfOneHandleAndEmptyExtraData() public {
        checkVector(0);
    }

    function test_digestOfTwoHandlesAndExtraDataV1() public {
        checkVector(1);
    }

    function test_digestOfTwoHandlesAndExtraDataV2() public {
        checkVector(2);
    }

    function test_domainIsThePublishedOne() public view {
        (bytes1 fields, string memory name, string memory version, uint256 chainId, address at,,) =
            decryption.eip712Domain();
        vm.assertEq(bytes32(fields), bytes32(bytes1(0x0f)), "fields");
        vm.assertEq(name, "Decryption", "name");
        vm.assertEq(version, "1", "version");
        vm.assertEq(chainId, GATEWAY_CHAIN, "chainId");
        vm.assertEq(at, vm.parseJsonAddress(json, ".constants.Decryption"), "verifyingContract");
    }

    function test_publishedCallDataGivesThePublishedLogs() public {
        vm.recordLogs();
        (bool ok,) =
            address(decryption).call(vm.parseJsonBytes(json, ".calldata['publicDecryptionRequest([h1],0x00)']"));
        vm.assertTrue(ok, "request");
        Vm.Log[] memory logs = decryptionLogs();
        vm.assertEq(logs.length, 2, "both generations");
        checkLog(logs[0], ".logs['PublicDecryptionRequest legacy']");
        checkLog(logs[1], ".logs['PublicDecryptionRequest handle-only']");

        vm.prank(kms);
        (ok,) = address(decryption)
            .call(
                vm.parseJsonBytes(json, ".calldata['publicDecryptionResponse(first id, vector publicDecrypt/1handle)']")
            );
        vm.assertTrue(ok && decryption.isDecryptionDone(requestId(1)), "response");
    }
}
