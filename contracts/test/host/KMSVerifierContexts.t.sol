// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KMSVerifier} from "../../src/host/KMSVerifier.sol";
import {ProtocolConfigEvents} from "../../src/host/ProtocolConfigEvents.sol";
import {KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {KeyMaterialFixture} from "../helpers/KeyMaterialFixture.sol";

/// Proofs of more than one context.
contract KMSVerifierContextsTest is KeyMaterialFixture {
    uint256 private constant N = 4;
    uint256 private constant NEXT = CONTEXT + 1;
    bytes private constant RESULT = abi.encode(uint256(7));

    bytes32[] private handles = list(handleOf(HOST_CHAIN, 5, 1));

    /// Old: nodes 0 to 3, three of them; new: nodes 3 and 4, one of them.
    function setUp() public {
        deployCanonical(N, KmsThresholds(3, 3, 3, 1));
        switchContext(0, N, 3, 2, KmsThresholds(1, 1, 1, 1));
    }

    function proof(uint256 first, uint256 count, bytes memory extra) private view returns (bytes memory all) {
        all = abi.encodePacked(uint8(count));
        for (uint256 i = 0; i < count; i++) {
            bytes32 digest = publicDecryptDigest(DECRYPTION, handles, RESULT, extra);
            all = bytes.concat(all, signWith(kmsKey(first + i), digest));
        }
        all = bytes.concat(all, extra);
    }

    function verify(bytes memory decryptionProof) private returns (bool) {
        return verifier.verifyDecryptionEIP712KMSSignatures(handles, RESULT, decryptionProof);
    }

    function expectVerifyRevert(bytes memory decryptionProof, bytes memory err) private {
        vm.expectRevert(err);
        verifier.verifyDecryptionEIP712KMSSignatures(handles, RESULT, decryptionProof);
    }

    function test_aChangeOfProtocolConfigIsVisibleAtOnce() public {
        vm.assertEq(verifier.getCurrentKmsContextId(), NEXT, "context");
        vm.assertEq(verifier.getThreshold(), 1, "threshold");
        vm.assertEq(verifier.getKmsSigners().length, 2, "signers");
        vm.assertTrue(verifier.isSigner(vm.addr(kmsKey(4))) && !verifier.isSigner(vm.addr(kmsKey(0))), "isSigner");
        vm.prank(OWNER);
        protocolConfig.updatePublicDecryptionThresholdForContext(NEXT, 2);
        vm.assertEq(verifier.getThreshold(), 2, "threshold");
        expectVerifyRevert(
            proof(3, 1, ""), abi.encodeWithSelector(KMSVerifier.KMSSignatureThresholdNotReached.selector, 1)
        );
        vm.assertTrue(verify(proof(3, 2, "")), "two");
    }

    function test_historicalSigners() public view {
        vm.assertEq(verifier.getSignersForKmsContext(CONTEXT).length, N, "old");
        (address[] memory signers, uint256 threshold) =
            verifier.getContextSignersAndThresholdFromExtraData(extraV2(CONTEXT, EPOCH));
        vm.assertEq(signers[0], vm.addr(kmsKey(0)), "old signers");
        vm.assertEq(threshold, 3, "old threshold");
        (signers, threshold) = verifier.getContextSignersAndThresholdFromExtraData("");
        vm.assertEq(signers[0], vm.addr(kmsKey(3)), "new signers");
        vm.assertEq(threshold, 1, "new threshold");
    }

    function test_oldContextWithOldSigners_perContextThreshold() public {
        vm.assertTrue(verify(proof(0, 3, extraV1(CONTEXT))), "v1");
        vm.assertTrue(verify(proof(1, 3, extraV2(CONTEXT, EPOCH))), "v2");
        bytes memory err = abi.encodeWithSelector(KMSVerifier.KMSSignatureThresholdNotReached.selector, 2);
        expectVerifyRevert(proof(0, 2, extraV1(CONTEXT)), err);
        vm.assertTrue(verify(proof(4, 1, "")) && verify(proof(4, 1, extraV1(NEXT))), "new: one is enough");
        vm.assertTrue(verify(proof(4, 1, hex"00ff")), "version 0 with more bytes: the context in use");
    }

    function test_signerOfAnotherContextReverts() public {
        bytes memory err = abi.encodeWithSelector(KMSVerifier.KMSInvalidSigner.selector, vm.addr(kmsKey(0)));
        expectVerifyRevert(proof(0, 1, extraV1(NEXT)), err);
        expectVerifyRevert(proof(0, 1, ""), err);
        err = abi.encodeWithSelector(KMSVerifier.KMSInvalidSigner.selector, vm.addr(kmsKey(4)));
        expectVerifyRevert(proof(2, 3, extraV1(CONTEXT)), err);
    }

    function test_destroyedPendingOrUnknownContextReverts() public {
        defineContext(10, 1, KmsThresholds(1, 1, 1, 1));
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(CONTEXT);
        for (uint256 i = 0; i < 4; i++) {
            if (i == 1) continue;
            bytes memory err = abi.encodeWithSelector(ProtocolConfigEvents.InvalidKmsContext.selector, CONTEXT + i);
            expectVerifyRevert(proof(i == 2 ? 10 : 0, 3, extraV1(CONTEXT + i)), err);
            vm.expectRevert(err);
            verifier.getSignersForKmsContext(CONTEXT + i);
            vm.expectRevert(err);
            verifier.getContextSignersAndThresholdFromExtraData(extraV2(CONTEXT + i, EPOCH));
        }
    }
}
