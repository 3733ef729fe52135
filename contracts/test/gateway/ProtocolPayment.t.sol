// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {DecryptionEvents} from "../../src/gateway/DecryptionEvents.sol";
import {GatewayConfig} from "../../src/gateway/GatewayConfig.sol";
import {GatewayConfigEvents} from "../../src/gateway/GatewayConfigEvents.sol";
import {GatewayOwned} from "../../src/gateway/GatewayOwned.sol";
import {ProtocolPayment} from "../../src/gateway/ProtocolPayment.sol";
import {FromEmptyProxy} from "../../src/shared/FromEmptyProxy.sol";
import {UserDecryptionFixture} from "../helpers/UserDecryptionFixture.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// A token that does not move and does not revert.
contract LazyToken {
    function transferFrom(address, address, uint256) external pure returns (bool) {
        return false;
    }
}

/// Prices, fees, and stopping everything at once.
contract ProtocolPaymentTest is UserDecryptionFixture {
    string private constant NS = "fhevm_gateway.storage.ProtocolPayment";
    bytes32 private h1 = handleOf(HOST_CHAIN, 5, 1);

    function setUp() public {
        vm.warp(NOW);
        deployGateway(4, 3);
        commitHandle(h1);
    }

    function test_versionAndPrices() public {
        vm.assertEq(payment.getVersion(), "ProtocolPayment v0.1.0", "version");
        vm.assertEq(payment.getInputVerificationPrice(), INPUT_PRICE, "input verification");
        vm.assertEq(payment.getPublicDecryptionPrice(), PUBLIC_PRICE, "public decryption");
        vm.assertEq(payment.getUserDecryptionPrice(), USER_PRICE, "user decryption");
        vm.expectRevert(abi.encodeWithSelector(FromEmptyProxy.NotInitializingFromEmptyProxy.selector));
        payment.initializeFromEmptyProxy(0, 0, 0);
    }

    function test_initialisationEmits() public {
        deployProxies();
        installConfig(kmsNodes(0, 4), thresholds(1, 3, 3, 3));
        ProtocolPayment implementation = newPayment();
        vm.expectEmit(address(payment));
        emit ProtocolPayment.InitializeProtocolPayment(1, 2, 3);
        vm.prank(OWNER);
        payment.upgradeToAndCall(
            address(implementation), abi.encodeCall(ProtocolPayment.initializeFromEmptyProxy, (1, 2, 3))
        );
    }

    function test_ownerSetsPrices() public {
        vm.startPrank(OWNER);
        vm.expectEmit(address(payment));
        emit ProtocolPayment.NewInputVerificationPrice(5);
        payment.setInputVerificationPrice(5);
        vm.expectEmit(address(payment));
        emit ProtocolPayment.NewPublicDecryptionPrice(6);
        payment.setPublicDecryptionPrice(6);
        vm.expectEmit(address(payment));
        emit ProtocolPayment.NewUserDecryptionPrice(7);
        payment.setUserDecryptionPrice(7);
        vm.stopPrank();
        vm.assertEq(payment.getInputVerificationPrice(), 5, "input verification");
        vm.assertEq(payment.getPublicDecryptionPrice(), 6, "public decryption");
        vm.assertEq(payment.getUserDecryptionPrice(), 7, "user decryption");
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(vm.load(address(payment), slotOf(NS, i)), bytes32(5 + i), "slot");
        }
        vm.assertEq(namespaceSlot(NS), 0x395ab2663a9dbb96f058af7a33668e31bc69e0016b9978f85369489bcee86800, "namespace");
    }

    function test_onlyOwnerSetsPricesAndUpgrades() public {
        ProtocolPayment next = newPayment();
        bytes memory err = abi.encodeWithSelector(GatewayOwned.NotGatewayOwner.selector, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(err);
        payment.setInputVerificationPrice(5);
        vm.expectRevert(err);
        payment.setPublicDecryptionPrice(5);
        vm.expectRevert(err);
        payment.setUserDecryptionPrice(5);
        vm.expectRevert(err);
        payment.upgradeToAndCall(address(next), "");
        vm.stopPrank();
        vm.prank(OWNER);
        payment.upgradeToAndCall(address(next), "");
        vm.assertEq(payment.getUserDecryptionPrice(), USER_PRICE, "prices stay");
    }

    function test_strangersCollectNothing() public {
        vm.startPrank(address(decryption));
        vm.expectRevert(
            abi.encodeWithSelector(ProtocolPayment.SenderNotInputVerificationContract.selector, address(decryption))
        );
        payment.collectInputVerificationFee(REQUESTER);
        vm.stopPrank();
        bytes memory err =
            abi.encodeWithSelector(ProtocolPayment.SenderNotDecryptionContract.selector, address(inputVerification));
        vm.startPrank(address(inputVerification));
        vm.expectRevert(err);
        payment.collectPublicDecryptionFee(REQUESTER);
        vm.expectRevert(err);
        payment.collectUserDecryptionFee(REQUESTER);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(FEES), 0, "nothing");
    }

    // fees of requests

    function ask(bool delegated) private {
        Ask memory a = askFor(list(h1));
        a.signature = signWith(USER_KEY, delegated ? delegatedDigest(a) : userDigest(a));
        delegated ? sendDelegated(a) : sendDirect(a);
    }

    function send(uint256 kind) private {
        if (kind == 0) request(list(h1), "");
        else if (kind == 3) sendUnified(unifiedFor(list(h1)));
        else ask(kind == 2);
    }

    function test_everyRequestCollectsItsPriceFromItsSender() public {
        uint256 paid;
        for (uint256 kind = 0; kind < 4; kind++) {
            send(kind);
            paid += kind == 0 ? PUBLIC_PRICE : USER_PRICE;
            vm.assertEq(token.balanceOf(FEES), paid, "collected");
            vm.assertEq(token.balanceOf(REQUESTER), FUNDS - paid, "paid");
        }
        answer(0, requestId(1), list(h1), abi.encode(1), "");
        share(0, userId(1), publicKeyOf(1), list(h1), "");
        vm.assertEq(token.balanceOf(FEES), paid, "answers are free");
    }

    function sendExternal(uint256 kind) external {
        send(kind);
    }

    function expectPoor(uint256 kind, bytes memory err) private {
        vm.expectRevert(err);
        this.sendExternal(kind);
    }

    function test_poorSenderReverts() public {
        vm.prank(REQUESTER);
        token.transfer(STRANGER, FUNDS - 1);
        for (uint256 kind = 0; kind < 4; kind++) {
            expectPoor(
                kind,
                abi.encodeWithSelector(
                    IERC20Errors.ERC20InsufficientBalance.selector, REQUESTER, 1, kind == 0 ? PUBLIC_PRICE : USER_PRICE
                )
            );
        }
        token.mint(REQUESTER, FUNDS);
        vm.recordLogs();
        send(0);
        vm.assertEq(decryptionLogs()[0].topics[1], bytes32(requestId(1)), "no id was consumed");
    }

    function test_senderWithoutApprovalReverts() public {
        vm.prank(REQUESTER);
        token.approve(address(payment), 0);
        for (uint256 kind = 0; kind < 4; kind++) {
            expectPoor(
                kind,
                abi.encodeWithSelector(
                    IERC20Errors.ERC20InsufficientAllowance.selector,
                    address(payment),
                    0,
                    kind == 0 ? PUBLIC_PRICE : USER_PRICE
                )
            );
        }
    }

    function test_refusedRequestTakesNoFee() public {
        Unified memory u = unifiedFor(list(h1));
        u.payload.extraData = extraV1(CONTEXT + 1);
        vm.expectRevert(abi.encodeWithSelector(DecryptionEvents.InvalidKmsContext.selector, CONTEXT + 1));
        sendUnified(u);
        vm.assertEq(token.balanceOf(REQUESTER), FUNDS, "unchanged");
    }

    function test_unknownContextTakesNoFee_anyKind_v1AndV2() public {
        bytes memory err = abi.encodeWithSelector(DecryptionEvents.InvalidKmsContext.selector, CONTEXT + 1);
        for (uint256 version = 1; version <= 2; version++) {
            bytes memory extra = version == 1 ? extraV1(CONTEXT + 1) : extraV2(CONTEXT + 1, EPOCH);
            vm.prank(REQUESTER);
            vm.expectRevert(err);
            decryption.publicDecryptionRequest(list(h1), extra);
            Ask memory a = askFor(list(h1));
            a.extraData = extra;
            a.signature = signWith(USER_KEY, userDigest(a));
            vm.expectRevert(err);
            sendDirect(a);
            a.signature = signWith(USER_KEY, delegatedDigest(a));
            vm.expectRevert(err);
            sendDelegated(a);
            Unified memory u = unifiedFor(list(h1));
            u.payload.extraData = extra;
            vm.expectRevert(err);
            sendUnified(u);
        }
        vm.assertEq(token.balanceOf(REQUESTER), FUNDS, "unchanged");
        vm.assertEq(token.balanceOf(FEES), 0, "nothing collected");
    }

    function test_priceZeroIsFreeForEverybody() public {
        vm.startPrank(OWNER);
        payment.setPublicDecryptionPrice(0);
        vm.stopPrank();
        vm.prank(STRANGER);
        decryption.publicDecryptionRequest(list(h1), "");
    }

    function test_tokenThatOnlyAnswersFalseLetsNoRequestThrough() public {
        ProtocolPayment lazy = new ProtocolPayment(
            config, IERC20(address(new LazyToken())), FEES, address(inputVerification), address(decryption)
        );
        vm.prank(OWNER);
        payment.upgradeToAndCall(address(lazy), "");
        expectPoor(0, "");
    }

    // stopping everything

    function test_pauserPausesAll_ownerUnpausesAll() public {
        vm.expectEmit(address(config));
        emit GatewayConfigEvents.PauseAllGatewayContracts();
        vm.prank(PAUSER);
        config.pauseAllGatewayContracts();
        vm.assertTrue(decryption.paused() && inputVerification.paused(), "paused");
        vm.prank(PAUSER);
        vm.expectRevert(abi.encodeWithSelector(GatewayConfigEvents.AllGatewayContractsAlreadyPaused.selector));
        config.pauseAllGatewayContracts();
        vm.expectEmit(address(config));
        emit GatewayConfigEvents.UnpauseAllGatewayContracts();
        vm.prank(OWNER);
        config.unpauseAllGatewayContracts();
        vm.assertTrue(!decryption.paused() && !inputVerification.paused(), "running");
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(GatewayConfigEvents.AllGatewayContractsAlreadyUnpaused.selector));
        config.unpauseAllGatewayContracts();
    }

    function test_whenOneIsAlreadyPausedOrUnpaused() public {
        for (uint256 i = 0; i < 2; i++) {
            vm.prank(PAUSER);
            i == 0 ? decryption.pause() : inputVerification.pause();
            vm.prank(PAUSER);
            config.pauseAllGatewayContracts();
            vm.assertTrue(decryption.paused() && inputVerification.paused(), "paused");
            vm.prank(OWNER);
            i == 0 ? decryption.unpause() : inputVerification.unpause();
            vm.prank(OWNER);
            config.unpauseAllGatewayContracts();
            vm.assertTrue(!decryption.paused() && !inputVerification.paused(), "running");
        }
    }

    function test_pauseAllRights() public {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(GatewayConfigEvents.NotPauser.selector, OWNER));
        config.pauseAllGatewayContracts();
        vm.prank(PAUSER);
        vm.expectRevert(abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, PAUSER));
        config.unpauseAllGatewayContracts();
    }
}
