// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayConfig} from "../../src/gateway/GatewayConfig.sol";
import {GatewayConfigEvents as E} from "../../src/gateway/GatewayConfigEvents.sol";
import {Coprocessor, Custodian, KmsNode, ProtocolMetadata} from "../../src/gateway/GatewayTypes.sol";
import {GatewayFixture} from "../helpers/GatewayFixture.sol";

/// What GatewayConfig does not begin with.
contract GatewayConfigInitTest is GatewayFixture {
    uint256 private constant N = 4;

    function expectInitRevert(
        KmsNode[] memory nodes,
        GatewayConfig.Thresholds memory t,
        Coprocessor[] memory copros,
        Custodian[] memory custs,
        bytes memory err
    ) private {
        deployProxies();
        GatewayConfig implementation = newConfig();
        bytes memory init = abi.encodeCall(
            GatewayConfig.initializeFromEmptyProxy, (CONTEXT, ProtocolMetadata("", ""), t, nodes, copros, custs)
        );
        vm.prank(OWNER);
        vm.expectRevert(err);
        config.upgradeToAndCall(address(implementation), init);
    }

    function expectInitRevert(KmsNode[] memory nodes, GatewayConfig.Thresholds memory t, bytes memory err) private {
        expectInitRevert(nodes, t, coprocessors(0, N_COPROCESSORS), custodians(0, 1), err);
    }

    function test_initWithoutNodesReverts() public {
        expectInitRevert(kmsNodes(0, 0), thresholds(0, 1, 1, 1), abi.encodeWithSelector(E.EmptyKmsNodes.selector));
    }

    function test_initWithDuplicateKmsSenderReverts() public {
        KmsNode[] memory nodes = kmsNodes(0, 3);
        nodes[2].txSenderAddress = nodes[0].txSenderAddress;
        expectInitRevert(
            nodes,
            thresholds(0, 1, 1, 1),
            abi.encodeWithSelector(E.KmsTxSenderAlreadyRegistered.selector, nodes[0].txSenderAddress)
        );
    }

    function test_initWithDuplicateKmsSignerReverts() public {
        KmsNode[] memory nodes = kmsNodes(0, 3);
        nodes[2].signerAddress = nodes[0].signerAddress;
        expectInitRevert(
            nodes,
            thresholds(0, 1, 1, 1),
            abi.encodeWithSelector(E.KmsSignerAlreadyRegistered.selector, nodes[0].signerAddress)
        );
    }

    function test_initWithBadCoprocessorsReverts() public {
        KmsNode[] memory nodes = kmsNodes(0, 3);
        GatewayConfig.Thresholds memory t = thresholds(0, 1, 1, 1);
        Custodian[] memory custs = custodians(0, 1);
        expectInitRevert(nodes, t, coprocessors(0, 0), custs, abi.encodeWithSelector(E.EmptyCoprocessors.selector));
        Coprocessor[] memory same = coprocessors(0, 2);
        same[1].txSenderAddress = same[0].txSenderAddress;
        bytes4 err = E.CoprocessorTxSenderAlreadyRegistered.selector;
        expectInitRevert(nodes, t, same, custs, abi.encodeWithSelector(err, same[0].txSenderAddress));
        same = coprocessors(0, 2);
        same[1].signerAddress = same[0].signerAddress;
        err = E.CoprocessorSignerAlreadyRegistered.selector;
        expectInitRevert(nodes, t, same, custs, abi.encodeWithSelector(err, same[0].signerAddress));
        t.coprocessorThreshold = 0;
        err = E.InvalidNullCoprocessorThreshold.selector;
        expectInitRevert(nodes, t, coprocessors(0, 3), custs, abi.encodeWithSelector(err));
        t.coprocessorThreshold = 4;
        err = E.InvalidHighCoprocessorThreshold.selector;
        expectInitRevert(nodes, t, coprocessors(0, 3), custs, abi.encodeWithSelector(err, 4, 3));
    }

    function test_initWithBadCustodiansReverts() public {
        KmsNode[] memory nodes = kmsNodes(0, 3);
        GatewayConfig.Thresholds memory t = thresholds(0, 1, 1, 1);
        Coprocessor[] memory copros = coprocessors(0, 3);
        expectInitRevert(nodes, t, copros, custodians(0, 0), abi.encodeWithSelector(E.EmptyCustodians.selector));
        Custodian[] memory same = custodians(0, 2);
        same[1].txSenderAddress = same[0].txSenderAddress;
        bytes4 err = E.CustodianTxSenderAlreadyRegistered.selector;
        expectInitRevert(nodes, t, copros, same, abi.encodeWithSelector(err, same[0].txSenderAddress));
        same = custodians(0, 2);
        same[1].signerAddress = same[0].signerAddress;
        err = E.CustodianSignerAlreadyRegistered.selector;
        expectInitRevert(nodes, t, copros, same, abi.encodeWithSelector(err, same[0].signerAddress));
    }
}
