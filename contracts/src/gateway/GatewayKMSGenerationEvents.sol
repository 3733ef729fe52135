// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {KeyDigest, ParamsType} from "./GatewayKMSGenerationTypes.sol";

/// @title What the gateway's KMSGeneration tells and why it refuses
/// @dev No parameter of these events is indexed.
abstract contract GatewayKMSGenerationEvents {
    /// @notice A key is to be prepared.
    /// @param prepKeygenId The preparation.
    /// @param epochId Zero: there are no epochs on the gateway.
    /// @param paramsType The parameters.
    event PrepKeygenRequest(uint256 prepKeygenId, uint256 epochId, ParamsType paramsType);

    /// @notice One node has prepared a key.
    /// @param prepKeygenId The preparation.
    /// @param signature The node's signature.
    /// @param kmsTxSender The account it was sent from.
    event PrepKeygenResponse(uint256 prepKeygenId, bytes signature, address kmsTxSender);

    /// @notice Enough nodes have prepared a key; it is to be generated. Emitted at most once per preparation.
    /// @param prepKeygenId The preparation.
    /// @param keyId The key.
    event KeygenRequest(uint256 prepKeygenId, uint256 keyId);

    /// @notice One node has generated a key.
    /// @param keyId The key.
    /// @param keyDigests The digests of its public parts.
    /// @param signature The node's signature.
    /// @param kmsTxSender The account it was sent from.
    event KeygenResponse(uint256 keyId, KeyDigest[] keyDigests, bytes signature, address kmsTxSender);

    /// @notice Enough nodes have the same key; it is the active one. Emitted at most once per key.
    /// @param keyId The key.
    /// @param kmsNodeStorageUrls Where those nodes keep its public parts, in order of their answers.
    /// @param keyDigests The digests of its public parts.
    event ActivateKey(uint256 keyId, string[] kmsNodeStorageUrls, KeyDigest[] keyDigests);

    /// @notice A CRS is to be generated.
    /// @param crsId The CRS.
    /// @param maxBitLength The most bits a proof under it can be about.
    /// @param paramsType The parameters.
    event CrsgenRequest(uint256 crsId, uint256 maxBitLength, ParamsType paramsType);

    /// @notice One node has generated a CRS.
    /// @param crsId The CRS.
    /// @param crsDigest Its digest.
    /// @param signature The node's signature.
    /// @param kmsTxSender The account it was sent from.
    event CrsgenResponse(uint256 crsId, bytes crsDigest, bytes signature, address kmsTxSender);

    /// @notice Enough nodes have the same CRS; it is the active one. Emitted at most once per CRS.
    /// @param crsId The CRS.
    /// @param kmsNodeStorageUrls Where those nodes keep it, in order of their answers.
    /// @param crsDigest Its digest.
    event ActivateCrs(uint256 crsId, string[] kmsNodeStorageUrls, bytes crsDigest);

    /// @notice The nodes are to make fresh seeds of their common randomness. Nothing on the chain answers this.
    event PRSSInit();

    /// @notice The nodes are to share a key anew among themselves. Nothing on the chain answers this.
    /// @param prepKeygenId The key's preparation.
    /// @param keyId The key.
    /// @param keyReshareId The resharing.
    /// @param paramsType The key's parameters.
    event KeyReshareSameSet(uint256 prepKeygenId, uint256 keyId, uint256 keyReshareId, ParamsType paramsType);

    /// @notice No preparation has the id.
    /// @param prepKeygenId The id.
    error PrepKeygenNotRequested(uint256 prepKeygenId);

    /// @notice The node has answered this preparation before.
    /// @param prepKeygenId The preparation.
    /// @param kmsSigner The address of its key.
    error KmsAlreadySignedForPrepKeygen(uint256 prepKeygenId, address kmsSigner);

    /// @notice The key before is not there yet.
    /// @param keyId The key before.
    error KeygenOngoing(uint256 keyId);

    /// @notice No key has the id.
    /// @param keyId The id.
    error KeygenNotRequested(uint256 keyId);

    /// @notice A key without public parts.
    /// @param keyId The key.
    error EmptyKeyDigests(uint256 keyId);

    /// @notice The node has answered for this key before.
    /// @param keyId The key.
    /// @param kmsSigner The address of its key.
    error KmsAlreadySignedForKeygen(uint256 keyId, address kmsSigner);

    /// @notice The CRS before is not there yet.
    /// @param crsId The CRS before.
    error CrsgenOngoing(uint256 crsId);

    /// @notice No CRS has the id.
    /// @param crsId The id.
    error CrsgenNotRequested(uint256 crsId);

    /// @notice The node has answered for this CRS before.
    /// @param crsId The CRS.
    /// @param kmsSigner The address of its key.
    error KmsAlreadySignedForCrsgen(uint256 crsId, address kmsSigner);

    /// @notice The nodes have not agreed on a key of this id.
    /// @param keyId The id.
    error KeyNotGenerated(uint256 keyId);

    /// @notice The nodes have not agreed on a CRS of this id.
    /// @param crsId The id.
    error CrsNotGenerated(uint256 crsId);

    /// @notice The account sends for no custodian. Part of the published interface; nothing raises it.
    /// @param txSenderAddress The account.
    error NotCustodianTxSender(address txSenderAddress);

    /// @notice The key signs for no custodian. Part of the published interface; nothing raises it.
    /// @param signerAddress The address.
    error NotCustodianSigner(address signerAddress);
}
