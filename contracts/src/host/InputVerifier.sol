// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {Handle} from "../shared/Handle.sol";
import {EIP712CrossChain} from "./EIP712CrossChain.sol";
import {HostOwned, IHostOwner} from "./HostOwned.sol";
import {TransientSet} from "./TransientSet.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Proof that an encrypted input is one its user made
/// @notice Checks the coprocessors' signatures under the handles of an input. A proof covers all handles of an input,
/// so it is checked once in a transaction, however many of them are used.
contract InputVerifier is FromEmptyProxy, UUPSUpgradeable, EIP712CrossChain, HostOwned {
    using Handle for bytes32;

    /// @notice Whose input it is, and for which contract.
    struct ContextUserInputs {
        address userAddress;
        address contractAddress;
    }

    /// @custom:storage-location erc7201:fhevm.storage.InputVerifier
    /// @dev Members are only ever appended.
    struct InputVerifierStorage {
        mapping(address signer => bool isSigner) isSigner;
        address[] signers;
        uint256 threshold;
    }

    /// @notice Coprocessors, or how many of them are needed, have changed.
    /// @param newSignersSet The addresses of their keys.
    /// @param newThreshold How many must sign.
    event NewContextSet(address[] newSignersSet, uint256 newThreshold);

    /// @notice A coprocessor's key is listed twice.
    error CoprocessorAlreadySigner();

    /// @notice A coprocessor's key has no address.
    error CoprocessorSignerNull();

    /// @notice The proof is shorter than its numbers of handles and signatures need.
    error DeserializingInputProofFail();

    /// @notice The proof is empty.
    error EmptyInputProof();

    /// @notice The handle is of another chain.
    error InvalidChainId();

    /// @notice A handle has a version that is not known.
    error InvalidHandleVersion();

    /// @notice The handle is not one of an input, or its place is beyond the proof's handles.
    error InvalidIndex();

    /// @notice The handle is not the one the proof has in its place.
    error InvalidInputHandle();

    /// @notice A signature is not by a coprocessor, or not over this input.
    /// @param signerRecovered The recovered address.
    error InvalidSigner(address signerRecovered);

    /// @notice The address is not that of a coprocessor's key.
    /// @dev Only here because the published interface has it.
    error NotASigner();

    /// @notice There are enough signatures, but not of enough coprocessors.
    error SignaturesVerificationFailed();

    /// @notice The proof has fewer signatures than are needed.
    /// @param numSignatures Their number.
    error SignatureThresholdNotReached(uint256 numSignatures);

    /// @notice There is at least one coprocessor.
    error SignersSetIsEmpty();

    /// @notice More signatures would be needed than there are coprocessors.
    error ThresholdIsAboveNumberOfSigners();

    /// @notice At least one signature is needed.
    error ThresholdIsNull();

    /// @notice The proof has no signature.
    error ZeroSignature();

    /// @notice The EIP-712 type of an input.
    string public constant EIP712_INPUT_VERIFICATION_TYPE =
        "CiphertextVerification(bytes32[] ctHandles,address userAddress,address contractAddress,uint256 contractChainId,bytes extraData)";

    /// @notice Its hash.
    bytes32 public constant EIP712_INPUT_VERIFICATION_TYPEHASH = keccak256(bytes(EIP712_INPUT_VERIFICATION_TYPE));

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm.storage.InputVerifier")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x3f7d7a96c8c7024e92d37afccfc9b87773a33b9bc22e23134b683e74a50ace00;

    /// @dev Proofs that were checked in this transaction, and signers seen in the one being checked.
    uint256 private constant CHECKED_PROOFS = uint256(keccak256("claviger.input-verifier.proofs"));
    uint256 private constant SEEN_SIGNERS = uint256(keccak256("claviger.input-verifier.signers"));

    /// @dev A proof is the number of handles, the number of signatures, the handles, the signatures, extra data.
    uint256 private constant HANDLES_OFFSET = 2;
    uint256 private constant HANDLE_LENGTH = 32;
    uint256 private constant SIGNATURE_LENGTH = 65;
    uint256 private constant MAX_INDEX = 254;
    uint8 private constant HANDLE_VERSION = 0;
    uint64 private constant REINITIALIZER_VERSION = 3;

    /// @param acl The ACL proxy, which knows the owner.
    constructor(IHostOwner acl) HostOwned(acl) {
        _disableInitializers();
    }

    /// @notice Initialises a new proxy; only for the owner.
    /// @param verifyingContractSource The InputVerification proxy on the gateway chain.
    /// @param chainIDSource The gateway's chain id.
    /// @param initialSigners The addresses of the coprocessors' keys.
    /// @param initialThreshold How many of them must sign.
    function initializeFromEmptyProxy(
        address verifyingContractSource,
        uint64 chainIDSource,
        address[] calldata initialSigners,
        uint256 initialThreshold
    ) external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) onlyHostOwner {
        __EIP712CrossChain_init("InputVerification", "1", verifyingContractSource, chainIDSource);
        _define(initialSigners, initialThreshold);
    }

    /// @notice Takes over a proxy of the previous release; only for the owner.
    /// @param newSignersSet The addresses of the coprocessors' keys.
    /// @param threshold How many of them must sign.
    function reinitializeV2(address[] calldata newSignersSet, uint256 threshold)
        external
        reinitializer(REINITIALIZER_VERSION)
        onlyHostOwner
    {
        _define(newSignersSet, threshold);
    }

    /// @notice Replaces the coprocessors.
    /// @param newSignersSet The addresses of their keys: at least one, none twice.
    /// @param newThreshold How many of them must sign, at least one.
    function defineNewContext(address[] calldata newSignersSet, uint256 newThreshold) external onlyHostOwner {
        _define(newSignersSet, newThreshold);
    }

    /// @notice Changes how many coprocessors must sign.
    /// @param threshold At least one, at most all.
    function setThreshold(uint256 threshold) external onlyHostOwner {
        _setThreshold(threshold);
        emit NewContextSet(_storage().signers, threshold);
    }

    /// @notice Forgets the proofs that were checked in this transaction, for accounts that bundle the calls of several
    /// users in one.
    function cleanTransientStorage() external {
        TransientSet.clear(CHECKED_PROOFS);
    }

    /// @notice Checks one handle of an encrypted input.
    /// @dev Not a view, because a proof that was checked is remembered until the transaction ends.
    /// @param context Whose input it is, and for which contract.
    /// @param inputHandle The handle.
    /// @param inputProof The proof of the whole input.
    /// @return The handle. Everything that is wrong reverts. Signatures after the threshold is reached are not looked at.
    function verifyInput(ContextUserInputs calldata context, bytes32 inputHandle, bytes calldata inputProof)
        external
        returns (bytes32)
    {
        if (inputHandle.chainId() != block.chainid) {
            revert InvalidChainId();
        }
        if (inputProof.length == 0) {
            revert EmptyInputProof();
        }
        uint256 numHandles = uint8(inputProof[0]);
        uint256 index = uint8(inputHandle[21]);
        if (index >= numHandles || index > MAX_INDEX) {
            revert InvalidIndex();
        }
        bytes32 key = keccak256(abi.encodePacked(context.contractAddress, context.userAddress, inputProof));
        if (!TransientSet.has(key)) {
            _checkProof(context, inputProof, numHandles);
            TransientSet.add(CHECKED_PROOFS, key);
        }
        uint256 place = HANDLES_OFFSET + index * HANDLE_LENGTH;
        if (bytes32(inputProof[place:place + HANDLE_LENGTH]) != inputHandle) {
            revert InvalidInputHandle();
        }
        return inputHandle;
    }

    /// @notice The keys the coprocessors sign with.
    /// @return Their addresses.
    function getCoprocessorSigners() external view returns (address[] memory) {
        return _storage().signers;
    }

    /// @notice How many coprocessors must sign.
    /// @return Their number.
    function getThreshold() external view returns (uint256) {
        return _storage().threshold;
    }

    /// @notice Whether a key signs for a coprocessor.
    /// @param account The key's address.
    /// @return True if it does.
    function isSigner(address account) external view returns (bool) {
        return _storage().isSigner[account];
    }

    /// @notice The version of handles.
    /// @return The last byte of every handle.
    function getHandleVersion() external pure returns (uint8) {
        return HANDLE_VERSION;
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "InputVerifier v0.2.0";
    }

    function _authorizeUpgrade(address) internal view override onlyHostOwner {}

    function _define(address[] calldata newSigners, uint256 newThreshold) private {
        if (newSigners.length == 0) {
            revert SignersSetIsEmpty();
        }
        InputVerifierStorage storage $ = _storage();
        for (uint256 i = 0; i < $.signers.length; i++) {
            $.isSigner[$.signers[i]] = false;
        }
        for (uint256 i = 0; i < newSigners.length; i++) {
            if (newSigners[i] == address(0)) {
                revert CoprocessorSignerNull();
            }
            if ($.isSigner[newSigners[i]]) {
                revert CoprocessorAlreadySigner();
            }
            $.isSigner[newSigners[i]] = true;
        }
        $.signers = newSigners;
        _setThreshold(newThreshold);
        emit NewContextSet(newSigners, newThreshold);
    }

    function _setThreshold(uint256 threshold) private {
        if (threshold == 0) {
            revert ThresholdIsNull();
        }
        InputVerifierStorage storage $ = _storage();
        if (threshold > $.signers.length) {
            revert ThresholdIsAboveNumberOfSigners();
        }
        $.threshold = threshold;
    }

    function _checkProof(ContextUserInputs calldata context, bytes calldata proof, uint256 numHandles) private {
        if (proof.length < HANDLES_OFFSET) {
            revert DeserializingInputProofFail();
        }
        uint256 numSignatures = uint8(proof[1]);
        uint256 signaturesAt = HANDLES_OFFSET + HANDLE_LENGTH * numHandles;
        uint256 extraDataAt = signaturesAt + SIGNATURE_LENGTH * numSignatures;
        if (proof.length < extraDataAt) {
            revert DeserializingInputProofFail();
        }
        for (uint256 end = HANDLES_OFFSET + HANDLE_LENGTH; end <= signaturesAt; end += HANDLE_LENGTH) {
            if (uint8(proof[end - 1]) != HANDLE_VERSION) {
                revert InvalidHandleVersion();
            }
        }
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    EIP712_INPUT_VERIFICATION_TYPEHASH,
                    keccak256(proof[HANDLES_OFFSET:signaturesAt]),
                    context.userAddress,
                    context.contractAddress,
                    block.chainid,
                    keccak256(proof[extraDataAt:])
                )
            )
        );
        _checkSignatures(digest, proof[signaturesAt:extraDataAt], numSignatures);
    }

    function _checkSignatures(bytes32 digest, bytes calldata signatures, uint256 n) private {
        InputVerifierStorage storage $ = _storage();
        uint256 threshold = $.threshold;
        if (n == 0) {
            revert ZeroSignature();
        }
        if (n < threshold) {
            revert SignatureThresholdNotReached(n);
        }
        uint256 distinct;
        for (uint256 i = 0; i < n && distinct < threshold; i++) {
            address signer = ECDSA.recover(digest, signatures[i * SIGNATURE_LENGTH:(i + 1) * SIGNATURE_LENGTH]);
            if (!$.isSigner[signer]) {
                revert InvalidSigner(signer);
            }
            if (TransientSet.add(SEEN_SIGNERS, bytes32(uint256(uint160(signer))))) {
                distinct++;
            }
        }
        // Another proof in the same transaction must start afresh.
        TransientSet.clear(SEEN_SIGNERS);
        if (distinct < threshold) {
            revert SignaturesVerificationFailed();
        }
    }

    function _storage() private pure returns (InputVerifierStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
