// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {GatewayChecks} from "./GatewayChecks.sol";
import {GatewayKMSGenerationEvents} from "./GatewayKMSGenerationEvents.sol";
import {KeyDigest, ParamsType} from "./GatewayKMSGenerationTypes.sol";
import {KmsNode} from "./GatewayTypes.sol";
import {EIP712Upgradeable} from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Storage, messages and votes of the gateway's KMSGeneration
/// @notice The three kinds of answers are counted alike: by request and digest, once per key of a node.
/// @dev Who is a node, and how many must agree, is asked of GatewayConfig's current context at every answer.
abstract contract GatewayKMSGenerationBase is GatewayKMSGenerationEvents, GatewayChecks, EIP712Upgradeable {
    /// @custom:storage-location erc7201:fhevm_gateway.storage.KMSGeneration
    /// @dev Members are only ever appended. `requestId` is any of the three kinds of ids; they never meet, because
    /// the kind is in the top byte.
    struct KMSGenerationStorage {
        mapping(uint256 requestId => mapping(address signer => bool hasSigned)) kmsHasSignedForResponse;
        mapping(uint256 requestId => bool isDone) isRequestDone;
        mapping(uint256 requestId => mapping(bytes32 digest => address[] txSenders)) consensusTxSenderAddresses;
        mapping(uint256 requestId => bytes32 digest) consensusDigest;
        uint256 prepKeygenCounter;
        uint256 keyCounter;
        /// @dev From a preparation to its key and back.
        mapping(uint256 id => uint256 pairedId) keygenIdPairs;
        mapping(uint256 keyId => KeyDigest[] digests) keyDigests;
        uint256 activeKeyId;
        uint256 crsCounter;
        mapping(uint256 crsId => uint256 maxBitLength) crsMaxBitLength;
        mapping(uint256 crsId => bytes digest) crsDigests;
        uint256 activeCrsId;
        /// @dev Of a key, under the id of its preparation.
        mapping(uint256 requestId => ParamsType paramsType) requestParamsType;
        uint256 keyReshareCounter;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm_gateway.storage.KMSGeneration")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x0b8fdb1f0a6356dd20a6cbc6f9668fac23b85f96575d10e333e603faa794ac00;

    /// @dev Ids carry their kind in the top byte; the counters start here and are incremented before use.
    uint256 internal constant PREP_KEYGEN_BASE = 3 << 248;
    uint256 internal constant KEY_BASE = 4 << 248;
    uint256 internal constant CRS_BASE = 5 << 248;
    uint256 internal constant KEY_RESHARE_BASE = 6 << 248;
    uint256 private constant KIND_SHIFT = 248;

    bytes32 private constant PREP_KEYGEN_TYPEHASH = keccak256("PrepKeygenVerification(uint256 prepKeygenId)");
    bytes32 private constant KEYGEN_TYPEHASH = keccak256(
        "KeygenVerification(uint256 prepKeygenId,uint256 keyId,KeyDigest[] keyDigests)KeyDigest(uint8 keyType,bytes digest)"
    );
    bytes32 private constant KEY_DIGEST_TYPEHASH = keccak256("KeyDigest(uint8 keyType,bytes digest)");
    bytes32 private constant CRSGEN_TYPEHASH =
        keccak256("CrsgenVerification(uint256 crsId,uint256 maxBitLength,bytes crsDigest)");

    /// @dev The key of the node that the sender sends for.
    function _nodeKeyOfSender() internal view returns (address signerAddress) {
        KmsNode memory node = GATEWAY_CONFIG.getKmsNode(msg.sender);
        if (node.txSenderAddress != msg.sender) {
            revert NotKmsTxSender(msg.sender);
        }
        return node.signerAddress;
    }

    /// @dev Reverts unless the signature is by this key. Which error, depends on whether it is another node's.
    function _checkSignedBy(address nodeKey, bytes32 digest, bytes calldata signature) internal view {
        address signer = ECDSA.recover(digest, signature);
        if (signer != nodeKey) {
            if (!GATEWAY_CONFIG.isKmsSigner(signer)) {
                revert NotKmsSigner(signer);
            }
            revert KmsSignerDoesNotMatchTxSender(signer, msg.sender);
        }
    }

    /// @dev Counts the sender's answer. The caller has checked that the key has not answered yet.
    function _count(uint256 requestId, address nodeKey, bytes32 digest) internal {
        KMSGenerationStorage storage $ = _storage();
        $.kmsHasSignedForResponse[requestId][nodeKey] = true;
        $.consensusTxSenderAddresses[requestId][digest].push(msg.sender);
    }

    /// @dev Whether this answer decides; true at most once per request. Later ones are listed and change nothing. With
    /// `byAccounts` an account counts once that answered twice, because its key was changed in between.
    function _decides(uint256 requestId, bytes32 digest, bool byAccounts) internal returns (bool) {
        KMSGenerationStorage storage $ = _storage();
        if ($.isRequestDone[requestId]) {
            return false;
        }
        uint256 threshold = GATEWAY_CONFIG.getKmsGenThreshold();
        address[] storage txSenders = $.consensusTxSenderAddresses[requestId][digest];
        if (txSenders.length < threshold || (byAccounts && _countDistinct(txSenders) < threshold)) {
            return false;
        }
        $.isRequestDone[requestId] = true;
        $.consensusDigest[requestId] = digest;
        return true;
    }

    /// @dev How many accounts are in a list. It is as long as there are nodes, and one more for each changed key.
    function _countDistinct(address[] memory accounts) private pure returns (uint256 count) {
        for (uint256 i = 0; i < accounts.length; i++) {
            uint256 j = 0;
            while (j < i && accounts[j] != accounts[i]) {
                j++;
            }
            if (j == i) {
                count++;
            }
        }
    }

    /// @dev The accounts that gave the agreed answer so far.
    function _consensusTxSenders(uint256 requestId) internal view returns (address[] memory) {
        KMSGenerationStorage storage $ = _storage();
        return $.consensusTxSenderAddresses[requestId][$.consensusDigest[requestId]];
    }

    /// @dev Where the nodes of these accounts keep what they generate, as GatewayConfig has it now.
    function _storageUrls(uint256 requestId) internal view returns (string[] memory urls) {
        address[] memory txSenders = _consensusTxSenders(requestId);
        urls = new string[](txSenders.length);
        for (uint256 i = 0; i < txSenders.length; i++) {
            urls[i] = GATEWAY_CONFIG.getKmsNode(txSenders[i]).storageUrl;
        }
    }

    /// @dev Reverts unless the nodes have agreed on this key; the id of another thing that is done is no key. Ids that
    /// were never given out are never done.
    function _checkKeyGenerated(uint256 keyId) internal view {
        if (keyId >> KIND_SHIFT != KEY_BASE >> KIND_SHIFT || !_storage().isRequestDone[keyId]) {
            revert KeyNotGenerated(keyId);
        }
    }

    /// @dev Reverts unless the nodes have agreed on this CRS.
    function _checkCrsGenerated(uint256 crsId) internal view {
        if (crsId >> KIND_SHIFT != CRS_BASE >> KIND_SHIFT || !_storage().isRequestDone[crsId]) {
            revert CrsNotGenerated(crsId);
        }
    }

    /// @dev What a node signs when it has prepared a key.
    function _hashPrepKeygen(uint256 prepKeygenId) internal view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(PREP_KEYGEN_TYPEHASH, prepKeygenId)));
    }

    /// @dev What a node signs when it has generated a key.
    function _hashKeygen(uint256 prepKeygenId, uint256 keyId, KeyDigest[] calldata keyDigests)
        internal
        view
        returns (bytes32)
    {
        bytes32[] memory hashes = new bytes32[](keyDigests.length);
        for (uint256 i = 0; i < keyDigests.length; i++) {
            KeyDigest calldata d = keyDigests[i];
            hashes[i] = keccak256(abi.encode(KEY_DIGEST_TYPEHASH, d.keyType, keccak256(d.digest)));
        }
        return _hashTypedDataV4(
            keccak256(abi.encode(KEYGEN_TYPEHASH, prepKeygenId, keyId, keccak256(abi.encodePacked(hashes))))
        );
    }

    /// @dev What a node signs when it has generated a CRS.
    function _hashCrsgen(uint256 crsId, uint256 maxBitLength, bytes calldata crsDigest)
        internal
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(CRSGEN_TYPEHASH, crsId, maxBitLength, keccak256(crsDigest))));
    }

    /// @dev The namespace's struct.
    function _storage() internal pure returns (KMSGenerationStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
