// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {ACLUserDecryption} from "./ACLUserDecryption.sol";
import {PauserSet} from "./HostPauserSet.sol";
import {TransientSet} from "./TransientSet.sol";
import {Ownable2StepUpgradeable} from "@openzeppelin/contracts-upgradeable/access/Ownable2StepUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {MulticallUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/MulticallUpgradeable.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";

/// @title Who may use and decrypt which ciphertext
/// @notice Permission starts with the executor, which makes handles and may allow them within its own transaction;
/// whoever is allowed a handle may pass the permission on, for good or for the transaction, and may allow everybody to
/// see the value. A permission is never taken back. What users decide about their decryptions is in ACLUserDecryption.
contract ACL is
    FromEmptyProxy,
    UUPSUpgradeable,
    Ownable2StepUpgradeable,
    PausableUpgradeable,
    MulticallUpgradeable,
    ACLUserDecryption
{
    /// @notice An account may use a handle from now on.
    /// @param caller Who allowed it.
    /// @param account The account.
    /// @param handle The handle.
    event Allowed(address indexed caller, address indexed account, bytes32 handle);

    /// @notice Everybody may see the values of handles from now on.
    /// @param caller Who allowed it.
    /// @param handlesList The handles.
    event AllowedForDecryption(address indexed caller, bytes32[] handlesList);

    /// @notice An account was put on the deny list.
    /// @param account The account.
    event BlockedAccount(address indexed account);

    /// @notice An account was taken off the deny list.
    /// @param account The account.
    event UnblockedAccount(address indexed account);

    /// @notice No handle was given.
    error HandlesListIsEmpty();

    /// @notice The sender is on the deny list.
    /// @param sender The sender.
    error SenderDenied(address sender);

    /// @notice The sender may not use the handle itself.
    /// @param sender The sender.
    error SenderNotAllowed(address sender);

    /// @notice The sender may not pause.
    /// @param sender The sender.
    error NotPauser(address sender);

    /// @notice The account is on the deny list.
    /// @param account The account.
    error AccountAlreadyBlocked(address account);

    /// @notice The account is not on the deny list.
    /// @param account The account.
    error AccountNotBlocked(address account);

    /// @dev The permissions of the transaction, by keccak256(handle ‖ account).
    uint256 private constant TRANSIENT_PERMISSIONS = uint256(keccak256("claviger.acl.transient-list"));

    uint64 private constant REINITIALIZER_VERSION = 6;

    address private immutable FHEVM_EXECUTOR;
    address private immutable CONFIDENTIAL_BRIDGE;
    PauserSet private immutable PAUSER_SET;

    /// @param fhevmExecutor The executor; it may allow any handle within a transaction.
    /// @param confidentialBridge A bridge with the same right, or zero.
    /// @param pauserSet The accounts that may pause.
    constructor(address fhevmExecutor, address confidentialBridge, PauserSet pauserSet) {
        FHEVM_EXECUTOR = fhevmExecutor;
        CONFIDENTIAL_BRIDGE = confidentialBridge;
        PAUSER_SET = pauserSet;
        _disableInitializers();
    }

    /// @notice Initialises a new proxy; the owner set by the empty implementation stays.
    function initializeFromEmptyProxy() external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        __Pausable_init();
    }

    /// @notice Takes over a proxy of the previous release.
    function reinitializeV5() external reinitializer(REINITIALIZER_VERSION) {}

    /// @notice Allows an account to use a handle, for good.
    /// @param handle The handle; the sender may use it itself.
    /// @param account The account.
    function allow(bytes32 handle, address account) external whenNotPaused {
        _checkNotDenied();
        _checkAllowed(handle);
        _storage().persistedAllowedPairs[handle][account] = true;
        emit Allowed(msg.sender, account, handle);
    }

    /// @notice Allows an account to use a handle until the end of the transaction.
    /// @param handle The handle; the sender may use it itself, or is the executor or the bridge.
    /// @param account The account.
    function allowTransient(bytes32 handle, address account) external whenNotPaused {
        bool isTrusted =
            msg.sender == FHEVM_EXECUTOR || (CONFIDENTIAL_BRIDGE != address(0) && msg.sender == CONFIDENTIAL_BRIDGE);
        if (!isTrusted) {
            _checkNotDenied();
            _checkAllowed(handle);
        }
        TransientSet.add(TRANSIENT_PERMISSIONS, _transientKey(handle, account));
    }

    /// @notice Allows everybody to see the values of handles, for good.
    /// @param handlesList At least one handle; the sender may use all of them.
    function allowForDecryption(bytes32[] calldata handlesList) external whenNotPaused {
        if (handlesList.length == 0) {
            revert HandlesListIsEmpty();
        }
        _checkNotDenied();
        ACLStorage storage $ = _storage();
        for (uint256 i = 0; i < handlesList.length; i++) {
            _checkAllowed(handlesList[i]);
            $.allowedForDecryption[handlesList[i]] = true;
        }
        emit AllowedForDecryption(msg.sender, handlesList);
    }

    /// @notice Ends all transient permissions before the transaction does, for accounts that bundle the calls of
    /// several users in one.
    function cleanTransientStorage() external {
        TransientSet.clear(TRANSIENT_PERMISSIONS);
    }

    /// @notice Puts an account on the deny list: it can pass no permission on.
    /// @param account The account.
    function blockAccount(address account) external onlyOwner {
        ACLStorage storage $ = _storage();
        if ($.denyList[account]) {
            revert AccountAlreadyBlocked(account);
        }
        $.denyList[account] = true;
        emit BlockedAccount(account);
    }

    /// @notice Takes an account off the deny list.
    /// @param account The account.
    function unblockAccount(address account) external onlyOwner {
        ACLStorage storage $ = _storage();
        if (!$.denyList[account]) {
            revert AccountNotBlocked(account);
        }
        $.denyList[account] = false;
        emit UnblockedAccount(account);
    }

    /// @notice Stops everything that gives permission.
    function pause() external {
        if (!isPauser(msg.sender)) {
            revert NotPauser(msg.sender);
        }
        _pause();
    }

    /// @notice Lets permissions be given again.
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @notice Whether an account may use a handle now.
    /// @param handle The handle.
    /// @param account The account.
    /// @return True if it may, for good or for this transaction.
    function isAllowed(bytes32 handle, address account) external view returns (bool) {
        return _isAllowed(handle, account);
    }

    /// @notice Whether an account may use a handle within this transaction.
    /// @param handle The handle.
    /// @param account The account.
    /// @return True if it was allowed within this transaction.
    function allowedTransient(bytes32 handle, address account) external view returns (bool) {
        return _allowedTransient(handle, account);
    }

    /// @notice Whether an account may use a handle for good.
    /// @param handle The handle.
    /// @param account The account.
    /// @return True if it may.
    function persistAllowed(bytes32 handle, address account) external view returns (bool) {
        return _storage().persistedAllowedPairs[handle][account];
    }

    /// @notice Whether everybody may see the value of a handle.
    /// @param handle The handle.
    /// @return True if a public decryption is allowed.
    function isAllowedForDecryption(bytes32 handle) external view returns (bool) {
        return _storage().allowedForDecryption[handle];
    }

    /// @notice Whether an account is on the deny list.
    /// @param account The account.
    /// @return True if it is.
    function isAccountDenied(address account) external view returns (bool) {
        return _storage().denyList[account];
    }

    /// @notice Whether an account may pause.
    /// @param account The account.
    /// @return True if it may.
    function isPauser(address account) public view returns (bool) {
        return PAUSER_SET.isPauser(account);
    }

    /// @notice The executor.
    /// @return Its address.
    function getFHEVMExecutorAddress() external view returns (address) {
        return FHEVM_EXECUTOR;
    }

    /// @notice The bridge.
    /// @return Its address; zero if there is none.
    function getConfidentialBridgeAddress() external view returns (address) {
        return CONFIDENTIAL_BRIDGE;
    }

    /// @notice The set of accounts that may pause.
    /// @return Its address.
    function getPauserSetAddress() external view returns (address) {
        return address(PAUSER_SET);
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "ACL v0.5.0";
    }

    function _authorizeUpgrade(address) internal view override onlyOwner {}

    function _checkNotDenied() private view {
        if (_storage().denyList[msg.sender]) {
            revert SenderDenied(msg.sender);
        }
    }

    function _checkAllowed(bytes32 handle) private view {
        if (!_isAllowed(handle, msg.sender)) {
            revert SenderNotAllowed(msg.sender);
        }
    }

    function _isAllowed(bytes32 handle, address account) private view returns (bool) {
        return _allowedTransient(handle, account) || _storage().persistedAllowedPairs[handle][account];
    }

    function _allowedTransient(bytes32 handle, address account) private view returns (bool) {
        return TransientSet.has(_transientKey(handle, account));
    }

    function _transientKey(bytes32 handle, address account) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(handle, account));
    }
}
