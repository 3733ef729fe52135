// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostContexts} from "../../src/host/HostContexts.sol";
import {HostOwned, IHostOwner} from "../../src/host/HostOwned.sol";
import {IProtocolConfig} from "../../src/host/IProtocolConfig.sol";
import {KMSVerifier} from "../../src/host/KMSVerifier.sol";
import {ProtocolConfigEvents} from "../../src/host/ProtocolConfigEvents.sol";
import {KmsNodeParams, KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {HostFixture} from "../helpers/HostFixture.sol";

contract KMSVerifierTest is HostFixture {
    uint256 private constant N = 4;
    uint256 private constant THRESHOLD = 3;
    bytes private constant RESULT = abi.encode(uint256(424_242));

    bytes32[] private handles = list(handleOf(HOST_CHAIN, 5, 1));

    function setUp() public {
        deployHost(N, THRESHOLD);
    }

    function sign(uint256 node, bytes memory extraData) private view returns (bytes memory) {
        return signWith(kmsKey(node), publicDecryptDigest(DECRYPTION, handles, RESULT, extraData));
    }

    function proofOf(uint256[] memory nodes, bytes memory extraData) private view returns (bytes memory proof) {
        proof = abi.encodePacked(uint8(nodes.length));
        for (uint256 i = 0; i < nodes.length; i++) {
            proof = bytes.concat(proof, sign(nodes[i], extraData));
        }
        proof = bytes.concat(proof, extraData);
    }

    function nodes3(uint256 a, uint256 b, uint256 c) private pure returns (uint256[] memory nodes) {
        nodes = new uint256[](3);
        (nodes[0], nodes[1], nodes[2]) = (a, b, c);
    }

    function nodes4(uint256 a, uint256 b, uint256 c, uint256 d) private pure returns (uint256[] memory nodes) {
        nodes = new uint256[](4);
        (nodes[0], nodes[1], nodes[2], nodes[3]) = (a, b, c, d);
    }

    function verify(bytes memory proof) private returns (bool) {
        return verifier.verifyDecryptionEIP712KMSSignatures(handles, RESULT, proof);
    }

    function expectVerifyRevert(bytes memory proof, bytes memory err) private {
        vm.expectRevert(err);
        verifier.verifyDecryptionEIP712KMSSignatures(handles, RESULT, proof);
    }

    function test_versionAndTypes() public view {
        vm.assertEq(verifier.getVersion(), "KMSVerifier v0.4.0", "version");
        vm.assertEq(
            verifier.DECRYPTION_RESULT_TYPEHASH(),
            0x89bac15e5ba205584832145601e359431e80fb9fb331ba5a22058132d525c794,
            "typehash"
        );
        vm.assertEq(
            keccak256(bytes(verifier.EIP712_PUBLIC_DECRYPT_TYPE())), verifier.DECRYPTION_RESULT_TYPEHASH(), "type"
        );
    }

    function test_domainIsTheGateways() public view {
        (bytes1 fields, string memory name, string memory version, uint256 chainId, address at,,) =
            verifier.eip712Domain();
        vm.assertEq(bytes32(fields), bytes32(bytes1(0x0f)), "fields");
        vm.assertEq(name, "Decryption", "name");
        vm.assertEq(version, "1", "version");
        vm.assertEq(chainId, GATEWAY_CHAIN, "chainId");
        vm.assertEq(at, DECRYPTION, "verifyingContract");
    }

    function test_gettersAskProtocolConfig() public {
        vm.assertEq(verifier.getProtocolConfigAddress(), address(protocolConfig), "address");
        vm.assertEq(verifier.getKmsSigners(), protocolConfig.getKmsSigners(), "signers");
        vm.assertEq(verifier.getSignersForKmsContext(CONTEXT), protocolConfig.getKmsSigners(), "signers of context");
        vm.assertEq(verifier.getThreshold(), THRESHOLD, "threshold");
        vm.assertEq(verifier.getCurrentKmsContextId(), CONTEXT, "context");
        vm.assertTrue(verifier.isSigner(vm.addr(kmsKey(0))) && !verifier.isSigner(STRANGER), "isSigner");
        vm.expectRevert(abi.encodeWithSelector(ProtocolConfigEvents.InvalidKmsContext.selector, CONTEXT + 1));
        verifier.getSignersForKmsContext(CONTEXT + 1);
    }

    function test_signersAndThresholdFromExtraData() public {
        bytes[4] memory extra = [bytes(""), hex"00ff", extraV1(CONTEXT), extraV2(CONTEXT, EPOCH)];
        for (uint256 i = 0; i < 4; i++) {
            (address[] memory signers, uint256 threshold) =
                verifier.getContextSignersAndThresholdFromExtraData(extra[i]);
            vm.assertEq(signers, protocolConfig.getKmsSigners(), "signers");
            vm.assertEq(threshold, THRESHOLD, "threshold");
        }
        vm.expectRevert(abi.encodeWithSelector(ProtocolConfigEvents.InvalidKmsContext.selector, CONTEXT + 1));
        verifier.getContextSignersAndThresholdFromExtraData(extraV1(CONTEXT + 1));
        vm.expectRevert(abi.encodeWithSelector(HostContexts.UnsupportedExtraDataVersion.selector, 3));
        verifier.getContextSignersAndThresholdFromExtraData(hex"03");
    }

    function test_validProofs() public {
        vm.assertTrue(verify(proofOf(nodes3(0, 1, 2), "")), "empty extra data");
        vm.assertTrue(verify(proofOf(nodes3(1, 2, 3), hex"00")), "version 0");
        vm.assertTrue(verify(proofOf(nodes3(0, 1, 3), hex"00deadbeef")), "version 0 ignores what follows");
        vm.assertTrue(verify(proofOf(nodes3(3, 2, 1), extraV1(CONTEXT))), "version 1");
        vm.assertTrue(verify(proofOf(nodes3(2, 0, 1), extraV2(CONTEXT, EPOCH))), "version 2");
    }

    function test_verifyingTwiceInOneTransactionStartsAfresh() public {
        bytes memory proof = proofOf(nodes3(0, 1, 2), "");
        vm.assertTrue(verify(proof) && verify(proof), "both");
        vm.assertTrue(!verify(proofOf(nodes3(0, 0, 1), "")), "not enough, again not enough");
        vm.assertTrue(!verify(proofOf(nodes3(0, 0, 1), "")), "not enough, again not enough");
        vm.assertTrue(verify(proof), "and still good");
    }

    function test_oneSignerTwiceGivesFalse_lastPositionCounts() public {
        vm.assertTrue(!verify(proofOf(nodes3(0, 1, 1), "")), "three signatures of two");
        vm.assertTrue(verify(proofOf(nodes4(0, 1, 1, 2), "")), "the fourth is the third signer");
    }

    function test_afterTheThresholdNothingIsLookedAt() public {
        bytes memory proof = bytes.concat(hex"04", sign(0, ""), sign(1, ""), sign(2, ""), new bytes(65));
        vm.assertTrue(verify(proof), "garbage after three good ones");
    }

    function test_unregisteredSignerReverts() public {
        bytes memory err = abi.encodeWithSelector(KMSVerifier.KMSInvalidSigner.selector, vm.addr(kmsKey(9)));
        expectVerifyRevert(proofOf(nodes3(0, 9, 1), ""), err);
    }

    function testFuzz_anotherResultReverts(bytes memory result) public {
        if (keccak256(result) == keccak256(RESULT)) return;
        bytes memory proof = proofOf(nodes3(0, 1, 2), "");
        try verifier.verifyDecryptionEIP712KMSSignatures(handles, result, proof) {
            vm.assertTrue(false, "accepted");
        } catch (bytes memory err) {
            vm.assertTrue(bytes4(err) == KMSVerifier.KMSInvalidSigner.selector, "KMSInvalidSigner");
        }
    }

    function test_emptyProofReverts() public {
        expectVerifyRevert("", abi.encodeWithSelector(KMSVerifier.EmptyDecryptionProof.selector));
    }

    function test_zeroSignaturesRevert() public {
        expectVerifyRevert(hex"00", abi.encodeWithSelector(KMSVerifier.KMSZeroSignature.selector));
        expectVerifyRevert(
            bytes.concat(hex"00", extraV1(CONTEXT)), abi.encodeWithSelector(KMSVerifier.KMSZeroSignature.selector)
        );
    }

    function test_belowThresholdReverts() public {
        bytes memory err = abi.encodeWithSelector(KMSVerifier.KMSSignatureThresholdNotReached.selector, 2);
        expectVerifyRevert(bytes.concat(hex"02", sign(0, ""), sign(1, "")), err);
    }

    function testFuzz_truncatedProofReverts(uint16 length) public {
        bytes memory proof = proofOf(nodes3(0, 1, 2), "");
        uint256 cut = 1 + length % (proof.length - 1);
        assembly {
            mstore(proof, cut)
        }
        expectVerifyRevert(proof, abi.encodeWithSelector(KMSVerifier.DeserializingDecryptionProofFail.selector));
    }

    function testFuzz_extraDataOfAnotherLengthReverts(uint8 length, bool v2) public {
        uint256 right = v2 ? 65 : 33;
        uint256 n = 1 + length % 100;
        bytes memory extraData = new bytes(n);
        bytes memory full = v2 ? extraV2(CONTEXT, EPOCH) : extraV1(CONTEXT);
        for (uint256 i = 0; i < n && i < right; i++) {
            extraData[i] = full[i];
        }
        bytes memory proof = proofOf(nodes3(0, 1, 2), extraData);
        if (n == right) {
            vm.assertTrue(verify(proof), "right length");
        } else {
            expectVerifyRevert(proof, abi.encodeWithSelector(HostContexts.DeserializingExtraDataFail.selector));
        }
    }

    function testFuzz_unknownVersionReverts(uint8 version) public {
        version = 3 + version % 253;
        bytes memory err = abi.encodeWithSelector(HostContexts.UnsupportedExtraDataVersion.selector, version);
        expectVerifyRevert(proofOf(nodes3(0, 1, 2), abi.encodePacked(version)), err);
    }

    function testFuzz_unknownContextReverts(uint256 id) public {
        if (id == CONTEXT) return;
        bytes memory err = abi.encodeWithSelector(ProtocolConfigEvents.InvalidKmsContext.selector, id);
        expectVerifyRevert(proofOf(nodes3(0, 1, 2), extraV1(id)), err);
    }

    /// With any threshold and any list of signers: true exactly if enough of them are distinct.
    function testFuzz_distinctSignersAgainstThreshold(uint8 threshold, uint8 count, uint256 seed) public {
        threshold = uint8(1 + threshold % 6);
        deployHost(6, threshold);
        count = uint8(threshold + count % 6);
        uint256[] memory nodes = new uint256[](count);
        uint256 seen;
        uint256 distinct;
        for (uint256 i = 0; i < count; i++) {
            nodes[i] = uint256(keccak256(abi.encode(seed, i))) % 6;
            if (seen & (1 << nodes[i]) == 0) distinct++;
            seen |= 1 << nodes[i];
        }
        vm.assertTrue(verify(proofOf(nodes, "")) == (distinct >= threshold), "enough distinct signers");
    }

    function test_publishedProof() public {
        string memory json = vm.readFile("tests/vectors/contracts/public_decryption.json");
        deployProxies();
        KmsNodeParams[] memory params = kmsParams(1);
        params[0].signerAddress = vm.parseJsonAddress(json, ".keys.kmsAddr");
        installProtocolConfig(params, KmsThresholds(1, 1, 1, 1));
        installVerifier();
        vm.assertTrue(
            verifier.verifyDecryptionEIP712KMSSignatures(
                vm.parseJsonBytes32Array(json, ".eip712[2].message.ctHandles"),
                vm.parseJsonBytes(json, ".eip712[2].message.decryptedResult"),
                vm.parseJsonBytes(json, ".kmsVerifierProofExample")
            ),
            "accepted"
        );
    }

    function test_initialisersRunOnce() public {
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        verifier.initializeFromEmptyProxy(DECRYPTION, 1);
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        verifier.reinitializeV4();
    }

    function test_onlyOwnerUpgrades() public {
        KMSVerifier next = new KMSVerifier(IHostOwner(address(acl)), IProtocolConfig(address(protocolConfig)));
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        verifier.upgradeToAndCall(address(next), "");
        vm.prank(OWNER);
        verifier.upgradeToAndCall(address(next), "");
        vm.assertTrue(verify(proofOf(nodes3(0, 1, 2), "")), "state stays");
    }
}
