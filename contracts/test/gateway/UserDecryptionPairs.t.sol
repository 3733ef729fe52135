// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {CiphertextCommits} from "../../src/gateway/CiphertextCommits.sol";
import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {CtHandleContractPair, RequestValidity} from "../../src/gateway/DecryptionTypes.sol";
import {GatewayChecks} from "../../src/gateway/GatewayChecks.sol";
import {GatewayHostChains} from "../../src/gateway/GatewayHostChains.sol";
import {SnsCiphertextMaterial} from "../../src/gateway/GatewayTypes.sol";
import {FheType, Handle} from "../../src/shared/Handle.sol";
import {UserDecryptionFixture} from "../helpers/UserDecryptionFixture.sol";
import {Vm} from "../helpers/Vm.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// What holds for a user's own request and for a delegate's alike.
abstract contract UserDecryptionPairsTest is UserDecryptionFixture {
    bytes32 internal h1 = handleOf(HOST_CHAIN, 5, 1);
    bytes32 internal h2 = handleOf(HOST_CHAIN, 2, 2);

    function setUp() public {
        vm.warp(NOW);
        deployGateway(4, 3);
        commitHandle(h1);
        commitHandle(h2);
    }

    function send(Ask memory a) internal virtual;

    function digestOf(Ask memory a) internal view virtual returns (bytes32);

    /// The account that must not be among the contracts.
    function setBarred(Ask memory a, address account) internal pure virtual;

    function barredError(address[] memory contracts) internal view virtual returns (bytes memory);

    function sendSigned(Ask memory a) internal {
        a.signature = signWith(USER_KEY, digestOf(a));
        send(a);
    }

    function expectRefusal(Ask memory a, bytes memory err) internal {
        a.signature = signWith(USER_KEY, digestOf(a));
        vm.expectRevert(err);
        send(a);
    }

    function refuse(bytes4 selector) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector);
    }

    function checkEvents(Ask memory a) private {
        bytes32[] memory handles = handlesOf(a.pairs);
        SnsCiphertextMaterial[] memory materials = commits.getSnsCiphertextMaterials(handles);
        a.signature = signWith(USER_KEY, digestOf(a));
        vm.recordLogs();
        send(a);
        Vm.Log[] memory logs = decryptionLogs();
        vm.assertEq(logs.length, 2, "two events");
        vm.assertEq(
            logs[0].topics[0], 0xf9011bd6ba0da6049c520d70fe5971f17ed7ab795486052544b51019896c596b, "legacy first"
        );
        vm.assertEq(
            logs[1].topics[0], 0xc71e32c80f3109c673a9adfcded0b3b2093212ab284084a0e03a281dee2bdd5f, "handles second"
        );
        vm.assertEq(logs[0].topics[1], bytes32(userId(1)), "first id");
        vm.assertEq(logs[1].topics[1], bytes32(userId(1)), "same id");
        vm.assertEq(logs[0].data, abi.encode(materials, a.user, a.publicKey, a.extraData), "legacy data");
        vm.assertEq(logs[1].data, abi.encode(handles, a.user, a.publicKey, a.extraData), "handle data");
    }

    function test_severalPairs_bothUserEventsLegacyFirst() public {
        Ask memory a = askFor(list(h1, h2));
        a.extraData = hex"00";
        checkEvents(a);
    }

    function test_onePair_bothUserEvents() public {
        checkEvents(askFor(list(h1)));
    }

    function test_noPairsReverts() public {
        expectRefusal(askFor(new bytes32[](0)), refuse(DecryptionEvents.EmptyCtHandleContractPairs.selector));
    }

    function test_handleOfAnotherChainReverts() public {
        bytes32 foreign = handleOf(777, 5, 1);
        expectRefusal(
            askFor(list(h1, foreign)),
            abi.encodeWithSelector(
                DecryptionEvents.CtHandleChainIdDiffersFromContractChainId.selector, foreign, 777, HOST_CHAIN
            )
        );
    }

    function test_unregisteredChainReverts() public {
        Ask memory a = askFor(list(h1));
        a.contracts.chainId = 777;
        expectRefusal(a, abi.encodeWithSelector(GatewayChecks.HostChainNotRegistered.selector, 777));
    }

    function test_disabledChainReverts() public {
        vm.prank(OWNER);
        config.disableHostChain(HOST_CHAIN);
        expectRefusal(
            askFor(list(h1)), abi.encodeWithSelector(GatewayHostChains.HostChainDisabled.selector, HOST_CHAIN)
        );
    }

    function test_noContractAddressesReverts() public {
        Ask memory a = askFor(list(h1));
        a.contracts.addresses = new address[](0);
        expectRefusal(a, refuse(DecryptionEvents.EmptyContractAddresses.selector));
    }

    function test_elevenContractAddressesRevert_tenAreAccepted() public {
        Ask memory a = askFor(list(h1));
        a.contracts.addresses = new address[](11);
        a.contracts.addresses[9] = DAPP;
        expectRefusal(a, abi.encodeWithSelector(DecryptionEvents.ContractAddressesMaxLengthExceeded.selector, 10, 11));
        a.contracts.addresses = new address[](10);
        a.contracts.addresses[9] = DAPP;
        sendSigned(a);
    }

    function test_zeroDaysRevert() public {
        Ask memory a = askFor(list(h1));
        a.validity.durationDays = 0;
        expectRefusal(a, refuse(DecryptionEvents.InvalidNullDurationDays.selector));
    }

    function test_366DaysRevert_365AreAccepted() public {
        Ask memory a = askFor(list(h1));
        a.validity.durationDays = 366;
        expectRefusal(a, abi.encodeWithSelector(DecryptionEvents.MaxDurationDaysExceeded.selector, 365, 366));
        a.validity.durationDays = 365;
        sendSigned(a);
    }

    function test_startInTheFutureReverts_nowIsAccepted() public {
        Ask memory a = askFor(list(h1));
        a.validity.startTimestamp = NOW + 1;
        expectRefusal(a, abi.encodeWithSelector(DecryptionEvents.StartTimestampInFuture.selector, NOW, NOW + 1));
        a.validity.startTimestamp = NOW;
        sendSigned(a);
    }

    function test_windowOverReverts_itsLastSecondIsAccepted() public {
        Ask memory a = askFor(list(h1));
        a.validity = RequestValidity(NOW - 2 days - 1, 2);
        expectRefusal(
            a, abi.encodeWithSelector(DecryptionEvents.UserDecryptionRequestExpired.selector, NOW, a.validity)
        );
        a.validity.startTimestamp = NOW - 2 days;
        sendSigned(a);
    }

    /// Exactly the requests inside their window pass.
    function testFuzz_validityWindow(uint256 start, uint256 durationDays, uint32 time) public {
        if (durationDays % 4 != 0) durationDays = durationDays % 400;
        if (start % 4 != 0) start = start % (uint256(time) * 2 + 2);
        vm.warp(time);
        Ask memory a = askFor(list(h1));
        a.validity = RequestValidity(start, durationDays);
        bytes memory err;
        if (durationDays == 0) {
            err = refuse(DecryptionEvents.InvalidNullDurationDays.selector);
        } else if (durationDays > 365) {
            err = abi.encodeWithSelector(DecryptionEvents.MaxDurationDaysExceeded.selector, 365, durationDays);
        } else if (start > time) {
            err = abi.encodeWithSelector(DecryptionEvents.StartTimestampInFuture.selector, time, start);
        } else if (time - start > durationDays * 86_400) {
            err = abi.encodeWithSelector(DecryptionEvents.UserDecryptionRequestExpired.selector, time, a.validity);
        }
        if (err.length != 0) expectRefusal(a, err);
        else sendSigned(a);
    }

    function test_badTypeByteReverts() public {
        expectRefusal(
            askFor(list(handleOf(HOST_CHAIN, 84, 1))), abi.encodeWithSelector(Handle.InvalidFHEType.selector, 84)
        );
    }

    function test_undecryptableTypeReverts() public {
        expectRefusal(
            askFor(list(handleOf(HOST_CHAIN, 9, 1))),
            abi.encodeWithSelector(Handle.UnsupportedFHEType.selector, FheType.Uint512)
        );
    }

    function test_moreThan2048BitsRevert() public {
        bytes32[] memory nine = new bytes32[](9);
        bytes32[] memory eight = new bytes32[](8);
        for (uint256 i = 0; i < 8; i++) {
            eight[i] = nine[i] = handleOf(HOST_CHAIN, 8, 100 + i);
            commitHandle(nine[i]);
        }
        nine[8] = handleOf(HOST_CHAIN, 0, 200);
        expectRefusal(
            askFor(nine),
            abi.encodeWithSelector(DecryptionEvents.MaxDecryptionRequestBitSizeExceeded.selector, 2048, 2050)
        );
        sendSigned(askFor(eight));
    }

    function test_barredAccountAmongContractsReverts() public {
        Ask memory a = askFor(list(h1));
        a.contracts.addresses = new address[](2);
        (a.contracts.addresses[0], a.contracts.addresses[1]) = (DAPP, STRANGER);
        setBarred(a, STRANGER);
        expectRefusal(a, barredError(a.contracts.addresses));
    }

    function test_noMaterialReverts() public {
        bytes32 unknown = handleOf(HOST_CHAIN, 5, 3);
        expectRefusal(
            askFor(list(h1, unknown)),
            abi.encodeWithSelector(CiphertextCommits.CiphertextMaterialNotFound.selector, unknown)
        );
    }

    function test_wrongSignatureReverts() public {
        Ask memory a = askFor(list(h1));
        a.signature = signWith(USER_KEY + 1, digestOf(a));
        vm.expectRevert(abi.encodeWithSelector(DecryptionEvents.InvalidUserSignature.selector, a.signature));
        send(a);
    }

    /// Every field that is signed is under the signature.
    function test_changingWhatWasSignedReverts() public {
        for (uint256 field = 0; field < 6; field++) {
            Ask memory a = askFor(list(h1));
            a.signature = signWith(USER_KEY, digestOf(a));
            if (field == 0) a.publicKey[0] ^= 0x01;
            if (field == 1) a.contracts.addresses = pair(DAPP, STRANGER);
            if (field == 2) a.validity.startTimestamp++;
            if (field == 3) a.validity.durationDays++;
            if (field == 4) a.extraData = hex"00";
            if (field == 5) {
                vm.prank(OWNER);
                config.addHostChain(hostChain(778));
                a.contracts.chainId = 778;
                bytes32 other = handleOf(778, 5, 1);
                commitHandle(other);
                a.pairs[0].ctHandle = other;
            }
            vm.expectRevert(abi.encodeWithSelector(DecryptionEvents.InvalidUserSignature.selector, a.signature));
            send(a);
        }
    }

    function test_malformedSignatureRevertsAsECDSA() public {
        Ask memory a = askFor(list(h1));
        a.signature = new bytes(64);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64));
        send(a);
        a.signature = new bytes(65);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector));
        send(a);
    }

    function test_contractNotListedReverts() public {
        Ask memory a = askFor(list(h1, h2));
        a.pairs[1].contractAddress = STRANGER;
        expectRefusal(
            a,
            abi.encodeWithSelector(
                DecryptionEvents.ContractNotInContractAddresses.selector, STRANGER, a.contracts.addresses
            )
        );
    }

    function test_differentKeysRevert() public {
        bytes32 other = handleOf(HOST_CHAIN, 5, 4);
        commitHandle(other, KEY_ID + 1);
        SnsCiphertextMaterial[] memory materials = commits.getSnsCiphertextMaterials(list(h1, other));
        expectRefusal(
            askFor(list(h1, other)),
            abi.encodeWithSelector(DecryptionEvents.DifferentKeyIdsNotAllowed.selector, materials[0], materials[1])
        );
    }

    function test_v1NullContextReverts() public {
        Ask memory a = askFor(list(h1));
        a.extraData = extraV1(0);
        expectRefusal(a, refuse(DecryptionEvents.InvalidNullContextId.selector));
    }

    function test_v2NullContextReverts() public {
        Ask memory a = askFor(list(h1));
        a.extraData = extraV2(0, EPOCH);
        expectRefusal(a, refuse(DecryptionEvents.InvalidNullContextId.selector));
    }

    function test_unknownContextReverts_noIdConsumed() public {
        Ask memory a = askFor(list(h1));
        bytes memory err = abi.encodeWithSelector(DecryptionEvents.InvalidKmsContext.selector, CONTEXT + 1);
        a.extraData = extraV1(CONTEXT + 1);
        expectRefusal(a, err);
        a.extraData = extraV2(CONTEXT + 1, EPOCH);
        expectRefusal(a, err);
        checkEvents(askFor(list(h1)));
    }

    function test_pausedReverts() public {
        vm.prank(PAUSER);
        decryption.pause();
        expectRefusal(askFor(list(h1)), refuse(PausableUpgradeable.EnforcedPause.selector));
    }

    /// A request that is wrong in every way is refused for the first thing that is checked; mended, for the next.
    function test_precedenceOfRefusals() public {
        bytes32 uncommitted = handleOf(777, 84, 1);
        Ask memory a = askFor(list(uncommitted));
        a.contracts.chainId = 777;
        a.contracts.addresses = new address[](0);
        a.validity = RequestValidity(NOW + 1, 0);
        a.extraData = hex"03";
        setBarred(a, STRANGER);
        expectRefusal(a, abi.encodeWithSelector(GatewayChecks.HostChainNotRegistered.selector, 777));
        a.contracts.chainId = HOST_CHAIN;
        expectRefusal(a, refuse(DecryptionEvents.EmptyContractAddresses.selector));
        a.contracts.addresses = new address[](11);
        expectRefusal(a, abi.encodeWithSelector(DecryptionEvents.ContractAddressesMaxLengthExceeded.selector, 10, 11));
        a.contracts.addresses = one(STRANGER);
        expectRefusal(a, refuse(DecryptionEvents.InvalidNullDurationDays.selector));
        a.validity.durationDays = 1;
        expectRefusal(a, abi.encodeWithSelector(DecryptionEvents.StartTimestampInFuture.selector, NOW, NOW + 1));
        a.validity.startTimestamp = NOW;
        CtHandleContractPair[] memory pairs = a.pairs;
        a.pairs = new CtHandleContractPair[](0);
        expectRefusal(a, barredError(a.contracts.addresses));
        a.contracts.addresses = one(REQUESTER);
        expectRefusal(a, refuse(DecryptionEvents.EmptyCtHandleContractPairs.selector));
        a.pairs = pairs;
        expectRefusal(
            a,
            abi.encodeWithSelector(
                DecryptionEvents.CtHandleChainIdDiffersFromContractChainId.selector, uncommitted, 777, HOST_CHAIN
            )
        );
        a.pairs[0].ctHandle = handleOf(HOST_CHAIN, 84, 1);
        expectRefusal(a, abi.encodeWithSelector(Handle.InvalidFHEType.selector, 84));
        a.pairs[0].ctHandle = handleOf(HOST_CHAIN, 8, 1);
        expectRefusal(
            a,
            abi.encodeWithSelector(
                DecryptionEvents.ContractNotInContractAddresses.selector, DAPP, a.contracts.addresses
            )
        );
        a.pairs[0].contractAddress = REQUESTER;
        a.signature = signWith(1, digestOf(a));
        vm.expectRevert(abi.encodeWithSelector(DecryptionEvents.InvalidUserSignature.selector, a.signature));
        send(a);
        setSigner(a);
        expectRefusal(
            a, abi.encodeWithSelector(CiphertextCommits.CiphertextMaterialNotFound.selector, a.pairs[0].ctHandle)
        );
        commitHandle(a.pairs[0].ctHandle);
        expectRefusal(a, abi.encodeWithSelector(DecryptionEvents.UnsupportedExtraDataVersion.selector, 3));
        a.extraData = "";
        sendSigned(a);
    }

    function setSigner(Ask memory a) private pure {
        a.user = vm.addr(USER_KEY);
    }

    function pair(address a, address b) private pure returns (address[] memory accounts) {
        accounts = new address[](2);
        (accounts[0], accounts[1]) = (a, b);
    }
}

