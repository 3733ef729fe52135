// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {EIP712CrossChain} from "./EIP712CrossChain.sol";
import {HostContexts} from "./HostContexts.sol";
import {HostOwned, IHostOwner} from "./HostOwned.sol";
import {IProtocolConfig} from "./IProtocolConfig.sol";
import {TransientSet} from "./TransientSet.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Proof that the KMS decrypted something
/// @notice Checks the signatures of KMS nodes under a public decryption, so that a contract on the host chain can take
/// the values as true. Signers and threshold are those of the context that the proof names.
contract KMSVerifier is FromEmptyProxy, UUPSUpgradeable, EIP712CrossChain, HostContexts, HostOwned {
    /// @notice The proof is empty.
    error EmptyDecryptionProof();

    /// @notice The proof is shorter than its number of signatures needs.
    error DeserializingDecryptionProofFail();

    /// @notice The proof has no signature.
    error KMSZeroSignature();

    /// @notice The proof has fewer signatures than the context's threshold.
    /// @param numSignatures Their number.
    error KMSSignatureThresholdNotReached(uint256 numSignatures);

    /// @notice A signature is not by a node of the context, or not over these values.
    /// @param invalidSigner The recovered address.
    error KMSInvalidSigner(address invalidSigner);

    /// @notice The EIP-712 type of a public decryption.
    string public constant EIP712_PUBLIC_DECRYPT_TYPE =
        "PublicDecryptVerification(bytes32[] ctHandles,bytes decryptedResult,bytes extraData)";

    /// @notice Its hash.
    bytes32 public constant DECRYPTION_RESULT_TYPEHASH = keccak256(bytes(EIP712_PUBLIC_DECRYPT_TYPE));

    uint256 private constant SIGNATURE_LENGTH = 65;
    uint64 private constant REINITIALIZER_VERSION = 5;

    /// @dev Signers seen in the proof being checked.
    uint256 private constant SEEN_SIGNERS = uint256(keccak256("claviger.kms-verifier.signers"));

    /// @param acl The ACL proxy, which knows the owner.
    /// @param protocolConfig The ProtocolConfig proxy, which knows the contexts.
    constructor(IHostOwner acl, IProtocolConfig protocolConfig) HostContexts(protocolConfig) HostOwned(acl) {
        _disableInitializers();
    }

    /// @notice Initialises a new proxy.
    /// @param verifyingContractSource The Decryption proxy on the gateway chain.
    /// @param chainIDSource The gateway's chain id.
    function initializeFromEmptyProxy(address verifyingContractSource, uint64 chainIDSource)
        external
        onlyFromEmptyProxy
        reinitializer(REINITIALIZER_VERSION)
    {
        __EIP712CrossChain_init("Decryption", "1", verifyingContractSource, chainIDSource);
    }

    /// @notice Takes over a proxy of the previous release.
    function reinitializeV4() external reinitializer(REINITIALIZER_VERSION) {}

    /// @notice Checks a public decryption.
    /// @dev Not a view, because distinct signers are counted in transient storage.
    /// @param handlesList The handles, in the order of the request.
    /// @param decryptedResult The values, one word per handle.
    /// @param decryptionProof Number of signatures (1 byte), the signatures (65 bytes each), extra data (the rest).
    /// @return True if enough distinct nodes signed; false if there are enough signatures but not of enough nodes.
    /// Everything else that is wrong reverts. Signatures after the threshold is reached are not looked at.
    function verifyDecryptionEIP712KMSSignatures(
        bytes32[] calldata handlesList,
        bytes calldata decryptedResult,
        bytes calldata decryptionProof
    ) external returns (bool) {
        if (decryptionProof.length == 0) {
            revert EmptyDecryptionProof();
        }
        uint256 n = uint8(decryptionProof[0]);
        uint256 end = 1 + n * SIGNATURE_LENGTH;
        if (decryptionProof.length < end) {
            revert DeserializingDecryptionProofFail();
        }
        bytes calldata extraData = decryptionProof[end:];
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    DECRYPTION_RESULT_TYPEHASH,
                    keccak256(abi.encodePacked(handlesList)),
                    keccak256(decryptedResult),
                    keccak256(extraData)
                )
            )
        );
        return _verify(digest, decryptionProof[1:end], n, _contextOf(extraData));
    }

    /// @notice The keys the nodes of the context in use sign with.
    /// @return Their addresses, in party order.
    function getKmsSigners() external view returns (address[] memory) {
        return PROTOCOL_CONFIG.getKmsSigners();
    }

    /// @notice Distinct signatures that prove a public decryption in the context in use.
    /// @return Their number.
    function getThreshold() external view returns (uint256) {
        return PROTOCOL_CONFIG.getPublicDecryptionThreshold();
    }

    /// @notice Whether a key signs for a node of the context in use.
    /// @param account The key's address.
    /// @return True if it does.
    function isSigner(address account) external view returns (bool) {
        return PROTOCOL_CONFIG.isKmsSigner(account);
    }

    /// @notice The context in use.
    /// @return Its id.
    function getCurrentKmsContextId() external view returns (uint256) {
        return PROTOCOL_CONFIG.getCurrentKmsContextId();
    }

    /// @notice The keys a context's nodes sign with.
    /// @param kmsContextId The context.
    /// @return Their addresses, in party order.
    function getSignersForKmsContext(uint256 kmsContextId) external view returns (address[] memory) {
        return PROTOCOL_CONFIG.getKmsSignersForContext(kmsContextId);
    }

    /// @notice Who must sign a public decryption with this extra data.
    /// @param extraData The extra data.
    /// @return signers The addresses of the context's keys.
    /// @return threshold How many of them.
    function getContextSignersAndThresholdFromExtraData(bytes calldata extraData)
        external
        view
        returns (address[] memory signers, uint256 threshold)
    {
        uint256 contextId = _contextOf(extraData);
        signers = PROTOCOL_CONFIG.getKmsSignersForContext(contextId);
        threshold = PROTOCOL_CONFIG.getPublicDecryptionThresholdForContext(contextId);
    }

    /// @notice The contract that knows the contexts.
    /// @return Its address.
    function getProtocolConfigAddress() external view returns (address) {
        return address(PROTOCOL_CONFIG);
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "KMSVerifier v0.4.0";
    }

    function _authorizeUpgrade(address) internal view override onlyHostOwner {}

    function _verify(bytes32 digest, bytes calldata signatures, uint256 n, uint256 contextId) private returns (bool) {
        uint256 threshold = PROTOCOL_CONFIG.getPublicDecryptionThresholdForContext(contextId);
        if (n == 0) {
            revert KMSZeroSignature();
        }
        if (n < threshold) {
            revert KMSSignatureThresholdNotReached(n);
        }
        uint256 distinct;
        for (uint256 i = 0; i < n && distinct < threshold; i++) {
            address signer = ECDSA.recover(digest, signatures[i * SIGNATURE_LENGTH:(i + 1) * SIGNATURE_LENGTH]);
            if (!PROTOCOL_CONFIG.isKmsSignerForContext(contextId, signer)) {
                revert KMSInvalidSigner(signer);
            }
            if (TransientSet.add(SEEN_SIGNERS, bytes32(uint256(uint160(signer))))) {
                distinct++;
            }
        }
        // A later call in the same transaction must start afresh.
        TransientSet.clear(SEEN_SIGNERS);
        return distinct >= threshold;
    }
}
