// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {HostContexts} from "./HostContexts.sol";
import {HostKMSGenerationEvents} from "./HostKMSGenerationEvents.sol";
import {IProtocolConfig} from "./IProtocolConfig.sol";
import {KeyDigest, ParamsType} from "./KeyMaterialTypes.sol";
import {EIP712Upgradeable} from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title What KMSGeneration stores, and whose answers count
abstract contract HostKMSGenerationBase is HostKMSGenerationEvents, EIP712Upgradeable, HostContexts {
    /// @custom:storage-location erc7201:fhevm.storage.KMSGeneration
    /// @dev Members are only ever appended.
    struct KMSGenerationStorage {
        mapping(uint256 requestId => mapping(address signer => bool hasSigned)) kmsHasSignedForResponse;
        /// @dev Finished or aborted. What is finished has a consensus digest, what is aborted has none.
        mapping(uint256 requestId => bool isDone) isRequestDone;
        mapping(uint256 requestId => mapping(bytes32 digest => address[] txSenders)) consensusTxSenderAddresses;
        mapping(uint256 requestId => bytes32 digest) consensusDigest;
        uint256 prepKeygenCounter;
        uint256 keyCounter;
        /// @dev From a preprocessing to its key, and back.
        mapping(uint256 requestId => uint256 otherId) keygenIdPairs;
        mapping(uint256 keyId => KeyDigest[] digests) keyDigests;
        uint256 activeKeyId;
        uint256 crsCounter;
        mapping(uint256 crsId => uint256 maxBitLength) crsMaxBitLength;
        mapping(uint256 crsId => bytes digest) crsDigests;
        uint256 activeCrsId;
        mapping(uint256 requestId => ParamsType paramsType) requestParamsType;
        /// @dev Context and epoch of a request. Empty for what was made elsewhere and came by migration.
        mapping(uint256 requestId => bytes extraData) requestExtraData;
        uint256[] completedKeyIds;
        uint256[] completedCrsIds;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm.storage.KMSGeneration")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x26fdaf8a2cb20d20b55e36218986905e534ee7a970dd2fa827946e4b7496db00;

    /// @dev Ids carry their kind in the top byte; the counters start here and are incremented before use.
    uint256 internal constant PREP_KEYGEN_BASE = 3 << 248;
    uint256 internal constant KEY_BASE = 4 << 248;
    uint256 internal constant CRS_BASE = 5 << 248;

    /// @param protocolConfig The ProtocolConfig proxy, which knows the contexts.
    constructor(IProtocolConfig protocolConfig) HostContexts(protocolConfig) {}

    /// @dev The extra data of a request that is made now.
    function _currentExtraData() internal view returns (bytes memory) {
        (uint256 contextId, uint256 epochId) = PROTOCOL_CONFIG.getCurrentKmsContextAndEpoch();
        return abi.encodePacked(uint8(2), contextId, epochId);
    }

    /// @dev Reverts unless the sender is a node of the context.
    function _checkTxSender(uint256 contextId) internal view {
        if (!PROTOCOL_CONFIG.isKmsTxSenderForContext(contextId, msg.sender)) {
            revert NotKmsTxSender(msg.sender);
        }
    }

    /// @dev Reverts unless the sender's own key signed; the sender is a node of the context. Gives the key's address.
    function _checkSigner(uint256 contextId, bytes32 structHash, bytes calldata signature)
        internal
        view
        returns (address signer, bytes32 digest)
    {
        digest = _hashTypedDataV4(structHash);
        signer = ECDSA.recover(digest, signature);
        if (PROTOCOL_CONFIG.getKmsNodeForContext(contextId, msg.sender).signerAddress != signer) {
            if (!PROTOCOL_CONFIG.isKmsSignerForContext(contextId, signer)) {
                revert NotKmsSigner(signer);
            }
            revert KmsSignerDoesNotMatchTxSender(signer, msg.sender);
        }
    }

    /// @dev Whether this is the signer's first answer to the request; if so, notes it.
    function _noteSigner(uint256 requestId, address signer) internal returns (bool isFirst) {
        mapping(address => bool) storage hasSigned = _storage().kmsHasSignedForResponse[requestId];
        isFirst = !hasSigned[signer];
        hasSigned[signer] = true;
    }

    /// @dev Counts an answer. Whether it decides the request: once, and only if it was not aborted.
    function _countVote(uint256 requestId, uint256 contextId, bytes32 digest) internal returns (bool isDecided) {
        KMSGenerationStorage storage $ = _storage();
        address[] storage senders = $.consensusTxSenderAddresses[requestId][digest];
        senders.push(msg.sender);
        if ($.isRequestDone[requestId] || senders.length < PROTOCOL_CONFIG.getKmsGenThresholdForContext(contextId)) {
            return false;
        }
        $.isRequestDone[requestId] = true;
        $.consensusDigest[requestId] = digest;
        return true;
    }

    /// @dev Where the nodes that made something publish it. The context may have been destroyed since.
    function _storageUrls(uint256 requestId, bytes32 digest) internal view returns (string[] memory urls) {
        KMSGenerationStorage storage $ = _storage();
        address[] storage senders = $.consensusTxSenderAddresses[requestId][digest];
        uint256 contextId = _contextOf($.requestExtraData[requestId]);
        urls = new string[](senders.length);
        for (uint256 i = 0; i < urls.length; i++) {
            urls[i] = PROTOCOL_CONFIG.getKmsNodeForContext(contextId, senders[i]).storageUrl;
        }
    }

    /// @dev Whether an id was given out by a counter that started at a base.
    function _isRequested(uint256 id, uint256 base, uint256 counter) internal pure returns (bool) {
        return id > base && id <= counter;
    }

    /// @dev The namespace's struct.
    function _storage() internal pure returns (KMSGenerationStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
