// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @title What request functions ask ProtocolPayment
interface IProtocolPayment {
    /// @notice Takes the fee of an input verification. Only for InputVerification.
    /// @param txSender Who pays.
    function collectInputVerificationFee(address txSender) external;

    /// @notice Takes the fee of a public decryption. Only for Decryption.
    /// @param txSender Who pays.
    function collectPublicDecryptionFee(address txSender) external;

    /// @notice Takes the fee of a user decryption. Only for Decryption.
    /// @param txSender Who pays.
    function collectUserDecryptionFee(address txSender) external;
}
