// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KeyDigest, ParamsType} from "./KeyMaterialTypes.sol";

/// @title What KMSGeneration tells, and what it refuses
/// @dev No parameter is indexed: that is the published form.
abstract contract HostKMSGenerationEvents {
    /// @notice Nodes are to prepare a key.
    /// @param prepKeygenId The preprocessing.
    /// @param paramsType The parameters of the key.
    /// @param extraData Context and epoch to do it in.
    event PrepKeygenRequest(uint256 prepKeygenId, ParamsType paramsType, bytes extraData);

    /// @notice A node finished a preprocessing.
    /// @param prepKeygenId The preprocessing.
    /// @param signature The node's signature.
    /// @param kmsTxSender The node's account.
    event PrepKeygenResponse(uint256 prepKeygenId, bytes signature, address kmsTxSender);

    /// @notice Enough nodes are prepared; nodes are to make the key.
    /// @param prepKeygenId The preprocessing.
    /// @param keyId The key.
    /// @param extraData Context and epoch to do it in.
    event KeygenRequest(uint256 prepKeygenId, uint256 keyId, bytes extraData);

    /// @notice A node made a key.
    /// @param keyId The key.
    /// @param keyDigests The digests of its public artefacts.
    /// @param signature The node's signature.
    /// @param kmsTxSender The node's account.
    event KeygenResponse(uint256 keyId, KeyDigest[] keyDigests, bytes signature, address kmsTxSender);

    /// @notice Enough nodes made the same key: it is in use.
    /// @param keyId The key.
    /// @param kmsNodeStorageUrls Where those nodes publish it, in the order of their answers.
    /// @param keyDigests The digests of its public artefacts.
    event ActivateKey(uint256 keyId, string[] kmsNodeStorageUrls, KeyDigest[] keyDigests);

    /// @notice Nodes are to make a CRS.
    /// @param crsId The CRS.
    /// @param maxBitLength The size of what can be proven with it.
    /// @param paramsType Its parameters.
    /// @param extraData Context and epoch to do it in.
    event CrsgenRequest(uint256 crsId, uint256 maxBitLength, ParamsType paramsType, bytes extraData);

    /// @notice A node made a CRS.
    /// @param crsId The CRS.
    /// @param crsDigest Its digest.
    /// @param signature The node's signature.
    /// @param kmsTxSender The node's account.
    event CrsgenResponse(uint256 crsId, bytes crsDigest, bytes signature, address kmsTxSender);

    /// @notice Enough nodes made the same CRS: it is in use.
    /// @param crsId The CRS.
    /// @param kmsNodeStorageUrls Where those nodes publish it, in the order of their answers.
    /// @param crsDigest Its digest.
    event ActivateCrs(uint256 crsId, string[] kmsNodeStorageUrls, bytes crsDigest);

    /// @notice Nodes are to give a key up.
    /// @param prepKeygenId The preprocessing of the key.
    event AbortKeygen(uint256 prepKeygenId);

    /// @notice Nodes are to give a CRS up.
    /// @param crsId The CRS.
    event AbortCrsgen(uint256 crsId);

    /// @notice One key at a time.
    /// @param keyId The key that is neither finished nor aborted.
    error KeygenOngoing(uint256 keyId);

    /// @notice One CRS at a time.
    /// @param crsId The CRS that is neither finished nor aborted.
    error CrsgenOngoing(uint256 crsId);

    /// @notice No such preprocessing was asked for.
    /// @param prepKeygenId The preprocessing.
    error PrepKeygenNotRequested(uint256 prepKeygenId);

    /// @notice No such key was asked for.
    /// @param keyId The key.
    error KeygenNotRequested(uint256 keyId);

    /// @notice No such CRS was asked for.
    /// @param crsId The CRS.
    error CrsgenNotRequested(uint256 crsId);

    /// @notice A key without digests.
    /// @param keyId The key.
    error EmptyKeyDigests(uint256 keyId);

    /// @notice The key's preprocessing is not finished.
    error KeyManagementRequestPending();

    /// @notice The sender is no node of the request's context.
    /// @param txSenderAddress The sender.
    error NotKmsTxSender(address txSenderAddress);

    /// @notice The signature is not by a node of the request's context, or not over this answer.
    /// @param signerAddress The recovered address.
    error NotKmsSigner(address signerAddress);

    /// @notice The signature is by another node than the sender.
    /// @param signerAddress The recovered address.
    /// @param txSenderAddress The sender.
    error KmsSignerDoesNotMatchTxSender(address signerAddress, address txSenderAddress);

    /// @notice The node has answered before.
    /// @param prepKeygenId The preprocessing.
    /// @param kmsSigner The address of the node's key.
    error KmsAlreadySignedForPrepKeygen(uint256 prepKeygenId, address kmsSigner);

    /// @notice The node has answered before.
    /// @param keyId The key.
    /// @param kmsSigner The address of the node's key.
    error KmsAlreadySignedForKeygen(uint256 keyId, address kmsSigner);

    /// @notice The node has answered before.
    /// @param crsId The CRS.
    /// @param kmsSigner The address of the node's key.
    error KmsAlreadySignedForCrsgen(uint256 crsId, address kmsSigner);

    /// @notice No such preprocessing was asked for.
    /// @param prepKeygenId The preprocessing.
    error AbortKeygenInvalidId(uint256 prepKeygenId);

    /// @notice The key is finished or aborted.
    /// @param prepKeygenId Its preprocessing.
    error AbortKeygenAlreadyDone(uint256 prepKeygenId);

    /// @notice No such CRS was asked for.
    /// @param crsId The CRS.
    error AbortCrsgenInvalidId(uint256 crsId);

    /// @notice The CRS is finished or aborted.
    /// @param crsId The CRS.
    error AbortCrsgenAlreadyDone(uint256 crsId);

    /// @notice There is no such key, or not yet.
    /// @param keyId The key.
    error KeyNotGenerated(uint256 keyId);

    /// @notice The key was given up.
    /// @param keyId The key.
    error KeyAborted(uint256 keyId);

    /// @notice There is no such CRS, or not yet.
    /// @param crsId The CRS.
    error CrsNotGenerated(uint256 crsId);

    /// @notice The CRS was given up.
    /// @param crsId The CRS.
    error CrsAborted(uint256 crsId);
}
