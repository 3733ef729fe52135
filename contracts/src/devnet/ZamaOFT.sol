// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Stand-in for the protocol's token on a local network
/// @notice Anybody makes as much of it as it likes.
contract ZamaOFT is ERC20 {
    /// @param name_ The token's name.
    /// @param symbol_ The token's symbol.
    /// @param initialSupply What the deployer gets.
    constructor(string memory name_, string memory symbol_, uint256 initialSupply) ERC20(name_, symbol_) {
        _mint(msg.sender, initialSupply);
    }

    /// @notice Makes tokens.
    /// @param to Who gets them.
    /// @param amount How many, in the smallest unit.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
