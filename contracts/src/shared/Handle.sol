// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @notice Type of the value under a ciphertext, as byte 30 of its handle says it.
enum FheType {
    Bool,
    Uint4,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Uint128,
    Uint160,
    Uint256,
    Uint512,
    Uint1024,
    Uint2048,
    Uint2,
    Uint6,
    Uint10,
    Uint12,
    Uint14,
    Int2,
    Int4,
    Int6,
    Int8,
    Int10,
    Int12,
    Int14,
    Int16,
    Int32,
    Int64,
    Int128,
    Int160,
    Int256,
    AsciiString,
    Int512,
    Int1024,
    Int2048,
    Uint24,
    Uint40,
    Uint48,
    Uint56,
    Uint72,
    Uint80,
    Uint88,
    Uint96,
    Uint104,
    Uint112,
    Uint120,
    Uint136,
    Uint144,
    Uint152,
    Uint168,
    Uint176,
    Uint184,
    Uint192,
    Uint200,
    Uint208,
    Uint216,
    Uint224,
    Uint232,
    Uint240,
    Uint248,
    Int24,
    Int40,
    Int48,
    Int56,
    Int72,
    Int80,
    Int88,
    Int96,
    Int104,
    Int112,
    Int120,
    Int136,
    Int144,
    Int152,
    Int168,
    Int176,
    Int184,
    Int192,
    Int200,
    Int208,
    Int216,
    Int224,
    Int232,
    Int240,
    Int248
}

/// @title Ciphertext handles
/// @notice A handle is a hash prefix (21 bytes), an index (1), the host chain id (8, big endian), the type (1) and a
/// version (1).
library Handle {
    /// @notice The type byte names no type.
    /// @param fheTypeUint8 The byte.
    error InvalidFHEType(uint8 fheTypeUint8);

    /// @notice The type exists but cannot be decrypted.
    /// @param fheType The type.
    error UnsupportedFHEType(FheType fheType);

    /// @notice The chain whose contracts made the handle.
    /// @param handle The handle.
    /// @return The host chain id, below 2^64.
    function chainId(bytes32 handle) internal pure returns (uint256) {
        return uint64(uint256(handle) >> 16);
    }

    /// @notice The type of the value.
    /// @param handle The handle; reverts for a type byte above the last type.
    /// @return The type.
    function fheType(bytes32 handle) internal pure returns (FheType) {
        uint8 code = uint8(handle[30]);
        if (code > uint8(type(FheType).max)) {
            revert InvalidFHEType(code);
        }
        return FheType(code);
    }

    /// @notice What a handle costs against the bit limit of one request.
    /// @param handle The handle; reverts for a type that cannot be decrypted.
    /// @return Size in bits; a boolean is charged 2.
    function bitSize(bytes32 handle) internal pure returns (uint256) {
        FheType t = fheType(handle);
        if (t == FheType.Bool) return 2;
        if (t == FheType.Uint8) return 8;
        if (t == FheType.Uint16) return 16;
        if (t == FheType.Uint32) return 32;
        if (t == FheType.Uint64) return 64;
        if (t == FheType.Uint128) return 128;
        if (t == FheType.Uint160) return 160;
        if (t == FheType.Uint256) return 256;
        revert UnsupportedFHEType(t);
    }
}
