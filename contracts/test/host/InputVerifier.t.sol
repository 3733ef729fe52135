// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostOwned, IHostOwner} from "../../src/host/HostOwned.sol";
import {InputVerifier} from "../../src/host/InputVerifier.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {HostFixture} from "../helpers/HostFixture.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// Three coprocessors, two are enough. One call in a test is one transaction to transient storage, so several share it.
contract InputVerifierTest is HostFixture {
    string private constant NS = "fhevm.storage.InputVerifier";
    bytes32 private constant TYPEHASH = 0x7572bd9d6960146795387efc75c1f9d948f0c5aa786c2bb453b4b150e49801b4;
    address private constant DAPP = address(0xDA99);
    address private constant USER = address(0x05E7);
    uint256 private constant N = 3;
    uint256 private constant THRESHOLD = 2;

    InputVerifier.ContextUserInputs private context = InputVerifier.ContextUserInputs(USER, DAPP);
    bytes32 private h0 = inputHandle(0);
    bytes32 private h1 = inputHandle(1);

    function setUp() public {
        deployProxies();
        installInputVerifier(signers(N), THRESHOLD);
    }

    function inputHandle(uint256 index) private pure returns (bytes32) {
        return bytes32(
            (uint256(keccak256(abi.encode("input", index))) >> 88 << 88) | (index << 80) | (HOST_CHAIN << 16) | (5 << 8)
        );
    }

    function coproKey(uint256 i) private pure returns (uint256) {
        return 0xC0FF0000 + i;
    }

    function signers(uint256 n) private pure returns (address[] memory accounts) {
        accounts = new address[](n);
        for (uint256 i = 0; i < n; i++) {
            accounts[i] = vm.addr(coproKey(i));
        }
    }

    function digestOf(bytes32[] memory handles, bytes memory extraData) private pure returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("InputVerification"),
                keccak256("1"),
                GATEWAY_CHAIN,
                INPUT_VERIFICATION
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(TYPEHASH, keccak256(abi.encodePacked(handles)), USER, DAPP, HOST_CHAIN, keccak256(extraData))
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    /// A proof with the signatures of the coprocessors whose numbers are the bytes of `by`.
    function proofBy(bytes32[] memory handles, bytes memory by, bytes memory extraData)
        private
        pure
        returns (bytes memory proof)
    {
        proof = abi.encodePacked(uint8(handles.length), uint8(by.length), handles);
        for (uint256 i = 0; i < by.length; i++) {
            proof = abi.encodePacked(proof, signWith(coproKey(uint8(by[i])), digestOf(handles, extraData)));
        }
        proof = abi.encodePacked(proof, extraData);
    }

    function good() private view returns (bytes memory) {
        return proofBy(list(h0, h1), hex"0001", hex"00");
    }

    function expectRefusal(bytes32 handle, bytes memory proof, bytes memory err) private {
        vm.expectRevert(err);
        inputVerifier.verifyInput(context, handle, proof);
    }

    function expectRefusal(bytes32 handle, bytes memory proof, bytes4 selector) private {
        expectRefusal(handle, proof, abi.encodeWithSelector(selector));
    }

    // management

    function test_versionAndGetters() public view {
        vm.assertEq(inputVerifier.getVersion(), "InputVerifier v0.2.0", "version");
        vm.assertEq(inputVerifier.getHandleVersion(), 0, "handle version");
        vm.assertEq(inputVerifier.getCoprocessorSigners(), signers(N), "signers");
        vm.assertEq(inputVerifier.getThreshold(), THRESHOLD, "threshold");
        vm.assertTrue(inputVerifier.isSigner(signers(1)[0]) && !inputVerifier.isSigner(STRANGER), "isSigner");
        vm.assertEq(inputVerifier.EIP712_INPUT_VERIFICATION_TYPEHASH(), TYPEHASH, "typehash");
        (, string memory name,, uint256 chainId, address at,,) = inputVerifier.eip712Domain();
        vm.assertEq(name, "InputVerification", "name");
        vm.assertEq(chainId, GATEWAY_CHAIN, "the gateway's chain");
        vm.assertEq(at, INPUT_VERIFICATION, "the gateway's contract");
    }

    function test_ownerReplacesSigners() public {
        address[] memory next = new address[](2);
        (next[0], next[1]) = (vm.addr(coproKey(2)), vm.addr(coproKey(7)));
        vm.expectEmit(address(inputVerifier));
        emit InputVerifier.NewContextSet(next, 1);
        vm.prank(OWNER);
        inputVerifier.defineNewContext(next, 1);
        vm.assertEq(inputVerifier.getCoprocessorSigners(), next, "the new ones");
        vm.assertTrue(!inputVerifier.isSigner(vm.addr(coproKey(0))), "an old one");
        vm.assertTrue(inputVerifier.isSigner(next[0]) && inputVerifier.isSigner(next[1]), "new ones");
        inputVerifier.verifyInput(context, h0, proofBy(list(h0), hex"07", ""));
        expectRefusal(
            h0,
            proofBy(list(h0), hex"00", ""),
            abi.encodeWithSelector(InputVerifier.InvalidSigner.selector, vm.addr(coproKey(0)))
        );
    }

    function test_replacingSignersRefused() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        inputVerifier.defineNewContext(signers(1), 1);
        vm.startPrank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(InputVerifier.SignersSetIsEmpty.selector));
        inputVerifier.defineNewContext(new address[](0), 1);
        vm.expectRevert(abi.encodeWithSelector(InputVerifier.CoprocessorSignerNull.selector));
        inputVerifier.defineNewContext(new address[](1), 1);
        address[] memory twice = new address[](2);
        (twice[0], twice[1]) = (STRANGER, STRANGER);
        vm.expectRevert(abi.encodeWithSelector(InputVerifier.CoprocessorAlreadySigner.selector));
        inputVerifier.defineNewContext(twice, 1);
        vm.expectRevert(abi.encodeWithSelector(InputVerifier.ThresholdIsNull.selector));
        inputVerifier.defineNewContext(signers(1), 0);
        vm.expectRevert(abi.encodeWithSelector(InputVerifier.ThresholdIsAboveNumberOfSigners.selector));
        inputVerifier.defineNewContext(signers(1), 2);
        vm.stopPrank();
        vm.assertEq(inputVerifier.getCoprocessorSigners(), signers(N), "unchanged");
    }

    function test_ownerSetsThreshold() public {
        vm.expectEmit(address(inputVerifier));
        emit InputVerifier.NewContextSet(signers(N), 3);
        vm.prank(OWNER);
        inputVerifier.setThreshold(3);
        vm.assertEq(inputVerifier.getThreshold(), 3, "threshold");
        vm.startPrank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(InputVerifier.ThresholdIsNull.selector));
        inputVerifier.setThreshold(0);
        vm.expectRevert(abi.encodeWithSelector(InputVerifier.ThresholdIsAboveNumberOfSigners.selector));
        inputVerifier.setThreshold(4);
        vm.stopPrank();
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        inputVerifier.setThreshold(1);
    }

    function test_initialisersRunOnce_onlyOwnerUpgrades() public {
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        inputVerifier.initializeFromEmptyProxy(address(1), 1, signers(1), 1);
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        inputVerifier.reinitializeV2(signers(1), 1);
        InputVerifier next = new InputVerifier(IHostOwner(address(acl)));
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        inputVerifier.upgradeToAndCall(address(next), "");
        vm.prank(OWNER);
        inputVerifier.upgradeToAndCall(address(next), "");
        vm.assertEq(inputVerifier.getThreshold(), THRESHOLD, "storage stays");
    }

    function test_initialisingNeedsSignersAndTheOwner() public {
        deployProxies();
        InputVerifier implementation = new InputVerifier(IHostOwner(address(acl)));
        bytes memory init = abi.encodeCall(InputVerifier.initializeFromEmptyProxy, (address(1), 1, new address[](0), 1));
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(InputVerifier.SignersSetIsEmpty.selector));
        inputVerifier.upgradeToAndCall(address(implementation), init);
        vm.prank(OWNER);
        inputVerifier.upgradeToAndCall(address(implementation), "");
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        inputVerifier.initializeFromEmptyProxy(address(1), 1, signers(1), 1);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(HostOwned.NotHostOwner.selector, STRANGER));
        inputVerifier.reinitializeV2(signers(1), 1);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(InputVerifier.SignersSetIsEmpty.selector));
        inputVerifier.reinitializeV2(new address[](0), 1);
        vm.prank(OWNER);
        inputVerifier.reinitializeV2(signers(2), 1);
        vm.assertEq(inputVerifier.getCoprocessorSigners(), signers(2), "of the previous release's proxy");
    }

    // proofs

    function test_oneInput() public {
        vm.assertEq(inputVerifier.verifyInput(context, h0, proofBy(list(h0), hex"0102", "")), h0, "the handle");
    }

    function test_twoInputs_theSecondFromTheCache() public {
        bytes memory proof = good();
        vm.assertEq(inputVerifier.verifyInput(context, h0, proof), h0, "first");
        // With no coprocessor of the proof left, only the cache can let it through.
        address[] memory others = new address[](1);
        others[0] = STRANGER;
        vm.prank(OWNER);
        inputVerifier.defineNewContext(others, 1);
        vm.assertEq(inputVerifier.verifyInput(context, h1, proof), h1, "second");
        vm.prank(STRANGER);
        inputVerifier.cleanTransientStorage();
        expectRefusal(h1, proof, abi.encodeWithSelector(InputVerifier.InvalidSigner.selector, vm.addr(coproKey(0))));
    }

    function test_cacheIsPerUserAndContract() public {
        bytes memory proof = good();
        inputVerifier.verifyInput(context, h0, proof);
        for (uint256 i = 0; i < 2; i++) {
            context = i == 0
                ? InputVerifier.ContextUserInputs(STRANGER, DAPP)
                : InputVerifier.ContextUserInputs(USER, STRANGER);
            (bool ok, bytes memory err) =
                address(inputVerifier).call(abi.encodeCall(inputVerifier.verifyInput, (context, h0, proof)));
            vm.assertTrue(!ok && bytes4(err) == InputVerifier.InvalidSigner.selector, "another digest");
        }
    }

    function test_otherProofsAreCheckedInTheSameTransaction() public {
        inputVerifier.verifyInput(context, h0, proofBy(list(h0), hex"0001", ""));
        expectRefusal(h1, proofBy(list(h0, h1), hex"0000", ""), InputVerifier.SignaturesVerificationFailed.selector);
        inputVerifier.verifyInput(context, h1, proofBy(list(h0, h1), hex"0001", ""));
    }

    function test_wrongChainReverts() public {
        bytes32 foreign = bytes32(uint256(h0) ^ (1 << 16));
        expectRefusal(foreign, proofBy(list(foreign), hex"0001", ""), InputVerifier.InvalidChainId.selector);
        expectRefusal(foreign, "", InputVerifier.InvalidChainId.selector);
    }

    function test_emptyProofReverts() public {
        expectRefusal(h0, "", InputVerifier.EmptyInputProof.selector);
    }

    function test_indexReverts_alsoCached() public {
        bytes memory proof = good();
        for (uint256 i = 0; i < 2; i++) {
            expectRefusal(inputHandle(2), proof, InputVerifier.InvalidIndex.selector);
            expectRefusal(inputHandle(255), proof, InputVerifier.InvalidIndex.selector);
            inputVerifier.verifyInput(context, h0, proof);
        }
        bytes32[] memory many = new bytes32[](255);
        for (uint256 i = 0; i < 255; i++) {
            many[i] = inputHandle(i);
        }
        proof = proofBy(many, hex"0001", "");
        expectRefusal(inputHandle(255), proof, InputVerifier.InvalidIndex.selector);
        inputVerifier.verifyInput(context, many[254], proof);
    }

    function testFuzz_truncatedProofReverts(uint256 length) public {
        bytes memory proof = proofBy(list(h0, h1), hex"0001", "");
        length = 1 + length % (proof.length - 1);
        assembly {
            mstore(proof, length)
        }
        expectRefusal(h0, proof, InputVerifier.DeserializingInputProofFail.selector);
    }

    function test_handleVersionReverts_ofAnyHandle() public {
        bytes32 newer = bytes32(uint256(h1) | 1);
        expectRefusal(h0, proofBy(list(h0, newer), hex"0001", ""), InputVerifier.InvalidHandleVersion.selector);
    }

    function test_handleNotInListReverts_alsoCached() public {
        bytes memory proof = good();
        bytes32 other = bytes32(uint256(h0) ^ (1 << 200));
        expectRefusal(other, proof, InputVerifier.InvalidInputHandle.selector);
        inputVerifier.verifyInput(context, h0, proof);
        expectRefusal(other, proof, InputVerifier.InvalidInputHandle.selector);
    }

    function test_noSignatureReverts() public {
        expectRefusal(h0, proofBy(list(h0), "", ""), InputVerifier.ZeroSignature.selector);
    }

    function test_belowThresholdReverts() public {
        expectRefusal(
            h0,
            proofBy(list(h0), hex"00", ""),
            abi.encodeWithSelector(InputVerifier.SignatureThresholdNotReached.selector, 1)
        );
    }

    function test_duplicateSignerReverts() public {
        expectRefusal(h0, proofBy(list(h0), hex"0101", ""), InputVerifier.SignaturesVerificationFailed.selector);
        inputVerifier.verifyInput(context, h0, proofBy(list(h0), hex"010100", ""));
    }

    function test_strangerSignerReverts() public {
        expectRefusal(
            h0,
            proofBy(list(h0), hex"0009", ""),
            abi.encodeWithSelector(InputVerifier.InvalidSigner.selector, vm.addr(coproKey(9)))
        );
    }

    function test_signaturesAfterTheThresholdAreNotLookedAt() public {
        inputVerifier.verifyInput(context, h0, proofBy(list(h0), hex"000109", ""));
    }

    function test_extraDataIsUnderTheSignature() public {
        bytes memory proof = good();
        proof[proof.length - 1] = 0x01;
        (bool ok, bytes memory err) =
            address(inputVerifier).call(abi.encodeCall(inputVerifier.verifyInput, (context, h0, proof)));
        vm.assertTrue(!ok && bytes4(err) == InputVerifier.InvalidSigner.selector, "another digest");
    }

    function test_malformedSignatureReverts() public {
        bytes memory proof = abi.encodePacked(uint8(1), uint8(2), h0, new bytes(130));
        expectRefusal(h0, proof, ECDSA.ECDSAInvalidSignature.selector);
    }

    /// Enough distinct coprocessors among the first ones, and nothing else, lets an input through.
    function testFuzz_signers(uint8[5] calldata by, uint8 n) public {
        n = uint8(1 + n % 5);
        bytes memory numbers = new bytes(n);
        uint256 seen;
        uint256 distinct;
        bool stranger;
        for (uint256 i = 0; i < n; i++) {
            uint256 who = by[i] % 4;
            numbers[i] = bytes1(uint8(who));
            if (distinct >= THRESHOLD) continue;
            if (who >= N) stranger = true;
            if ((seen >> who) & 1 == 0 && !stranger) distinct++;
            seen |= 1 << who;
        }
        bytes memory call = abi.encodeCall(inputVerifier.verifyInput, (context, h0, proofBy(list(h0), numbers, "")));
        (bool ok,) = address(inputVerifier).call(call);
        vm.assertTrue(ok == (distinct >= THRESHOLD && !stranger), "accepted");
    }

    function test_publishedVector() public {
        string memory json = vm.readFile("tests/vectors/contracts/input_verification.json");
        address[] memory one = new address[](1);
        one[0] = vm.parseJsonAddress(json, ".keys.copAddr");
        vm.prank(OWNER);
        inputVerifier.defineNewContext(one, 1);
        bytes32[] memory handles = vm.parseJsonBytes32Array(json, ".eip712.message.ctHandles");
        bytes memory proof = abi.encodePacked(
            uint8(handles.length),
            uint8(1),
            handles,
            vm.parseJsonBytes(json, ".eip712.signature"),
            vm.parseJsonBytes(json, ".eip712.message.extraData")
        );
        context = InputVerifier.ContextUserInputs(
            vm.parseJsonAddress(json, ".eip712.message.userAddress"),
            vm.parseJsonAddress(json, ".eip712.message.contractAddress")
        );
        for (uint256 i = 0; i < handles.length; i++) {
            vm.assertEq(inputVerifier.verifyInput(context, handles[i], proof), handles[i], "accepted");
        }
    }

    function test_storageIsAtItsPlace() public view {
        vm.assertEq(namespaceSlot(NS), 0x3f7d7a96c8c7024e92d37afccfc9b87773a33b9bc22e23134b683e74a50ace00, "namespace");
        address at = address(inputVerifier);
        bytes32 isSigner = keccak256(abi.encode(vm.addr(coproKey(0)), slotOf(NS, 0)));
        vm.assertEq(vm.load(at, isSigner), bytes32(uint256(1)), "isSigner");
        vm.assertEq(vm.load(at, slotOf(NS, 1)), bytes32(N), "signers");
        vm.assertEq(vm.load(at, slotOf(NS, 2)), bytes32(THRESHOLD), "threshold");
    }
}
