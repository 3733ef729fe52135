#!/usr/bin/env node
/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The part of the native solc command line that forge uses, in front of the
 * npm build of the compiler. forge puts every source into the standard JSON
 * input, so path options (--base-path, --include-path, --allow-paths) have
 * nothing to do here and are ignored.
 */
import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(import.meta.url)("solc");
const args = process.argv.slice(2);

/** A pipe takes 64 KiB at a time; writeSync may also be told to try again. */
function put(text) {
	const data = Buffer.from(text);
	for (let done = 0; done < data.length; ) {
		try {
			done += writeSync(1, data, done);
		} catch (error) {
			if (error.code !== "EAGAIN") throw error;
		}
	}
}

if (args.includes("--version")) {
	const version = solc.version().replace(".Emscripten.clang", ".Linux.g++");
	put(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else if (args.includes("--standard-json")) {
	put(solc.compile(readFileSync(0, "utf8")));
} else {
	process.stderr.write("solc.mjs: only --version and --standard-json are known\n");
	process.exitCode = 1;
}
