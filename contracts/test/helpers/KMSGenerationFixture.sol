// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {EmptyUUPSProxy} from "../../src/gateway/GatewayEmptyUUPSProxy.sol";
import {KMSGeneration} from "../../src/gateway/GatewayKMSGeneration.sol";
import {KeyDigest, KeyType, ParamsType} from "../../src/gateway/GatewayKMSGenerationTypes.sol";
import {KmsNode} from "../../src/gateway/GatewayTypes.sol";
import {IGatewayConfig} from "../../src/gateway/IGatewayConfig.sol";
import {GatewayFixture} from "./GatewayFixture.sol";
import {Vm} from "./Vm.sol";

/// @title A gateway that generates keys: nodes, thresholds, and answers signed like theirs
abstract contract KMSGenerationFixture is GatewayFixture {
    uint256 internal constant MAX_BITS = 2048;
    string internal constant NS = "fhevm_gateway.storage.KMSGeneration";

    // as published
    bytes32 internal constant PREP_TYPEHASH = 0x5f9676496d7809c84f94f0ba86890bd661594fa715e72e57cc327238eb3c5265;
    bytes32 internal constant KEYGEN_TYPEHASH = 0xa291f9864173cc77db6137c9f5a1d097994dd8ef4d71725f0b12dd94a85dbfb0;
    bytes32 internal constant DIGEST_TYPEHASH = 0xddd108772e6a3899feb04d148ae915cbe3eb5ebd202688080399e9921ac3616b;
    bytes32 internal constant CRSGEN_TYPEHASH = 0x3778e83715e573b1c60ad238000d5a03bf815d401f31c1de9e6756135b9e5c6a;
    bytes32 internal constant KEYGEN_REQUEST = 0x78b179176d1f19d7c28e80823deba2624da2ca2ec64b1701f3632a87c9aedc92;
    bytes32 internal constant ACTIVATE_KEY = 0xeb85c26dbcad46b80a68a0f24cce7c2c90f0a1faded84184138839fc9e80a25b;
    bytes32 internal constant ACTIVATE_CRS = 0x2258b73faed33fb2e2ea454403bef974920caf682ab3a723484fcf67553b16a2;

    KMSGeneration internal generation;

    /// `n` nodes, `gen` equal answers decide.
    function deployGeneration(uint256 n, uint256 gen) internal {
        deployProxies();
        generation = KMSGeneration(proxyOn(address(empty), abi.encodeCall(EmptyUUPSProxy.initialize, ())));
        installConfig(nodes(0, n), thresholds(0, 1, 1, gen));
        installGeneration();
    }

    function newGeneration() internal returns (KMSGeneration) {
        return new KMSGeneration(IGatewayConfig(address(config)));
    }

    function installGeneration() internal {
        KMSGeneration implementation = newGeneration();
        vm.prank(OWNER);
        generation.upgradeToAndCall(address(implementation), abi.encodeCall(KMSGeneration.initializeFromEmptyProxy, ()));
    }

    /// Nodes whose storage can be told apart.
    function nodes(uint256 first, uint256 n) internal pure returns (KmsNode[] memory list_) {
        list_ = kmsNodes(first, n);
        for (uint256 i = 0; i < n; i++) {
            list_[i].storageUrl = urlOf(first + i);
        }
    }

    function urlOf(uint256 nodeNumber) internal pure returns (string memory) {
        return string(abi.encodePacked("http://127.0.0.1/kms/", bytes1(uint8(97 + nodeNumber))));
    }

    function rotateTo(uint256 contextId, uint256 first, uint256 n, uint256 gen) internal {
        vm.prank(OWNER);
        config.updateKmsContext(contextId, nodes(first, n), 0, 1, 1, gen);
    }

    function prepId(uint256 number) internal pure returns (uint256) {
        return (3 << 248) + number;
    }

    function keyIdOf(uint256 number) internal pure returns (uint256) {
        return (4 << 248) + number;
    }

    function crsIdOf(uint256 number) internal pure returns (uint256) {
        return (5 << 248) + number;
    }

    function reshareId(uint256 number) internal pure returns (uint256) {
        return (6 << 248) + number;
    }

    /// Of a server key and a public key.
    function digestsOf(uint256 seed) internal pure returns (KeyDigest[] memory digests) {
        digests = new KeyDigest[](2);
        digests[0] = KeyDigest(KeyType.Server, abi.encode(keccak256(abi.encode("server", seed))));
        digests[1] = KeyDigest(KeyType.Public, abi.encode(keccak256(abi.encode("public", seed))));
    }

    function crsDigestOf(uint256 seed) internal pure returns (bytes memory) {
        return abi.encode(keccak256(abi.encode("crs", seed)));
    }

    /// Domain "KMSGeneration" of the gateway, written out independently of the contract.
    function typed(bytes32 structHash) internal view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("KMSGeneration"),
                keccak256("1"),
                GATEWAY_CHAIN,
                address(generation)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function prepDigest(uint256 prepKeygenId) internal view returns (bytes32) {
        return typed(keccak256(abi.encode(PREP_TYPEHASH, prepKeygenId)));
    }

    function keygenDigest(uint256 prepKeygenId, uint256 keyId, KeyDigest[] memory digests)
        internal
        view
        returns (bytes32)
    {
        bytes memory hashes;
        for (uint256 i = 0; i < digests.length; i++) {
            hashes = abi.encodePacked(
                hashes, keccak256(abi.encode(DIGEST_TYPEHASH, digests[i].keyType, keccak256(digests[i].digest)))
            );
        }
        return typed(keccak256(abi.encode(KEYGEN_TYPEHASH, prepKeygenId, keyId, keccak256(hashes))));
    }

    function crsgenDigest(uint256 crsId, uint256 maxBitLength, bytes memory digest) internal view returns (bytes32) {
        return typed(keccak256(abi.encode(CRSGEN_TYPEHASH, crsId, maxBitLength, keccak256(digest))));
    }

    function keygen() internal {
        vm.prank(OWNER);
        generation.keygen(ParamsType.Default);
    }

    function crsgen() internal {
        vm.prank(OWNER);
        generation.crsgenRequest(MAX_BITS, ParamsType.Default);
    }

    function prepSignature(uint256 node, uint256 prepKeygenId) internal view returns (bytes memory) {
        return signWith(kmsKey(node), prepDigest(prepKeygenId));
    }

    /// Of the key whose preparation has the same number.
    function keySignature(uint256 node, uint256 keyId, KeyDigest[] memory digests)
        internal
        view
        returns (bytes memory)
    {
        return signWith(kmsKey(node), keygenDigest(keyId - (1 << 248), keyId, digests));
    }

    function crsSignature(uint256 node, uint256 crsId, bytes memory digest) internal view returns (bytes memory) {
        return signWith(kmsKey(node), crsgenDigest(crsId, MAX_BITS, digest));
    }

    function answerPrep(uint256 node, uint256 prepKeygenId) internal {
        bytes memory sig = prepSignature(node, prepKeygenId);
        vm.prank(kmsSender(node));
        generation.prepKeygenResponse(prepKeygenId, sig);
    }

    function answerKey(uint256 node, uint256 keyId, KeyDigest[] memory digests) internal {
        bytes memory sig = keySignature(node, keyId, digests);
        vm.prank(kmsSender(node));
        generation.keygenResponse(keyId, digests, sig);
    }

    function answerCrs(uint256 node, uint256 crsId, bytes memory digest) internal {
        bytes memory sig = crsSignature(node, crsId, digest);
        vm.prank(kmsSender(node));
        generation.crsgenResponse(crsId, digest, sig);
    }

    /// The first key, agreed on by nodes 0 to `n` - 1.
    function makeKey(uint256 n) internal {
        keygen();
        for (uint256 i = 0; i < n; i++) {
            answerPrep(i, prepId(1));
        }
        for (uint256 i = 0; i < n; i++) {
            answerKey(i, keyIdOf(1), digestsOf(1));
        }
    }

    /// The first CRS, agreed on by nodes 0 to `n` - 1.
    function makeCrs(uint256 n) internal {
        crsgen();
        for (uint256 i = 0; i < n; i++) {
            answerCrs(i, crsIdOf(1), crsDigestOf(1));
        }
    }

    function senders(uint256 n) internal pure returns (address[] memory accounts) {
        accounts = new address[](n);
        for (uint256 i = 0; i < n; i++) {
            accounts[i] = kmsSender(i);
        }
    }

    function urls(uint256 n) internal pure returns (string[] memory list_) {
        list_ = new string[](n);
        for (uint256 i = 0; i < n; i++) {
            list_[i] = urlOf(i);
        }
    }

    function countOf(Vm.Log[] memory logs, bytes32 topic) internal view returns (uint256 count) {
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].emitter == address(generation) && logs[i].topics[0] == topic) count++;
        }
    }
}
