// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {CiphertextCommits} from "../../src/gateway/CiphertextCommits.sol";
import {Decryption} from "../../src/gateway/Decryption.sol";
import {GatewayConfig} from "../../src/gateway/GatewayConfig.sol";
import {EmptyUUPSProxy} from "../../src/gateway/GatewayEmptyUUPSProxy.sol";
import {KMSGeneration} from "../../src/gateway/GatewayKMSGeneration.sol";
import {GatewayOwned} from "../../src/gateway/GatewayOwned.sol";
import {IGatewayConfig} from "../../src/gateway/IGatewayConfig.sol";
import {InputVerification} from "../../src/gateway/InputVerification.sol";
import {KMSGenerationFixture} from "../helpers/KMSGenerationFixture.sol";
import {UserDecryptionFixture} from "../helpers/UserDecryptionFixture.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {Initializable} from "@openzeppelin/contracts-upgradeable/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";

/// What a later implementation might be. The owner is asked for where every contract's is.
contract NextImplementation is UUPSUpgradeable, GatewayOwned {
    constructor(IGatewayConfig gatewayConfig) GatewayOwned(gatewayConfig) {}

    function isNext() external pure returns (bool) {
        return true;
    }

    function _authorizeUpgrade(address) internal view override onlyGatewayOwner {}
}

/// The same for GatewayConfig, which knows the owner itself.
contract NextConfig is UUPSUpgradeable, OwnableUpgradeable {
    function isNext() external pure returns (bool) {
        return true;
    }

    function _authorizeUpgrade(address) internal view override onlyOwner {}
}

