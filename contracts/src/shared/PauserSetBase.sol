// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @title Accounts that may pause
/// @notice The set is kept by the owner of the chain's contracts. It stands behind no proxy.
abstract contract PauserSetBase {
    /// @notice An account was added.
    /// @param account The new pauser.
    event AddPauser(address account);

    /// @notice An account was removed.
    /// @param account The former pauser.
    event RemovePauser(address account);

    /// @notice One account took the place of another.
    /// @param oldAccount The former pauser.
    /// @param newAccount The new pauser.
    event SwapPauser(address oldAccount, address newAccount);

    /// @notice The zero address cannot pause.
    error InvalidNullPauser();

    /// @notice The account is in the set already.
    /// @param account The account.
    error AccountAlreadyPauser(address account);

    /// @notice The account is not in the set.
    /// @param account The account.
    error AccountNotPauser(address account);

    mapping(address account => bool isMember) private _pausers;

    /// @dev Each chain has its own owner and its own error.
    modifier onlySetOwner() {
        _checkSetOwner();
        _;
    }

    /// @notice Adds a pauser.
    /// @param account The account; not zero, not in the set.
    function addPauser(address account) external onlySetOwner {
        _add(account);
        emit AddPauser(account);
    }

    /// @notice Removes a pauser.
    /// @param account The account; in the set.
    function removePauser(address account) external onlySetOwner {
        _remove(account);
        emit RemovePauser(account);
    }

    /// @notice Puts one account in the place of another.
    /// @param oldAccount The account to remove; in the set.
    /// @param newAccount The account to add; not zero, not in the set.
    function swapPauser(address oldAccount, address newAccount) external onlySetOwner {
        _remove(oldAccount);
        _add(newAccount);
        emit SwapPauser(oldAccount, newAccount);
    }

    /// @notice Whether an account may pause.
    /// @param account The account.
    /// @return True if it is in the set.
    function isPauser(address account) external view returns (bool) {
        return _pausers[account];
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "PauserSet v0.1.0";
    }

    /// @dev Reverts unless the sender owns the chain's contracts.
    function _checkSetOwner() internal view virtual;

    function _add(address account) private {
        if (account == address(0)) {
            revert InvalidNullPauser();
        }
        if (_pausers[account]) {
            revert AccountAlreadyPauser(account);
        }
        _pausers[account] = true;
    }

    function _remove(address account) private {
        if (account == address(0)) {
            revert InvalidNullPauser();
        }
        if (!_pausers[account]) {
            revert AccountNotPauser(account);
        }
        delete _pausers[account];
    }
}
