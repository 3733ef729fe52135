// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ACLBase} from "./ACLBase.sol";
import {PausableUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";

/// @title What users decide about the decryption of their ciphertexts
/// @notice A user may let a delegate ask in its place, for one contract or for all, until a date; and may declare the
/// signatures void that it gave out before a date. Both are its own affair: neither touches a permission.
/// @dev Nothing is enforced here. The nodes read it before they decrypt.
abstract contract ACLUserDecryption is ACLBase, PausableUpgradeable {
    /// @notice A delegation was made, prolonged or shortened.
    /// @param delegator Who lets.
    /// @param delegate Whom.
    /// @param contractAddress For which contract; the wildcard: for all.
    /// @param delegationCounter Number of changes of this delegation, this one included.
    /// @param oldExpirationDate When it would have ended; 0 if there was none.
    /// @param newExpirationDate When it ends.
    event DelegatedForUserDecryption(
        address indexed delegator,
        address indexed delegate,
        address contractAddress,
        uint64 delegationCounter,
        uint64 oldExpirationDate,
        uint64 newExpirationDate
    );

    /// @notice A delegation was ended.
    /// @param delegator Who let.
    /// @param delegate Whom.
    /// @param contractAddress For which contract; the wildcard: for all.
    /// @param delegationCounter Number of changes of this delegation, this one included.
    /// @param oldExpirationDate When it would have ended.
    event RevokedDelegationForUserDecryption(
        address indexed delegator,
        address indexed delegate,
        address contractAddress,
        uint64 delegationCounter,
        uint64 oldExpirationDate
    );

    /// @notice An account declared void what it signed before.
    /// @param account The account.
    /// @param beforeTimestamp Requests with an earlier start are void.
    event DecryptionSignaturesInvalidated(address indexed account, uint256 beforeTimestamp);

    /// @notice A delegation changes at most once in a block, so that its changes have an order by block.
    /// @param delegator Who lets.
    /// @param delegate Whom.
    /// @param contractAddress For which contract.
    /// @param blockNumber The block.
    error AlreadyDelegatedOrRevokedInSameBlock(
        address delegator, address delegate, address contractAddress, uint256 blockNumber
    );

    /// @notice A contract cannot delegate for itself.
    /// @param contractAddress The contract, which is the sender.
    error SenderCannotBeContractAddress(address contractAddress);

    /// @notice Nobody needs a delegation to itself.
    /// @param delegate The delegate, which is the sender.
    error SenderCannotBeDelegate(address delegate);

    /// @notice The wildcard stands for contracts, not for delegates.
    /// @param delegate The wildcard.
    error DelegateCannotBeWildcard(address delegate);

    /// @notice A contract cannot be the delegate for itself.
    /// @param contractAddress The contract, which is the delegate.
    error DelegateCannotBeContractAddress(address contractAddress);

    /// @notice The delegation would be over already.
    error ExpirationDateInThePast();

    /// @notice The delegation ends at this date already.
    /// @param delegator Who lets.
    /// @param delegate Whom.
    /// @param contractAddress For which contract.
    /// @param expirationDate The date.
    error ExpirationDateAlreadySetToSameValue(
        address delegator, address delegate, address contractAddress, uint256 expirationDate
    );

    /// @notice There is no delegation to end.
    /// @param delegator Who lets.
    /// @param delegate Whom.
    /// @param contractAddress For which contract.
    error NotDelegatedYet(address delegator, address delegate, address contractAddress);

    /// @notice Signatures until this time are void already.
    error InvalidationTimestampTooLow();

    /// @notice Signatures of the future cannot be void yet.
    error InvalidationTimestampInTheFuture();

    /// @notice As the contract of a delegation: all contracts.
    address public constant WILDCARD_DELEGATION_ADDRESS = address(type(uint160).max);

    /// @notice Lets a delegate ask for the decryption of what the sender may decrypt, or changes until when.
    /// @param delegate The delegate.
    /// @param contractAddress The contract whose ciphertexts it is about, or the wildcard.
    /// @param expirationDate When the delegation ends; it is over at that second.
    function delegateForUserDecryption(address delegate, address contractAddress, uint64 expirationDate)
        external
        whenNotPaused
    {
        UserDecryptionDelegation storage delegation = _ownDelegation(delegate, contractAddress);
        if (contractAddress == msg.sender) {
            revert SenderCannotBeContractAddress(contractAddress);
        }
        if (delegate == msg.sender) {
            revert SenderCannotBeDelegate(delegate);
        }
        if (delegate == WILDCARD_DELEGATION_ADDRESS) {
            revert DelegateCannotBeWildcard(delegate);
        }
        if (delegate == contractAddress) {
            revert DelegateCannotBeContractAddress(contractAddress);
        }
        if (expirationDate <= block.timestamp) {
            revert ExpirationDateInThePast();
        }
        uint64 oldExpirationDate = delegation.expirationDate;
        if (expirationDate == oldExpirationDate) {
            revert ExpirationDateAlreadySetToSameValue(msg.sender, delegate, contractAddress, expirationDate);
        }
        uint64 counter = _change(delegation, expirationDate);
        emit DelegatedForUserDecryption(
            msg.sender, delegate, contractAddress, counter, oldExpirationDate, expirationDate
        );
    }

    /// @notice Ends a delegation of the sender. One for a contract and one for all are apart: each is ended by itself.
    /// @param delegate The delegate.
    /// @param contractAddress The contract, or the wildcard.
    function revokeDelegationForUserDecryption(address delegate, address contractAddress) external whenNotPaused {
        UserDecryptionDelegation storage delegation = _ownDelegation(delegate, contractAddress);
        uint64 oldExpirationDate = delegation.expirationDate;
        if (oldExpirationDate == 0) {
            revert NotDelegatedYet(msg.sender, delegate, contractAddress);
        }
        uint64 counter = _change(delegation, 0);
        emit RevokedDelegationForUserDecryption(msg.sender, delegate, contractAddress, counter, oldExpirationDate);
    }

    /// @notice Declares void the sender's signatures under requests that start before a time. It cannot be taken back,
    /// and works while paused: a user whose key is lost must not have to wait.
    /// @param timestamp The time, not in the future and later than the one declared before; 0: now.
    function invalidateDecryptionSignaturesBefore(uint256 timestamp) external {
        if (timestamp == 0) {
            timestamp = block.timestamp;
        }
        ACLStorage storage $ = _storage();
        if (timestamp <= $.decryptionSignatureInvalidatedBefore[msg.sender]) {
            revert InvalidationTimestampTooLow();
        }
        if (timestamp > block.timestamp) {
            revert InvalidationTimestampInTheFuture();
        }
        $.decryptionSignatureInvalidatedBefore[msg.sender] = timestamp;
        emit DecryptionSignaturesInvalidated(msg.sender, timestamp);
    }

    /// @notice Whether a delegate may ask for the decryption of a handle now.
    /// @param delegator Who may decrypt it.
    /// @param delegate Who would ask.
    /// @param contractAddress The contract it belongs to.
    /// @param handle The handle.
    /// @return True if delegator and contract are allowed the handle for good, and the delegator has delegated for
    /// this contract or for all.
    function isHandleDelegatedForUserDecryption(
        address delegator,
        address delegate,
        address contractAddress,
        bytes32 handle
    ) external view returns (bool) {
        mapping(address account => bool isAllowed) storage allowed = _storage().persistedAllowedPairs[handle];
        if (!allowed[delegator] || !allowed[contractAddress]) {
            return false;
        }
        return _isDelegated(delegator, delegate, WILDCARD_DELEGATION_ADDRESS)
            || _isDelegated(delegator, delegate, contractAddress);
    }

    /// @notice When a delegation ends.
    /// @param delegator Who lets.
    /// @param delegate Whom.
    /// @param contractAddress For which contract, or the wildcard; only this very delegation is looked at.
    /// @return The date; 0 if there is none.
    function getUserDecryptionDelegationExpirationDate(address delegator, address delegate, address contractAddress)
        external
        view
        returns (uint64)
    {
        return _storage().userDecryptionDelegations[delegator][delegate][contractAddress].expirationDate;
    }

    /// @notice Until when an account's signatures are void.
    /// @param account The account.
    /// @return Requests with an earlier start are void; 0 if none are.
    function decryptionSignatureInvalidatedBefore(address account) external view returns (uint256) {
        return _storage().decryptionSignatureInvalidatedBefore[account];
    }

    /// @dev The sender's delegation, if it may change in this block.
    function _ownDelegation(address delegate, address contractAddress)
        private
        view
        returns (UserDecryptionDelegation storage delegation)
    {
        delegation = _storage().userDecryptionDelegations[msg.sender][delegate][contractAddress];
        if (delegation.lastBlockDelegateOrRevoke == block.number) {
            revert AlreadyDelegatedOrRevokedInSameBlock(msg.sender, delegate, contractAddress, block.number);
        }
    }

    function _change(UserDecryptionDelegation storage delegation, uint64 expirationDate)
        private
        returns (uint64 counter)
    {
        counter = delegation.delegationCounter + 1;
        delegation.expirationDate = expirationDate;
        delegation.lastBlockDelegateOrRevoke = uint64(block.number);
        delegation.delegationCounter = counter;
    }

    function _isDelegated(address delegator, address delegate, address contractAddress) private view returns (bool) {
        return
            _storage().userDecryptionDelegations[delegator][delegate][contractAddress].expirationDate > block.timestamp;
    }
}
