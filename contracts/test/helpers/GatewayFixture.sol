// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ZamaOFT} from "../../src/devnet/ZamaOFT.sol";
import {CiphertextCommits} from "../../src/gateway/CiphertextCommits.sol";
import {Decryption} from "../../src/gateway/Decryption.sol";
import {EmptyUUPSProxyGatewayConfig} from "../../src/gateway/EmptyUUPSProxyGatewayConfig.sol";
import {GatewayConfig} from "../../src/gateway/GatewayConfig.sol";
import {EmptyUUPSProxy} from "../../src/gateway/GatewayEmptyUUPSProxy.sol";
import {PauserSet} from "../../src/gateway/GatewayPauserSet.sol";
import {Coprocessor, Custodian, HostChain, KmsNode, ProtocolMetadata} from "../../src/gateway/GatewayTypes.sol";
import {ICiphertextCommits} from "../../src/gateway/ICiphertextCommits.sol";
import {IGatewayConfig} from "../../src/gateway/IGatewayConfig.sol";
import {IGatewayPausable} from "../../src/gateway/IGatewayPausable.sol";
import {IProtocolPayment} from "../../src/gateway/IProtocolPayment.sol";
import {InputVerification} from "../../src/gateway/InputVerification.sol";
import {ProtocolPayment} from "../../src/gateway/ProtocolPayment.sol";
import {TestBase} from "./TestBase.sol";
import {Vm} from "./Vm.sol";