/// Upgrades in place: whose they are, what they may install, and what stays.
contract GatewayUpgradesTest is KMSGenerationFixture, UserDecryptionFixture {
    uint256 private constant N = 4;
    uint256 private constant THRESHOLD = 3;
    bytes32 private constant INITIALIZED = 0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00;
    bytes private constant RESULT = abi.encode(uint256(424_242));

    bytes32 private h1 = handleOf(HOST_CHAIN, 5, 1);

    function setUp() public {
        vm.warp(NOW);
        deployProxies();
        installConfig(kmsNodes(0, N), thresholds(1, THRESHOLD, THRESHOLD, THRESHOLD));
        installTheRest();
        generation = KMSGeneration(proxyOn(address(empty), abi.encodeCall(EmptyUUPSProxy.initialize, ())));
        installGeneration();
        commitHandle(h1);
    }

    /// The six, GatewayConfig first.
    function proxies() private view returns (address[6] memory) {
        return [
            address(config),
            address(decryption),
            address(commits),
            address(inputVerification),
            address(payment),
            address(generation)
        ];
    }

    function notOwner(uint256 i, address account) private pure returns (bytes memory) {
        return i == 0
            ? abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, account)
            : abi.encodeWithSelector(GatewayOwned.NotGatewayOwner.selector, account);
    }

    function newNext(uint256 i) private returns (address) {
        return i == 0 ? address(new NextConfig()) : address(new NextImplementation(IGatewayConfig(address(config))));
    }

    function implementationOf(address proxy) private view returns (address) {
        return address(uint160(uint256(vm.load(proxy, IMPLEMENTATION_SLOT))));
    }

    function test_eachContractCanBeUpgradedAndBack_byTheOwnerOnly() public {
        address[6] memory list_ = proxies();
        for (uint256 k = 0; k < 6; k++) {
            // GatewayConfig last: the others ask it who owns them
            uint256 i = (k + 1) % 6;
            UUPSUpgradeable proxy = UUPSUpgradeable(list_[i]);
            address before = implementationOf(list_[i]);
            address next = newNext(i);
            vm.prank(STRANGER);
            vm.expectRevert(notOwner(i, STRANGER));
            proxy.upgradeToAndCall(next, "");
            vm.prank(OWNER);
            proxy.upgradeToAndCall(next, "");
            vm.assertTrue(NextConfig(list_[i]).isNext(), "the next one");
            vm.prank(OWNER);
            proxy.upgradeToAndCall(before, "");
        }
        vm.assertEq(config.getCurrentKmsContextId(), CONTEXT, "GatewayConfig's state stays");
        vm.assertTrue(commits.isCiphertextMaterialAdded(h1), "CiphertextCommits' too");
        vm.assertEq(payment.getPublicDecryptionPrice(), PUBLIC_PRICE, "ProtocolPayment's too");
    }

    function test_ownerLosesTheUpgradeRightWithTheTransfer_ofEachContract() public {
        vm.prank(OWNER);
        config.transferOwnership(REQUESTER);
        vm.prank(REQUESTER);
        config.acceptOwnership();
        address[6] memory list_ = proxies();
        for (uint256 i = 0; i < 6; i++) {
            address same = implementationOf(list_[i]);
            vm.prank(OWNER);
            vm.expectRevert(notOwner(i, OWNER));
            UUPSUpgradeable(list_[i]).upgradeToAndCall(same, "");
            vm.prank(REQUESTER);
            UUPSUpgradeable(list_[i]).upgradeToAndCall(same, "");
        }
    }

    function test_onlyAnUpgradableImplementationCanBeInstalled() public {
        address[6] memory list_ = proxies();
        for (uint256 i = 0; i < 6; i++) {
            vm.prank(OWNER);
            vm.expectRevert(
                abi.encodeWithSelector(ERC1967Utils.ERC1967InvalidImplementation.selector, address(pauserSet))
            );
            UUPSUpgradeable(list_[i]).upgradeToAndCall(address(pauserSet), "");
        }
    }

    function test_implementationsAreNotUpgradedThemselves() public {
        address[6] memory list_ = proxies();
        for (uint256 i = 0; i < 6; i++) {
            address implementation = implementationOf(list_[i]);
            vm.prank(OWNER);
            vm.expectRevert(abi.encodeWithSelector(UUPSUpgradeable.UUPSUnauthorizedCallContext.selector));
            UUPSUpgradeable(implementation).upgradeToAndCall(list_[0], "");
        }
    }

    /// An upgrade from the release before, as far as initialisation goes: the proxy's version, then the call.
    function takeOver(address proxy, uint256 version, address implementation, string memory reinitialiser) private {
        vm.store(proxy, INITIALIZED, bytes32(version - 1));
        vm.prank(OWNER);
        UUPSUpgradeable(proxy).upgradeToAndCall(implementation, abi.encodeWithSignature(reinitialiser));
        vm.assertEq(uint256(vm.load(proxy, INITIALIZED)), version, "initialised version");
        vm.expectRevert(abi.encodeWithSelector(Initializable.InvalidInitialization.selector));
        (bool ok,) = proxy.call(abi.encodeWithSignature(reinitialiser));
        vm.assertTrue(ok, "refused as expected");
    }

    function takeOverAll() private {
        takeOver(address(config), 10, address(newConfig()), "reinitializeV9()");
        takeOver(address(decryption), 8, address(newDecryption()), "reinitializeV7()");
        takeOver(
            address(commits), 7, address(new CiphertextCommits(IGatewayConfig(address(config)))), "reinitializeV6()"
        );
        takeOver(address(inputVerification), 7, address(newInputVerification()), "reinitializeV6()");
        takeOver(address(generation), 5, address(newGeneration()), "reinitializeV4()");
    }

    function test_reinitialisersRunOnceOnAProxyOfTheReleaseBefore() public {
        takeOverAll();
    }

    /// Everything that is open when all contracts are replaced in place.
    function test_requestsBegunBeforeAnInPlaceUpgradeStayAnswerableAfterIt() public {
        Ask memory direct = askFor(list(h1));
        direct.signature = signWith(USER_KEY, userDigest(direct));
        Ask memory delegated = askFor(list(h1));
        delegated.signature = signWith(USER_KEY, delegatedDigest(delegated));
        Unified memory unified = unifiedFor(list(h1));
        bytes32 h2 = handleOf(HOST_CHAIN, 5, 2);
        request(list(h1), "");
        sendDirect(direct);
        sendDelegated(delegated);
        sendUnified(unified);
        commitAs(0, h2, KEY_ID);
        keygen();
        crsgen();
        for (uint256 node = 0; node < THRESHOLD; node++) {
            if (node == 1) takeOverAll();
            answer(node, requestId(1), list(h1), RESULT, "");
            share(node, userId(1), direct.publicKey, list(h1), "");
            share(node, userId(2), delegated.publicKey, list(h1), "");
            share(node, userId(3), unified.payload.publicKey, list(h1), "");
            answerPrep(node, prepId(1));
            answerKey(node, keyIdOf(1), digestsOf(1));
            answerCrs(node, crsIdOf(1), crsDigestOf(1));
        }
        vm.assertTrue(decryption.isDecryptionDone(requestId(1)), "public");
        for (uint256 i = 1; i <= 3; i++) {
            vm.assertTrue(decryption.isDecryptionDone(userId(i)), "user");
        }
        commitAs(1, h2, KEY_ID);
        vm.assertTrue(commits.isCiphertextMaterialAdded(h2), "ciphertext");
        vm.assertEq(generation.getActiveKeyId(), keyIdOf(1), "key");
        vm.assertEq(generation.getActiveCrsId(), crsIdOf(1), "CRS");
    }
}
