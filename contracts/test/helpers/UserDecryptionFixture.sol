// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {
    ContractsInfo,
    CtHandleContractPair,
    DelegationAccounts,
    HandleEntry,
    RequestValidity,
    RequestValiditySeconds,
    UserDecryptionRequestPayload
} from "../../src/gateway/DecryptionTypes.sol";
import {GatewayFixture} from "./GatewayFixture.sol";
import {Vm} from "./Vm.sol";

/// @title Users, their requests, and answers to them
abstract contract UserDecryptionFixture is GatewayFixture {
    /// A request with pairs, by a user or by a delegate of `delegator`.
    struct Ask {
        CtHandleContractPair[] pairs;
        RequestValidity validity;
        ContractsInfo contracts;
        address user;
        address delegator;
        bytes publicKey;
        bytes signature;
        bytes extraData;
    }

    /// A request with handle entries.
    struct Unified {
        HandleEntry[] handles;
        UserDecryptionRequestPayload payload;
    }

    uint256 internal constant USER_KEY = 0x2222222222222222222222222222222222222222222222222222222222222222;
    uint256 internal constant NOW = 1_760_000_000;
    address internal constant DAPP = 0x00000000000000000000000000000000DeaDBeef;
    address internal constant DELEGATOR = 0x00000000000000000000000000000000CaFECAfE;
    bytes internal constant SHARE = hex"c0ffee";

    // as published
    bytes32 internal constant USER_TYPEHASH = 0x9bf1f2b06a0ed501e5fa5a12ba3f9fbc1343c988847fb585c29c59ada4b71ab5;
    bytes32 internal constant DELEGATED_TYPEHASH = 0xc93bc1d3fd0d779bf2a605403200af965b7571bbaf3401ffb5174398fbddac45;
    bytes32 internal constant RESPONSE_TYPEHASH = 0x2c4b1a55fe4090104eb889f0e48d4cf11c7cc4b95cf47117b9f0008cbcc10f5f;
    bytes32 internal constant SHARE_TOPIC = keccak256("UserDecryptionResponse(uint256,uint256,bytes,bytes,bytes)");
    bytes32 internal constant REACHED_TOPIC = keccak256("UserDecryptionResponseThresholdReached(uint256)");

    function userId(uint256 number) internal pure returns (uint256) {
        return (2 << 248) + number;
    }

    function one(address account) internal pure returns (address[] memory accounts) {
        accounts = new address[](1);
        accounts[0] = account;
    }

    function pairsOf(bytes32[] memory handles, address contractAddress)
        internal
        pure
        returns (CtHandleContractPair[] memory pairs)
    {
        pairs = new CtHandleContractPair[](handles.length);
        for (uint256 i = 0; i < handles.length; i++) {
            pairs[i] = CtHandleContractPair(handles[i], contractAddress);
        }
    }

    function handlesOf(CtHandleContractPair[] memory pairs) internal pure returns (bytes32[] memory handles) {
        handles = new bytes32[](pairs.length);
        for (uint256 i = 0; i < pairs.length; i++) {
            handles[i] = pairs[i].ctHandle;
        }
    }

    /// 800 bytes, as real keys have.
    function publicKeyOf(uint256 seed) internal pure returns (bytes memory key) {
        key = new bytes(800);
        for (uint256 i = 0; i < 25; i++) {
            bytes32 word = keccak256(abi.encode(seed, i));
            assembly {
                mstore(add(add(key, 32), mul(i, 32)), word)
            }
        }
    }

    function askFor(bytes32[] memory handles) internal pure returns (Ask memory a) {
        a.pairs = pairsOf(handles, DAPP);
        a.validity = RequestValidity(NOW - 1 days, 10);
        a.contracts = ContractsInfo(HOST_CHAIN, one(DAPP));
        a.user = vm.addr(USER_KEY);
        a.delegator = DELEGATOR;
        a.publicKey = publicKeyOf(1);
    }

    function userDomain(uint256 chainId) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Decryption"),
                keccak256("1"),
                chainId,
                address(decryption)
            )
        );
    }

    function userDigest(Ask memory a) internal view returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(
                USER_TYPEHASH,
                keccak256(a.publicKey),
                keccak256(abi.encodePacked(a.contracts.addresses)),
                a.validity.startTimestamp,
                a.validity.durationDays,
                keccak256(a.extraData)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", userDomain(a.contracts.chainId), structHash));
    }

    function delegatedDigest(Ask memory a) internal view returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(
                DELEGATED_TYPEHASH,
                keccak256(a.publicKey),
                keccak256(abi.encodePacked(a.contracts.addresses)),
                a.delegator,
                a.validity.startTimestamp,
                a.validity.durationDays,
                keccak256(a.extraData)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", userDomain(a.contracts.chainId), structHash));
    }

    function sendDirect(Ask memory a) internal {
        vm.prank(REQUESTER);
        decryption.userDecryptionRequest(
            a.pairs, a.validity, a.contracts, a.user, a.publicKey, a.signature, a.extraData
        );
    }

    function sendDelegated(Ask memory a) internal {
        vm.prank(REQUESTER);
        decryption.delegatedUserDecryptionRequest(
            a.pairs,
            a.validity,
            DelegationAccounts(a.delegator, a.user),
            a.contracts,
            a.publicKey,
            a.signature,
            a.extraData
        );
    }

    function unifiedFor(bytes32[] memory handles) internal pure returns (Unified memory u) {
        u.handles = new HandleEntry[](handles.length);
        u.payload.userAddress = vm.addr(USER_KEY);
        for (uint256 i = 0; i < handles.length; i++) {
            u.handles[i] = HandleEntry(handles[i], DAPP, u.payload.userAddress);
        }
        u.payload.publicKey = publicKeyOf(2);
        u.payload.allowedContracts = one(DAPP);
        u.payload.requestValidity = RequestValiditySeconds(NOW - 1 days, 10 days);
        u.payload.signature = hex"1271";
    }

    function sendUnified(Unified memory u) internal {
        vm.prank(REQUESTER);
        decryption.userDecryptionRequest(
            u.handles,
            u.payload.userAddress,
            u.payload.publicKey,
            u.payload.allowedContracts,
            u.payload.requestValidity,
            u.payload.signature,
            u.payload.extraData
        );
    }

    function shareDigest(bytes memory publicKey, bytes32[] memory handles, bytes memory share, bytes memory extraData)
        internal
        view
        returns (bytes32)
    {
        bytes32 structHash = keccak256(
            abi.encode(
                RESPONSE_TYPEHASH,
                keccak256(publicKey),
                keccak256(abi.encodePacked(handles)),
                keccak256(share),
                keccak256(extraData)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", userDomain(GATEWAY_CHAIN), structHash));
    }

    /// The share of a node: no two are equal.
    function shareOf(uint256 nodeNumber) internal pure returns (bytes memory) {
        return abi.encodePacked(SHARE, nodeNumber);
    }

    function shareSignature(
        uint256 nodeNumber,
        bytes memory publicKey,
        bytes32[] memory handles,
        bytes memory extraData
    ) internal view returns (bytes memory) {
        return signWith(kmsKey(nodeNumber), shareDigest(publicKey, handles, shareOf(nodeNumber), extraData));
    }

    function share(
        uint256 nodeNumber,
        uint256 id,
        bytes memory publicKey,
        bytes32[] memory handles,
        bytes memory extraData
    ) internal {
        bytes memory sig = shareSignature(nodeNumber, publicKey, handles, extraData);
        vm.prank(kmsSender(nodeNumber));
        decryption.userDecryptionResponse(id, shareOf(nodeNumber), sig, extraData);
    }

    /// How many recorded events have the topic.
    function countLogs(bytes32 topic) internal returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == topic) count++;
        }
    }
}
