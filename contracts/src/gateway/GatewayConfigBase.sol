// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ProofFormat} from "../shared/ProofFormat.sol";
import {GatewayConfigEvents} from "./GatewayConfigEvents.sol";
import {Coprocessor, Custodian, HostChain, KmsNode, ProtocolMetadata} from "./GatewayTypes.sol";

/// @title What GatewayConfig stores, and the rules for what may be stored
abstract contract GatewayConfigBase is GatewayConfigEvents {
    /// @custom:storage-location erc7201:fhevm_gateway.storage.GatewayConfig
    /// @dev Members are only ever appended. The `legacy` ones were in use before contexts and keep their slots.
    struct GatewayConfigStorage {
        ProtocolMetadata protocolMetadata;
        mapping(address txSender => bool isRegistered) legacyIsKmsTxSender;
        mapping(address signer => bool isRegistered) legacyIsKmsSigner;
        mapping(address txSender => KmsNode node) legacyKmsNodes;
        address[] legacyKmsTxSenderAddresses;
        address[] legacyKmsSignerAddresses;
        uint256 legacyMpcThreshold;
        uint256 legacyPublicDecryptionThreshold;
        uint256 legacyUserDecryptionThreshold;
        mapping(address txSender => bool isRegistered) isCoprocessorTxSender;
        mapping(address signer => bool isRegistered) isCoprocessorSigner;
        mapping(address txSender => Coprocessor coprocessor) coprocessors;
        address[] coprocessorTxSenderAddresses;
        address[] coprocessorSignerAddresses;
        mapping(uint256 chainId => bool isRegistered) isHostChainRegistered;
        HostChain[] hostChains;
        mapping(address txSender => Custodian custodian) custodians;
        address[] custodianTxSenderAddresses;
        address[] custodianSignerAddresses;
        mapping(address txSender => bool isRegistered) isCustodianTxSender;
        mapping(address signer => bool isRegistered) isCustodianSigner;
        uint256 legacyKmsGenThreshold;
        uint256 coprocessorThreshold;
        uint256 currentKmsContextId;
        mapping(uint256 contextId => mapping(address txSender => bool isRegistered)) isKmsTxSenderForContext;
        mapping(uint256 contextId => mapping(address signer => bool isRegistered)) isKmsSignerForContext;
        mapping(uint256 contextId => mapping(address txSender => KmsNode node)) kmsNodesForContext;
        mapping(uint256 contextId => address[] txSenders) kmsTxSenderAddressesForContext;
        mapping(uint256 contextId => address[] signers) kmsSignerAddressesForContext;
        mapping(uint256 contextId => uint256 threshold) publicDecryptionThresholdForContext;
        mapping(uint256 contextId => uint256 threshold) userDecryptionThresholdForContext;
        mapping(uint256 contextId => uint256 threshold) mpcThresholdForContext;
        mapping(uint256 contextId => uint256 threshold) kmsGenThresholdForContext;
        mapping(uint256 contextId => bool isDestroyed) destroyedKmsContexts;
        mapping(uint256 chainId => bool isDisabled) disabledHostChains;
        /// @dev An earlier release let one coprocessor decide alone; reinitializeV9 clears it.
        address legacyPriorityCoprocessorTxSender;
    }

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm_gateway.storage.GatewayConfig")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x86d3070a8993f6b209bee6185186d38a07fce8bbd97c750d934451b72f35b400;

    function _registerKmsContext(uint256 contextId, KmsNode[] calldata nodes) internal {
        GatewayConfigStorage storage $ = _storage();
        if (contextId == 0) {
            revert InvalidNullKmsContextId();
        }
        if (contextId <= $.currentKmsContextId) {
            revert KmsContextAlreadyRegistered(contextId, $.currentKmsContextId);
        }
        if (nodes.length == 0) {
            revert EmptyKmsNodes();
        }
        ProofFormat.checkSignerCount(nodes.length);
        for (uint256 i = 0; i < nodes.length; i++) {
            address txSender = nodes[i].txSenderAddress;
            address signer = nodes[i].signerAddress;
            if ($.isKmsTxSenderForContext[contextId][txSender]) {
                revert KmsTxSenderAlreadyRegistered(txSender);
            }
            if ($.isKmsSignerForContext[contextId][signer]) {
                revert KmsSignerAlreadyRegistered(signer);
            }
            $.isKmsTxSenderForContext[contextId][txSender] = true;
            $.isKmsSignerForContext[contextId][signer] = true;
            $.kmsNodesForContext[contextId][txSender] = nodes[i];
            $.kmsTxSenderAddressesForContext[contextId].push(txSender);
            $.kmsSignerAddressesForContext[contextId].push(signer);
        }
        $.currentKmsContextId = contextId;
    }

    function _setMpcThreshold(uint256 contextId, uint256 threshold) internal {
        GatewayConfigStorage storage $ = _storage();
        uint256 n = $.kmsSignerAddressesForContext[contextId].length;
        ProofFormat.checkThreshold("mpc", threshold);
        if (threshold >= n) {
            revert InvalidHighMpcThreshold(threshold, n);
        }
        $.mpcThresholdForContext[contextId] = threshold;
    }

    function _setPublicDecryptionThreshold(uint256 contextId, uint256 threshold) internal {
        GatewayConfigStorage storage $ = _storage();
        uint256 n = $.kmsSignerAddressesForContext[contextId].length;
        if (threshold == 0) {
            revert InvalidNullPublicDecryptionThreshold();
        }
        ProofFormat.checkThreshold("publicDecryption", threshold);
        if (threshold > n) {
            revert InvalidHighPublicDecryptionThreshold(threshold, n);
        }
        $.publicDecryptionThresholdForContext[contextId] = threshold;
    }

    function _setUserDecryptionThreshold(uint256 contextId, uint256 threshold) internal {
        GatewayConfigStorage storage $ = _storage();
        uint256 n = $.kmsSignerAddressesForContext[contextId].length;
        if (threshold == 0) {
            revert InvalidNullUserDecryptionThreshold();
        }
        ProofFormat.checkThreshold("userDecryption", threshold);
        if (threshold > n) {
            revert InvalidHighUserDecryptionThreshold(threshold, n);
        }
        $.userDecryptionThresholdForContext[contextId] = threshold;
    }

    function _setKmsGenThreshold(uint256 contextId, uint256 threshold) internal {
        GatewayConfigStorage storage $ = _storage();
        uint256 n = $.kmsSignerAddressesForContext[contextId].length;
        if (threshold == 0) {
            revert InvalidNullKmsGenThreshold();
        }
        ProofFormat.checkThreshold("kmsGen", threshold);
        if (threshold > n) {
            revert InvalidHighKmsGenThreshold(threshold, n);
        }
        $.kmsGenThresholdForContext[contextId] = threshold;
    }

    function _addCoprocessors(Coprocessor[] calldata list) internal {
        GatewayConfigStorage storage $ = _storage();
        if (list.length == 0) {
            revert EmptyCoprocessors();
        }
        for (uint256 i = 0; i < list.length; i++) {
            address txSender = list[i].txSenderAddress;
            address signer = list[i].signerAddress;
            if ($.isCoprocessorTxSender[txSender]) {
                revert CoprocessorTxSenderAlreadyRegistered(txSender);
            }
            if ($.isCoprocessorSigner[signer]) {
                revert CoprocessorSignerAlreadyRegistered(signer);
            }
            $.isCoprocessorTxSender[txSender] = true;
            $.isCoprocessorSigner[signer] = true;
            $.coprocessors[txSender] = list[i];
            $.coprocessorTxSenderAddresses.push(txSender);
            $.coprocessorSignerAddresses.push(signer);
        }
    }

    function _removeCoprocessors() internal {
        GatewayConfigStorage storage $ = _storage();
        uint256 n = $.coprocessorTxSenderAddresses.length;
        for (uint256 i = 0; i < n; i++) {
            address txSender = $.coprocessorTxSenderAddresses[i];
            delete $.isCoprocessorTxSender[txSender];
            delete $.isCoprocessorSigner[$.coprocessorSignerAddresses[i]];
            delete $.coprocessors[txSender];
        }
        delete $.coprocessorTxSenderAddresses;
        delete $.coprocessorSignerAddresses;
    }

    function _setCoprocessorThreshold(uint256 threshold) internal {
        GatewayConfigStorage storage $ = _storage();
        uint256 n = $.coprocessorTxSenderAddresses.length;
        if (threshold == 0) {
            revert InvalidNullCoprocessorThreshold();
        }
        if (threshold > n) {
            revert InvalidHighCoprocessorThreshold(threshold, n);
        }
        $.coprocessorThreshold = threshold;
    }

    function _addCustodians(Custodian[] calldata list) internal {
        GatewayConfigStorage storage $ = _storage();
        if (list.length == 0) {
            revert EmptyCustodians();
        }
        for (uint256 i = 0; i < list.length; i++) {
            address txSender = list[i].txSenderAddress;
            address signer = list[i].signerAddress;
            if ($.isCustodianTxSender[txSender]) {
                revert CustodianTxSenderAlreadyRegistered(txSender);
            }
            if ($.isCustodianSigner[signer]) {
                revert CustodianSignerAlreadyRegistered(signer);
            }
            $.isCustodianTxSender[txSender] = true;
            $.isCustodianSigner[signer] = true;
            $.custodians[txSender] = list[i];
            $.custodianTxSenderAddresses.push(txSender);
            $.custodianSignerAddresses.push(signer);
        }
    }

    function _removeCustodians() internal {
        GatewayConfigStorage storage $ = _storage();
        uint256 n = $.custodianTxSenderAddresses.length;
        for (uint256 i = 0; i < n; i++) {
            address txSender = $.custodianTxSenderAddresses[i];
            delete $.isCustodianTxSender[txSender];
            delete $.isCustodianSigner[$.custodianSignerAddresses[i]];
            delete $.custodians[txSender];
        }
        delete $.custodianTxSenderAddresses;
        delete $.custodianSignerAddresses;
    }

    function _checkKmsContext(uint256 contextId) internal view {
        if (!_isValidKmsContext(contextId)) {
            revert InvalidKmsContext(contextId);
        }
    }

    /// @dev A registered context has at least one node.
    function _isValidKmsContext(uint256 contextId) internal view returns (bool) {
        GatewayConfigStorage storage $ = _storage();
        return $.kmsSignerAddressesForContext[contextId].length != 0 && !$.destroyedKmsContexts[contextId];
    }

    function _checkHostChainRegistered(uint256 chainId) internal view {
        if (!_storage().isHostChainRegistered[chainId]) {
            revert HostChainNotRegistered(chainId);
        }
    }

    function _storage() internal pure returns (GatewayConfigStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
