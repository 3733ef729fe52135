// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {EmptyUUPSProxy} from "../../src/gateway/GatewayEmptyUUPSProxy.sol";
import {GatewayHostChains} from "../../src/gateway/GatewayHostChains.sol";
import {GatewayOwned} from "../../src/gateway/GatewayOwned.sol";
import {GatewayPausable} from "../../src/gateway/GatewayPausable.sol";
import {Coprocessor} from "../../src/gateway/GatewayTypes.sol";
import {InputVerification} from "../../src/gateway/InputVerification.sol";
import {ProtocolPayment} from "../../src/gateway/ProtocolPayment.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {GatewayFixture} from "../helpers/GatewayFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// Three coprocessors, two are enough.
contract InputVerificationTest is GatewayFixture {
    string private constant NS = "fhevm_gateway.storage.InputVerification";
    bytes32 private constant TYPEHASH = 0x7572bd9d6960146795387efc75c1f9d948f0c5aa786c2bb453b4b150e49801b4;
    bytes32 private constant VERIFIED = 0xfe2c43585786a5a658d2ec5df5dea3fb3385b77c94f60f724ff810896f419835;
    bytes32 private constant REJECTED = 0xe465e141fa8abd95ab7e0855543307f8506ab0170ef664420fb71ab7de0183de;
    address private constant DAPP = address(0xDA99);
    address private constant USER = address(0x05E7);

    bytes32 private h1 = handleOf(HOST_CHAIN, 5, 1);
    bytes32 private h2 = handleOf(HOST_CHAIN, 2, 2);

    function setUp() public {
        deployGateway(4, 3);
        useCoprocessors(N_COPROCESSORS, COPROCESSOR_THRESHOLD);
    }

    function coproKey(uint256 i) private pure returns (uint256) {
        return 0xC0FF0000 + i;
    }

    function useCoprocessors(uint256 n, uint256 threshold) private {
        Coprocessor[] memory nodes = new Coprocessor[](n);
        for (uint256 i = 0; i < n; i++) {
            nodes[i] = Coprocessor(coproSender(i), vm.addr(coproKey(i)), "");
        }
        vm.prank(OWNER);
        config.updateCoprocessors(nodes, threshold);
    }

    function ask() private {
        vm.prank(REQUESTER);
        inputVerification.verifyProofRequest(HOST_CHAIN, DAPP, USER, hex"c1f4", hex"00");
    }

    function digestOf(bytes32[] memory handles, bytes memory extraData) private view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("InputVerification"),
                keccak256("1"),
                GATEWAY_CHAIN,
                address(inputVerification)
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(TYPEHASH, keccak256(abi.encodePacked(handles)), USER, DAPP, HOST_CHAIN, keccak256(extraData))
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function sign(uint256 i, bytes32[] memory handles) private view returns (bytes memory) {
        return signWith(coproKey(i), digestOf(handles, hex"00"));
    }

    function verify(uint256 i, bytes32[] memory handles) private {
        bytes memory sig = sign(i, handles);
        vm.prank(coproSender(i));
        inputVerification.verifyProofResponse(1, handles, sig, hex"00");
    }

    function verify(uint256 i) private {
        verify(i, list(h1, h2));
    }

    function reject(uint256 i) private {
        vm.prank(coproSender(i));
        inputVerification.rejectProofResponse(1, hex"00");
    }

    function count(bytes32 topic) private returns (uint256 n) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == topic) n++;
        }
    }

    function senders(uint256 n) private pure returns (address[] memory accounts) {
        accounts = new address[](n);
        for (uint256 i = 0; i < n; i++) {
            accounts[i] = coproSender(i);
        }
    }

    // deployment

    function test_versionAndInitialisersRunOnce() public {
        vm.assertEq(inputVerification.getVersion(), "InputVerification v0.6.0", "version");
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        inputVerification.initializeFromEmptyProxy();
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        inputVerification.reinitializeV6();
    }

    function test_onlyOwnerUpgrades_openRequestsStayAnswerable() public {
        ask();
        verify(0);
        InputVerification next = newInputVerification();
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(GatewayOwned.NotGatewayOwner.selector, STRANGER));
        inputVerification.upgradeToAndCall(address(next), "");
        vm.prank(OWNER);
        inputVerification.upgradeToAndCall(address(next), "");
        verify(1);
        vm.assertTrue(inputVerification.isProofVerified(1), "verified");
    }

    // requests

    function test_requestEmitsAndCollectsTheFee() public {
        vm.expectEmit(address(inputVerification));
        emit InputVerification.VerifyProofRequest(1, HOST_CHAIN, DAPP, USER, hex"c1f4", hex"00");
        ask();
        vm.assertEq(token.balanceOf(FEES), INPUT_PRICE, "the fee");
        vm.assertEq(token.balanceOf(REQUESTER), FUNDS - INPUT_PRICE, "from the sender");
        vm.expectEmit(address(inputVerification));
        emit InputVerification.VerifyProofRequest(2, HOST_CHAIN, DAPP, USER, hex"c1f4", hex"00");
        ask();
    }

    function test_poorSenderReverts() public {
        vm.prank(STRANGER);
        token.approve(address(payment), type(uint256).max);
        vm.prank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, STRANGER, 0, INPUT_PRICE)
        );
        inputVerification.verifyProofRequest(HOST_CHAIN, DAPP, USER, "", "");
    }

    function test_unregisteredChainReverts() public {
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.HostChainNotRegistered.selector, 777));
        inputVerification.verifyProofRequest(777, DAPP, USER, "", "");
    }

    function test_disabledChainReverts_acceptedAfterEnabling() public {
        vm.prank(OWNER);
        config.disableHostChain(HOST_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(GatewayHostChains.HostChainDisabled.selector, HOST_CHAIN));
        inputVerification.verifyProofRequest(HOST_CHAIN, DAPP, USER, "", "");
        vm.prank(OWNER);
        config.enableHostChain(HOST_CHAIN);
        ask();
    }

    function test_pausedReverts_butAnUnknownChainComesFirst() public {
        ask();
        vm.prank(PAUSER);
        inputVerification.pause();
        vm.prank(REQUESTER);
        vm.expectRevert(abi.encodeWithSelector(PausableUpgradeable.EnforcedPause.selector));
        inputVerification.verifyProofRequest(HOST_CHAIN, DAPP, USER, "", "");
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.HostChainNotRegistered.selector, 777));
        inputVerification.verifyProofRequest(777, DAPP, USER, "", "");
        verify(0);
        verify(1);
        vm.assertTrue(inputVerification.isProofVerified(1), "answers go through");
    }

    // verification

    function test_oneVerificationEmitsCallOnly() public {
        ask();
        bytes memory sig = sign(0, list(h1, h2));
        vm.expectEmit(address(inputVerification));
        emit InputVerification.VerifyProofResponseCall(1, list(h1, h2), sig, coproSender(0), hex"00");
        vm.recordLogs();
        verify(0);
        vm.assertEq(vm.getRecordedLogs().length, 1, "one event");
        vm.assertTrue(!inputVerification.isProofVerified(1), "not yet");
        vm.assertEq(inputVerification.getVerifyProofConsensusTxSenders(1).length, 0, "nobody yet");
    }

    function test_twoVerificationsDecide_thirdIsListedWithoutSecondDecision() public {
        ask();
        verify(0);
        bytes[] memory signatures = new bytes[](2);
        signatures[0] = sign(0, list(h1, h2));
        signatures[1] = sign(1, list(h1, h2));
        vm.expectEmit(address(inputVerification));
        emit InputVerification.VerifyProofResponseCall(1, list(h1, h2), signatures[1], coproSender(1), hex"00");
        vm.expectEmit(address(inputVerification));
        emit InputVerification.VerifyProofResponse(1, list(h1, h2), signatures);
        verify(1);
        vm.assertTrue(inputVerification.isProofVerified(1) && !inputVerification.isProofRejected(1), "verified");
        vm.recordLogs();
        verify(2);
        vm.assertEq(count(VERIFIED), 0, "once");
        vm.assertEq(inputVerification.getVerifyProofConsensusTxSenders(1), senders(3), "all three");
    }

    function test_otherHandlesDoNotCount() public {
        ask();
        verify(0);
        verify(2, list(h2, h1));
        vm.assertTrue(!inputVerification.isProofVerified(1), "two are not equal");
        verify(1);
        vm.assertTrue(inputVerification.isProofVerified(1), "two are");
        vm.assertEq(inputVerification.getVerifyProofConsensusTxSenders(1), senders(2), "the agreeing ones");
    }

    function test_twoVerificationsAndARejection() public {
        ask();
        verify(0);
        reject(2);
        verify(1);
        vm.assertTrue(inputVerification.isProofVerified(1) && !inputVerification.isProofRejected(1), "verified only");
        vm.assertEq(inputVerification.getVerifyProofConsensusTxSenders(1), senders(2), "without the rejecter");
    }

    function test_verificationRefused() public {
        bytes memory sig = sign(0, list(h1));
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.NotCoprocessorTxSender.selector, STRANGER));
        inputVerification.verifyProofResponse(1, list(h1), sig, hex"00");
        vm.startPrank(coproSender(0));
        vm.expectRevert(abi.encodeWithSelector(InputVerification.VerifyProofNotRequested.selector, 1));
        inputVerification.verifyProofResponse(1, list(h1), sig, hex"00");
        vm.expectRevert(abi.encodeWithSelector(InputVerification.VerifyProofNotRequested.selector, 0));
        inputVerification.verifyProofResponse(0, list(h1), sig, hex"00");
        vm.stopPrank();
        ask();
        vm.startPrank(coproSender(0));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 0));
        inputVerification.verifyProofResponse(1, list(h1), "", hex"00");
        sig = sign(9, list(h1));
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.NotCoprocessorSigner.selector, vm.addr(coproKey(9))));
        inputVerification.verifyProofResponse(1, list(h1), sig, hex"00");
        sig = sign(1, list(h1));
        vm.expectRevert(
            abi.encodeWithSelector(
                GatewayChecks.CoprocessorSignerDoesNotMatchTxSender.selector, vm.addr(coproKey(1)), coproSender(0)
            )
        );
        inputVerification.verifyProofResponse(1, list(h1), sig, hex"00");
        vm.stopPrank();
    }

    function test_nobodyAnswersTwice() public {
        ask();
        verify(0);
        reject(1);
        bytes memory err = abi.encodeWithSelector(
            InputVerification.CoprocessorAlreadyVerified.selector, 1, coproSender(0), vm.addr(coproKey(0))
        );
        vm.expectRevert(err);
        this.verifyExternal(0);
        vm.prank(coproSender(0));
        vm.expectRevert(err);
        inputVerification.rejectProofResponse(1, "");
        err = abi.encodeWithSelector(
            InputVerification.CoprocessorAlreadyRejected.selector, 1, coproSender(1), vm.addr(coproKey(1))
        );
        vm.expectRevert(err);
        this.verifyExternal(1);
        vm.prank(coproSender(1));
        vm.expectRevert(err);
        inputVerification.rejectProofResponse(1, "");
    }

    function verifyExternal(uint256 i) external {
        verify(i);
    }

    // rejection

    function test_twoRejectionsDecide_thirdIsListed() public {
        ask();
        vm.expectEmit(address(inputVerification));
        emit InputVerification.RejectProofResponseCall(1, hex"00");
        vm.recordLogs();
        reject(0);
        vm.assertEq(count(REJECTED), 0, "not yet");
        vm.assertTrue(!inputVerification.isProofRejected(1), "not yet");
        vm.expectEmit(address(inputVerification));
        emit InputVerification.RejectProofResponse(1);
        reject(1);
        vm.assertTrue(inputVerification.isProofRejected(1) && !inputVerification.isProofVerified(1), "rejected");
        vm.recordLogs();
        reject(2);
        vm.assertEq(count(REJECTED), 0, "once");
        vm.assertEq(inputVerification.getRejectProofConsensusTxSenders(1), senders(3), "all three");
    }

    function test_twoRejectionsAndAVerification() public {
        ask();
        reject(0);
        verify(2);
        reject(1);
        vm.assertTrue(inputVerification.isProofRejected(1) && !inputVerification.isProofVerified(1), "rejected only");
        vm.assertEq(inputVerification.getRejectProofConsensusTxSenders(1), senders(2), "without the verifier");
        vm.assertEq(inputVerification.getVerifyProofConsensusTxSenders(1).length, 0, "no agreed handles");
    }

    function test_rejectionRefused() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(GatewayChecks.NotCoprocessorTxSender.selector, STRANGER));
        inputVerification.rejectProofResponse(1, "");
        vm.prank(coproSender(0));
        vm.expectRevert(abi.encodeWithSelector(InputVerification.VerifyProofNotRequested.selector, 1));
        inputVerification.rejectProofResponse(1, "");
    }

    function test_firstDecisionWins_bothWays() public {
        useCoprocessors(N_COPROCESSORS, 1);
        ask();
        reject(0);
        vm.recordLogs();
        verify(1);
        vm.assertEq(count(VERIFIED), 0, "rejected stays rejected");
        vm.assertTrue(inputVerification.isProofRejected(1) && !inputVerification.isProofVerified(1), "rejected only");
        ask();
        bytes memory sig = sign(0, list(h1));
        vm.prank(coproSender(0));
        inputVerification.verifyProofResponse(2, list(h1), sig, hex"00");
        vm.recordLogs();
        vm.prank(coproSender(1));
        inputVerification.rejectProofResponse(2, "");
        vm.assertEq(count(REJECTED), 0, "verified stays verified");
        vm.assertTrue(inputVerification.isProofVerified(2) && !inputVerification.isProofRejected(2), "verified only");
    }

    /// Whatever mix of answers in whatever order: one decision at most, by enough of the same.
    function testFuzz_oneDecisionByEnoughOfTheSame(uint8 n, uint8 threshold, uint256 answers) public {
        n = uint8(1 + n % 8);
        threshold = uint8(1 + threshold % n);
        useCoprocessors(n, threshold);
        ask();
        uint256[3] memory votes;
        uint256 decided;
        for (uint256 i = 0; i < n; i++) {
            uint256 kind = (answers >> (8 * i)) % 3;
            bool decides = ++votes[kind] == threshold && decided == 0;
            vm.recordLogs();
            if (kind == 0) verify(i);
            else if (kind == 1) verify(i, list(h2));
            else reject(i);
            Vm.Log[] memory logs = vm.getRecordedLogs();
            vm.assertEq(logs.length, decides ? 2 : 1, "events");
            if (decides) {
                vm.assertEq(logs[1].topics[0], kind == 2 ? REJECTED : VERIFIED, "its event");
                decided = kind == 2 ? 2 : 1;
            }
            vm.assertTrue(inputVerification.isProofVerified(1) == (decided == 1), "verified");
            vm.assertTrue(inputVerification.isProofRejected(1) == (decided == 2), "rejected");
        }
    }

    /// The published signature is accepted by a contract at the address the vector names.
    function test_publishedVector() public {
        string memory json = vm.readFile("tests/vectors/contracts/input_verification.json");
        address at = vm.parseJsonAddress(json, ".constants.InputVerification");
        vm.etch(at, address(inputVerification).code);
        vm.store(at, IMPLEMENTATION_SLOT, bytes32(uint256(uint160(address(empty)))));
        EmptyUUPSProxy(at).initialize();
        inputVerification = InputVerification(at);
        installInputVerification();
        ProtocolPayment implementation = newPayment();
        address coprocessor = vm.parseJsonAddress(json, ".keys.copAddr");
        Coprocessor[] memory one = new Coprocessor[](1);
        one[0] = Coprocessor(coprocessor, coprocessor, "");
        vm.startPrank(OWNER);
        payment.upgradeToAndCall(address(implementation), "");
        config.updateCoprocessors(one, 1);
        vm.stopPrank();

        vm.prank(REQUESTER);
        inputVerification.verifyProofRequest(
            HOST_CHAIN,
            vm.parseJsonAddress(json, ".eip712.message.contractAddress"),
            vm.parseJsonAddress(json, ".eip712.message.userAddress"),
            "",
            ""
        );
        bytes32[] memory handles = vm.parseJsonBytes32Array(json, ".eip712.message.ctHandles");
        bytes memory sig = vm.parseJsonBytes(json, ".eip712.signature");
        bytes memory extraData = vm.parseJsonBytes(json, ".eip712.message.extraData");
        vm.prank(coprocessor);
        inputVerification.verifyProofResponse(1, handles, sig, extraData);
        vm.assertTrue(inputVerification.isProofVerified(1), "verified");
    }

    // what earlier releases left

    function test_decisionOfOneCoprocessorAloneIsToldAsSuch() public {
        ask();
        for (uint256 i = 0; i < 2; i++) {
            verify(i);
        }
        bytes32 alone = bytes32(uint256(uint160(coproSender(1))));
        vm.store(address(inputVerification), keccak256(abi.encode(1, slotOf(NS, 12))), alone);
        vm.store(address(inputVerification), keccak256(abi.encode(1, slotOf(NS, 13))), alone);
        address[] memory verifiers = inputVerification.getVerifyProofConsensusTxSenders(1);
        vm.assertTrue(verifiers.length == 1 && verifiers[0] == coproSender(1), "verified by one");
        address[] memory rejecters = inputVerification.getRejectProofConsensusTxSenders(1);
        vm.assertTrue(rejecters.length == 1 && rejecters[0] == coproSender(1), "rejected by one");
    }

    /// An implementation of before kept signatures in full.
    function test_answerThatAnEarlierImplementationTookStillCounts() public {
        ask();
        address at = address(inputVerification);
        bytes32 digest = digestOf(list(h1, h2), hex"00");
        bytes memory first = signWith(coproKey(0), digest);
        bytes memory second = signWith(coproKey(1), digest);
        bytes32 one = bytes32(uint256(1));
        vm.store(at, nested(1, vm.addr(coproKey(0)), 5), one);
        bytes32 senders = keccak256(abi.encode(digest, keccak256(abi.encode(1, slotOf(NS, 3)))));
        vm.store(at, senders, one);
        vm.store(at, keccak256(abi.encode(senders)), bytes32(uint256(uint160(coproSender(0)))));
        bytes32 signatures = keccak256(abi.encode(digest, keccak256(abi.encode(1, slotOf(NS, 2)))));
        vm.store(at, signatures, one);
        bytes32 element = keccak256(abi.encode(signatures));
        vm.store(at, element, bytes32(first.length * 2 + 1));
        for (uint256 i = 0; i < 3; i++) {
            bytes32 word;
            assembly {
                word := mload(add(add(first, 32), mul(i, 32)))
            }
            vm.store(at, bytes32(uint256(keccak256(abi.encode(element))) + i), word);
        }

        vm.recordLogs();
        verify(1);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bytes[] memory both = new bytes[](2);
        (both[0], both[1]) = (first, second);
        vm.assertEq(logs[1].topics[0], VERIFIED, "decision");
        vm.assertEq(logs[1].data, abi.encode(list(h1, h2), both), "both signatures");
    }

    function test_storageIsAtItsPlace() public {
        vm.assertEq(namespaceSlot(NS), 0x4544165ce1653264fdcb09b029891e3d4c8d8583486821172f882e19a149a800, "namespace");
        ask();
        ask();
        verify(0);
        verify(1);
        vm.startPrank(coproSender(0));
        inputVerification.rejectProofResponse(2, "");
        vm.stopPrank();
        address at = address(inputVerification);
        bytes32 yes = bytes32(uint256(1));
        vm.assertEq(vm.load(at, slotOf(NS, 0)), bytes32(uint256(2)), "zkProofIdCounter");
        bytes32 input = keccak256(abi.encode(1, slotOf(NS, 1)));
        vm.assertEq(vm.load(at, input), bytes32(HOST_CHAIN), "contractChainId");
        vm.assertEq(vm.load(at, bytes32(uint256(input) + 1)), bytes32(uint256(uint160(DAPP))), "contractAddress");
        vm.assertEq(vm.load(at, bytes32(uint256(input) + 2)), bytes32(uint256(uint160(USER))), "userAddress");
        vm.assertEq(vm.load(at, keccak256(abi.encode(1, slotOf(NS, 4)))), yes, "verifiedZKProofs");
        address signer = vm.addr(coproKey(0));
        vm.assertEq(vm.load(at, nested(1, signer, 5)), yes, "signerVerifiedZKPoK");
        vm.assertEq(
            vm.load(at, keccak256(abi.encode(1, slotOf(NS, 6)))),
            digestOf(list(h1, h2), hex"00"),
            "verifyProofConsensusDigest"
        );
        vm.assertEq(vm.load(at, nested(2, signer, 9)), yes, "signerRejectedZKPoK");
        vm.assertEq(vm.load(at, keccak256(abi.encode(2, slotOf(NS, 10)))), yes, "rejectProofConsensusTxSenders");
    }

    function nested(uint256 id, address signer, uint256 member) private pure returns (bytes32) {
        return keccak256(abi.encode(signer, keccak256(abi.encode(id, slotOf(NS, member)))));
    }

    // pausing

    function test_pauseRights() public {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(GatewayPausable.NotPauserOrGatewayConfig.selector, OWNER));
        inputVerification.pause();
        vm.prank(PAUSER);
        inputVerification.pause();
        vm.prank(PAUSER);
        vm.expectRevert(abi.encodeWithSelector(GatewayPausable.NotOwnerOrGatewayConfig.selector, PAUSER));
        inputVerification.unpause();
        vm.prank(OWNER);
        inputVerification.unpause();
        ask();
    }
}
