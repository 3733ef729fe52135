// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {HostOwned, IHostOwner} from "./HostOwned.sol";
import {IProtocolConfig} from "./IProtocolConfig.sol";
import {KmsNode, KmsNodeParams, KmsThresholds, PcrValues} from "./ProtocolConfigTypes.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title KMS contexts and epochs
/// @notice A context is a set of nodes with its thresholds; an epoch is one sharing of the keys among them. A
/// deployment begins with one active context and one active epoch.
/// @dev Of a node only what contracts and clients ask for is stored. The rest is in the event, and a hash of
/// everything is kept as the context's anchor.
contract ProtocolConfig is IProtocolConfig, FromEmptyProxy, UUPSUpgradeable, HostOwned {
    /// @notice How far a context has come.
    enum ContextState {
        None,
        Pending,
        Created,
        Active
    }

    /// @notice How far an epoch has come.
    enum EpochState {
        None,
        Pending,
        Active
    }

    /// @notice What a context was announced as.
    struct ContextAnchor {
        uint256 emissionBlockNumber;
        bytes32 contextInfoHash;
    }

    /// @custom:storage-location erc7201:fhevm.storage.ProtocolConfig
    /// @dev Members are only ever appended.
    struct ProtocolConfigStorage {
        /// @dev The highest id given to a context.
        uint256 currentKmsContextId;
        mapping(uint256 contextId => KmsNode[] nodes) kmsNodesForContext;
        mapping(uint256 contextId => mapping(address txSender => bool isRegistered)) isKmsTxSenderForContext;
        mapping(uint256 contextId => mapping(address signer => bool isRegistered)) isKmsSignerForContext;
        mapping(uint256 contextId => mapping(address txSender => KmsNode node)) kmsNodeByTxSenderForContext;
        mapping(uint256 contextId => address[] signers) kmsSignerAddressesForContext;
        mapping(uint256 contextId => uint256 threshold) publicDecryptionThresholdForContext;
        mapping(uint256 contextId => uint256 threshold) userDecryptionThresholdForContext;
        mapping(uint256 contextId => uint256 threshold) kmsGenThresholdForContext;
        mapping(uint256 contextId => uint256 threshold) mpcThresholdForContext;
        mapping(uint256 contextId => bool isDestroyed) destroyedContexts;
        uint256 latestActiveKmsContextId;
        uint256 epochCounter;
        uint256 latestActiveEpochId;
        mapping(uint256 contextId => ContextState state) contextState;
        mapping(uint256 epochId => EpochState state) epochState;
        mapping(uint256 epochId => uint256 contextId) contextForEpoch;
        /// @dev The next six members belong to the handshakes that create a context and activate an epoch.
        mapping(uint256 contextId => mapping(address txSender => bool hasConfirmed)) contextCreationConfirmedByTxSender;
        mapping(uint256 epochId => mapping(address signer => bool hasConfirmed)) epochActivationConfirmedBySigner;
        mapping(uint256 epochId => mapping(bytes32 dataHash => uint256 count))
            epochActivationConfirmationCountForDigest;
        mapping(uint256 contextId => uint256 threshold) contextCreationPreviousTxSenderThreshold;
        mapping(uint256 contextId => uint256 count) contextCreationNewTxSenderConfirmationCount;
        mapping(uint256 contextId => uint256 count) contextCreationPreviousTxSenderConfirmationCount;
        mapping(uint256 contextId => ContextAnchor anchor) contextAnchors;
    }

    /// @notice A context was announced.
    /// @param contextId Its id.
    /// @param previousContextId The context it follows; for the first one, an id that no context has.
    /// @param kmsNodeParams Its nodes, in party order.
    /// @param thresholds Its thresholds.
    /// @param softwareVersion What the nodes are to run.
    /// @param pcrValues Enclave measurements that the nodes' software may have.
    event NewKmsContext(
        uint256 indexed contextId,
        uint256 indexed previousContextId,
        KmsNodeParams[] kmsNodeParams,
        KmsThresholds thresholds,
        string softwareVersion,
        PcrValues[] pcrValues
    );

    /// @notice No node was given.
    error EmptyKmsNodes();

    /// @notice More nodes than a decryption proof can count.
    /// @param signerCount Their number.
    /// @param maxAllowed The limit.
    error KmsSignerSetExceedsProofFormatLimit(uint256 signerCount, uint256 maxAllowed);

    /// @notice A threshold is not zero.
    /// @param thresholdName Which threshold.
    error InvalidNullThreshold(string thresholdName);

    /// @notice A threshold that no decryption proof can reach.
    /// @param thresholdName Which threshold.
    /// @param threshold Its value.
    /// @param maxAllowed The limit.
    error ThresholdExceedsProofFormatLimit(string thresholdName, uint256 threshold, uint256 maxAllowed);

    /// @notice More than there are nodes.
    /// @param thresholdName Which threshold.
    /// @param threshold Its value.
    /// @param nodeCount Their number.
    error InvalidHighThreshold(string thresholdName, uint256 threshold, uint256 nodeCount);

    /// @notice A node has no account.
    error KmsNodeNullTxSender();

    /// @notice A node has no key.
    error KmsNodeNullSigner();

    /// @notice Two nodes have the same account.
    /// @param txSender The account.
    error KmsTxSenderAlreadyRegistered(address txSender);

    /// @notice Two nodes have the same key.
    /// @param signer The key's address.
    error KmsSignerAlreadyRegistered(address signer);

    /// @notice The context is unknown, destroyed, or not yet as far as the call needs it.
    /// @param kmsContextId The context.
    error InvalidKmsContext(uint256 kmsContextId);

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm.storage.ProtocolConfig")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x80f3585af86806c5774303b06c1ee640aa83b6ef3e45df49bb26c8524500c200;

    /// @dev Ids carry their kind in the top byte; the first id is one above these.
    uint256 private constant CONTEXT_BASE = 7 << 248;
    uint256 private constant EPOCH_BASE = 8 << 248;

    /// @dev Decryption proofs count their signatures in one byte.
    uint256 private constant PROOF_FORMAT_LIMIT = 255;
    uint64 private constant REINITIALIZER_VERSION = 3;

    /// @dev Reverts unless the context is active and not destroyed.
    modifier onlyValidKmsContext(uint256 kmsContextId) {
        if (!_isValid(kmsContextId)) {
            revert InvalidKmsContext(kmsContextId);
        }
        _;
    }

    /// @dev Reverts unless the context exists and is not destroyed.
    modifier onlyLiveKmsContext(uint256 kmsContextId) {
        if (!_isLive(kmsContextId)) {
            revert InvalidKmsContext(kmsContextId);
        }
        _;
    }

    /// @dev Reverts unless the context exists.
    modifier onlyKnownKmsContext(uint256 kmsContextId) {
        if (_storage().contextState[kmsContextId] == ContextState.None) {
            revert InvalidKmsContext(kmsContextId);
        }
        _;
    }

    /// @param acl The ACL proxy, which knows the owner.
    constructor(IHostOwner acl) HostOwned(acl) {
        _disableInitializers();
    }

    /// @notice Initialises a new proxy with the first context and the first epoch, both active.
    /// @param initialKmsNodeParams The nodes, 1 to 255, in party order; accounts and keys unique among them.
    /// @param initialThresholds The thresholds, each 1 to n.
    /// @param softwareVersion What the nodes are to run.
    /// @param pcrValues Enclave measurements that the nodes' software may have.
    function initializeFromEmptyProxy(
        KmsNodeParams[] calldata initialKmsNodeParams,
        KmsThresholds calldata initialThresholds,
        string calldata softwareVersion,
        PcrValues[] calldata pcrValues
    ) external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        ProtocolConfigStorage storage $ = _storage();
        uint256 contextId = CONTEXT_BASE + 1;
        uint256 epochId = EPOCH_BASE + 1;

        _storeContext(contextId, initialKmsNodeParams, initialThresholds);
        $.currentKmsContextId = contextId;
        $.latestActiveKmsContextId = contextId;
        $.contextState[contextId] = ContextState.Active;
        $.epochCounter = epochId;
        $.latestActiveEpochId = epochId;
        $.epochState[epochId] = EpochState.Active;
        $.contextForEpoch[epochId] = contextId;
        $.contextAnchors[contextId] = ContextAnchor(
            block.number, keccak256(abi.encode(initialKmsNodeParams, initialThresholds, softwareVersion, pcrValues))
        );

        emit NewKmsContext(contextId, CONTEXT_BASE, initialKmsNodeParams, initialThresholds, softwareVersion, pcrValues);
    }

    /// @inheritdoc IProtocolConfig
    function getCurrentKmsContextId() external view returns (uint256) {
        return _storage().latestActiveKmsContextId;
    }

    /// @notice The highest id given to a context, which need not be active.
    /// @return The id.
    function getCurrentKmsContextIdCounter() external view returns (uint256) {
        return _storage().currentKmsContextId;
    }

    /// @notice The context and the epoch in use.
    /// @return contextId The context.
    /// @return epochId The epoch.
    function getCurrentKmsContextAndEpoch() external view returns (uint256 contextId, uint256 epochId) {
        ProtocolConfigStorage storage $ = _storage();
        return ($.latestActiveKmsContextId, $.latestActiveEpochId);
    }

    /// @notice What a context was announced as; also for a destroyed one.
    /// @param contextId The context.
    /// @return emissionBlockNumber The block of the event.
    /// @return contextInfoHash Keccak-256 of the event's unindexed fields, ABI encoded.
    function getKmsContextAnchor(uint256 contextId)
        external
        view
        onlyKnownKmsContext(contextId)
        returns (uint256 emissionBlockNumber, bytes32 contextInfoHash)
    {
        ContextAnchor storage anchor = _storage().contextAnchors[contextId];
        return (anchor.emissionBlockNumber, anchor.contextInfoHash);
    }

    /// @notice Whether a context is active and not destroyed.
    /// @param kmsContextId The context.
    /// @return True if it may be used.
    function isValidKmsContext(uint256 kmsContextId) external view returns (bool) {
        return _isValid(kmsContextId);
    }

    /// @notice Whether a context exists, in any state, and is not destroyed.
    /// @param kmsContextId The context.
    /// @return True if it does.
    function isLiveKmsContext(uint256 kmsContextId) external view returns (bool) {
        return _isLive(kmsContextId);
    }

    /// @notice Whether an epoch is active and belongs to a context that may be used.
    /// @param kmsContextId The context.
    /// @param epochId The epoch.
    /// @return True if both may be used together.
    function isValidEpochForContext(uint256 kmsContextId, uint256 epochId) external view returns (bool) {
        ProtocolConfigStorage storage $ = _storage();
        return _isValid(kmsContextId) && $.epochState[epochId] == EpochState.Active
            && $.contextForEpoch[epochId] == kmsContextId;
    }

    /// @inheritdoc IProtocolConfig
    function getKmsSigners() external view returns (address[] memory) {
        ProtocolConfigStorage storage $ = _storage();
        return $.kmsSignerAddressesForContext[$.latestActiveKmsContextId];
    }

    /// @inheritdoc IProtocolConfig
    function getKmsSignersForContext(uint256 kmsContextId)
        external
        view
        onlyValidKmsContext(kmsContextId)
        returns (address[] memory)
    {
        return _storage().kmsSignerAddressesForContext[kmsContextId];
    }

    /// @inheritdoc IProtocolConfig
    function isKmsSigner(address signer) external view returns (bool) {
        ProtocolConfigStorage storage $ = _storage();
        return $.isKmsSignerForContext[$.latestActiveKmsContextId][signer];
    }

    /// @inheritdoc IProtocolConfig
    function isKmsSignerForContext(uint256 kmsContextId, address signer)
        external
        view
        onlyValidKmsContext(kmsContextId)
        returns (bool)
    {
        return _storage().isKmsSignerForContext[kmsContextId][signer];
    }

    /// @notice Whether an account sends for a node of a context that need not be active yet.
    /// @param kmsContextId The context.
    /// @param txSender The account.
    /// @return True if it does.
    function isKmsTxSenderForContext(uint256 kmsContextId, address txSender)
        external
        view
        onlyLiveKmsContext(kmsContextId)
        returns (bool)
    {
        return _storage().isKmsTxSenderForContext[kmsContextId][txSender];
    }

    /// @notice A context's nodes.
    /// @param kmsContextId The context.
    /// @return In party order.
    function getKmsNodesForContext(uint256 kmsContextId)
        external
        view
        onlyValidKmsContext(kmsContextId)
        returns (KmsNode[] memory)
    {
        return _storage().kmsNodesForContext[kmsContextId];
    }

    /// @notice A node of any context, also a destroyed one; all fields zero if there is none.
    /// @param kmsContextId The context.
    /// @param txSender The account it sends from.
    /// @return The node.
    function getKmsNodeForContext(uint256 kmsContextId, address txSender)
        external
        view
        onlyKnownKmsContext(kmsContextId)
        returns (KmsNode memory)
    {
        return _storage().kmsNodeByTxSenderForContext[kmsContextId][txSender];
    }

    /// @inheritdoc IProtocolConfig
    function getPublicDecryptionThreshold() external view returns (uint256) {
        ProtocolConfigStorage storage $ = _storage();
        return $.publicDecryptionThresholdForContext[$.latestActiveKmsContextId];
    }

    /// @notice Shares that complete a user decryption in the context in use.
    /// @return Their number.
    function getUserDecryptionThreshold() external view returns (uint256) {
        ProtocolConfigStorage storage $ = _storage();
        return $.userDecryptionThresholdForContext[$.latestActiveKmsContextId];
    }

    /// @notice Equal answers that decide a key generation in the context in use.
    /// @return Their number.
    function getKmsGenThreshold() external view returns (uint256) {
        ProtocolConfigStorage storage $ = _storage();
        return $.kmsGenThresholdForContext[$.latestActiveKmsContextId];
    }

    /// @notice Corrupted nodes that the protocols of the context in use withstand.
    /// @return Their number.
    function getMpcThreshold() external view returns (uint256) {
        ProtocolConfigStorage storage $ = _storage();
        return $.mpcThresholdForContext[$.latestActiveKmsContextId];
    }

    /// @inheritdoc IProtocolConfig
    function getPublicDecryptionThresholdForContext(uint256 kmsContextId)
        external
        view
        onlyValidKmsContext(kmsContextId)
        returns (uint256)
    {
        return _storage().publicDecryptionThresholdForContext[kmsContextId];
    }

    /// @notice Shares that complete a user decryption in a context.
    /// @param kmsContextId The context.
    /// @return Their number.
    function getUserDecryptionThresholdForContext(uint256 kmsContextId)
        external
        view
        onlyValidKmsContext(kmsContextId)
        returns (uint256)
    {
        return _storage().userDecryptionThresholdForContext[kmsContextId];
    }

    /// @notice Equal answers that decide a key generation in a context that need not be active yet.
    /// @param kmsContextId The context.
    /// @return Their number.
    function getKmsGenThresholdForContext(uint256 kmsContextId)
        external
        view
        onlyLiveKmsContext(kmsContextId)
        returns (uint256)
    {
        return _storage().kmsGenThresholdForContext[kmsContextId];
    }

    /// @notice Corrupted nodes that a context's protocols withstand.
    /// @param kmsContextId The context.
    /// @return Their number.
    function getMpcThresholdForContext(uint256 kmsContextId)
        external
        view
        onlyValidKmsContext(kmsContextId)
        returns (uint256)
    {
        return _storage().mpcThresholdForContext[kmsContextId];
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "ProtocolConfig v0.2.0";
    }

    function _authorizeUpgrade(address) internal view override onlyHostOwner {}

    function _storeContext(uint256 contextId, KmsNodeParams[] calldata params, KmsThresholds calldata thresholds)
        private
    {
        ProtocolConfigStorage storage $ = _storage();
        uint256 n = params.length;
        if (n == 0) {
            revert EmptyKmsNodes();
        }
        if (n > PROOF_FORMAT_LIMIT) {
            revert KmsSignerSetExceedsProofFormatLimit(n, PROOF_FORMAT_LIMIT);
        }
        _checkThreshold("publicDecryption", thresholds.publicDecryption, n);
        _checkThreshold("userDecryption", thresholds.userDecryption, n);
        _checkThreshold("kmsGen", thresholds.kmsGen, n);
        _checkThreshold("mpc", thresholds.mpc, n);
        for (uint256 i = 0; i < n; i++) {
            _storeNode(contextId, params[i]);
        }
        $.publicDecryptionThresholdForContext[contextId] = thresholds.publicDecryption;
        $.userDecryptionThresholdForContext[contextId] = thresholds.userDecryption;
        $.kmsGenThresholdForContext[contextId] = thresholds.kmsGen;
        $.mpcThresholdForContext[contextId] = thresholds.mpc;
    }

    function _storeNode(uint256 contextId, KmsNodeParams calldata params) private {
        ProtocolConfigStorage storage $ = _storage();
        address txSender = params.txSenderAddress;
        address signer = params.signerAddress;
        if (txSender == address(0)) {
            revert KmsNodeNullTxSender();
        }
        if (signer == address(0)) {
            revert KmsNodeNullSigner();
        }
        if ($.isKmsTxSenderForContext[contextId][txSender]) {
            revert KmsTxSenderAlreadyRegistered(txSender);
        }
        if ($.isKmsSignerForContext[contextId][signer]) {
            revert KmsSignerAlreadyRegistered(signer);
        }
        KmsNode memory node = KmsNode(txSender, signer, params.ipAddress, params.storageUrl);
        $.isKmsTxSenderForContext[contextId][txSender] = true;
        $.isKmsSignerForContext[contextId][signer] = true;
        $.kmsNodeByTxSenderForContext[contextId][txSender] = node;
        $.kmsNodesForContext[contextId].push(node);
        $.kmsSignerAddressesForContext[contextId].push(signer);
    }

    function _isLive(uint256 contextId) private view returns (bool) {
        ProtocolConfigStorage storage $ = _storage();
        return $.contextState[contextId] != ContextState.None && !$.destroyedContexts[contextId];
    }

    function _isValid(uint256 contextId) private view returns (bool) {
        ProtocolConfigStorage storage $ = _storage();
        return $.contextState[contextId] == ContextState.Active && !$.destroyedContexts[contextId];
    }

    function _checkThreshold(string memory name, uint256 threshold, uint256 n) private pure {
        if (threshold == 0) {
            revert InvalidNullThreshold(name);
        }
        if (threshold > PROOF_FORMAT_LIMIT) {
            revert ThresholdExceedsProofFormatLimit(name, threshold, PROOF_FORMAT_LIMIT);
        }
        if (threshold > n) {
            revert InvalidHighThreshold(name, threshold, n);
        }
    }

    function _storage() private pure returns (ProtocolConfigStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
