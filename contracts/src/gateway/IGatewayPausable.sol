// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @title What GatewayConfig needs of a contract whose requests can be stopped
interface IGatewayPausable {
    /// @notice Stops requests.
    function pause() external;

    /// @notice Lets requests through again.
    function unpause() external;

    /// @notice Whether requests are stopped.
    /// @return True if they are.
    function paused() external view returns (bool);
}
