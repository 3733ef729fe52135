// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @title What a proof of a decryption can hold
/// @notice A proof counts its signatures in one byte. A context with more nodes, or a threshold above that, could not
/// be proven with.
library ProofFormat {
    /// @notice More nodes than a proof can count.
    /// @param signerCount Their number.
    /// @param maxAllowed The limit.
    error KmsSignerSetExceedsProofFormatLimit(uint256 signerCount, uint256 maxAllowed);

    /// @notice A threshold that no proof can reach.
    /// @param thresholdName Which threshold.
    /// @param threshold Its value.
    /// @param maxAllowed The limit.
    error ThresholdExceedsProofFormatLimit(string thresholdName, uint256 threshold, uint256 maxAllowed);

    uint256 private constant LIMIT = type(uint8).max;

    /// @notice Reverts if a context would have too many nodes.
    /// @param n Their number.
    function checkSignerCount(uint256 n) internal pure {
        if (n > LIMIT) {
            revert KmsSignerSetExceedsProofFormatLimit(n, LIMIT);
        }
    }

    /// @notice Reverts if a threshold would be too high.
    /// @param name Which threshold.
    /// @param threshold Its value.
    function checkThreshold(string memory name, uint256 threshold) internal pure {
        if (threshold > LIMIT) {
            revert ThresholdExceedsProofFormatLimit(name, threshold, LIMIT);
        }
    }
}
