// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {CompactSignature, CompactSignatures} from "./CompactSignature.sol";
import {GatewayHostChains} from "./GatewayHostChains.sol";
import {GatewayOwned} from "./GatewayOwned.sol";
import {GatewayPausable} from "./GatewayPausable.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";
import {IProtocolPayment} from "./IProtocolPayment.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {EIP712Upgradeable} from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Proofs that a user knows what it encrypted
/// @notice Anybody may have an encrypted input with its proof checked. Coprocessors either sign the handles of the
/// input or reject the proof; enough of the same, and the one or the other is final. Never both.
/// @dev Requests stop while the contract is paused, answers do not.
contract InputVerification is FromEmptyProxy, UUPSUpgradeable, EIP712Upgradeable, GatewayPausable, GatewayHostChains {
    using CompactSignatures for bytes;
    using CompactSignatures for CompactSignature;

    /// @notice What a request was about.
    struct ZKProofInput {
        uint256 contractChainId;
        address contractAddress;
        address userAddress;
    }

    /// @custom:storage-location erc7201:fhevm_gateway.storage.InputVerification
    /// @dev Members are only ever appended. The `legacy` ones were written by earlier releases and keep their slots.
    struct InputVerificationStorage {
        uint256 zkProofIdCounter;
        mapping(uint256 zkProofId => ZKProofInput input) zkProofInputs;
        /// @dev Only of what an earlier implementation of the proxy accepted.
        mapping(uint256 zkProofId => mapping(bytes32 digest => bytes[] signatures)) zkProofSignatures;
        mapping(uint256 zkProofId => mapping(bytes32 digest => address[] txSenders)) verifyProofConsensusTxSenders;
        mapping(uint256 zkProofId => bool isVerified) verifiedZKProofs;
        mapping(uint256 zkProofId => mapping(address signer => bool hasVerified)) signerVerifiedZKPoK;
        mapping(uint256 zkProofId => bytes32 digest) verifyProofConsensusDigest;
        mapping(uint256 zkProofId => bool isRejected) rejectedZKProofs;
        /// @dev Always the length of the list of rejecters.
        mapping(uint256 zkProofId => uint256 count) legacyRejectedProofResponseCounter;
        mapping(uint256 zkProofId => mapping(address signer => bool hasRejected)) signerRejectedZKPoK;
        mapping(uint256 zkProofId => address[] txSenders) rejectProofConsensusTxSenders;
        /// @dev There is only one context of coprocessors.
        mapping(uint256 zkProofId => uint256 contextId) legacyInputVerificationContextId;
        /// @dev An earlier release let one coprocessor decide alone; its decisions stay.
        mapping(uint256 zkProofId => address txSender) priorityVerifyProofConsensusTxSender;
        mapping(uint256 zkProofId => address txSender) priorityRejectProofConsensusTxSender;
    }

    /// @custom:storage-location erc7201:claviger.storage.InputVerification
    /// @dev In a namespace of ours, so that the protocol's struct keeps its shape.
    struct ShortSignaturesStorage {
        /// @dev By the place of its sender in the list of those who gave this answer.
        mapping(uint256 zkProofId => mapping(bytes32 digest => mapping(uint256 place => CompactSignature))) signatures;
    }

    /// @notice An input is to be checked.
    /// @param zkProofId The request.
    /// @param contractChainId The host chain.
    /// @param contractAddress The contract the input is for.
    /// @param userAddress Who encrypted it.
    /// @param ciphertextWithZKProof The input.
    /// @param extraData The requester's extra data.
    event VerifyProofRequest(
        uint256 indexed zkProofId,
        uint256 indexed contractChainId,
        address contractAddress,
        address userAddress,
        bytes ciphertextWithZKProof,
        bytes extraData
    );

    /// @notice One coprocessor's handles of the input.
    /// @param zkProofId The request.
    /// @param ctHandles The handles.
    /// @param signature The coprocessor's signature.
    /// @param coprocessorTxSender The account it was sent from.
    /// @param extraData The extra data under the signature.
    event VerifyProofResponseCall(
        uint256 indexed zkProofId, bytes32[] ctHandles, bytes signature, address coprocessorTxSender, bytes extraData
    );

    /// @notice Enough coprocessors signed the same handles. Emitted at most once per request.
    /// @param zkProofId The request.
    /// @param ctHandles The handles.
    /// @param signatures Signatures over them, in order of arrival.
    event VerifyProofResponse(uint256 indexed zkProofId, bytes32[] ctHandles, bytes[] signatures);

    /// @notice One coprocessor rejects the proof.
    /// @param zkProofId The request.
    /// @param extraData Any.
    event RejectProofResponseCall(uint256 indexed zkProofId, bytes extraData);

    /// @notice Enough coprocessors rejected the proof. Emitted at most once per request.
    /// @param zkProofId The request.
    event RejectProofResponse(uint256 indexed zkProofId);

    /// @notice No request has the id.
    /// @param zkProofId The id.
    error VerifyProofNotRequested(uint256 zkProofId);

    /// @notice The coprocessor has signed handles of this input before.
    /// @param zkProofId The request.
    /// @param txSender The account it sends from.
    /// @param signer The address of its key.
    error CoprocessorAlreadyVerified(uint256 zkProofId, address txSender, address signer);

    /// @notice The coprocessor has rejected this proof before.
    /// @param zkProofId The request.
    /// @param txSender The account it sends from.
    /// @param signer The address of its key.
    error CoprocessorAlreadyRejected(uint256 zkProofId, address txSender, address signer);

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm_gateway.storage.InputVerification")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x4544165ce1653264fdcb09b029891e3d4c8d8583486821172f882e19a149a800;

    /// @dev keccak256(abi.encode(uint256(keccak256("claviger.storage.InputVerification")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant SHORT_SIGNATURES_SLOT = 0x253020926ef51567a85b28c2a86f968b6556fef2d739fa5c7b9757824be5c100;

    bytes32 private constant VERIFICATION_TYPEHASH = keccak256(
        "CiphertextVerification(bytes32[] ctHandles,address userAddress,address contractAddress,uint256 contractChainId,bytes extraData)"
    );

    uint64 private constant REINITIALIZER_VERSION = 7;

    IProtocolPayment private immutable PROTOCOL_PAYMENT;

    /// @param gatewayConfig The GatewayConfig proxy.
    /// @param protocolPayment The ProtocolPayment proxy.
    constructor(IGatewayConfig gatewayConfig, IProtocolPayment protocolPayment) GatewayOwned(gatewayConfig) {
        PROTOCOL_PAYMENT = protocolPayment;
        _disableInitializers();
    }

    /// @notice Initialises a new proxy.
    function initializeFromEmptyProxy() external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        __EIP712_init("InputVerification", "1");
        __Pausable_init();
    }

    /// @notice Takes over a proxy of the previous release.
    function reinitializeV6() external reinitializer(REINITIALIZER_VERSION) {}

    /// @notice Has an encrypted input checked. The sender pays the fee.
    /// @param contractChainId A host chain, registered and in service.
    /// @param contractAddress The contract the input is for.
    /// @param userAddress Who encrypted it.
    /// @param ciphertextWithZKProof The input; means nothing to this contract.
    /// @param extraData Any; the coprocessors get it.
    function verifyProofRequest(
        uint256 contractChainId,
        address contractAddress,
        address userAddress,
        bytes calldata ciphertextWithZKProof,
        bytes calldata extraData
    ) external {
        _checkHostChain(contractChainId);
        _requireNotPaused();
        InputVerificationStorage storage $ = _storage();
        uint256 zkProofId = ++$.zkProofIdCounter;
        $.zkProofInputs[zkProofId] = ZKProofInput(contractChainId, contractAddress, userAddress);
        PROTOCOL_PAYMENT.collectInputVerificationFee(msg.sender);
        emit VerifyProofRequest(
            zkProofId, contractChainId, contractAddress, userAddress, ciphertextWithZKProof, extraData
        );
    }

    /// @notice A coprocessor found the proof good. Accepted while paused, and also after the decision.
    /// @param zkProofId The request.
    /// @param ctHandles The handles of the input.
    /// @param signature 65 bytes over CiphertextVerification of these handles, the request and this extra data, by the
    /// key of the coprocessor that the sender sends for.
    /// @param extraData Any; under the signature.
    function verifyProofResponse(
        uint256 zkProofId,
        bytes32[] calldata ctHandles,
        bytes calldata signature,
        bytes calldata extraData
    ) external onlyCoprocessorTxSender {
        _checkRequested(zkProofId);
        bytes32 digest = _hashVerification(zkProofId, ctHandles, extraData);
        address signer = ECDSA.recover(digest, signature);
        _checkCoprocessor(signer);
        _checkNotResponded(zkProofId, signer);

        InputVerificationStorage storage $ = _storage();
        $.signerVerifiedZKPoK[zkProofId][signer] = true;
        $.verifyProofConsensusTxSenders[zkProofId][digest].push(msg.sender);
        emit VerifyProofResponseCall(zkProofId, ctHandles, signature, msg.sender, extraData);

        // After the decision no signature is ever emitted again, so none needs to be stored.
        if (_isDecided(zkProofId)) {
            return;
        }
        uint256 count = _keepSignature(zkProofId, digest, signature);
        if (count >= GATEWAY_CONFIG.getCoprocessorMajorityThreshold()) {
            $.verifiedZKProofs[zkProofId] = true;
            $.verifyProofConsensusDigest[zkProofId] = digest;
            emit VerifyProofResponse(zkProofId, ctHandles, _signaturesOf(zkProofId, digest));
        }
    }

    /// @notice A coprocessor found the proof bad. Accepted while paused, and also after the decision.
    /// @param zkProofId The request.
    /// @param extraData Any.
    function rejectProofResponse(uint256 zkProofId, bytes calldata extraData) external onlyCoprocessorTxSender {
        _checkRequested(zkProofId);
        // By key as for the other answer, so that nobody gives both.
        address signer = GATEWAY_CONFIG.getCoprocessor(msg.sender).signerAddress;
        _checkNotResponded(zkProofId, signer);

        InputVerificationStorage storage $ = _storage();
        $.signerRejectedZKPoK[zkProofId][signer] = true;
        address[] storage txSenders = $.rejectProofConsensusTxSenders[zkProofId];
        txSenders.push(msg.sender);
        emit RejectProofResponseCall(zkProofId, extraData);

        if (!_isDecided(zkProofId) && txSenders.length >= GATEWAY_CONFIG.getCoprocessorMajorityThreshold()) {
            $.rejectedZKProofs[zkProofId] = true;
            emit RejectProofResponse(zkProofId);
        }
    }

    /// @notice Whether an input was found good.
    /// @param zkProofId The request.
    /// @return True after that decision.
    function isProofVerified(uint256 zkProofId) external view returns (bool) {
        return _storage().verifiedZKProofs[zkProofId];
    }

    /// @notice Whether an input was found bad.
    /// @param zkProofId The request.
    /// @return True after that decision.
    function isProofRejected(uint256 zkProofId) external view returns (bool) {
        return _storage().rejectedZKProofs[zkProofId];
    }

    /// @notice The coprocessors that signed the agreed handles, late ones included.
    /// @param zkProofId The request.
    /// @return Their accounts in order of arrival; empty before the decision.
    function getVerifyProofConsensusTxSenders(uint256 zkProofId) external view returns (address[] memory) {
        InputVerificationStorage storage $ = _storage();
        address decidedAlone = $.priorityVerifyProofConsensusTxSender[zkProofId];
        if (decidedAlone != address(0)) {
            return _listOf(decidedAlone);
        }
        return $.verifyProofConsensusTxSenders[zkProofId][$.verifyProofConsensusDigest[zkProofId]];
    }

    /// @notice The coprocessors that rejected the proof, also before the decision and late ones.
    /// @param zkProofId The request.
    /// @return Their accounts in order of arrival.
    function getRejectProofConsensusTxSenders(uint256 zkProofId) external view returns (address[] memory) {
        InputVerificationStorage storage $ = _storage();
        address decidedAlone = $.priorityRejectProofConsensusTxSender[zkProofId];
        if (decidedAlone != address(0)) {
            return _listOf(decidedAlone);
        }
        return $.rejectProofConsensusTxSenders[zkProofId];
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "InputVerification v0.6.0";
    }

    function _authorizeUpgrade(address) internal view override onlyGatewayOwner {}

    /// @dev Keeps the signature of the answer that was counted last; returns how many have given this answer.
    function _keepSignature(uint256 zkProofId, bytes32 digest, bytes calldata signature)
        private
        returns (uint256 count)
    {
        count = _storage().verifyProofConsensusTxSenders[zkProofId][digest].length;
        _shortSignatures().signatures[zkProofId][digest][count - 1] = signature.pack();
    }

    /// @dev All signatures under an answer, in order of arrival. Those that an earlier implementation of the proxy
    /// took came first, and stand in full in the protocol's struct.
    function _signaturesOf(uint256 zkProofId, bytes32 digest) private view returns (bytes[] memory signatures) {
        bytes[] storage inFull = _storage().zkProofSignatures[zkProofId][digest];
        uint256 inFullCount = inFull.length;
        signatures = new bytes[](_storage().verifyProofConsensusTxSenders[zkProofId][digest].length);
        for (uint256 i = 0; i < signatures.length; i++) {
            signatures[i] = i < inFullCount ? inFull[i] : _shortSignatures().signatures[zkProofId][digest][i].unpack();
        }
    }

    function _checkRequested(uint256 zkProofId) private view {
        if (zkProofId == 0 || zkProofId > _storage().zkProofIdCounter) {
            revert VerifyProofNotRequested(zkProofId);
        }
    }

    function _checkNotResponded(uint256 zkProofId, address signer) private view {
        InputVerificationStorage storage $ = _storage();
        if ($.signerVerifiedZKPoK[zkProofId][signer]) {
            revert CoprocessorAlreadyVerified(zkProofId, msg.sender, signer);
        }
        if ($.signerRejectedZKPoK[zkProofId][signer]) {
            revert CoprocessorAlreadyRejected(zkProofId, msg.sender, signer);
        }
    }

    function _isDecided(uint256 zkProofId) private view returns (bool) {
        InputVerificationStorage storage $ = _storage();
        return $.verifiedZKProofs[zkProofId] || $.rejectedZKProofs[zkProofId];
    }

    function _hashVerification(uint256 zkProofId, bytes32[] calldata ctHandles, bytes calldata extraData)
        private
        view
        returns (bytes32)
    {
        ZKProofInput storage input = _storage().zkProofInputs[zkProofId];
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    VERIFICATION_TYPEHASH,
                    keccak256(abi.encodePacked(ctHandles)),
                    input.userAddress,
                    input.contractAddress,
                    input.contractChainId,
                    keccak256(extraData)
                )
            )
        );
    }

    function _listOf(address txSender) private pure returns (address[] memory txSenders) {
        txSenders = new address[](1);
        txSenders[0] = txSender;
    }

    function _storage() private pure returns (InputVerificationStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }

    function _shortSignatures() private pure returns (ShortSignaturesStorage storage $) {
        assembly {
            $.slot := SHORT_SIGNATURES_SLOT
        }
    }
}
