// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ACL} from "../../src/host/ACL.sol";
import {EmptyUUPSProxyACL} from "../../src/host/EmptyUUPSProxyACL.sol";
import {EmptyUUPSProxy} from "../../src/host/HostEmptyUUPSProxy.sol";
import {IHostOwner} from "../../src/host/HostOwned.sol";
import {PauserSet} from "../../src/host/HostPauserSet.sol";
import {IProtocolConfig} from "../../src/host/IProtocolConfig.sol";
import {InputVerifier} from "../../src/host/InputVerifier.sol";
import {KMSVerifier} from "../../src/host/KMSVerifier.sol";
import {ProtocolConfig} from "../../src/host/ProtocolConfig.sol";
import {KmsNodeParams, KmsThresholds, PcrValues} from "../../src/host/ProtocolConfigTypes.sol";
import {TestBase} from "./TestBase.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

/// @title A host chain's contracts
abstract contract HostFixture is TestBase {
    address internal constant EXECUTOR = address(0xA101);
    address internal constant BRIDGE = address(0xA102);
    address internal constant INPUT_VERIFICATION = 0x1111111111111111111111111111111111111103;
    address internal constant DECRYPTION = 0xDE409109E0fCCAaE7B87De518F61d617A3fda094;
    string internal constant SOFTWARE_VERSION = "v1";

    ACL internal acl;
    ProtocolConfig internal protocolConfig;
    KMSVerifier internal verifier;
    InputVerifier internal inputVerifier;
    PauserSet internal pauserSet;
    EmptyUUPSProxy internal empty;

    function kmsKey(uint256 i) internal pure returns (uint256) {
        return 0xC0DE0000 + i;
    }

    function kmsSender(uint256 i) internal pure returns (address) {
        return address(uint160(0xB000 + i));
    }

    function kmsUrl(uint256 i) internal pure returns (string memory) {
        return string.concat("http://127.0.0.1/", Strings.toString(i));
    }

    function kmsParams(uint256 n) internal pure returns (KmsNodeParams[] memory) {
        return kmsParams(0, n);
    }

    /// The nodes numbered from first on.
    function kmsParams(uint256 first, uint256 n) internal pure returns (KmsNodeParams[] memory params) {
        params = new KmsNodeParams[](n);
        for (uint256 i = 0; i < n; i++) {
            params[i] = KmsNodeParams(
                kmsSender(first + i),
                vm.addr(kmsKey(first + i)),
                "127.0.0.1",
                kmsUrl(first + i),
                int32(uint32(i + 1)),
                "party",
                hex"ca",
                "PUB"
            );
        }
    }

    function pcrs() internal pure returns (PcrValues[] memory values) {
        values = new PcrValues[](1);
        values[0] = PcrValues(hex"00", hex"01", hex"02");
    }

    function deployProxies() internal {
        vm.chainId(HOST_CHAIN);
        acl = ACL(proxyOn(address(new EmptyUUPSProxyACL()), abi.encodeCall(EmptyUUPSProxyACL.initialize, (OWNER))));
        empty = new EmptyUUPSProxy(IHostOwner(address(acl)));
        bytes memory init = abi.encodeCall(EmptyUUPSProxy.initialize, ());
        protocolConfig = ProtocolConfig(proxyOn(address(empty), init));
        verifier = KMSVerifier(proxyOn(address(empty), init));
        inputVerifier = InputVerifier(proxyOn(address(empty), init));
        pauserSet = new PauserSet(IHostOwner(address(acl)));
        vm.prank(OWNER);
        pauserSet.addPauser(PAUSER);

        ACL implementation = new ACL(EXECUTOR, BRIDGE, pauserSet);
        vm.prank(OWNER);
        acl.upgradeToAndCall(address(implementation), abi.encodeCall(ACL.initializeFromEmptyProxy, ()));
    }

    function protocolInit(KmsNodeParams[] memory params, KmsThresholds memory t) internal pure returns (bytes memory) {
        return abi.encodeCall(ProtocolConfig.initializeFromEmptyProxy, (params, t, SOFTWARE_VERSION, pcrs()));
    }

    function installProtocolConfig(KmsNodeParams[] memory params, KmsThresholds memory t) internal {
        ProtocolConfig implementation = new ProtocolConfig(IHostOwner(address(acl)));
        vm.prank(OWNER);
        protocolConfig.upgradeToAndCall(address(implementation), protocolInit(params, t));
    }

    function installVerifier() internal {
        KMSVerifier implementation = new KMSVerifier(IHostOwner(address(acl)), IProtocolConfig(address(protocolConfig)));
        vm.prank(OWNER);
        verifier.upgradeToAndCall(
            address(implementation),
            abi.encodeCall(KMSVerifier.initializeFromEmptyProxy, (DECRYPTION, uint64(GATEWAY_CHAIN)))
        );
    }

    function installInputVerifier(address[] memory signers, uint256 threshold) internal {
        InputVerifier implementation = new InputVerifier(IHostOwner(address(acl)));
        vm.prank(OWNER);
        inputVerifier.upgradeToAndCall(
            address(implementation),
            abi.encodeCall(
                InputVerifier.initializeFromEmptyProxy, (INPUT_VERIFICATION, uint64(GATEWAY_CHAIN), signers, threshold)
            )
        );
    }

    function deployHost(uint256 n, uint256 pub) internal {
        deployProxies();
        installProtocolConfig(kmsParams(n), KmsThresholds(pub, n, n, 1));
        installVerifier();
    }
}
