// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {Handle} from "../shared/Handle.sol";
import {GatewayHostChains} from "./GatewayHostChains.sol";
import {GatewayOwned} from "./GatewayOwned.sol";
import {CiphertextMaterial, SnsCiphertextMaterial} from "./GatewayTypes.sol";
import {ICiphertextCommits} from "./ICiphertextCommits.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title Ciphertext commitments
/// @notice Coprocessors vote on the digests of the ciphertext under a handle. Equal votes are grouped; the first group
/// that reaches the coprocessor threshold makes the handle's material final. Later equal votes still count as
/// witnesses in the getters.
contract CiphertextCommits is ICiphertextCommits, FromEmptyProxy, UUPSUpgradeable, GatewayHostChains {
    using Handle for bytes32;

    /// @custom:storage-location erc7201:fhevm_gateway.storage.CiphertextCommits
    /// @dev Members are only ever appended. The ones not used any more keep their slots for proxies that had them.
    struct CiphertextCommitsStorage {
        mapping(bytes32 ctHandle => uint256 keyId) keyIds;
        mapping(bytes32 ctHandle => bytes32 digest) ciphertextDigests;
        mapping(bytes32 ctHandle => bytes32 digest) snsCiphertextDigests;
        mapping(bytes32 ctHandle => bool isFinal) isCiphertextMaterialAdded;
        /// @dev Kept for the layout: the number of votes is the length of the group's list of senders.
        mapping(bytes32 groupHash => uint256 count) addCiphertextHashCounters;
        mapping(bytes32 ctHandle => bytes32 groupHash) ctHandleConsensusHash;
        mapping(bytes32 ctHandle => mapping(address txSender => bool hasVoted)) alreadyAddedCoprocessorTxSenders;
        mapping(bytes32 groupHash => address[] txSenders) coprocessorTxSenderAddresses;
        /// @dev Kept for the layout: there is one coprocessor context.
        mapping(bytes32 groupHash => uint256 contextId) addCiphertextContextId;
        /// @dev Set by an earlier release that let one coprocessor decide alone; such handles keep that one witness.
        mapping(bytes32 ctHandle => address txSender) priorityConsensusTxSender;
    }

    /// @notice A coprocessor voted.
    /// @param ctHandle The handle.
    /// @param keyId The key the ciphertext is under.
    /// @param ciphertextDigest Keccak-256 of the ciphertext.
    /// @param snsCiphertextDigest Keccak-256 of its noise-squashed form.
    /// @param coprocessorTxSender The voter.
    event AddCiphertextMaterial(
        bytes32 indexed ctHandle,
        uint256 keyId,
        bytes32 ciphertextDigest,
        bytes32 snsCiphertextDigest,
        address coprocessorTxSender
    );

    /// @notice Enough coprocessors voted alike; the material is final.
    /// @param ctHandle The handle.
    /// @param keyId The key the ciphertext is under.
    /// @param ciphertextDigest Keccak-256 of the ciphertext.
    /// @param snsCiphertextDigest Keccak-256 of its noise-squashed form.
    /// @param coprocessorTxSenders The voters, in order of arrival.
    event AddCiphertextMaterialConsensus(
        bytes32 indexed ctHandle,
        uint256 keyId,
        bytes32 ciphertextDigest,
        bytes32 snsCiphertextDigest,
        address[] coprocessorTxSenders
    );

    /// @notice The coprocessor has voted on this handle before.
    /// @param ctHandle The handle.
    /// @param txSender The coprocessor's account.
    error CoprocessorAlreadyAdded(bytes32 ctHandle, address txSender);

    /// @notice The handle's material is not final.
    /// @param ctHandle The handle.
    error CiphertextMaterialNotFound(bytes32 ctHandle);

    /// @notice No handle was given.
    error EmptyCtHandles();

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm_gateway.storage.CiphertextCommits")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0xf41c60ea5b83c8f19b663613ffdd3fa441a59933b8a4fdf4da891b38433d1a00;

    bytes32 private constant VOTE_DOMAIN = keccak256("CiphertextCommits.addCiphertextMaterial");

    uint64 private constant REINITIALIZER_VERSION = 7;

    /// @param gatewayConfig The GatewayConfig proxy.
    constructor(IGatewayConfig gatewayConfig) GatewayOwned(gatewayConfig) {
        _disableInitializers();
    }

    /// @notice Initialises a new proxy.
    function initializeFromEmptyProxy() external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {}

    /// @notice Takes over a proxy of the previous release.
    function reinitializeV6() external reinitializer(REINITIALIZER_VERSION) {}

    /// @notice Votes on the ciphertext under a handle, once per coprocessor and handle.
    /// @param ctHandle The handle, of a host chain in service.
    /// @param keyId The key the ciphertext is under.
    /// @param ciphertextDigest Keccak-256 of the ciphertext.
    /// @param snsCiphertextDigest Keccak-256 of its noise-squashed form.
    function addCiphertextMaterial(
        bytes32 ctHandle,
        uint256 keyId,
        bytes32 ciphertextDigest,
        bytes32 snsCiphertextDigest
    ) external onlyCoprocessorTxSender {
        _checkHostChain(ctHandle.chainId());
        CiphertextCommitsStorage storage $ = _storage();

        if ($.alreadyAddedCoprocessorTxSenders[ctHandle][msg.sender]) {
            revert CoprocessorAlreadyAdded(ctHandle, msg.sender);
        }
        $.alreadyAddedCoprocessorTxSenders[ctHandle][msg.sender] = true;

        bytes32 group = keccak256(abi.encode(VOTE_DOMAIN, ctHandle, keyId, ciphertextDigest, snsCiphertextDigest));
        address[] storage voters = $.coprocessorTxSenderAddresses[group];
        voters.push(msg.sender);

        emit AddCiphertextMaterial(ctHandle, keyId, ciphertextDigest, snsCiphertextDigest, msg.sender);

        if (!$.isCiphertextMaterialAdded[ctHandle] && voters.length >= GATEWAY_CONFIG.getCoprocessorMajorityThreshold())
        {
            $.keyIds[ctHandle] = keyId;
            $.ciphertextDigests[ctHandle] = ciphertextDigest;
            $.snsCiphertextDigests[ctHandle] = snsCiphertextDigest;
            $.isCiphertextMaterialAdded[ctHandle] = true;
            $.ctHandleConsensusHash[ctHandle] = group;

            emit AddCiphertextMaterialConsensus(ctHandle, keyId, ciphertextDigest, snsCiphertextDigest, voters);
        }
    }

    /// @notice The agreed ciphertexts.
    /// @param ctHandles At least one handle, all of them final.
    /// @return ctMaterials One element per handle, in order.
    function getCiphertextMaterials(bytes32[] calldata ctHandles)
        external
        view
        returns (CiphertextMaterial[] memory ctMaterials)
    {
        if (ctHandles.length == 0) {
            revert EmptyCtHandles();
        }
        CiphertextCommitsStorage storage $ = _storage();
        ctMaterials = new CiphertextMaterial[](ctHandles.length);
        for (uint256 i = 0; i < ctHandles.length; i++) {
            bytes32 ctHandle = ctHandles[i];
            _checkFinal(ctHandle);
            ctMaterials[i] = CiphertextMaterial(
                ctHandle, $.keyIds[ctHandle], $.ciphertextDigests[ctHandle], _consensusTxSenders(ctHandle)
            );
        }
    }

    /// @inheritdoc ICiphertextCommits
    function getSnsCiphertextMaterials(bytes32[] calldata ctHandles)
        external
        view
        returns (SnsCiphertextMaterial[] memory snsCtMaterials)
    {
        if (ctHandles.length == 0) {
            revert EmptyCtHandles();
        }
        CiphertextCommitsStorage storage $ = _storage();
        snsCtMaterials = new SnsCiphertextMaterial[](ctHandles.length);
        uint256 checkedChainId;
        for (uint256 i = 0; i < ctHandles.length; i++) {
            bytes32 ctHandle = ctHandles[i];
            uint256 chainId = ctHandle.chainId();
            // The handles of one request mostly share their chain; zero can never be registered.
            if (chainId == 0 || chainId != checkedChainId) {
                _checkHostChain(chainId);
                checkedChainId = chainId;
            }
            _checkFinal(ctHandle);
            snsCtMaterials[i] = SnsCiphertextMaterial(
                ctHandle, $.keyIds[ctHandle], $.snsCiphertextDigests[ctHandle], _consensusTxSenders(ctHandle)
            );
        }
    }

    /// @inheritdoc ICiphertextCommits
    function isCiphertextMaterialAdded(bytes32 ctHandle) external view returns (bool) {
        return _storage().isCiphertextMaterialAdded[ctHandle];
    }

    /// @notice The coprocessors that voted for the agreed material, late ones included.
    /// @param ctHandle The handle.
    /// @return Their accounts in order of arrival; empty before the material is final.
    function getAddCiphertextMaterialConsensusTxSenders(bytes32 ctHandle) external view returns (address[] memory) {
        return _consensusTxSenders(ctHandle);
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "CiphertextCommits v0.6.0";
    }

    function _authorizeUpgrade(address) internal view override onlyGatewayOwner {}

    function _checkFinal(bytes32 ctHandle) private view {
        if (!_storage().isCiphertextMaterialAdded[ctHandle]) {
            revert CiphertextMaterialNotFound(ctHandle);
        }
    }

    function _consensusTxSenders(bytes32 ctHandle) private view returns (address[] memory txSenders) {
        CiphertextCommitsStorage storage $ = _storage();
        address decidedAlone = $.priorityConsensusTxSender[ctHandle];
        if (decidedAlone != address(0)) {
            txSenders = new address[](1);
            txSenders[0] = decidedAlone;
            return txSenders;
        }
        return $.coprocessorTxSenderAddresses[$.ctHandleConsensusHash[ctHandle]];
    }

    function _storage() private pure returns (CiphertextCommitsStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
