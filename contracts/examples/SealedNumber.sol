// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @title What the example needs of the ACL
interface ISealedNumberACL {
    /// @notice Whether an account may use a handle.
    /// @param handle The handle.
    /// @param account The account.
    /// @return True if it may.
    function isAllowed(bytes32 handle, address account) external view returns (bool);

    /// @notice Lets everybody have the values of handles decrypted, for good.
    /// @param handlesList Handles the sender may use.
    function allowForDecryption(bytes32[] calldata handlesList) external;
}

/// @title What the example needs of the KMSVerifier
interface ISealedNumberVerifier {
    /// @notice Checks the KMS signatures under a public decryption.
    /// @param handlesList The handles, in the order of the request.
    /// @param decryptedResult The values, one word per handle.
    /// @param decryptionProof Number of signatures, the signatures, extra data.
    /// @return True if enough distinct nodes signed. False is a refusal, too: whoever ignores it believes anybody.
    function verifyDecryptionEIP712KMSSignatures(
        bytes32[] calldata handlesList,
        bytes calldata decryptedResult,
        bytes calldata decryptionProof
    ) external returns (bool);
}

/// @title Example: a number that nobody knows until it is opened
/// @notice Somebody seals a number of which the chain sees only a handle. Later its owner asks for the number: the
/// contract lets the KMS decrypt it and says so in an event. Whoever hears that (an oracle) has it decrypted on the
/// gateway and brings number and proof back. The contract believes the proof, not who brings it.
contract SealedNumber {
    /// @notice How far a number has come.
    enum State {
        None,
        Sealed,
        Requested,
        Opened
    }

    /// @notice A number.
    /// @param handle Names the ciphertext.
    /// @param owner Who sealed it and may ask for it.
    /// @param state How far it has come.
    /// @param value The number, once it is open.
    struct Number {
        bytes32 handle;
        address owner;
        State state;
        uint64 value;
    }

    /// @notice A number was sealed.
    /// @param id The number.
    /// @param owner Who may ask for it.
    /// @param handle Names the ciphertext.
    event Sealed(uint256 indexed id, address indexed owner, bytes32 handle);

    /// @notice A decryption is wanted: to be asked for on the gateway, and answered here by open.
    /// @param id The number.
    /// @param handle Names the ciphertext.
    event DecryptionRequested(uint256 indexed id, bytes32 handle);

    /// @notice A number is known.
    /// @param id The number.
    /// @param value The number.
    event Opened(uint256 indexed id, uint64 value);

    /// @notice The sender may not use the handle.
    /// @param sender The sender.
    error SenderNotAllowed(address sender);

    /// @notice The handle's owner has not let this contract use it.
    /// @param handle The handle.
    error ContractNotAllowed(bytes32 handle);

    /// @notice The handle is of another chain, or not one of a 64-bit number.
    /// @param handle The handle.
    error NotANumberOfThisChain(bytes32 handle);

    /// @notice Only the owner of a number may ask for it.
    /// @param sender The sender.
    error NotTheOwner(address sender);

    /// @notice The number is not as far as the call needs it, or further.
    /// @param id The number.
    /// @param state How far it is.
    error WrongState(uint256 id, State state);

    /// @notice The proof has enough signatures, but not of enough nodes.
    error NotEnoughSigners();

    uint8 private constant UINT64_TYPE = 5;

    ISealedNumberACL private immutable ACL;
    ISealedNumberVerifier private immutable KMS_VERIFIER;

    mapping(uint256 id => Number number) private _numbers;
    uint256 private _count;

    /// @param acl The chain's ACL.
    /// @param kmsVerifier The chain's KMSVerifier.
    constructor(ISealedNumberACL acl, ISealedNumberVerifier kmsVerifier) {
        ACL = acl;
        KMS_VERIFIER = kmsVerifier;
    }

    /// @notice Seals a number.
    /// @param handle Names its ciphertext, a 64-bit number of this chain; the sender and this contract may use it.
    /// @return id What the number is called from now on.
    function seal(bytes32 handle) external returns (uint256 id) {
        if (uint64(uint256(handle) >> 16) != block.chainid || uint8(handle[30]) != UINT64_TYPE) {
            revert NotANumberOfThisChain(handle);
        }
        // Without the first check, anybody could seal and then publish what another account has encrypted for itself.
        if (!ACL.isAllowed(handle, msg.sender)) {
            revert SenderNotAllowed(msg.sender);
        }
        if (!ACL.isAllowed(handle, address(this))) {
            revert ContractNotAllowed(handle);
        }
        id = ++_count;
        _numbers[id] = Number(handle, msg.sender, State.Sealed, 0);
        emit Sealed(id, msg.sender, handle);
    }

    /// @notice Asks for a number. From now on everybody may have it decrypted.
    /// @param id The number; the sender's.
    function request(uint256 id) external {
        Number storage number = _inState(id, State.Sealed);
        if (msg.sender != number.owner) {
            revert NotTheOwner(msg.sender);
        }
        number.state = State.Requested;
        ACL.allowForDecryption(_listOf(number.handle));
        emit DecryptionRequested(id, number.handle);
    }

    /// @notice Brings a number that was asked for. Anybody may: the proof is what counts.
    /// @dev The proof names the handle, so it fits no other number; the state admits it once.
    /// @param id The number.
    /// @param value The number.
    /// @param decryptionProof Number of signatures (1 byte), the signatures (65 bytes each), extra data (the rest), as
    /// the gateway's PublicDecryptionResponse has them.
    function open(uint256 id, uint64 value, bytes calldata decryptionProof) external {
        Number storage number = _inState(id, State.Requested);
        number.state = State.Opened;
        number.value = value;
        if (!KMS_VERIFIER.verifyDecryptionEIP712KMSSignatures(
                _listOf(number.handle), abi.encode(value), decryptionProof
            )) {
            revert NotEnoughSigners();
        }
        emit Opened(id, value);
    }

    /// @notice What is known of a number.
    /// @param id The number.
    /// @return Handle, owner, state and, once it is open, the value.
    function getNumber(uint256 id) external view returns (Number memory) {
        return _numbers[id];
    }

    function _inState(uint256 id, State state) private view returns (Number storage number) {
        number = _numbers[id];
        if (number.state != state) {
            revert WrongState(id, number.state);
        }
    }

    function _listOf(bytes32 handle) private pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = handle;
    }
}
