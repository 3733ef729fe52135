// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KMSGeneration} from "../../src/host/HostKMSGeneration.sol";
import {HostKMSGenerationEvents} from "../../src/host/HostKMSGenerationEvents.sol";
import {KeyDigest, KeyType, ParamsType} from "../../src/host/KeyMaterialTypes.sol";
import {ProtocolConfig} from "../../src/host/ProtocolConfig.sol";
import {ProtocolConfigEvents} from "../../src/host/ProtocolConfigEvents.sol";
import {KmsNodeParams, KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {KeyMaterialFixture} from "../helpers/KeyMaterialFixture.sol";
import {Vm} from "../helpers/Vm.sol";

/// Published digests, signatures, call data and logs, on contracts at the addresses they name.
contract HostKeyVectorsTest is KeyMaterialFixture {
    string private json;
    address private kms;

    function setUp() public {
        json = vm.readFile("tests/vectors/contracts/host_key_generation.json");
        kms = vm.parseJsonAddress(json, ".keys.kmsAddr");
        deployProxies();
        protocolConfig = ProtocolConfig(at(".constants.ProtocolConfig"));
        generation = KMSGeneration(at(".constants.KMSGeneration"));
        KmsNodeParams[] memory params = kmsParams(1);
        params[0].txSenderAddress = kms;
        params[0].signerAddress = kms;
        installProtocolConfig(params, KmsThresholds(1, 1, 1, 1));
        installGeneration();
    }

    /// A proxy on the empty implementation. It has neither immutables nor a constructor that matters.
    function at(string memory path) private returns (address proxy) {
        proxy = vm.parseJsonAddress(json, path);
        vm.etch(proxy, address(verifier).code);
        vm.store(proxy, IMPLEMENTATION_SLOT, bytes32(uint256(uint160(address(empty)))));
        (bool ok,) = proxy.call(abi.encodeCall(empty.initialize, ()));
        vm.assertTrue(ok, "empty proxy");
    }

    function digest(string memory name) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(".digests.", name));
    }

    function publishedDigests() private pure returns (KeyDigest[] memory digests) {
        digests = new KeyDigest[](2);
        digests[0] = KeyDigest(KeyType.Server, abi.encode(bytes32(type(uint256).max / 15 * 10)));
        digests[1] = KeyDigest(KeyType.Public, abi.encode(bytes32(type(uint256).max / 15 * 11)));
    }

    function publishedCrs() private pure returns (bytes memory) {
        return abi.encode(bytes32(type(uint256).max / 15 * 12));
    }

    /// As a node; the signature in the call data is over the published digest, so the contract computed that one.
    function send(address to, string memory name) private {
        vm.prank(kms);
        (bool ok,) = to.call(vm.parseJsonBytes(json, string.concat(".calldata.", name)));
        vm.assertTrue(ok, name);
    }

    function checkLog(Vm.Log memory log, string memory name) private view {
        string memory path = string.concat(".logs.", name);
        bytes32[] memory topics = vm.parseJsonBytes32Array(json, string.concat(path, ".topics"));
        vm.assertEq(log.topics.length, topics.length, "topics");
        for (uint256 i = 0; i < topics.length; i++) {
            vm.assertEq(log.topics[i], topics[i], "topic");
        }
        vm.assertEq(log.data, vm.parseJsonBytes(json, string.concat(path, ".data")), "data");
    }

    function test_digests() public view {
        bytes memory v1 = vm.parseJsonBytes(json, ".constants.extraDataV1");
        bytes memory v2 = vm.parseJsonBytes(json, ".constants.extraDataV2");
        vm.assertEq(v1, extraV1(CONTEXT), "version 1");
        vm.assertEq(v2, extraV2(CONTEXT, EPOCH), "version 2");
        address g = address(generation);
        address c = address(protocolConfig);
        vm.assertEq(typedDigest("KMSGeneration", g, prepStruct(PREP_ID, v1)), digest("prepKeygenV1"), "prep v1");
        vm.assertEq(typedDigest("KMSGeneration", g, prepStruct(PREP_ID, v2)), digest("prepKeygen"), "prep");
        bytes32 key = keyStruct(PREP_ID, KEY_ID, publishedDigests(), v2);
        bytes32 crs = crsStruct(CRS_ID, MAX_BITS, publishedCrs(), v2);
        vm.assertEq(typedDigest("KMSGeneration", g, key), digest("keygen"), "key");
        vm.assertEq(typedDigest("KMSGeneration", g, crs), digest("crsgen"), "CRS");
        vm.assertEq(typedDigest("ProtocolConfig", c, key), digest("epochKey"), "key of an epoch");
        vm.assertEq(typedDigest("ProtocolConfig", c, crs), digest("epochCrs"), "CRS of an epoch");
    }

    function test_keygenByPublishedCallData() public {
        vm.recordLogs();
        askKey(ParamsType.Default);
        checkLog(vm.getRecordedLogs()[0], "PrepKeygenRequest");
        send(address(generation), "prepKeygenResponse");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2, "response and request");
        checkLog(logs[1], "KeygenRequest");
        vm.expectEmit(address(generation));
        string[] memory list = new string[](1);
        list[0] = kmsUrl(0);
        emit HostKMSGenerationEvents.ActivateKey(KEY_ID, list, publishedDigests());
        send(address(generation), "keygenResponse");
        (, KeyDigest[] memory told) = generation.getKeyMaterials(KEY_ID);
        vm.assertEq(abi.encode(told), abi.encode(publishedDigests()), "digests");
    }

    function test_crsgenByPublishedCallData() public {
        vm.recordLogs();
        askCrs(ParamsType.Default);
        checkLog(vm.getRecordedLogs()[0], "CrsgenRequest");
        send(address(generation), "crsgenResponse");
        (, bytes memory told) = generation.getCrsMaterials(CRS_ID);
        vm.assertEq(told, publishedCrs(), "digest");
    }

    /// A request of the release before: its extra data names a context only.
    function test_answerToARequestOfThePreviousRelease() public {
        askKey(ParamsType.Default);
        bytes32 slot = keccak256(abi.encode(PREP_ID, slotOf(GENERATION_NS, 14)));
        bytes memory v1 = extraV1(CONTEXT);
        vm.store(address(generation), slot, bytes32(v1.length * 2 + 1));
        uint256 data = uint256(keccak256(abi.encode(slot)));
        vm.store(address(generation), bytes32(data), bytes32(v1));
        vm.store(address(generation), bytes32(data + 1), bytes32(uint256(1) << 248));
        bytes memory sig = vm.parseJsonBytes(json, ".eip712[0].signature");
        vm.prank(kms);
        generation.prepKeygenResponse(PREP_ID, sig);
        vm.assertTrue(generation.isRequestDone(PREP_ID), "answered");
    }

    function test_newEpochLogIsThePublishedOne() public {
        vm.roll(1001);
        vm.recordLogs();
        defineEpoch();
        checkLog(vm.getRecordedLogs()[0], "NewKmsEpoch");
    }

    /// The published attestation is of the first epoch, which is active from the start: make it pending.
    function test_epochActivationByPublishedCallData() public {
        vm.store(address(protocolConfig), keccak256(abi.encode(EPOCH, slotOf(CONFIG_NS, 15))), bytes32(uint256(1)));
        vm.expectEmit(address(protocolConfig));
        emit ProtocolConfigEvents.EpochActivationConfirmation(EPOCH, kms, digest("epochData"));
        send(address(protocolConfig), "confirmEpochActivation");
        vm.assertTrue(protocolConfig.isValidEpochForContext(CONTEXT, EPOCH), "active");
    }

    function test_contextConfirmationByPublishedCallData() public {
        defineContext(5, 1, KmsThresholds(1, 1, 1, 1));
        vm.expectEmit(address(protocolConfig));
        emit ProtocolConfigEvents.KmsContextCreationConfirmation(CONTEXT + 1, kms, true, false);
        send(address(protocolConfig), "confirmKmsContextCreation");
    }
}
