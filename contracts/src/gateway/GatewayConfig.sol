// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {GatewayConfigViews} from "./GatewayConfigViews.sol";
import {PauserSet} from "./GatewayPauserSet.sol";
import {Coprocessor, Custodian, HostChain, KmsNode, ProtocolMetadata} from "./GatewayTypes.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";
import {IGatewayPausable} from "./IGatewayPausable.sol";
import {Ownable2StepUpgradeable} from "@openzeppelin/contracts-upgradeable/access/Ownable2StepUpgradeable.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title Registry of operators, thresholds, contexts and host chains
/// @notice The owner of this contract owns the gateway. KMS nodes are registered per context: a new context replaces
/// the current one, older ones stay usable for their requests until they are destroyed.
/// @dev The gateway's contexts are a copy, kept by the owner, of those in ProtocolConfig on the host chain.
contract GatewayConfig is GatewayConfigViews, FromEmptyProxy, UUPSUpgradeable, Ownable2StepUpgradeable {
    /// @notice Thresholds of the first context and of the coprocessors.
    struct Thresholds {
        uint256 mpcThreshold;
        uint256 publicDecryptionThreshold;
        uint256 userDecryptionThreshold;
        uint256 kmsGenThreshold;
        uint256 coprocessorThreshold;
    }

    uint64 private constant REINITIALIZER_VERSION = 10;

    PauserSet private immutable PAUSER_SET;
    IGatewayPausable private immutable DECRYPTION;
    IGatewayPausable private immutable INPUT_VERIFICATION;

    /// @notice All there is to know of the gateway after its deployment.
    /// @param kmsContextId The first context.
    /// @param metadata Who runs the protocol.
    /// @param thresholds Thresholds of the first context and of the coprocessors.
    /// @param kmsNodes Nodes of the first context.
    /// @param coprocessors The coprocessors.
    /// @param custodians The custodians.
    event InitializeGatewayConfig(
        uint256 indexed kmsContextId,
        ProtocolMetadata metadata,
        Thresholds thresholds,
        KmsNode[] kmsNodes,
        Coprocessor[] coprocessors,
        Custodian[] custodians
    );

    /// @dev Reverts for a context that was never registered or is destroyed.
    modifier onlyValidKmsContext(uint256 contextId) {
        _checkKmsContext(contextId);
        _;
    }

    /// @param pauserSet The accounts that may pause.
    /// @param decryption The Decryption proxy.
    /// @param inputVerification The InputVerification proxy.
    constructor(PauserSet pauserSet, IGatewayPausable decryption, IGatewayPausable inputVerification) {
        PAUSER_SET = pauserSet;
        DECRYPTION = decryption;
        INPUT_VERIFICATION = inputVerification;
        _disableInitializers();
    }

    /// @notice Initialises a new proxy; the owner set by the empty implementation stays.
    /// @param initialKmsContextId Id of the first context, not zero.
    /// @param initialMetadata Who runs the protocol.
    /// @param initialThresholds Thresholds of the first context and of the coprocessors.
    /// @param initialKmsNodes Nodes of the first context, 1 to 255.
    /// @param initialCoprocessors At least one.
    /// @param initialCustodians At least one.
    function initializeFromEmptyProxy(
        uint256 initialKmsContextId,
        ProtocolMetadata calldata initialMetadata,
        Thresholds calldata initialThresholds,
        KmsNode[] calldata initialKmsNodes,
        Coprocessor[] calldata initialCoprocessors,
        Custodian[] calldata initialCustodians
    ) external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        _storage().protocolMetadata = initialMetadata;
        _registerKmsContext(initialKmsContextId, initialKmsNodes);
        _setMpcThreshold(initialKmsContextId, initialThresholds.mpcThreshold);
        _setPublicDecryptionThreshold(initialKmsContextId, initialThresholds.publicDecryptionThreshold);
        _setUserDecryptionThreshold(initialKmsContextId, initialThresholds.userDecryptionThreshold);
        _setKmsGenThreshold(initialKmsContextId, initialThresholds.kmsGenThreshold);
        _addCoprocessors(initialCoprocessors);
        _setCoprocessorThreshold(initialThresholds.coprocessorThreshold);
        _addCustodians(initialCustodians);

        emit InitializeGatewayConfig(
            initialKmsContextId,
            initialMetadata,
            initialThresholds,
            initialKmsNodes,
            initialCoprocessors,
            initialCustodians
        );
    }

    /// @notice Takes over a proxy of the previous release.
    function reinitializeV9() external reinitializer(REINITIALIZER_VERSION) {
        delete _storage().legacyPriorityCoprocessorTxSender;
    }

    /// @notice Registers a context and makes it the current one.
    /// @param newContextId Its id, above the current one's.
    /// @param newKmsNodes Its nodes, 1 to 255, accounts and keys unique among them.
    /// @param newMpcThreshold 0 to n - 1.
    /// @param newPublicDecryptionThreshold 1 to n.
    /// @param newUserDecryptionThreshold 1 to n.
    /// @param newKmsGenThreshold 1 to n.
    function updateKmsContext(
        uint256 newContextId,
        KmsNode[] calldata newKmsNodes,
        uint256 newMpcThreshold,
        uint256 newPublicDecryptionThreshold,
        uint256 newUserDecryptionThreshold,
        uint256 newKmsGenThreshold
    ) external onlyOwner {
        _registerKmsContext(newContextId, newKmsNodes);
        _setMpcThreshold(newContextId, newMpcThreshold);
        _setPublicDecryptionThreshold(newContextId, newPublicDecryptionThreshold);
        _setUserDecryptionThreshold(newContextId, newUserDecryptionThreshold);
        _setKmsGenThreshold(newContextId, newKmsGenThreshold);
        emit UpdateKmsContext(
            newContextId,
            newKmsNodes,
            newMpcThreshold,
            newPublicDecryptionThreshold,
            newUserDecryptionThreshold,
            newKmsGenThreshold
        );
    }

    /// @notice Ends a context that is not the current one. Requests pinned to it can no longer be answered.
    /// @param kmsContextId The context.
    function destroyKmsContext(uint256 kmsContextId) external onlyOwner {
        GatewayConfigStorage storage $ = _storage();
        if (kmsContextId == $.currentKmsContextId) {
            revert CurrentKmsContextCannotBeDestroyed(kmsContextId);
        }
        _checkKmsContext(kmsContextId);
        $.destroyedKmsContexts[kmsContextId] = true;
        emit DestroyKmsContext(kmsContextId);
    }

    /// @notice Sets how many corrupted nodes a context's protocols withstand.
    /// @param contextId The context.
    /// @param newMpcThreshold 0 to n - 1.
    function updateMpcThresholdForContext(uint256 contextId, uint256 newMpcThreshold)
        external
        onlyOwner
        onlyValidKmsContext(contextId)
    {
        _setMpcThreshold(contextId, newMpcThreshold);
        emit UpdateMpcThresholdForContext(contextId, newMpcThreshold);
    }

    /// @notice Sets how many equal answers decide a public decryption.
    /// @param contextId The context.
    /// @param newPublicDecryptionThreshold 1 to n.
    function updatePublicDecryptionThresholdForContext(uint256 contextId, uint256 newPublicDecryptionThreshold)
        external
        onlyOwner
        onlyValidKmsContext(contextId)
    {
        _setPublicDecryptionThreshold(contextId, newPublicDecryptionThreshold);
        emit UpdatePublicDecryptionThresholdForContext(contextId, newPublicDecryptionThreshold);
    }

    /// @notice Sets how many answers complete a user decryption.
    /// @param contextId The context.
    /// @param newUserDecryptionThreshold 1 to n.
    function updateUserDecryptionThresholdForContext(uint256 contextId, uint256 newUserDecryptionThreshold)
        external
        onlyOwner
        onlyValidKmsContext(contextId)
    {
        _setUserDecryptionThreshold(contextId, newUserDecryptionThreshold);
        emit UpdateUserDecryptionThresholdForContext(contextId, newUserDecryptionThreshold);
    }

    /// @notice Sets how many equal answers decide a key generation.
    /// @param contextId The context.
    /// @param newKmsGenThreshold 1 to n.
    function updateKmsGenThresholdForContext(uint256 contextId, uint256 newKmsGenThreshold)
        external
        onlyOwner
        onlyValidKmsContext(contextId)
    {
        _setKmsGenThreshold(contextId, newKmsGenThreshold);
        emit UpdateKmsGenThresholdForContext(contextId, newKmsGenThreshold);
    }

    /// @notice Replaces all coprocessors.
    /// @param newCoprocessors At least one, accounts and keys unique among them.
    /// @param newCoprocessorThreshold 1 to n.
    function updateCoprocessors(Coprocessor[] calldata newCoprocessors, uint256 newCoprocessorThreshold)
        external
        onlyOwner
    {
        _removeCoprocessors();
        _addCoprocessors(newCoprocessors);
        _setCoprocessorThreshold(newCoprocessorThreshold);
        emit UpdateCoprocessors(newCoprocessors, newCoprocessorThreshold);
    }

    /// @notice Sets how many equal submissions decide for the coprocessors.
    /// @param newCoprocessorThreshold 1 to n.
    function updateCoprocessorThreshold(uint256 newCoprocessorThreshold) external onlyOwner {
        _setCoprocessorThreshold(newCoprocessorThreshold);
        emit UpdateCoprocessorThreshold(newCoprocessorThreshold);
    }

    /// @notice Replaces all custodians.
    /// @param newCustodians At least one, accounts and keys unique among them.
    function updateCustodians(Custodian[] calldata newCustodians) external onlyOwner {
        _removeCustodians();
        _addCustodians(newCustodians);
        emit UpdateCustodians(newCustodians);
    }

    /// @notice Registers a host chain.
    /// @param hostChain The chain; its id is between 1 and 2^64 - 1.
    function addHostChain(HostChain calldata hostChain) external onlyOwner {
        GatewayConfigStorage storage $ = _storage();
        uint256 chainId = hostChain.chainId;
        if (chainId == 0) {
            revert InvalidNullChainId();
        }
        if (chainId > type(uint64).max) {
            revert ChainIdNotUint64(chainId);
        }
        if ($.isHostChainRegistered[chainId]) {
            revert HostChainAlreadyRegistered(chainId);
        }
        $.isHostChainRegistered[chainId] = true;
        $.hostChains.push(hostChain);
        emit AddHostChain(hostChain);
    }

    /// @notice Takes a host chain out of service: no new requests for its handles.
    /// @param chainId The chain.
    function disableHostChain(uint256 chainId) external onlyOwner {
        GatewayConfigStorage storage $ = _storage();
        _checkHostChainRegistered(chainId);
        if ($.disabledHostChains[chainId]) {
            revert HostChainAlreadyDisabled(chainId);
        }
        $.disabledHostChains[chainId] = true;
        emit DisableHostChain(chainId);
    }

    /// @notice Puts a host chain back into service.
    /// @param chainId The chain.
    function enableHostChain(uint256 chainId) external onlyOwner {
        GatewayConfigStorage storage $ = _storage();
        _checkHostChainRegistered(chainId);
        if (!$.disabledHostChains[chainId]) {
            revert HostChainAlreadyEnabled(chainId);
        }
        $.disabledHostChains[chainId] = false;
        emit EnableHostChain(chainId);
    }

    /// @notice Forgets a host chain that is out of service. It can be registered again.
    /// @param chainId The chain.
    function removeHostChain(uint256 chainId) external onlyOwner {
        GatewayConfigStorage storage $ = _storage();
        _checkHostChainRegistered(chainId);
        if (!$.disabledHostChains[chainId]) {
            revert HostChainNotDisabled(chainId);
        }
        $.disabledHostChains[chainId] = false;
        $.isHostChainRegistered[chainId] = false;

        uint256 last = $.hostChains.length - 1;
        for (uint256 i = 0; i <= last; i++) {
            if ($.hostChains[i].chainId == chainId) {
                if (i != last) {
                    $.hostChains[i] = $.hostChains[last];
                }
                $.hostChains.pop();
                break;
            }
        }
        emit RemoveHostChain(chainId);
    }

    /// @notice Stops requests of every kind. Contracts that are stopped already stay so.
    function pauseAllGatewayContracts() external {
        if (!isPauser(msg.sender)) {
            revert NotPauser(msg.sender);
        }
        bool isDecryptionPaused = DECRYPTION.paused();
        bool isInputVerificationPaused = INPUT_VERIFICATION.paused();
        if (isDecryptionPaused && isInputVerificationPaused) {
            revert AllGatewayContractsAlreadyPaused();
        }
        if (!isDecryptionPaused) {
            DECRYPTION.pause();
        }
        if (!isInputVerificationPaused) {
            INPUT_VERIFICATION.pause();
        }
        emit PauseAllGatewayContracts();
    }

    /// @notice Lets requests of every kind through again.
    function unpauseAllGatewayContracts() external onlyOwner {
        bool isDecryptionPaused = DECRYPTION.paused();
        bool isInputVerificationPaused = INPUT_VERIFICATION.paused();
        if (!isDecryptionPaused && !isInputVerificationPaused) {
            revert AllGatewayContractsAlreadyUnpaused();
        }
        if (isDecryptionPaused) {
            DECRYPTION.unpause();
        }
        if (isInputVerificationPaused) {
            INPUT_VERIFICATION.unpause();
        }
        emit UnpauseAllGatewayContracts();
    }

    /// @inheritdoc IGatewayConfig
    function owner() public view override(IGatewayConfig, OwnableUpgradeable) returns (address) {
        return super.owner();
    }

    /// @inheritdoc IGatewayConfig
    function isPauser(address account) public view returns (bool) {
        return PAUSER_SET.isPauser(account);
    }

    /// @notice Whether an account sends for a node of the current context.
    /// @param txSenderAddress The account.
    /// @return True if it does.
    function isKmsTxSender(address txSenderAddress) external view returns (bool) {
        GatewayConfigStorage storage $ = _storage();
        return $.isKmsTxSenderForContext[$.currentKmsContextId][txSenderAddress];
    }

    /// @inheritdoc IGatewayConfig
    function isKmsSigner(address signerAddress) external view returns (bool) {
        GatewayConfigStorage storage $ = _storage();
        return $.isKmsSignerForContext[$.currentKmsContextId][signerAddress];
    }

    /// @notice Whether an account sends for a node of a context.
    /// @param contextId The context.
    /// @param txSenderAddress The account.
    /// @return True if it does.
    function isKmsTxSenderForContext(uint256 contextId, address txSenderAddress)
        external
        view
        onlyValidKmsContext(contextId)
        returns (bool)
    {
        return _storage().isKmsTxSenderForContext[contextId][txSenderAddress];
    }

    /// @inheritdoc IGatewayConfig
    function isKmsSignerForContext(uint256 contextId, address signerAddress)
        external
        view
        onlyValidKmsContext(contextId)
        returns (bool)
    {
        return _storage().isKmsSignerForContext[contextId][signerAddress];
    }

    /// @inheritdoc IGatewayConfig
    function isValidKmsContext(uint256 contextId) external view returns (bool) {
        return _isValidKmsContext(contextId);
    }

    /// @inheritdoc IGatewayConfig
    function getCurrentKmsContextId() external view returns (uint256) {
        return _storage().currentKmsContextId;
    }

    /// @notice Who runs the protocol.
    /// @return Name and website.
    function getProtocolMetadata() external view returns (ProtocolMetadata memory) {
        return _storage().protocolMetadata;
    }

    /// @notice How many corrupted nodes the current context's protocols withstand.
    /// @return The threshold.
    function getMpcThreshold() external view returns (uint256) {
        GatewayConfigStorage storage $ = _storage();
        return $.mpcThresholdForContext[$.currentKmsContextId];
    }

    /// @inheritdoc IGatewayConfig
    function getKmsGenThreshold() external view returns (uint256) {
        GatewayConfigStorage storage $ = _storage();
        return $.kmsGenThresholdForContext[$.currentKmsContextId];
    }

    /// @inheritdoc IGatewayConfig
    function getPublicDecryptionThresholdForContext(uint256 contextId)
        external
        view
        onlyValidKmsContext(contextId)
        returns (uint256)
    {
        return _storage().publicDecryptionThresholdForContext[contextId];
    }

    /// @notice How many answers complete a user decryption.
    /// @param contextId The context.
    /// @return The threshold.
    function getUserDecryptionThresholdForContext(uint256 contextId)
        external
        view
        onlyValidKmsContext(contextId)
        returns (uint256)
    {
        return _storage().userDecryptionThresholdForContext[contextId];
    }

    /// @inheritdoc IGatewayConfig
    function getKmsNode(address kmsTxSenderAddress) external view returns (KmsNode memory) {
        GatewayConfigStorage storage $ = _storage();
        return $.kmsNodesForContext[$.currentKmsContextId][kmsTxSenderAddress];
    }

    /// @inheritdoc IGatewayConfig
    function getKmsNodeForContext(uint256 contextId, address kmsTxSenderAddress)
        external
        view
        onlyValidKmsContext(contextId)
        returns (KmsNode memory)
    {
        return _storage().kmsNodesForContext[contextId][kmsTxSenderAddress];
    }

    /// @notice The accounts the current context's nodes send from.
    /// @return In order of registration.
    function getKmsTxSenders() external view returns (address[] memory) {
        GatewayConfigStorage storage $ = _storage();
        return $.kmsTxSenderAddressesForContext[$.currentKmsContextId];
    }

    /// @notice The keys the current context's nodes sign with.
    /// @return Their addresses, in order of registration.
    function getKmsSigners() external view returns (address[] memory) {
        GatewayConfigStorage storage $ = _storage();
        return $.kmsSignerAddressesForContext[$.currentKmsContextId];
    }

    /// @notice The accounts a context's nodes send from.
    /// @param contextId The context.
    /// @return In order of registration.
    function getKmsTxSendersForContext(uint256 contextId)
        external
        view
        onlyValidKmsContext(contextId)
        returns (address[] memory)
    {
        return _storage().kmsTxSenderAddressesForContext[contextId];
    }

    /// @notice The keys a context's nodes sign with.
    /// @param contextId The context.
    /// @return Their addresses, in order of registration.
    function getKmsSignersForContext(uint256 contextId)
        external
        view
        onlyValidKmsContext(contextId)
        returns (address[] memory)
    {
        return _storage().kmsSignerAddressesForContext[contextId];
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "GatewayConfig v0.8.0";
    }

    function _authorizeUpgrade(address) internal view override onlyOwner {}
}
