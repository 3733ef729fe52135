// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayFixture} from "./GatewayFixture.sol";

/// @title Public decryption: four nodes, three equal answers decide, two committed handles
abstract contract PublicDecryptionFixture is GatewayFixture {
    uint256 internal constant N = 4;
    uint256 internal constant THRESHOLD = 3;
    bytes internal constant RESULT = abi.encode(uint256(424_242));
    bytes32 internal constant DECIDED = keccak256("PublicDecryptionResponse(uint256,bytes,bytes[],bytes)");

    bytes32 internal h1 = handleOf(HOST_CHAIN, 5, 1);
    bytes32 internal h2 = handleOf(HOST_CHAIN, 2, 2);

    function setUp() public {
        deployGateway(N, THRESHOLD);
        commitHandle(h1);
        commitHandle(h2);
    }
}
