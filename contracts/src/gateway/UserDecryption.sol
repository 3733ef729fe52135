// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Handle} from "../shared/Handle.sol";
import {DecryptionBase} from "./DecryptionBase.sol";
import {
    ContractsInfo,
    CtHandleContractPair,
    DelegationAccounts,
    HandleEntry,
    RequestValidity,
    RequestValiditySeconds,
    UserDecryptionRequestPayload
} from "./DecryptionTypes.sol";
import {SnsCiphertextMaterial} from "./GatewayTypes.sol";
import {UserDecryptionMessages} from "./UserDecryptionMessages.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Decryption for one user's eyes
/// @notice A user, or a delegate, has ciphertexts decrypted under a key of its own: every node answers with a share
/// that only that key opens. Shares differ from node to node, so there is nothing to agree on: answers are counted.
/// @dev What the user may see is decided on the handles' host chain, by the nodes, who also check the signature of
/// requests by handle entries; the signatures of the two other kinds are checked here.
abstract contract UserDecryption is DecryptionBase {
    using Handle for bytes32;

    /// @notice What an answer signs besides the share, as the hashes its digest is made of.
    struct UserDecryptionHashes {
        bytes32 publicKeyHash;
        bytes32 ctHandlesHash;
    }

    /// @custom:storage-location erc7201:claviger.storage.UserDecryption
    /// @dev In a namespace of ours, so that the protocol's struct keeps its shape. Nothing ever asks for the key or
    /// the handles again, and two words are cheaper to keep than a key of 800 bytes.
    struct UserDecryptionStorage {
        mapping(uint256 decryptionId => UserDecryptionHashes hashes) hashes;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("claviger.storage.UserDecryption")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x4554ab7f3e81c03e5e33a389b11751796f52b6e4933760929e5428751067ce00;

    uint256 private constant MAX_CONTRACTS = 10;
    uint256 private constant MAX_DURATION_DAYS = 365;
    uint256 private constant MAX_DURATION_SECONDS = 365 days;

    /// @notice Asks for the decryption of ciphertexts that a user may see. As with all requests, the sender pays the fee.
    /// @param ctHandleContractPairs At least one handle, each with one of the contracts; all committed under one key,
    /// of at most 2048 bits together.
    /// @param requestValidity When the signature is good; at most 365 days.
    /// @param contractsInfo The host chain, and 1 to 10 of its contracts; the user is none of them.
    /// @param userAddress The user.
    /// @param publicKey The key to encrypt the shares under; means nothing to this contract.
    /// @param signature The user's, over UserDecryptRequestVerification, in the domain of the host chain.
    /// @param extraData Empty or version 0: the current context; version 1 or 2: the context it names.
    function userDecryptionRequest(
        CtHandleContractPair[] calldata ctHandleContractPairs,
        RequestValidity calldata requestValidity,
        ContractsInfo calldata contractsInfo,
        address userAddress,
        bytes calldata publicKey,
        bytes calldata signature,
        bytes calldata extraData
    ) external whenNotPaused {
        _checkContractsAndValidity(contractsInfo, requestValidity);
        if (_contains(contractsInfo.addresses, userAddress)) {
            revert UserAddressInContractAddresses(userAddress, contractsInfo.addresses);
        }
        bytes32[] memory ctHandles = _checkPairs(ctHandleContractPairs, contractsInfo);
        bytes32 message = UserDecryptionMessages.request(publicKey, contractsInfo, requestValidity, extraData);
        _checkUserSignature(contractsInfo.chainId, message, userAddress, signature);
        _accept(ctHandles, userAddress, publicKey, extraData);
    }

    /// @notice Asks, as a delegate, for the decryption of ciphertexts that a delegator may see.
    /// @param ctHandleContractPairs As for a user's own request.
    /// @param requestValidity As for a user's own request.
    /// @param delegationAccounts The delegator, none of the contracts; the delegate, who signs and can open the shares.
    /// @param contractsInfo As for a user's own request.
    /// @param publicKey The delegate's key to encrypt the shares under.
    /// @param signature The delegate's, over DelegatedUserDecryptRequestVerification, in the domain of the host chain.
    /// @param extraData As for a user's own request.
    function delegatedUserDecryptionRequest(
        CtHandleContractPair[] calldata ctHandleContractPairs,
        RequestValidity calldata requestValidity,
        DelegationAccounts calldata delegationAccounts,
        ContractsInfo calldata contractsInfo,
        bytes calldata publicKey,
        bytes calldata signature,
        bytes calldata extraData
    ) external whenNotPaused {
        _checkContractsAndValidity(contractsInfo, requestValidity);
        if (_contains(contractsInfo.addresses, delegationAccounts.delegatorAddress)) {
            revert DelegatorAddressInContractAddresses(delegationAccounts.delegatorAddress, contractsInfo.addresses);
        }
        bytes32[] memory ctHandles = _checkPairs(ctHandleContractPairs, contractsInfo);
        bytes32 message = UserDecryptionMessages.delegatedRequest(
            publicKey, contractsInfo, delegationAccounts, requestValidity, extraData
        );
        _checkUserSignature(contractsInfo.chainId, message, delegationAccounts.delegateAddress, signature);
        _accept(ctHandles, delegationAccounts.delegateAddress, publicKey, extraData);
    }

    /// @notice Asks for the decryption of ciphertexts, each either the user's own or of an owner who has delegated to
    /// the user. The signature may be that of a contract wallet: nodes check it, on the host chain.
    /// @param handles At least one, all of one registered host chain, committed under one key, of at most 2048 bits
    /// together.
    /// @param userAddress The user.
    /// @param publicKey The key to encrypt the shares under; means nothing to this contract.
    /// @param allowedContracts At most 10 contracts that the signature is for; none means any.
    /// @param requestValidity When the signature is good; at most 365 days.
    /// @param signature The user's signature.
    /// @param extraData Empty or version 0: the current context; version 1 or 2: the context it names.
    function userDecryptionRequest(
        HandleEntry[] calldata handles,
        address userAddress,
        bytes calldata publicKey,
        address[] calldata allowedContracts,
        RequestValiditySeconds calldata requestValidity,
        bytes calldata signature,
        bytes calldata extraData
    ) external whenNotPaused {
        if (handles.length == 0) {
            revert EmptyHandles();
        }
        _checkContractsLength(allowedContracts.length);
        _checkValiditySeconds(requestValidity);
        uint256 contextId = _validContextOf(extraData);
        PROTOCOL_PAYMENT.collectUserDecryptionFee(msg.sender);

        // Member by member: all at once is more than the stack holds.
        UserDecryptionRequestPayload memory payload;
        payload.userAddress = userAddress;
        payload.publicKey = publicKey;
        payload.allowedContracts = allowedContracts;
        payload.requestValidity = requestValidity;
        payload.extraData = extraData;
        payload.signature = signature;
        _acceptEntries(handles, payload, contextId);
    }

    /// @notice A KMS node's answer to a user decryption. Accepted while paused, and also after enough have come.
    /// @param decryptionId The request.
    /// @param userDecryptedShare The node's share, encrypted to the user; means nothing to this contract.
    /// @param signature 65 bytes over UserDecryptResponseVerification of the request's key and handles, this share and
    /// this extra data, by the key of the node that the sender sends for.
    /// @param extraData Names the context the request is pinned to, as in the request.
    function userDecryptionResponse(
        uint256 decryptionId,
        bytes calldata userDecryptedShare,
        bytes calldata signature,
        bytes calldata extraData
    ) external {
        DecryptionStorage storage $ = _storage();
        if (decryptionId <= USER_DECRYPTION_BASE || decryptionId > $.userDecryptionCounter) {
            revert DecryptionNotRequested(decryptionId);
        }

        bytes32 digest = _hashUserDecryption(decryptionId, userDecryptedShare, extraData);
        uint256 contextId = _checkAnswer(decryptionId, digest, signature, extraData);
        address[] storage txSenders = $.consensusTxSenderAddresses[decryptionId][0];
        txSenders.push(msg.sender);
        uint256 count = txSenders.length;

        emit UserDecryptionResponse(decryptionId, count - 1, userDecryptedShare, signature, extraData);

        if (!$.decryptionDone[decryptionId] && count >= GATEWAY_CONFIG.getUserDecryptionThresholdForContext(contextId))
        {
            $.decryptionDone[decryptionId] = true;
            emit UserDecryptionResponseThresholdReached(decryptionId);
        }
    }

    /// @notice Whether a request for these handles would find its ciphertexts. User and extra data have no influence.
    /// @param ctHandleContractPairs The handles.
    /// @param extraData Any.
    /// @return True if there is at least one handle and all of them have final material.
    function isUserDecryptionReady(
        address,
        CtHandleContractPair[] calldata ctHandleContractPairs,
        bytes calldata extraData
    ) external view returns (bool) {
        return isUserDecryptionReady(ctHandleContractPairs, extraData);
    }

    /// @notice Whether a delegate's request for these handles would find its ciphertexts. The second parameter has no
    /// influence.
    /// @param ctHandleContractPairs The handles.
    /// @return True if there is at least one handle and all of them have final material.
    function isDelegatedUserDecryptionReady(CtHandleContractPair[] calldata ctHandleContractPairs, bytes calldata)
        external
        view
        returns (bool)
    {
        return _arePairsCommitted(ctHandleContractPairs);
    }

    /// @notice Whether a request for these handles would find its ciphertexts. The second parameter has no influence.
    /// @param ctHandleContractPairs The handles.
    /// @return True if there is at least one handle and all of them have final material.
    function isUserDecryptionReady(CtHandleContractPair[] calldata ctHandleContractPairs, bytes calldata)
        public
        view
        returns (bool)
    {
        return _arePairsCommitted(ctHandleContractPairs);
    }

    /// @notice Whether a request for these handles would find its ciphertexts. The second parameter has no influence.
    /// @param handles The handles.
    /// @return True if there is at least one handle and all of them have final material.
    function isUserDecryptionReady(HandleEntry[] calldata handles, bytes calldata) external view returns (bool) {
        for (uint256 i = 0; i < handles.length; i++) {
            if (!_isCommitted(handles[i].handle)) {
                return false;
            }
        }
        return handles.length != 0;
    }

    function _arePairsCommitted(CtHandleContractPair[] calldata pairs) private view returns (bool) {
        for (uint256 i = 0; i < pairs.length; i++) {
            if (!_isCommitted(pairs[i].ctHandle)) {
                return false;
            }
        }
        return pairs.length != 0;
    }

    /// @dev The rest of a request with pairs, whose signature was good.
    function _accept(
        bytes32[] memory ctHandles,
        address userAddress,
        bytes calldata publicKey,
        bytes calldata extraData
    ) private {
        SnsCiphertextMaterial[] memory materials = _materialsOf(ctHandles);
        uint256 decryptionId = _open(keccak256(publicKey), ctHandles, _validContextOf(extraData));
        PROTOCOL_PAYMENT.collectUserDecryptionFee(msg.sender);
        emit UserDecryptionRequest(decryptionId, materials, userAddress, publicKey, extraData);
        emit UserDecryptionRequest(decryptionId, ctHandles, userAddress, publicKey, extraData);
    }

    /// @dev The rest of a request with entries, in a frame of its own: its arguments leave no room on the stack.
    function _acceptEntries(
        HandleEntry[] calldata handles,
        UserDecryptionRequestPayload memory payload,
        uint256 contextId
    ) private {
        bytes32[] memory ctHandles = _checkEntries(handles);
        SnsCiphertextMaterial[] memory materials = _materialsOf(ctHandles);
        uint256 decryptionId = _open(keccak256(payload.publicKey), ctHandles, contextId);
        emit UserDecryptionRequest(decryptionId, materials, handles, payload);
        emit UserDecryptionRequest(decryptionId, handles, payload);
    }

    /// @dev Gives a request its id and remembers what its answers sign.
    function _open(bytes32 publicKeyHash, bytes32[] memory ctHandles, uint256 contextId)
        private
        returns (uint256 decryptionId)
    {
        DecryptionStorage storage $ = _storage();
        decryptionId = ++$.userDecryptionCounter;
        _userStorage().hashes[decryptionId] =
            UserDecryptionHashes(publicKeyHash, keccak256(abi.encodePacked(ctHandles)));
        $.decryptionContextId[decryptionId] = contextId;
    }

    function _checkContractsAndValidity(ContractsInfo calldata contractsInfo, RequestValidity calldata validity)
        private
        view
    {
        _checkHostChain(contractsInfo.chainId);
        if (contractsInfo.addresses.length == 0) {
            revert EmptyContractAddresses();
        }
        _checkContractsLength(contractsInfo.addresses.length);
        if (validity.durationDays == 0) {
            revert InvalidNullDurationDays();
        }
        if (validity.durationDays > MAX_DURATION_DAYS) {
            revert MaxDurationDaysExceeded(MAX_DURATION_DAYS, validity.durationDays);
        }
        // Later sums cannot overflow: the start is at most now, the duration at most a year.
        if (validity.startTimestamp > block.timestamp) {
            revert StartTimestampInFuture(block.timestamp, validity.startTimestamp);
        }
        if (validity.startTimestamp + validity.durationDays * 1 days < block.timestamp) {
            revert UserDecryptionRequestExpired(block.timestamp, validity);
        }
    }

    function _checkValiditySeconds(RequestValiditySeconds calldata validity) private view {
        if (validity.durationSeconds == 0) {
            revert InvalidNullDurationSeconds();
        }
        if (validity.durationSeconds > MAX_DURATION_SECONDS) {
            revert MaxDurationSecondsExceeded(MAX_DURATION_SECONDS, validity.durationSeconds);
        }
        if (validity.startTimestamp > block.timestamp) {
            revert StartTimestampInFuture(block.timestamp, validity.startTimestamp);
        }
        if (validity.startTimestamp + validity.durationSeconds < block.timestamp) {
            revert UserDecryptionRequestExpiredSeconds(block.timestamp, validity);
        }
    }

    function _checkContractsLength(uint256 length) private pure {
        if (length > MAX_CONTRACTS) {
            revert ContractAddressesMaxLengthExceeded(MAX_CONTRACTS, length);
        }
    }

    /// @dev Every handle is of the contracts' chain and of a type that can be decrypted, its contract is covered.
    function _checkPairs(CtHandleContractPair[] calldata pairs, ContractsInfo calldata contractsInfo)
        private
        pure
        returns (bytes32[] memory ctHandles)
    {
        if (pairs.length == 0) {
            revert EmptyCtHandleContractPairs();
        }
        ctHandles = new bytes32[](pairs.length);
        uint256 totalBits;
        for (uint256 i = 0; i < pairs.length; i++) {
            bytes32 handle = pairs[i].ctHandle;
            _checkChain(handle, contractsInfo.chainId);
            totalBits += handle.bitSize();
            if (!_contains(contractsInfo.addresses, pairs[i].contractAddress)) {
                revert ContractNotInContractAddresses(pairs[i].contractAddress, contractsInfo.addresses);
            }
            ctHandles[i] = handle;
        }
        _checkTotalBits(totalBits);
    }

    /// @dev Every handle is of the first one's chain and of a type that can be decrypted. Whether the chain is in
    /// service is found with the commitments.
    function _checkEntries(HandleEntry[] calldata handles) private view returns (bytes32[] memory ctHandles) {
        uint256 chainId = handles[0].handle.chainId();
        if (!GATEWAY_CONFIG.isHostChainRegistered(chainId)) {
            revert HostChainNotRegistered(chainId);
        }
        ctHandles = new bytes32[](handles.length);
        uint256 totalBits;
        for (uint256 i = 0; i < handles.length; i++) {
            bytes32 handle = handles[i].handle;
            _checkChain(handle, chainId);
            totalBits += handle.bitSize();
            ctHandles[i] = handle;
        }
        _checkTotalBits(totalBits);
    }

    function _checkChain(bytes32 handle, uint256 chainId) private pure {
        if (handle.chainId() != chainId) {
            revert CtHandleChainIdDiffersFromContractChainId(handle, handle.chainId(), chainId);
        }
    }

    function _contains(address[] calldata list, address account) private pure returns (bool) {
        for (uint256 i = 0; i < list.length; i++) {
            if (list[i] == account) {
                return true;
            }
        }
        return false;
    }

    function _checkUserSignature(uint256 hostChainId, bytes32 message, address signer, bytes calldata signature)
        private
        view
    {
        bytes32 digest = UserDecryptionMessages.digest(_EIP712NameHash(), _EIP712VersionHash(), hostChainId, message);
        if (ECDSA.recover(digest, signature) != signer) {
            revert InvalidUserSignature(signature);
        }
    }

    function _hashUserDecryption(uint256 decryptionId, bytes calldata userDecryptedShare, bytes calldata extraData)
        private
        view
        returns (bytes32)
    {
        UserDecryptionHashes memory hashes = _userStorage().hashes[decryptionId];
        if (hashes.ctHandlesHash == 0) {
            // The request was accepted by an earlier implementation, which kept key and handles in full.
            UserDecryptionPayload storage payload = _storage().userDecryptionPayloads[decryptionId];
            hashes.publicKeyHash = keccak256(payload.publicKey);
            hashes.ctHandlesHash = keccak256(abi.encodePacked(payload.ctHandles));
        }
        return _hashTypedDataV4(
            UserDecryptionMessages.response(hashes.publicKeyHash, hashes.ctHandlesHash, userDecryptedShare, extraData)
        );
    }

    function _userStorage() private pure returns (UserDecryptionStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
