// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @notice A signature in two words: r, and s with the parity of v in its highest bit (as in EIP-2098).
struct CompactSignature {
    bytes32 r;
    bytes32 vs;
}

/// @title Signatures kept in two words instead of four
/// @dev Only for signatures that ECDSA.recover has accepted: 65 bytes, s in the lower half, v 27 or 28. Of these the form
/// loses nothing.
library CompactSignatures {
    /// @notice The short form.
    /// @param signature r, s, v.
    /// @return The same in two words.
    function pack(bytes calldata signature) internal pure returns (CompactSignature memory) {
        uint256 parity = uint8(signature[64]) - 27;
        return CompactSignature(bytes32(signature[:32]), bytes32(signature[32:64]) | bytes32(parity << 255));
    }

    /// @notice The long form.
    /// @param signature The short form.
    /// @return r, s, v.
    function unpack(CompactSignature memory signature) internal pure returns (bytes memory) {
        uint256 vs = uint256(signature.vs);
        return abi.encodePacked(signature.r, bytes32((vs << 1) >> 1), uint8(27 + (vs >> 255)));
    }
}
