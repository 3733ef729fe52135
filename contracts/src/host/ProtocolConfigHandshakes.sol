// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KeyMaterialMessages} from "./KeyMaterialMessages.sol";
import {EpochCrsResult, EpochKeyResult} from "./KeyMaterialTypes.sol";
import {ProtocolConfigBase} from "./ProtocolConfigBase.sol";
import {ContextState, EpochState, KmsNode} from "./ProtocolConfigTypes.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title How nodes bring a context and an epoch into use
/// @notice First all nodes of a new context, and enough of the one in use, confirm that they know it. Then the keys are
/// shared anew, and every node of the context attests the same keys and CRSs. One node that differs stops the epoch;
/// the owner destroys it and starts another.
abstract contract ProtocolConfigHandshakes is ProtocolConfigBase {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant DOMAIN_NAME_HASH = keccak256("ProtocolConfig");
    bytes32 private constant DOMAIN_VERSION_HASH = keccak256("1");

    /// @notice Confirms that the sender's node knows a new context. An account that is in both contexts counts for both.
    /// @param kmsContextId The new context.
    function confirmKmsContextCreation(uint256 kmsContextId) external {
        ProtocolConfigStorage storage $ = _storage();
        if ($.contextState[kmsContextId] != ContextState.Pending) {
            revert KmsContextNotPending(kmsContextId);
        }
        bool isPrevious = $.isKmsTxSenderForContext[$.latestActiveKmsContextId][msg.sender];
        bool isNew = $.isKmsTxSenderForContext[kmsContextId][msg.sender];
        if (!isPrevious && !isNew) {
            revert KmsContextCreationUnauthorized(msg.sender, kmsContextId);
        }
        if ($.contextCreationConfirmedByTxSender[kmsContextId][msg.sender]) {
            revert KmsContextCreationAlreadyConfirmed(msg.sender, kmsContextId);
        }
        $.contextCreationConfirmedByTxSender[kmsContextId][msg.sender] = true;
        if (isPrevious) {
            $.contextCreationPreviousTxSenderConfirmationCount[kmsContextId]++;
        }
        if (isNew) {
            $.contextCreationNewTxSenderConfirmationCount[kmsContextId]++;
        }
        emit KmsContextCreationConfirmation(kmsContextId, msg.sender, isPrevious, isNew);

        if (
            $.contextCreationNewTxSenderConfirmationCount[kmsContextId]
                    == $.kmsSignerAddressesForContext[kmsContextId].length
                && $.contextCreationPreviousTxSenderConfirmationCount[kmsContextId]
                    >= $.contextCreationPreviousTxSenderThreshold[kmsContextId]
        ) {
            // No call here leaves a destroyed context pending, but a proxy may come from elsewhere.
            if ($.destroyedContexts[kmsContextId]) {
                revert KmsContextNotPending(kmsContextId);
            }
            $.contextState[kmsContextId] = ContextState.Created;
            _startEpoch(kmsContextId);
        }
    }

    /// @notice Attests what the sender's node has in a new epoch. The epoch is in use when all nodes attested the same,
    /// in the same order.
    /// @param epochId The epoch.
    /// @param keys Its keys, each signed by the node under this contract's domain, with version 2 extra data.
    /// @param crsList Its CRSs, signed likewise.
    function confirmEpochActivation(uint256 epochId, EpochKeyResult[] calldata keys, EpochCrsResult[] calldata crsList)
        external
    {
        ProtocolConfigStorage storage $ = _storage();
        uint256 contextId = _checkMayAttest(epochId);
        if (keys.length == 0 || crsList.length == 0) {
            revert EmptyEpochActivationAttestation(epochId);
        }
        address signer = $.kmsNodeByTxSenderForContext[contextId][msg.sender].signerAddress;
        bytes32 extraDataHash = keccak256(abi.encodePacked(uint8(2), contextId, epochId));
        bytes32 dataHash = keccak256(
            abi.encode(_checkKeys(keys, extraDataHash, signer), _checkCrsList(crsList, extraDataHash, signer))
        );
        if ($.epochActivationConfirmedBySigner[epochId][signer]) {
            revert EpochActivationAlreadyConfirmed(signer, epochId);
        }
        $.epochActivationConfirmedBySigner[epochId][signer] = true;
        emit EpochActivationConfirmation(epochId, signer, dataHash);

        uint256 equal = ++$.epochActivationConfirmationCountForDigest[epochId][dataHash];
        if (equal == $.kmsSignerAddressesForContext[contextId].length) {
            _activate(contextId, epochId);
            emit ActivateEpoch(contextId, epochId, keys, crsList, _storageUrls(contextId));
        }
    }

    /// @dev Reverts unless the sender may attest the epoch now; gives its context.
    function _checkMayAttest(uint256 epochId) private view returns (uint256 contextId) {
        ProtocolConfigStorage storage $ = _storage();
        if ($.epochState[epochId] != EpochState.Pending) {
            revert InvalidKmsEpoch(epochId);
        }
        contextId = $.contextForEpoch[epochId];
        if (!$.isKmsTxSenderForContext[contextId][msg.sender]) {
            revert EpochActivationUnauthorized(msg.sender, epochId);
        }
        // No call here leaves a pending epoch under such a context, but a proxy may come from elsewhere.
        ContextState state = $.contextState[contextId];
        if (state != ContextState.Created && state != ContextState.Active) {
            revert KmsContextNotCreated(contextId);
        }
        _checkLive(contextId);
    }

    /// @dev Checks the signature of every key; gives what to vote on.
    function _checkKeys(EpochKeyResult[] calldata keys, bytes32 extraDataHash, address signer)
        private
        view
        returns (bytes32[] memory hashes)
    {
        hashes = new bytes32[](keys.length);
        for (uint256 i = 0; i < hashes.length; i++) {
            EpochKeyResult calldata key = keys[i];
            bytes32 digestsHash = KeyMaterialMessages.hashKeyDigests(key.keyDigests);
            _checkSignature(
                KeyMaterialMessages.keygen(key.prepKeygenId, key.keyId, digestsHash, extraDataHash),
                key.signature,
                signer
            );
            hashes[i] = keccak256(abi.encode(key.prepKeygenId, key.keyId, digestsHash));
        }
    }

    /// @dev Checks the signature of every CRS; gives what to vote on.
    function _checkCrsList(EpochCrsResult[] calldata crsList, bytes32 extraDataHash, address signer)
        private
        view
        returns (bytes32[] memory hashes)
    {
        hashes = new bytes32[](crsList.length);
        for (uint256 i = 0; i < hashes.length; i++) {
            EpochCrsResult calldata crs = crsList[i];
            _checkSignature(
                KeyMaterialMessages.crsgen(crs.crsId, crs.maxBitLength, crs.crsDigest, extraDataHash),
                crs.signature,
                signer
            );
            hashes[i] = keccak256(abi.encode(crs.crsId, crs.maxBitLength, crs.crsDigest));
        }
    }

    /// @dev Reverts unless the signer signed the struct under this contract's domain.
    function _checkSignature(bytes32 structHash, bytes calldata signature, address signer) private view {
        bytes32 separator =
            keccak256(abi.encode(DOMAIN_TYPEHASH, DOMAIN_NAME_HASH, DOMAIN_VERSION_HASH, block.chainid, address(this)));
        address recovered = ECDSA.recover(MessageHashUtils.toTypedDataHash(separator, structHash), signature);
        if (recovered != signer) {
            revert EpochActivationSignerDoesNotMatchTxSender(recovered, msg.sender);
        }
    }

    function _storageUrls(uint256 contextId) private view returns (string[] memory urls) {
        KmsNode[] storage nodes = _storage().kmsNodesForContext[contextId];
        urls = new string[](nodes.length);
        for (uint256 i = 0; i < urls.length; i++) {
            urls[i] = nodes[i].storageUrl;
        }
    }
}
