// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {IProtocolConfig} from "./IProtocolConfig.sol";

/// @title A host contract that works within KMS contexts
/// @notice Reads the context from extra data. Version 0, or nothing at all: the context in use. Version 1: a context.
/// Version 2: a context and an epoch. Unlike on the gateway the lengths of versions 1 and 2 are exact.
abstract contract HostContexts {
    /// @notice The extra data has not the length of its version.
    error DeserializingExtraDataFail();

    /// @notice The extra data has a version that is not known.
    /// @param version The version byte.
    error UnsupportedExtraDataVersion(uint8 version);

    uint256 private constant V1_LENGTH = 33;
    uint256 private constant V2_LENGTH = 65;

    IProtocolConfig internal immutable PROTOCOL_CONFIG;

    /// @param protocolConfig The ProtocolConfig proxy, which knows the contexts.
    constructor(IProtocolConfig protocolConfig) {
        PROTOCOL_CONFIG = protocolConfig;
    }

    /// @dev The context that extra data leads to. Signers and thresholds are a context's; the epoch of version 2 only
    /// says which shares of the keys are meant.
    function _contextOf(bytes memory extraData) internal view returns (uint256 contextId) {
        if (extraData.length == 0 || extraData[0] == 0x00) {
            return PROTOCOL_CONFIG.getCurrentKmsContextId();
        }
        uint8 version = uint8(extraData[0]);
        if (version > 2) {
            revert UnsupportedExtraDataVersion(version);
        }
        if (extraData.length != (version == 1 ? V1_LENGTH : V2_LENGTH)) {
            revert DeserializingExtraDataFail();
        }
        assembly {
            // behind the length word and the version byte
            contextId := mload(add(extraData, 33))
        }
    }
}
