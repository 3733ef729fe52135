// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

// The proxy every contract stands behind, compiled here so that a deployment finds its artifact.
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
