// SPDX-License-Identifier: BSD-3-Clause-Clear
// docs/guides/dapp.md, command by command.
import { test } from 'node:test';
import { followGuide } from './guide.mjs';

test('the guide for dapp developers, command by command', (t) => followGuide(t, 'docs/guides/dapp.md', { portBase: 28800, least: 7 }));
