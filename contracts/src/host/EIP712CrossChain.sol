// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {Initializable} from "@openzeppelin/contracts-upgradeable/proxy/utils/Initializable.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title EIP-712 with the domain of a contract on another chain
/// @notice The KMS signs its answers for the Decryption contract on the gateway chain. A host contract that checks
/// those signatures needs that contract's domain, and reports it through EIP-5267, from where clients take it.
abstract contract EIP712CrossChain is Initializable, IERC5267 {
    /// @custom:storage-location erc7201:fhevm.storage.EIP712UpgradeableCrossChain
    /// @dev Members are only ever appended.
    struct EIP712CrossChainStorage {
        bytes32 hashedName;
        bytes32 hashedVersion;
        address verifyingContractSource;
        uint64 chainIdSource;
        string name;
        string version;
    }

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm.storage.EIP712UpgradeableCrossChain")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0xe910845fd818f61127c84f3586776436a37dead33625056c65162537e3373600;

    /// @inheritdoc IERC5267
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        EIP712CrossChainStorage storage $ = _eip712Storage();
        // 0x0f: name, version, chainId and verifyingContract are in the domain; salt is not
        return (hex"0f", $.name, $.version, $.chainIdSource, $.verifyingContractSource, bytes32(0), new uint256[](0));
    }

    /// @dev Sets the domain.
    function __EIP712CrossChain_init(
        string memory name,
        string memory version,
        address verifyingContractSource,
        uint64 chainIdSource
    ) internal onlyInitializing {
        EIP712CrossChainStorage storage $ = _eip712Storage();
        $.name = name;
        $.version = version;
        $.hashedName = keccak256(bytes(name));
        $.hashedVersion = keccak256(bytes(version));
        $.verifyingContractSource = verifyingContractSource;
        $.chainIdSource = chainIdSource;
    }

    /// @dev The digest to sign for a struct hash.
    function _hashTypedDataV4(bytes32 structHash) internal view returns (bytes32) {
        EIP712CrossChainStorage storage $ = _eip712Storage();
        bytes32 separator = keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, $.hashedName, $.hashedVersion, uint256($.chainIdSource), $.verifyingContractSource
            )
        );
        return MessageHashUtils.toTypedDataHash(separator, structHash);
    }

    function _eip712Storage() private pure returns (EIP712CrossChainStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
