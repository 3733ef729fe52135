// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {CiphertextCommits} from "../../src/gateway/CiphertextCommits.sol";
import {Decryption} from "../../src/gateway/Decryption.sol";
import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {EmptyUUPSProxy} from "../../src/gateway/GatewayEmptyUUPSProxy.sol";
import {Coprocessor, KmsNode} from "../../src/gateway/GatewayTypes.sol";
import {GatewayFixture} from "../helpers/GatewayFixture.sol";
import {Vm} from "../helpers/Vm.sol";

/// Published messages, call data and logs of public decryption, with a Decryption contract at the address they name.
contract DecryptionVectorsTest is GatewayFixture {
    string private json;
    address private kms;
    bytes32 private h1;
    bytes32 private h2;

    function setUp() public {
        json = vm.readFile("tests/vectors/contracts/public_decryption.json");
        kms = vm.parseJsonAddress(json, ".keys.kmsAddr");
        h1 = vm.parseJsonBytes32(json, ".constants.h1");
        h2 = vm.parseJsonBytes32(json, ".constants.h2");
        deployProxies();

        // The proxy has neither immutables nor a constructor that matters: its code may stand anywhere.
        address at = vm.parseJsonAddress(json, ".constants.Decryption");
        vm.etch(at, address(decryption).code);
        vm.store(at, IMPLEMENTATION_SLOT, bytes32(uint256(uint160(address(empty)))));
        EmptyUUPSProxy(at).initialize();
        decryption = Decryption(at);

        KmsNode[] memory nodes = new KmsNode[](1);
        nodes[0] = KmsNode(kms, kms, "", "");
        installConfig(nodes, thresholds(0, 1, 1, 1));
        installCommits();
        installDecryption();

        address coprocessor = vm.parseJsonAddress(json, ".keys.copAddr");
        Coprocessor[] memory one = new Coprocessor[](1);
        one[0] = Coprocessor(coprocessor, coprocessor, "");
        vm.startPrank(OWNER);
        config.addHostChain(hostChain(HOST_CHAIN));
        config.updateCoprocessors(one, 1);
        vm.stopPrank();
        // Key and digest of the material are in the published log.
        bytes memory legacy = vm.parseJsonBytes(json, ".logs['PublicDecryptionRequest legacy'].data");
        bytes32 digest = word(legacy, 6);
        vm.startPrank(coprocessor);
        commits.addCiphertextMaterial(h1, uint256(word(legacy, 5)), bytes32(0), digest);
        commits.addCiphertextMaterial(h2, uint256(word(legacy, 5)), bytes32(0), digest);
        vm.stopPrank();
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
        Vm.Log[] memory logs = vm.getRecordedLogs();
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

    function checkLog(Vm.Log memory log, string memory at) private view {
        bytes32[] memory topics = vm.parseJsonBytes32Array(json, string.concat(at, ".topics"));
        vm.assertEq(log.topics.length, topics.length, "topics");
        for (uint256 i = 0; i < topics.length; i++) {
            vm.assertEq(log.topics[i], topics[i], "topic");
        }
        vm.assertEq(log.data, vm.parseJsonBytes(json, string.concat(at, ".data")), "data");
    }
}
