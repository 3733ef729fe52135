// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {FromEmptyProxy} from "../shared/FromEmptyProxy.sol";
import {GatewayOwned} from "./GatewayOwned.sol";
import {IGatewayConfig} from "./IGatewayConfig.sol";
import {IProtocolPayment} from "./IProtocolPayment.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Fees of requests
/// @notice A request costs a price in the protocol's token, whatever its size. Whoever sends the request pays, and
/// must have approved this contract. Answers cost nothing.
contract ProtocolPayment is IProtocolPayment, FromEmptyProxy, UUPSUpgradeable, GatewayOwned {
    /// @custom:storage-location erc7201:fhevm_gateway.storage.ProtocolPayment
    /// @dev Members are only ever appended.
    struct ProtocolPaymentStorage {
        uint256 inputVerificationPrice;
        uint256 publicDecryptionPrice;
        uint256 userDecryptionPrice;
    }

    /// @notice The first prices.
    /// @param inputVerificationPrice Of an input verification.
    /// @param publicDecryptionPrice Of a public decryption.
    /// @param userDecryptionPrice Of a user decryption.
    event InitializeProtocolPayment(
        uint256 inputVerificationPrice, uint256 publicDecryptionPrice, uint256 userDecryptionPrice
    );

    /// @notice Input verifications have a new price.
    /// @param price The price.
    event NewInputVerificationPrice(uint256 price);

    /// @notice Public decryptions have a new price.
    /// @param price The price.
    event NewPublicDecryptionPrice(uint256 price);

    /// @notice User decryptions have a new price.
    /// @param price The price.
    event NewUserDecryptionPrice(uint256 price);

    /// @notice Only InputVerification takes this fee.
    /// @param sender The sender.
    error SenderNotInputVerificationContract(address sender);

    /// @notice Only Decryption takes this fee.
    /// @param sender The sender.
    error SenderNotDecryptionContract(address sender);

    /// @dev keccak256(abi.encode(uint256(keccak256("fhevm_gateway.storage.ProtocolPayment")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE_SLOT = 0x395ab2663a9dbb96f058af7a33668e31bc69e0016b9978f85369489bcee86800;

    uint64 private constant REINITIALIZER_VERSION = 2;

    IERC20 private immutable TOKEN;
    address private immutable RECEIVER;
    address private immutable INPUT_VERIFICATION;
    address private immutable DECRYPTION;

    /// @dev Lets only Decryption pass.
    modifier onlyDecryption() {
        if (msg.sender != DECRYPTION) {
            revert SenderNotDecryptionContract(msg.sender);
        }
        _;
    }

    /// @param gatewayConfig The GatewayConfig proxy.
    /// @param token The protocol's token.
    /// @param receiver Where the fees go.
    /// @param inputVerification The InputVerification proxy.
    /// @param decryption The Decryption proxy.
    constructor(
        IGatewayConfig gatewayConfig,
        IERC20 token,
        address receiver,
        address inputVerification,
        address decryption
    ) GatewayOwned(gatewayConfig) {
        TOKEN = token;
        RECEIVER = receiver;
        INPUT_VERIFICATION = inputVerification;
        DECRYPTION = decryption;
        _disableInitializers();
    }

    /// @notice Initialises a new proxy.
    /// @param initialInputVerificationPrice Price of an input verification.
    /// @param initialPublicDecryptionPrice Price of a public decryption.
    /// @param initialUserDecryptionPrice Price of a user decryption.
    function initializeFromEmptyProxy(
        uint256 initialInputVerificationPrice,
        uint256 initialPublicDecryptionPrice,
        uint256 initialUserDecryptionPrice
    ) external onlyFromEmptyProxy reinitializer(REINITIALIZER_VERSION) {
        ProtocolPaymentStorage storage $ = _storage();
        $.inputVerificationPrice = initialInputVerificationPrice;
        $.publicDecryptionPrice = initialPublicDecryptionPrice;
        $.userDecryptionPrice = initialUserDecryptionPrice;
        emit InitializeProtocolPayment(
            initialInputVerificationPrice, initialPublicDecryptionPrice, initialUserDecryptionPrice
        );
    }

    /// @notice Sets the price of an input verification.
    /// @param price The price; zero is free.
    function setInputVerificationPrice(uint256 price) external onlyGatewayOwner {
        _storage().inputVerificationPrice = price;
        emit NewInputVerificationPrice(price);
    }

    /// @notice Sets the price of a public decryption.
    /// @param price The price; zero is free.
    function setPublicDecryptionPrice(uint256 price) external onlyGatewayOwner {
        _storage().publicDecryptionPrice = price;
        emit NewPublicDecryptionPrice(price);
    }

    /// @notice Sets the price of a user decryption.
    /// @param price The price; zero is free.
    function setUserDecryptionPrice(uint256 price) external onlyGatewayOwner {
        _storage().userDecryptionPrice = price;
        emit NewUserDecryptionPrice(price);
    }

    /// @inheritdoc IProtocolPayment
    function collectInputVerificationFee(address txSender) external {
        if (msg.sender != INPUT_VERIFICATION) {
            revert SenderNotInputVerificationContract(msg.sender);
        }
        _collect(txSender, _storage().inputVerificationPrice);
    }

    /// @inheritdoc IProtocolPayment
    function collectPublicDecryptionFee(address txSender) external onlyDecryption {
        _collect(txSender, _storage().publicDecryptionPrice);
    }

    /// @inheritdoc IProtocolPayment
    function collectUserDecryptionFee(address txSender) external onlyDecryption {
        _collect(txSender, _storage().userDecryptionPrice);
    }

    /// @notice The price of an input verification.
    /// @return In the token's smallest unit.
    function getInputVerificationPrice() external view returns (uint256) {
        return _storage().inputVerificationPrice;
    }

    /// @notice The price of a public decryption.
    /// @return In the token's smallest unit.
    function getPublicDecryptionPrice() external view returns (uint256) {
        return _storage().publicDecryptionPrice;
    }

    /// @notice The price of a user decryption.
    /// @return In the token's smallest unit.
    function getUserDecryptionPrice() external view returns (uint256) {
        return _storage().userDecryptionPrice;
    }

    /// @notice Name and version.
    /// @return The version string.
    function getVersion() external pure returns (string memory) {
        return "ProtocolPayment v0.1.0";
    }

    function _authorizeUpgrade(address) internal view override onlyGatewayOwner {}

    /// @dev The token says itself why it does not move. One that only answers false is no reason to let a request
    /// through; the published interface has no error for it.
    function _collect(address payer, uint256 price) private {
        if (!TOKEN.transferFrom(payer, RECEIVER, price)) {
            revert();
        }
    }

    function _storage() private pure returns (ProtocolPaymentStorage storage $) {
        assembly {
            $.slot := STORAGE_SLOT
        }
    }
}
