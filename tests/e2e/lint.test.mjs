// SPDX-License-Identifier: BSD-3-Clause-Clear
// ./dev lint finds what it promises to find: a small tree of its own passes, and then each rule is broken in it once.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../../tools/devnet/network.mjs';

const tree = mkdtempSync(join(tmpdir(), 'claviger-lint-'));
after(() => rmSync(tree, { recursive: true }));

const git = (...args) => execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@example.org', ...args], { cwd: tree });
const put = (files, message) => {
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(dirname(join(tree, name)), { recursive: true });
		writeFileSync(join(tree, name), text);
	}
	git('add', '-A');
	git('commit', '-qm', message);
};
const lint = () => spawnSync('bash', [join(root, 'tools/dev/lint-tree.sh')], { cwd: tree, encoding: 'utf8' });

const spdx = 'SPDX-License-Identifier: BSD-3-Clause-Clear';
const c = (body) => `/* ${spdx} */\n${body}`;
const lines = (n, line) => `${line}\n`.repeat(n);

test('a clean tree passes', () => {
	git('init', '-q');
	for (const name of ['.clang-format', 'foundry.toml']) cpSync(join(root, name), join(tree, name));
	put(
		{
			'src/base/README.md': '# base\n',
			'src/base/good.c': c('#include "base/good.h"\n\nint good(int a)\n{\n\treturn a + 1;\n}\n'),
			'src/base/good.h': c('#ifndef BASE_GOOD_H\n#define BASE_GOOD_H\n\nint good(int a);\n\n#endif\n'),
			'contracts/src/Good.sol': `// ${spdx}\npragma solidity 0.8.24;\n\ncontract Good {}\n`,
			'tests/unit/good.c': c(lines(699, 'int good(int a);')),
			'dev': `#!/usr/bin/env bash\n# ${spdx}\necho good\n`,
		},
		'feat(base): a clean tree',
	);
	const { status, stdout, stderr } = lint();
	assert.equal(stdout + stderr, '');
	assert.equal(status, 0);
});

// [the rule's words, a file that breaks it, its text, what else the finding says]
const seeds = [
	['formatting', 'src/base/format.c', c('int  f(void);\n')],
	['Solidity formatting', 'contracts/src/Format.sol', `// ${spdx}\npragma solidity 0.8.24;\ncontract Format {uint x;}\n`],
	['a licence line', 'src/base/licence.c', 'int f(void);\n'],
	['a licence line', 'tools/licence.mjs', 'export {};\n'],
	['which folder', 'src/base/up.c', c('#include "net/loop.h"\n'), 'base/ may not include "net/loop.h"'],
	['which folder', 'src/store/wrapped.c', c('#include <event2/event.h>\n'), 'only net/ may include <event2/event.h>'],
	['which folder', 'src/base/bare.c', c('#include "good.h"\n'), '"good.h" has to name its folder'],
	['lengths', 'src/base/function.c', c(`int f(int a)\n{\n${lines(70, '\ta++;')}\treturn a;\n}\n`), 'a function of 71 lines'],
	['lengths', 'src/base/file.c', c(lines(700, 'int f(int a);')), '701 lines'],
	['lengths', 'tests/unit/file.c', c(lines(700, 'int f(int a);')), '701 lines'],
	['lengths', 'contracts/src/File.sol', `// ${spdx}\npragma solidity 0.8.24;\n${lines(700, '//')}`, '702 lines'],
	['lengths', 'tools/file.mjs', `// ${spdx}\n${lines(700, '//')}`, '701 lines'],
	['banned functions', 'tests/unit/banned.c', c('int f(char *a, const char *b)\n{\n\treturn strcpy(a, b) == a;\n}\n')],
	['banned functions of the product', 'src/base/banned.c', c('void f(int a)\n{\n\tassert(a);\n}\n')],
	['no mutable globals', 'src/base/global.c', c('static int count;\n')],
	['no mutable globals', 'src/base/global2.c', c('char *names[3] = {0};\n')],
	['no unfinished marks', 'src/base/mark.c', c(`/* ${'TO'}DO: later */\n`)],
	['libraries do not print or exit', 'src/base/print.c', c('int f(void)\n{\n\treturn printf("x");\n}\n')],
	['every folder of src/ has a README', 'src/codec/x.c', c('int f(void);\n'), 'src/codec/'],
	['no path of one machine', 'README.md', `see /${'home'}/somebody/notes\n`],
	['shellcheck', 'tools/x.sh', `#!/usr/bin/env bash\n# ${spdx}\nrm $1\n`, 'SC2086'],
	['cppcheck', 'src/base/check.c', c('int f(void)\n{\n\tint a[2] = {0};\n\n\treturn a[2];\n}\n'), 'out of bounds'],
];

test('each rule is found when it is broken', () => {
	put({ 'src/store/README.md': '# store\n', ...Object.fromEntries(seeds.map(([, name, text]) => [name, text])) }, 'did things');
	const { status, stderr } = lint();
	assert.equal(status, 1);
	const findings = stderr.split(/^lint: /m).slice(1);
	const of = (rule) => findings.find((finding) => finding.startsWith(rule)) ?? '';
	for (const [rule, name, , says] of seeds) assert.ok(of(rule).includes(says === undefined || says.startsWith('src/') ? says ?? name : says), `"${rule}" does not tell of ${name}:\n${stderr}`);
	for (const [rule, name] of seeds) if (!/README|shellcheck/.test(rule)) assert.ok(of(rule).includes(name), `"${rule}" does not name ${name}`);
	assert.match(of('commit form'), /did things/);
	// A file breaks the rule that it was written for; the clean ones none.
	assert.doesNotMatch(stderr, /\/good\.|Good\.sol/);
	assert.ok(stderr.endsWith(`lint: ${findings.length - 1} rules are broken\n`));
});

test('what is too long for its own good is a warning', () => {
	git('rm', '-rqf', '--cached', '.');
	rmSync(join(tree, 'src'), { recursive: true });
	const long = c(lines(600, 'int f(int a);'));
	for (const name of ['src/base/long.c', 'tests/unit/long.c']) {
		mkdirSync(dirname(join(tree, name)), { recursive: true });
		writeFileSync(join(tree, name), long);
	}
	const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'tools/dev/sizes.mjs'), 'src/base/long.c', 'tests/unit/long.c'], { cwd: tree, encoding: 'utf8' });
	assert.equal(status, 0);
	assert.equal(stdout, '');
	assert.equal(stderr, 'lint: warning: src/base/long.c: 601 lines, better at most 500\n');
});
