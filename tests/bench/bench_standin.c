/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * bench_standin OBJECTS_PORT CORE_LISTEN: an object store on 127.0.0.1 and a core that signs with
 * the key in the environment variable STANDIN_KEY (64 hexadecimal digits), until it is killed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "standin.h"

int main(int argc, char **argv)
{
	static const uint8_t blind[32] = {7};
	const char *text = getenv("STANDIN_KEY");
	struct secret32 key;
	struct ecdsa *ecdsa;
	struct loop *loop;

	if (argc != 3 || !text) {
		(void)fprintf(stderr, "usage: STANDIN_KEY=HEX bench_standin PORT LISTEN\n");
		return 2;
	}
	CHECK(hex_decode_fixed(key.b, sizeof(key.b), bytes_str(text)) == ERR_OK);
	CHECK(loop_new(&loop) == ERR_OK && ecdsa_new(&ecdsa, blind) == ERR_OK);
	(void)standin_core_start(loop, argv[2], ecdsa, &key);
	(void)standin_http_start("127.0.0.1", (unsigned)strtoul(argv[1], NULL, 10),
				 standin_objects_serve, standin_objects_new());
	CHECK(loop_run(loop) == ERR_OK);
	return 0;
}