contract UserDecryptionDirectTest is UserDecryptionPairsTest {
    function send(Ask memory a) internal override {
        sendDirect(a);
    }

    function digestOf(Ask memory a) internal view override returns (bytes32) {
        return userDigest(a);
    }

    function setBarred(Ask memory a, address account) internal pure override {
        a.user = account;
    }

    function barredError(address[] memory contracts) internal pure override returns (bytes memory) {
        return abi.encodeWithSelector(DecryptionEvents.UserAddressInContractAddresses.selector, STRANGER, contracts);
    }

    function test_delegatedSignatureReverts() public {
        Ask memory a = askFor(list(h1));
        a.signature = signWith(USER_KEY, delegatedDigest(a));
        vm.expectRevert(abi.encodeWithSelector(DecryptionEvents.InvalidUserSignature.selector, a.signature));
        send(a);
    }
}

contract UserDecryptionDelegatedTest is UserDecryptionPairsTest {
    function send(Ask memory a) internal override {
        sendDelegated(a);
    }

    function digestOf(Ask memory a) internal view override returns (bytes32) {
        return delegatedDigest(a);
    }

    function setBarred(Ask memory a, address account) internal pure override {
        a.delegator = account;
    }

    function barredError(address[] memory contracts) internal pure override returns (bytes memory) {
        return
            abi.encodeWithSelector(DecryptionEvents.DelegatorAddressInContractAddresses.selector, STRANGER, contracts);
    }

    function test_anotherDelegatorReverts() public {
        Ask memory a = askFor(list(h1));
        a.signature = signWith(USER_KEY, digestOf(a));
        a.delegator = STRANGER;
        vm.expectRevert(abi.encodeWithSelector(DecryptionEvents.InvalidUserSignature.selector, a.signature));
        send(a);
    }

    function test_delegateMayBeAmongTheContracts() public {
        Ask memory a = askFor(list(h1));
        a.contracts.addresses = new address[](2);
        (a.contracts.addresses[0], a.contracts.addresses[1]) = (DAPP, a.user);
        sendSigned(a);
    }

    function test_sharesItsCounterWithDirectRequests() public {
        sendSigned(askFor(list(h1)));
        Ask memory a = askFor(list(h1));
        a.signature = signWith(USER_KEY, userDigest(a));
        vm.recordLogs();
        sendDirect(a);
        vm.assertEq(decryptionLogs()[0].topics[1], bytes32(userId(2)), "next id");
    }
}
