// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KMSGeneration} from "../../src/host/HostKMSGeneration.sol";
import {IHostOwner} from "../../src/host/HostOwned.sol";
import {IProtocolConfig} from "../../src/host/IProtocolConfig.sol";
import {EpochCrsResult, EpochKeyResult, KeyDigest, KeyType, ParamsType} from "../../src/host/KeyMaterialTypes.sol";
import {KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {HostFixture} from "./HostFixture.sol";
import {Vm} from "./Vm.sol";

/// @title The canonical host chain: contexts, epochs, keys and CRSs
/// @dev Struct hashes are written out here, independently of the contracts.
abstract contract KeyMaterialFixture is HostFixture {
    uint256 internal constant PREP_ID = (3 << 248) + 1;
    uint256 internal constant CRS_ID = (5 << 248) + 1;
    uint256 internal constant MAX_BITS = 2048;
    string internal constant CONFIG_NS = "fhevm.storage.ProtocolConfig";
    string internal constant GENERATION_NS = "fhevm.storage.KMSGeneration";

    KMSGeneration internal generation;

    function deployCanonical(uint256 n, KmsThresholds memory t) internal {
        deployProxies();
        installProtocolConfig(kmsParams(n), t);
        installVerifier();
        generation = KMSGeneration(proxyOn(address(empty), abi.encodeCall(empty.initialize, ())));
        installGeneration();
    }

    function newGeneration() internal returns (KMSGeneration) {
        return new KMSGeneration(IHostOwner(address(acl)), IProtocolConfig(address(protocolConfig)));
    }

    function installGeneration() internal {
        KMSGeneration implementation = newGeneration();
        vm.prank(OWNER);
        generation.upgradeToAndCall(address(implementation), abi.encodeCall(KMSGeneration.initializeFromEmptyProxy, ()));
    }

    // what nodes sign

    function typedDigest(string memory name, address at, bytes32 structHash) internal pure returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                HOST_CHAIN,
                at
            )
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function prepStruct(uint256 prepId, bytes memory extra) internal pure returns (bytes32) {
        bytes32 typehash = keccak256("PrepKeygenVerification(uint256 prepKeygenId,bytes extraData)");
        return keccak256(abi.encode(typehash, prepId, keccak256(extra)));
    }

    function digestsHash(KeyDigest[] memory digests) internal pure returns (bytes32) {
        bytes memory all;
        for (uint256 i = 0; i < digests.length; i++) {
            bytes32 typehash = keccak256("KeyDigest(uint8 keyType,bytes digest)");
            bytes32 one = keccak256(abi.encode(typehash, uint8(digests[i].keyType), keccak256(digests[i].digest)));
            all = bytes.concat(all, one);
        }
        return keccak256(all);
    }

    function keyStruct(uint256 prepId, uint256 keyId, KeyDigest[] memory digests, bytes memory extra)
        internal
        pure
        returns (bytes32)
    {
        bytes32 typehash = keccak256(
            "KeygenVerification(uint256 prepKeygenId,uint256 keyId,KeyDigest[] keyDigests,bytes extraData)KeyDigest(uint8 keyType,bytes digest)"
        );
        return keccak256(abi.encode(typehash, prepId, keyId, digestsHash(digests), keccak256(extra)));
    }

    function crsStruct(uint256 crsId, uint256 maxBits, bytes memory digest, bytes memory extra)
        internal
        pure
        returns (bytes32)
    {
        bytes32 typehash =
            keccak256("CrsgenVerification(uint256 crsId,uint256 maxBitLength,bytes crsDigest,bytes extraData)");
        return keccak256(abi.encode(typehash, crsId, maxBits, keccak256(digest), keccak256(extra)));
    }

    function signGeneration(uint256 node, bytes32 structHash) internal view returns (bytes memory) {
        return signWith(kmsKey(node), typedDigest("KMSGeneration", address(generation), structHash));
    }

    function signConfig(uint256 node, bytes32 structHash) internal view returns (bytes memory) {
        return signWith(kmsKey(node), typedDigest("ProtocolConfig", address(protocolConfig), structHash));
    }

    // key and CRS

    function keyDigests(uint256 seed) internal pure returns (KeyDigest[] memory digests) {
        digests = new KeyDigest[](2);
        digests[0] = KeyDigest(KeyType.Server, abi.encode(keccak256(abi.encode("server", seed))));
        digests[1] = KeyDigest(KeyType.Public, abi.encode(keccak256(abi.encode("public", seed))));
    }

    function crsDigest(uint256 seed) internal pure returns (bytes memory) {
        return abi.encode(keccak256(abi.encode("crs", seed)));
    }

    function askKey(ParamsType paramsType) internal {
        vm.prank(OWNER);
        generation.keygen(paramsType);
    }

    function askCrs(ParamsType paramsType) internal {
        vm.prank(OWNER);
        generation.crsgenRequest(MAX_BITS, paramsType);
    }

    function answerPrep(uint256 node, uint256 prepId, bytes memory extra) internal {
        bytes memory sig = signGeneration(node, prepStruct(prepId, extra));
        vm.prank(kmsSender(node));
        generation.prepKeygenResponse(prepId, sig);
    }

    /// Key ids and their preprocessings' count alike.
    function prepOf(uint256 keyId) internal pure returns (uint256) {
        return keyId - (1 << 248);
    }

    function answerKey(uint256 node, uint256 keyId, KeyDigest[] memory digests, bytes memory extra) internal {
        bytes memory sig = signGeneration(node, keyStruct(prepOf(keyId), keyId, digests, extra));
        vm.prank(kmsSender(node));
        generation.keygenResponse(keyId, digests, sig);
    }

    function answerCrs(uint256 node, uint256 crsId, bytes memory digest, bytes memory extra) internal {
        bytes memory sig = signGeneration(node, crsStruct(crsId, MAX_BITS, digest, extra));
        vm.prank(kmsSender(node));
        generation.crsgenResponse(crsId, digest, sig);
    }

    /// A key by nodes [first, first + count).
    function makeKey(uint256 keyId, uint256 first, uint256 count, bytes memory extra) internal {
        for (uint256 i = 0; i < count; i++) {
            answerPrep(first + i, prepOf(keyId), extra);
        }
        for (uint256 i = 0; i < count; i++) {
            answerKey(first + i, keyId, keyDigests(keyId), extra);
        }
    }

    function makeCrs(uint256 crsId, uint256 first, uint256 count, bytes memory extra) internal {
        for (uint256 i = 0; i < count; i++) {
            answerCrs(first + i, crsId, crsDigest(crsId), extra);
        }
    }

    // contexts and epochs

    function defineContext(uint256 first, uint256 n, KmsThresholds memory t) internal returns (uint256) {
        vm.prank(OWNER);
        protocolConfig.defineNewKmsContextAndEpoch(kmsParams(first, n), t, SOFTWARE_VERSION, pcrs());
        return protocolConfig.getCurrentKmsContextIdCounter();
    }

    function defineEpoch() internal {
        vm.prank(OWNER);
        protocolConfig.defineNewEpochForCurrentKmsContext();
    }

    function confirm(uint256 node, uint256 contextId) internal {
        vm.prank(kmsSender(node));
        protocolConfig.confirmKmsContextCreation(contextId);
    }

    function attestedKeys(uint256 node, bytes memory extra, uint256 seed)
        internal
        view
        returns (EpochKeyResult[] memory keys)
    {
        keys = new EpochKeyResult[](1);
        KeyDigest[] memory digests = keyDigests(seed);
        keys[0] = EpochKeyResult(PREP_ID, KEY_ID, digests, signConfig(node, keyStruct(PREP_ID, KEY_ID, digests, extra)));
    }

    function attestedCrs(uint256 node, bytes memory extra, uint256 seed)
        internal
        view
        returns (EpochCrsResult[] memory crs)
    {
        crs = new EpochCrsResult[](1);
        bytes memory digest = crsDigest(seed);
        crs[0] = EpochCrsResult(CRS_ID, MAX_BITS, digest, signConfig(node, crsStruct(CRS_ID, MAX_BITS, digest, extra)));
    }

    function attest(uint256 node, uint256 contextId, uint256 epochId, uint256 seed) internal {
        bytes memory extra = extraV2(contextId, epochId);
        EpochKeyResult[] memory keys = attestedKeys(node, extra, seed);
        EpochCrsResult[] memory crs = attestedCrs(node, extra, seed);
        vm.prank(kmsSender(node));
        protocolConfig.confirmEpochActivation(epochId, keys, crs);
    }

    /// The vote key of attest's data.
    function attestedHash(uint256 seed) internal pure returns (bytes32) {
        bytes32[] memory k = new bytes32[](1);
        k[0] = keccak256(abi.encode(PREP_ID, KEY_ID, digestsHash(keyDigests(seed))));
        bytes32[] memory c = new bytes32[](1);
        c[0] = keccak256(abi.encode(CRS_ID, MAX_BITS, crsDigest(seed)));
        return keccak256(abi.encode(k, c));
    }

    /// From announcement to use: all old nodes and all new ones do their part.
    function switchContext(uint256 oldFirst, uint256 oldN, uint256 first, uint256 n, KmsThresholds memory t)
        internal
        returns (uint256 contextId, uint256 epochId)
    {
        contextId = defineContext(first, n, t);
        for (uint256 i = 0; i < oldN; i++) {
            if (oldFirst + i < first || oldFirst + i >= first + n) confirm(oldFirst + i, contextId);
        }
        for (uint256 i = 0; i < n; i++) {
            confirm(first + i, contextId);
        }
        epochId = newestEpoch();
        for (uint256 i = 0; i < n; i++) {
            attest(first + i, contextId, epochId, 0);
        }
    }

    /// The counter has no getter.
    function newestEpoch() internal view returns (uint256) {
        return uint256(vm.load(address(protocolConfig), slotOf(CONFIG_NS, 12)));
    }

    /// 0 to n - 1 in some order.
    function shuffled(uint256 n, uint256 seed) internal pure returns (uint256[] memory order) {
        order = new uint256[](n);
        for (uint256 i = 0; i < n; i++) {
            uint256 j = uint256(keccak256(abi.encode(seed, i))) % (i + 1);
            order[i] = order[j];
            order[j] = i;
        }
    }

    // events

    /// How many recorded events of a contract have the topic.
    function countLogs(Vm.Log[] memory logs, address emitter, bytes32 topic) internal pure returns (uint256 count) {
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].emitter == emitter && logs[i].topics[0] == topic) count++;
        }
    }

    function urls(uint256 a, uint256 b) internal pure returns (string[] memory list) {
        list = new string[](2);
        (list[0], list[1]) = (kmsUrl(a), kmsUrl(b));
    }

    function urls(uint256 a, uint256 b, uint256 c) internal pure returns (string[] memory list) {
        list = new string[](3);
        (list[0], list[1], list[2]) = (kmsUrl(a), kmsUrl(b), kmsUrl(c));
    }
}
