// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ProtocolConfigEvents as E} from "../../src/host/ProtocolConfigEvents.sol";
import {KmsThresholds} from "../../src/host/ProtocolConfigTypes.sol";
import {HostFixture} from "../helpers/HostFixture.sol";

/// A context that was destroyed before all had confirmed it.
contract ProtocolConfigDestroyedTest is HostFixture {
    uint256 private constant N = 4;
    uint256 private constant NEXT = CONTEXT + 1;
    string private constant NS = "fhevm.storage.ProtocolConfig";

    function setUp() public {
        deployHost(N, 2);
        announce();
    }

    function announce() private {
        vm.prank(OWNER);
        protocolConfig.defineNewKmsContextAndEpoch(kmsParams(N), KmsThresholds(2, 3, 3, 1), SOFTWARE_VERSION, pcrs());
    }

    function confirm(uint256 node) private {
        vm.prank(kmsParams(N)[node].txSenderAddress);
        protocolConfig.confirmKmsContextCreation(NEXT);
    }

    function destroy() private {
        vm.prank(OWNER);
        protocolConfig.destroyKmsContext(NEXT);
    }

    function test_nobodyConfirmsIt() public {
        confirm(0);
        destroy();
        vm.expectRevert(abi.encodeWithSelector(E.KmsContextNotPending.selector, NEXT));
        confirm(1);
    }

    function test_itStaysInTheRecordsAndIsNeitherLiveNorInTheWay() public {
        destroy();
        vm.assertTrue(!protocolConfig.isLiveKmsContext(NEXT) && !protocolConfig.isValidKmsContext(NEXT), "dead");
        (uint256 blockNumber,) = protocolConfig.getKmsContextAnchor(NEXT);
        vm.assertEq(blockNumber, block.number, "anchor");
        address node = kmsParams(N)[0].txSenderAddress;
        vm.assertEq(protocolConfig.getKmsNodeForContext(NEXT, node).txSenderAddress, node, "node");
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(E.InvalidKmsContext.selector, NEXT));
        protocolConfig.destroyKmsContext(NEXT);
        announce();
        vm.assertEq(protocolConfig.getCurrentKmsContextIdCounter(), NEXT + 1, "the next one can come");
    }

    /// A proxy of another implementation may have one that is destroyed and still pending.
    function test_pendingAndDestroyedItNeverGetsAnEpoch() public {
        vm.store(address(protocolConfig), keccak256(abi.encode(NEXT, slotOf(NS, 10))), bytes32(uint256(1)));
        for (uint256 i = 0; i + 1 < N; i++) {
            confirm(i);
        }
        vm.expectRevert(abi.encodeWithSelector(E.KmsContextNotPending.selector, NEXT));
        confirm(N - 1);
        announce();
    }
}
