// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ISealedNumberACL, ISealedNumberVerifier, SealedNumber} from "../../examples/SealedNumber.sol";
import {KMSVerifier} from "../../src/host/KMSVerifier.sol";
import {HostFixture} from "../helpers/HostFixture.sol";

/// Four nodes, of which three must sign.
contract SealedNumberTest is HostFixture {
    uint256 private constant N = 4;
    uint256 private constant THRESHOLD = 3;
    uint64 private constant VALUE = 1_844_674_407_370_955;
    address private constant SEALER = address(0xA201);

    SealedNumber private dapp;
    bytes32 private handle = handleOf(HOST_CHAIN, 5, 1);
    uint256 private id;

    function setUp() public {
        deployHost(N, THRESHOLD);
        dapp = new SealedNumber(ISealedNumberACL(address(acl)), ISealedNumberVerifier(address(verifier)));
        admit(handle, SEALER);
        admit(handle, address(dapp));
        vm.prank(SEALER);
        id = dapp.seal(handle);
    }

    function admit(bytes32 h, address account) private {
        vm.startPrank(EXECUTOR);
        acl.allowTransient(h, EXECUTOR);
        acl.allow(h, account);
        vm.stopPrank();
    }

    function request() private {
        vm.prank(SEALER);
        dapp.request(id);
    }

    function signed(uint256 key, bytes32 h, uint64 value, bytes memory extraData) private pure returns (bytes memory) {
        return signWith(key, publicDecryptDigest(DECRYPTION, list(h), abi.encode(value), extraData));
    }

    /// A proof by as many nodes, the first of them first.
    function proofBy(uint256 n, bytes32 h, uint64 value, bytes memory extraData) private pure returns (bytes memory p) {
        p = abi.encodePacked(uint8(n));
        for (uint256 i = 0; i < n; i++) {
            p = bytes.concat(p, signed(kmsKey(i), h, value, extraData));
        }
        p = bytes.concat(p, extraData);
    }

    function expectOpenRevert(uint64 value, bytes memory proof, bytes memory err) private {
        vm.expectRevert(err);
        dapp.open(id, value, proof);
        SealedNumber.Number memory number = dapp.getNumber(id);
        vm.assertEq(number.value, 0, "nothing is known");
        vm.assertTrue(number.state == SealedNumber.State.Requested, "still wanted");
    }

    function test_sealedRequestedOpened() public {
        vm.assertTrue(!acl.isAllowedForDecryption(handle), "not yet public");
        vm.expectEmit(address(dapp));
        emit SealedNumber.DecryptionRequested(id, handle);
        request();
        vm.assertTrue(acl.isAllowedForDecryption(handle), "the dapp has made it public");

        vm.expectEmit(address(dapp));
        emit SealedNumber.Opened(id, VALUE);
        vm.prank(STRANGER); // whoever brings it
        dapp.open(id, VALUE, proofBy(THRESHOLD, handle, VALUE, extraV1(CONTEXT)));
        SealedNumber.Number memory number = dapp.getNumber(id);
        vm.assertEq(number.value, VALUE, "value");
        vm.assertTrue(number.state == SealedNumber.State.Opened, "state");
    }

    function test_everyFormOfExtraData() public {
        bytes[4] memory forms = [bytes(""), hex"00", extraV1(CONTEXT), extraV2(CONTEXT, EPOCH)];
        for (uint256 i = 0; i < 4; i++) {
            bytes32 h = handleOf(HOST_CHAIN, 5, 100 + i);
            admit(h, SEALER);
            admit(h, address(dapp));
            vm.startPrank(SEALER);
            id = dapp.seal(h);
            dapp.request(id);
            vm.stopPrank();
            dapp.open(id, VALUE, proofBy(N, h, VALUE, forms[i]));
            vm.assertEq(dapp.getNumber(id).value, VALUE, "value");
        }
    }

    function test_underThresholdReverts() public {
        request();
        for (uint256 n = 1; n < THRESHOLD; n++) {
            expectOpenRevert(
                VALUE,
                proofBy(n, handle, VALUE, ""),
                abi.encodeWithSelector(KMSVerifier.KMSSignatureThresholdNotReached.selector, n)
            );
        }
        expectOpenRevert(VALUE, hex"00", abi.encodeWithSelector(KMSVerifier.KMSZeroSignature.selector));
        expectOpenRevert(VALUE, "", abi.encodeWithSelector(KMSVerifier.EmptyDecryptionProof.selector));
    }

    /// The verifier says false here, it does not revert: a contract that ignores the answer believes one node.
    function test_oneNodeThreeTimesReverts() public {
        request();
        bytes memory one = signed(kmsKey(0), handle, VALUE, "");
        expectOpenRevert(
            VALUE,
            abi.encodePacked(uint8(3), one, one, one),
            abi.encodeWithSelector(SealedNumber.NotEnoughSigners.selector)
        );
    }

    function test_strangersSignatureReverts() public {
        request();
        bytes memory proof = bytes.concat(
            abi.encodePacked(uint8(3)),
            signed(kmsKey(0), handle, VALUE, ""),
            signed(kmsKey(1), handle, VALUE, ""),
            signed(0xBAD, handle, VALUE, "")
        );
        expectOpenRevert(VALUE, proof, abi.encodeWithSelector(KMSVerifier.KMSInvalidSigner.selector, vm.addr(0xBAD)));
    }

    /// Another value makes another digest, and of that the signatures recover to nobody known.
    function test_otherValueReverts(uint64 value) public {
        if (value == VALUE) value++;
        request();
        bytes memory proof = proofBy(THRESHOLD, handle, VALUE, "");
        (bool accepted, bytes memory err) = address(dapp).call(abi.encodeCall(dapp.open, (id, value, proof)));
        vm.assertTrue(!accepted, "another value is accepted");
        vm.assertEq(bytes32(bytes4(err)), bytes32(KMSVerifier.KMSInvalidSigner.selector), "reason");
    }

    function test_proofOfAnotherNumberReverts() public {
        request();
        bytes memory proof = proofBy(THRESHOLD, handleOf(HOST_CHAIN, 5, 2), VALUE, "");
        (bool accepted, bytes memory err) = address(dapp).call(abi.encodeCall(dapp.open, (id, VALUE, proof)));
        vm.assertTrue(!accepted, "another number's proof is accepted");
        vm.assertEq(bytes32(bytes4(err)), bytes32(KMSVerifier.KMSInvalidSigner.selector), "reason");
    }

    function test_replayReverts() public {
        request();
        bytes memory proof = proofBy(THRESHOLD, handle, VALUE, "");
        dapp.open(id, VALUE, proof);
        bytes memory err = abi.encodeWithSelector(SealedNumber.WrongState.selector, id, SealedNumber.State.Opened);
        vm.expectRevert(err);
        dapp.open(id, VALUE, proof);
        vm.expectRevert(err);
        vm.prank(SEALER);
        dapp.request(id);
    }

    function test_openBeforeRequestReverts() public {
        bytes memory proof = proofBy(THRESHOLD, handle, VALUE, "");
        vm.expectRevert(abi.encodeWithSelector(SealedNumber.WrongState.selector, id, SealedNumber.State.Sealed));
        dapp.open(id, VALUE, proof);
        vm.expectRevert(abi.encodeWithSelector(SealedNumber.WrongState.selector, id + 1, SealedNumber.State.None));
        dapp.open(id + 1, VALUE, proof);
    }

    function test_onlyTheOwnerRequests() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(SealedNumber.NotTheOwner.selector, STRANGER));
        dapp.request(id);
        vm.assertTrue(!acl.isAllowedForDecryption(handle), "not public");
    }

    function test_sealNeedsPermission() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(SealedNumber.SenderNotAllowed.selector, STRANGER));
        dapp.seal(handle);

        bytes32 other = handleOf(HOST_CHAIN, 5, 3);
        admit(other, SEALER);
        vm.prank(SEALER);
        vm.expectRevert(abi.encodeWithSelector(SealedNumber.ContractNotAllowed.selector, other));
        dapp.seal(other);
    }

    function test_sealOnlyNumbersOfThisChain() public {
        bytes32[2] memory wrong = [handleOf(HOST_CHAIN + 1, 5, 4), handleOf(HOST_CHAIN, 8, 5)];
        for (uint256 i = 0; i < 2; i++) {
            admit(wrong[i], SEALER);
            admit(wrong[i], address(dapp));
            vm.prank(SEALER);
            vm.expectRevert(abi.encodeWithSelector(SealedNumber.NotANumberOfThisChain.selector, wrong[i]));
            dapp.seal(wrong[i]);
        }
    }
}
