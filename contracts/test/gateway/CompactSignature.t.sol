// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {CompactSignature, CompactSignatures} from "../../src/gateway/CompactSignature.sol";
import {TestBase} from "../helpers/TestBase.sol";

contract CompactSignatureTest is TestBase {
    function pack(bytes calldata signature) external pure returns (CompactSignature memory) {
        return CompactSignatures.pack(signature);
    }

    function testFuzz_whatWasPackedComesBack(uint256 key, bytes32 digest) public view {
        key = 1 + key % (2 ** 255);
        bytes memory signature = signWith(key, digest);
        vm.assertEq(CompactSignatures.unpack(this.pack(signature)), signature, "signature");
    }

    function test_bothParities() public view {
        bytes memory even = abi.encodePacked(bytes32(uint256(1)), bytes32(type(uint256).max >> 1), uint8(27));
        bytes memory odd = abi.encodePacked(bytes32(type(uint256).max), bytes32(uint256(1)), uint8(28));
        vm.assertEq(CompactSignatures.unpack(this.pack(even)), even, "even");
        vm.assertEq(CompactSignatures.unpack(this.pack(odd)), odd, "odd");
    }
}
