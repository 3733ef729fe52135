// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {SnsCiphertextMaterial} from "./GatewayTypes.sol";

/// @title What Decryption asks CiphertextCommits
interface ICiphertextCommits {
    /// @notice Whether the coprocessors have agreed on a ciphertext.
    /// @param ctHandle The handle.
    /// @return True if they have.
    function isCiphertextMaterialAdded(bytes32 ctHandle) external view returns (bool);

    /// @notice The agreed noise-squashed ciphertexts.
    /// @param ctHandles At least one handle, all of them final and of enabled host chains.
    /// @return snsCtMaterials One element per handle, in order.
    function getSnsCiphertextMaterials(bytes32[] calldata ctHandles)
        external
        view
        returns (SnsCiphertextMaterial[] memory snsCtMaterials);
}
