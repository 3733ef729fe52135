// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {EmptyUUPSProxy} from "../../src/gateway/GatewayEmptyUUPSProxy.sol";
import {KMSGeneration} from "../../src/gateway/GatewayKMSGeneration.sol";
import {GatewayKMSGenerationEvents as Events} from "../../src/gateway/GatewayKMSGenerationEvents.sol";
import {KeyDigest, KeyType} from "../../src/gateway/GatewayKMSGenerationTypes.sol";
import {KmsNode} from "../../src/gateway/GatewayTypes.sol";
import {KMSGenerationFixture} from "../helpers/KMSGenerationFixture.sol";

/// Published messages of key generation on the gateway, with the contract at the address they name.
contract GatewayKMSGenerationVectorsTest is KMSGenerationFixture {
    string private json;
    address private kms;

    function setUp() public {
        json = vm.readFile("tests/vectors/contracts/kms_generation.json");
        kms = vm.parseJsonAddress(json, ".keys.kmsAddr");
        deployProxies();
        // The proxy has neither immutables nor a constructor that matters: its code may stand anywhere.
        address at = vm.parseJsonAddress(json, ".constants.KMSGeneration");
        vm.etch(at, address(decryption).code);
        vm.store(at, IMPLEMENTATION_SLOT, bytes32(uint256(uint160(address(empty)))));
        EmptyUUPSProxy(at).initialize();
        generation = KMSGeneration(at);
        KmsNode[] memory nodes_ = new KmsNode[](1);
        nodes_[0] = KmsNode(kms, kms, "", "http://127.0.0.1/kms");
        installConfig(nodes_, thresholds(0, 1, 1, 1));
        installGeneration();
        keygen();
    }

    function publishedDigests() private view returns (KeyDigest[] memory digests) {
        digests = new KeyDigest[](2);
        digests[0] = KeyDigest(KeyType.Server, vm.parseJsonBytes(json, ".eip712[1].message.keyDigests[0].digest"));
        digests[1] = KeyDigest(KeyType.Public, vm.parseJsonBytes(json, ".eip712[1].message.keyDigests[1].digest"));
    }

    /// The published signature is accepted, so the contract computed the published digest.
    function test_prepKeygenDigest() public {
        vm.assertEq(prepDigest(prepId(1)), vm.parseJsonBytes32(json, ".eip712[0].digest"), "our digest");
        bytes memory sig = vm.parseJsonBytes(json, ".eip712[0].signature");
        vm.expectEmit(address(generation));
        emit Events.PrepKeygenResponse(prepId(1), sig, kms);
        vm.expectEmit(address(generation));
        emit Events.KeygenRequest(prepId(1), keyIdOf(1));
        vm.prank(kms);
        generation.prepKeygenResponse(prepId(1), sig);
    }

    function test_keygenDigest() public {
        KeyDigest[] memory digests = publishedDigests();
        vm.assertEq(
            keygenDigest(prepId(1), keyIdOf(1), digests), vm.parseJsonBytes32(json, ".eip712[1].digest"), "our digest"
        );
        bytes memory sig = vm.parseJsonBytes(json, ".eip712[1].signature");
        vm.expectEmit(address(generation));
        emit Events.KeygenResponse(keyIdOf(1), digests, sig, kms);
        vm.prank(kms);
        generation.keygenResponse(keyIdOf(1), digests, sig);
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "active");
    }

    /// Of this one the digest alone is published.
    function test_crsgenDigest() public {
        crsgen();
        bytes memory crs = vm.parseJsonBytes(json, ".eip712[2].message.crsDigest");
        bytes32 digest = vm.parseJsonBytes32(json, ".eip712[2].digest");
        vm.assertEq(crsgenDigest(crsIdOf(1), MAX_BITS, crs), digest, "our digest");
        bytes memory sig = signWith(uint256(vm.parseJsonBytes32(json, ".keys.kms")), digest);
        vm.prank(kms);
        generation.crsgenResponse(crsIdOf(1), crs, sig);
        vm.assertEq(generation.getActiveCrsId(), crsIdOf(1), "active");
    }

    function test_domainIsThePublishedOne() public view {
        (bytes1 fields, string memory name, string memory version, uint256 chainId, address at,,) =
            generation.eip712Domain();
        vm.assertEq(bytes32(fields), bytes32(bytes1(0x0f)), "fields");
        vm.assertEq(name, "KMSGeneration", "name");
        vm.assertEq(version, "1", "version");
        vm.assertEq(chainId, vm.parseJsonUint(json, ".constants.gatewayChainId"), "chainId");
        vm.assertEq(at, vm.parseJsonAddress(json, ".constants.KMSGeneration"), "verifyingContract");
    }

    function test_topicsAndSelectorsArePublishedOnes() public pure {
        vm.assertEq(
            Events.PrepKeygenRequest.selector,
            0x02024007d96574dbc9d11328bfee9893e7c7bb4ef4aa806df33bfdf454eb5e60,
            "PrepKeygenRequest"
        );
        vm.assertEq(Events.KeygenRequest.selector, KEYGEN_REQUEST, "KeygenRequest");
        vm.assertEq(Events.ActivateKey.selector, ACTIVATE_KEY, "ActivateKey");
        vm.assertEq(
            Events.CrsgenRequest.selector,
            0x3f038f6f88cb3031b7718588403a2ec220576a868be07dde4c02b846ca352ef5,
            "CrsgenRequest"
        );
        vm.assertEq(Events.ActivateCrs.selector, ACTIVATE_CRS, "ActivateCrs");
        vm.assertEq(
            Events.PRSSInit.selector, 0x11db42c1878f2e2819241f5250984563f06cf22818e7adb86a66921d15d59d3f, "PRSSInit"
        );
        vm.assertEq(
            Events.KeyReshareSameSet.selector,
            0x1ccb5545c4c8db50a0f5b416499526929f68534ed47f6cfd4c9f069075e60b45,
            "KeyReshareSameSet"
        );
        vm.assertEq(bytes32(KMSGeneration.prepKeygenResponse.selector), bytes32(bytes4(0x589adb0e)), "prep");
        vm.assertEq(bytes32(KMSGeneration.keygenResponse.selector), bytes32(bytes4(0x4610ffe8)), "keygen");
        vm.assertEq(bytes32(KMSGeneration.crsgenResponse.selector), bytes32(bytes4(0x62978787)), "crsgen");
        vm.assertEq(bytes32(KMSGeneration.prssInit.selector), bytes32(bytes4(0x7514a2ac)), "prssInit");
        vm.assertEq(bytes32(KMSGeneration.keyReshareSameSet.selector), bytes32(bytes4(0xd65d8373)), "reshare");
    }
}
