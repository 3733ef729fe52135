// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @title A set that ends with the transaction
/// @notice A member's slot is its key; the keys are listed too, so that the set can be emptied before.
/// @dev In transient storage. Whoever uses it chooses keys that cannot meet: hashes, or addresses; and for `list` a
/// hash, whose slot has the number of members and is followed by them.
library TransientSet {
    /// @notice Adds a member.
    /// @param list The set.
    /// @param key The member, not zero.
    /// @return isNew False if it was one already.
    function add(uint256 list, bytes32 key) internal returns (bool isNew) {
        assembly {
            isNew := iszero(tload(key))
            if isNew {
                let count := add(tload(list), 1)
                tstore(key, 1)
                tstore(add(list, count), key)
                tstore(list, count)
            }
        }
    }

    /// @notice Whether something is a member.
    /// @param key It.
    /// @return isMember True if it is.
    function has(bytes32 key) internal view returns (bool isMember) {
        assembly {
            isMember := tload(key)
        }
    }

    /// @notice Empties a set. Everything written is cleared, so several calls in a transaction do not disturb each
    /// other.
    /// @param list The set.
    function clear(uint256 list) internal {
        assembly {
            let count := tload(list)
            tstore(list, 0)
            for { let i := 1 } iszero(gt(i, count)) { i := add(i, 1) } {
                tstore(tload(add(list, i)), 0)
                tstore(add(list, i), 0)
            }
        }
    }
}
