// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Vm} from "./Vm.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

/// @title What every test needs
abstract contract TestBase {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant GATEWAY_CHAIN = 54_321;
    uint256 internal constant HOST_CHAIN = 12_345;
    uint256 internal constant CONTEXT = (7 << 248) + 1;
    uint256 internal constant EPOCH = (8 << 248) + 1;
    uint256 internal constant KEY_ID = (4 << 248) + 1;
    bytes32 internal constant IMPLEMENTATION_SLOT = bytes32(uint256(keccak256("eip1967.proxy.implementation")) - 1);
    bytes32 internal constant PUBLIC_DECRYPT_TYPEHASH =
        keccak256("PublicDecryptVerification(bytes32[] ctHandles,bytes decryptedResult,bytes extraData)");

    address internal constant OWNER = address(0xA001);
    address internal constant PAUSER = address(0xA002);
    address internal constant STRANGER = address(0xA003);
    address internal constant REQUESTER = address(0xA004);

    function proxyOn(address implementation, bytes memory init) internal returns (address) {
        return address(new ERC1967Proxy(implementation, init));
    }

    /// The ERC-7201 slot of a namespace.
    function namespaceSlot(string memory namespace) internal pure returns (bytes32) {
        return keccak256(abi.encode(uint256(keccak256(bytes(namespace))) - 1)) & ~bytes32(uint256(0xff));
    }

    function slotOf(string memory namespace, uint256 member) internal pure returns (bytes32) {
        return bytes32(uint256(namespaceSlot(namespace)) + member);
    }

    function handleOf(uint256 chainId, uint8 fheType, uint256 number) internal pure returns (bytes32) {
        uint256 prefix = uint256(keccak256(abi.encode(number))) >> 88 << 88;
        return bytes32(prefix | (0xff << 80) | (chainId << 16) | (uint256(fheType) << 8));
    }

    function list(bytes32 one) internal pure returns (bytes32[] memory handles) {
        handles = new bytes32[](1);
        handles[0] = one;
    }

    function list(bytes32 one, bytes32 two) internal pure returns (bytes32[] memory handles) {
        handles = new bytes32[](2);
        handles[0] = one;
        handles[1] = two;
    }

    function extraV1(uint256 contextId) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(1), contextId);
    }

    function extraV2(uint256 contextId, uint256 epochId) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(2), contextId, epochId);
    }

    /// Domain "Decryption" of the gateway, written out independently of the contracts.
    function publicDecryptDigest(
        address decryption,
        bytes32[] memory handles,
        bytes memory result,
        bytes memory extraData
    ) internal pure returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Decryption"),
                keccak256("1"),
                GATEWAY_CHAIN,
                decryption
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(
                PUBLIC_DECRYPT_TYPEHASH, keccak256(abi.encodePacked(handles)), keccak256(result), keccak256(extraData)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function signWith(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}
