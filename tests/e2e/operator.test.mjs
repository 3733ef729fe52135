// SPDX-License-Identifier: BSD-3-Clause-Clear
// docs/guides/operator.md, command by command.
import { test } from 'node:test';
import { followGuide } from './guide.mjs';

const ports = { 50051: 30451, 9646: 30452, 9100: 30453 };

test('the guide for operators, command by command', (t) => followGuide(t, 'docs/guides/operator.md', { portBase: 30400, ports, least: 9 }));
