// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Decryption} from "../../src/gateway/Decryption.sol";
import {EmptyUUPSProxy} from "../../src/gateway/GatewayEmptyUUPSProxy.sol";
import {Coprocessor, KmsNode} from "../../src/gateway/GatewayTypes.sol";
import {UserDecryptionFixture} from "./UserDecryptionFixture.sol";
import {Vm} from "./Vm.sol";

/// @title A gateway with one node and one coprocessor, Decryption at the address that published vectors name
abstract contract VectorsFixture is UserDecryptionFixture {
    string internal json;
    address internal kms;
    bytes32 internal h1;
    bytes32 internal h2;

    function deployPublished(string memory path) internal {
        json = vm.readFile(path);
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
        installPayment();
        fund(address(this));

        address coprocessor = vm.parseJsonAddress(json, ".keys.copAddr");
        Coprocessor[] memory coprocessorList = new Coprocessor[](1);
        coprocessorList[0] = Coprocessor(coprocessor, coprocessor, "");
        vm.startPrank(OWNER);
        config.addHostChain(hostChain(HOST_CHAIN));
        config.updateCoprocessors(coprocessorList, 1);
        vm.stopPrank();
    }

    function commitPublished(uint256 keyId, bytes32 digest) internal {
        vm.startPrank(vm.parseJsonAddress(json, ".keys.copAddr"));
        commits.addCiphertextMaterial(h1, keyId, bytes32(0), digest);
        commits.addCiphertextMaterial(h2, keyId, bytes32(0), digest);
        vm.stopPrank();
    }

    function checkLog(Vm.Log memory log, string memory at) internal view {
        bytes32[] memory topics = vm.parseJsonBytes32Array(json, string.concat(at, ".topics"));
        vm.assertEq(log.topics.length, topics.length, "topics");
        for (uint256 i = 0; i < topics.length; i++) {
            vm.assertEq(log.topics[i], topics[i], "topic");
        }
        vm.assertEq(log.data, vm.parseJsonBytes(json, string.concat(at, ".data")), "data");
    }
}
