// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

/// @notice The part of the ACL that the stand-in uses.
interface IAllow {
    /// @notice Permission for the running transaction only.
    /// @param ctHandle The ciphertext.
    /// @param account Who may use it.
    function allowTransient(bytes32 ctHandle, address account) external;

    /// @notice Permission for good.
    /// @param ctHandle The ciphertext.
    /// @param account Who may use it.
    function allow(bytes32 ctHandle, address account) external;

    /// @notice Permission for everybody to have the values decrypted; cannot be taken back.
    /// @param handlesList The ciphertexts.
    function allowForDecryption(bytes32[] calldata handlesList) external;
}

/// @title Stand-in for the FHE executor on the local network
/// @notice Admits user ciphertexts into the acl. The real executor first checks the coprocessors' signatures on the
/// input and computes on ciphertexts; the local network has one coprocessor stand-in, and this contract believes it.
/// It is deployed on the local network only.
contract ExecutorStandIn {
    /// @notice Only the coprocessor stand-in may admit ciphertexts.
    /// @param sender Who tried.
    error NotCoprocessor(address sender);

    /// @notice The account that may admit ciphertexts.
    address public immutable COPROCESSOR;

    /// @param coprocessor The coprocessor stand-in's account.
    constructor(address coprocessor) {
        COPROCESSOR = coprocessor;
    }

    /// @notice Let `account` use the ciphertext and, if asked, let everybody have it decrypted.
    /// @param acl The ACL whose executor this contract is.
    /// @param ctHandle The ciphertext.
    /// @param account Its first owner.
    /// @param forDecryption Whether its value may be decrypted in public.
    function admit(IAllow acl, bytes32 ctHandle, address account, bool forDecryption) external {
        if (msg.sender != COPROCESSOR) revert NotCoprocessor(msg.sender);
        acl.allowTransient(ctHandle, address(this));
        acl.allow(ctHandle, account);
        if (forDecryption) {
            bytes32[] memory handles = new bytes32[](1);
            handles[0] = ctHandle;
            acl.allowForDecryption(handles);
        }
    }
}
