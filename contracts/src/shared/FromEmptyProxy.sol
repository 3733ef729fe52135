// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Initializable} from "@openzeppelin/contracts-upgradeable/proxy/utils/Initializable.sol";

/// @title First real initialisation of a proxy
/// @notice Every proxy starts on an empty implementation (initialized version 1), so that all addresses are known
/// before the first contract with references to others is installed.
abstract contract FromEmptyProxy is Initializable {
    /// @notice The proxy does not stand on its empty first implementation.
    error NotInitializingFromEmptyProxy();

    /// @dev Lets a call through only on a proxy that has run its empty implementation's initialiser and nothing else.
    modifier onlyFromEmptyProxy() {
        if (_getInitializedVersion() != 1) {
            revert NotInitializingFromEmptyProxy();
        }
        _;
    }
}