/// @title A gateway with KMS nodes and three coprocessors
abstract contract GatewayFixture is TestBase {
    uint256 internal constant N_COPROCESSORS = 3;
    uint256 internal constant COPROCESSOR_THRESHOLD = 2;

    uint256 internal constant INPUT_PRICE = 10e18;
    uint256 internal constant PUBLIC_PRICE = 1e18;
    uint256 internal constant USER_PRICE = 2e18;
    uint256 internal constant FUNDS = 1e30;
    address internal constant FEES = address(0xFEE5);

    GatewayConfig internal config;
    CiphertextCommits internal commits;
    Decryption internal decryption;
    InputVerification internal inputVerification;
    ProtocolPayment internal payment;
    ZamaOFT internal token;
    PauserSet internal pauserSet;
    EmptyUUPSProxy internal empty;

    function kmsKey(uint256 i) internal pure returns (uint256) {
        return 0xC0DE0000 + i;
    }

    function kmsSender(uint256 i) internal pure returns (address) {
        return address(uint160(0xB000 + i));
    }

    function coproSender(uint256 i) internal pure returns (address) {
        return address(uint160(0xD000 + i));
    }

    /// Nodes `first` to `first + n - 1`.
    function kmsNodes(uint256 first, uint256 n) internal pure returns (KmsNode[] memory nodes) {
        nodes = new KmsNode[](n);
        for (uint256 i = 0; i < n; i++) {
            nodes[i] = KmsNode(kmsSender(first + i), vm.addr(kmsKey(first + i)), "127.0.0.1", "http://127.0.0.1/kms");
        }
    }

    function coprocessors(uint256 first, uint256 n) internal pure returns (Coprocessor[] memory nodes) {
        nodes = new Coprocessor[](n);
        for (uint256 i = 0; i < n; i++) {
            nodes[i] = Coprocessor(
                coproSender(first + i), address(uint160(0xE000 + first + i)), "http://127.0.0.1/ciphertexts"
            );
        }
    }

    function custodians(uint256 first, uint256 n) internal pure returns (Custodian[] memory nodes) {
        nodes = new Custodian[](n);
        for (uint256 i = 0; i < n; i++) {
            nodes[i] =
                Custodian(address(uint160(0xF000 + first + i)), address(uint160(0xF100 + first + i)), hex"c0ffee");
        }
    }

    function hostChain(uint256 chainId) internal pure returns (HostChain memory) {
        return HostChain(chainId, address(0x1111), address(0x2222), "host", "http://127.0.0.1");
    }

    function thresholds(uint256 mpc, uint256 pub, uint256 user, uint256 gen)
        internal
        pure
        returns (GatewayConfig.Thresholds memory)
    {
        return GatewayConfig.Thresholds(mpc, pub, user, gen, COPROCESSOR_THRESHOLD);
    }

    function deployProxies() internal {
        vm.chainId(GATEWAY_CHAIN);
        config = GatewayConfig(
            proxyOn(
                address(new EmptyUUPSProxyGatewayConfig()),
                abi.encodeCall(EmptyUUPSProxyGatewayConfig.initialize, (OWNER))
            )
        );
        empty = new EmptyUUPSProxy(IGatewayConfig(address(config)));
        bytes memory init = abi.encodeCall(EmptyUUPSProxy.initialize, ());
        commits = CiphertextCommits(proxyOn(address(empty), init));
        decryption = Decryption(proxyOn(address(empty), init));
        inputVerification = InputVerification(proxyOn(address(empty), init));
        payment = ProtocolPayment(proxyOn(address(empty), init));
        token = new ZamaOFT("Zama", "ZAMA", 0);
        pauserSet = new PauserSet(IGatewayConfig(address(config)));
        vm.prank(OWNER);
        pauserSet.addPauser(PAUSER);
    }

    function configInit(KmsNode[] memory nodes, GatewayConfig.Thresholds memory t)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(
            GatewayConfig.initializeFromEmptyProxy,
            (
                CONTEXT,
                ProtocolMetadata("test", "http://127.0.0.1"),
                t,
                nodes,
                coprocessors(0, N_COPROCESSORS),
                custodians(0, 1)
            )
        );
    }

    function newConfig() internal returns (GatewayConfig) {
        return new GatewayConfig(
            pauserSet, IGatewayPausable(address(decryption)), IGatewayPausable(address(inputVerification))
        );
    }

    function newDecryption() internal returns (Decryption) {
        return new Decryption(
            IGatewayConfig(address(config)), ICiphertextCommits(address(commits)), IProtocolPayment(address(payment))
        );
    }

    function newInputVerification() internal returns (InputVerification) {
        return new InputVerification(IGatewayConfig(address(config)), IProtocolPayment(address(payment)));
    }

    function newPayment() internal returns (ProtocolPayment) {
        return new ProtocolPayment(
            IGatewayConfig(address(config)), token, FEES, address(inputVerification), address(decryption)
        );
    }

    function installPayment() internal {
        ProtocolPayment implementation = newPayment();
        vm.prank(OWNER);
        payment.upgradeToAndCall(
            address(implementation),
            abi.encodeCall(ProtocolPayment.initializeFromEmptyProxy, (INPUT_PRICE, PUBLIC_PRICE, USER_PRICE))
        );
        fund(REQUESTER);
    }

    function installInputVerification() internal {
        InputVerification implementation = newInputVerification();
        vm.prank(OWNER);
        inputVerification.upgradeToAndCall(
            address(implementation), abi.encodeCall(InputVerification.initializeFromEmptyProxy, ())
        );
    }

    /// The recorded events of Decryption, without the token's.
    function decryptionLogs() internal returns (Vm.Log[] memory logs) {
        Vm.Log[] memory all = vm.getRecordedLogs();
        logs = new Vm.Log[](all.length);
        uint256 count;
        for (uint256 i = 0; i < all.length; i++) {
            if (all[i].emitter == address(decryption)) logs[count++] = all[i];
        }
        assembly {
            mstore(logs, count)
        }
    }

    /// Lets an account pay for requests.
    function fund(address account) internal {
        token.mint(account, FUNDS);
        vm.prank(account);
        token.approve(address(payment), type(uint256).max);
    }

    function installConfig(KmsNode[] memory nodes, GatewayConfig.Thresholds memory t) internal {
        GatewayConfig implementation = newConfig();
        vm.prank(OWNER);
        config.upgradeToAndCall(address(implementation), configInit(nodes, t));
    }

    function installDecryption() internal {
        Decryption implementation = newDecryption();
        vm.prank(OWNER);
        decryption.upgradeToAndCall(address(implementation), abi.encodeCall(Decryption.initializeFromEmptyProxy, ()));
    }

    function installCommits() internal {
        CiphertextCommits implementation = new CiphertextCommits(IGatewayConfig(address(config)));
        vm.prank(OWNER);
        commits.upgradeToAndCall(
            address(implementation), abi.encodeCall(CiphertextCommits.initializeFromEmptyProxy, ())
        );
    }

    /// n nodes, public threshold `pub`, the host chain registered.
    function deployGateway(uint256 n, uint256 pub) internal {
        deployProxies();
        installConfig(kmsNodes(0, n), thresholds((n - 1) / 3, pub, n, n));
        installTheRest();
    }

    /// Everything but GatewayConfig, and the host chain.
    function installTheRest() internal {
        installCommits();
        installDecryption();
        installInputVerification();
        installPayment();
        vm.prank(OWNER);
        config.addHostChain(hostChain(HOST_CHAIN));
    }

    /// Makes the next context current, with nodes that start at number `first`.
    function rotateContext(uint256 contextId, uint256 first, uint256 n, uint256 pub) internal {
        vm.prank(OWNER);
        config.updateKmsContext(contextId, kmsNodes(first, n), 0, pub, n, n);
    }

    function commitAs(uint256 coprocessor, bytes32 handle, uint256 keyId) internal {
        vm.prank(coproSender(coprocessor));
        commits.addCiphertextMaterial(handle, keyId, ciphertextDigest(handle), snsDigest(handle));
    }

    function commitHandle(bytes32 handle) internal {
        commitHandle(handle, KEY_ID);
    }

    function commitHandle(bytes32 handle, uint256 keyId) internal {
        for (uint256 i = 0; i < COPROCESSOR_THRESHOLD; i++) {
            commitAs(i, handle, keyId);
        }
    }

    function ciphertextDigest(bytes32 handle) internal pure returns (bytes32) {
        return keccak256(abi.encode("ciphertext", handle));
    }

    function snsDigest(bytes32 handle) internal pure returns (bytes32) {
        return keccak256(abi.encode("squashed", handle));
    }

    function requestId(uint256 number) internal pure returns (uint256) {
        return (1 << 248) + number;
    }

    function request(bytes32[] memory handles, bytes memory extraData) internal {
        vm.prank(REQUESTER);
        decryption.publicDecryptionRequest(handles, extraData);
    }

    function signature(uint256 nodeNumber, bytes32[] memory handles, bytes memory result, bytes memory extraData)
        internal
        view
        returns (bytes memory)
    {
        return signWith(kmsKey(nodeNumber), publicDecryptDigest(address(decryption), handles, result, extraData));
    }

    function answer(
        uint256 nodeNumber,
        uint256 id,
        bytes32[] memory handles,
        bytes memory result,
        bytes memory extraData
    ) internal {
        bytes memory sig = signature(nodeNumber, handles, result, extraData);
        vm.prank(kmsSender(nodeNumber));
        decryption.publicDecryptionResponse(id, result, sig, extraData);
    }
}
