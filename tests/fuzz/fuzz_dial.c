/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Where gRPC connects to. What is accepted says itself again. Input: the text. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "net/dial.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dial_target t, again;
	struct err_note note = {0};
	char out[2 * DIAL_HOST_SIZE];

	if (n > 1024 || (n > 0 && memchr(p, 0, n)))
		return 0;

	char *text = fuzz_cstr(bytes_from(p, n));

	if (dial_target_parse(&t, text, &note) == ERR_OK) {
		bool v6 = strchr(t.host, ':') != NULL;

		if (t.unix_socket)
			(void)snprintf(out, sizeof(out), "unix:%s", t.path);
		else
			(void)snprintf(out, sizeof(out), "http%s://%s%s%s:%u", t.secure ? "s" : "",
				       v6 ? "[" : "", t.host, v6 ? "]" : "", t.port);
		FUZZ_OK(dial_target_parse(&again, out, &note));
		CHECK(strcmp(t.host, again.host) == 0 && strcmp(t.path, again.path) == 0);
		CHECK(t.port == again.port && t.secure == again.secure);
		CHECK(t.unix_socket ||
		      (t.host[0] && t.port > 0 && t.port <= 65535 && strstr(text, t.authority)));
	} else {
		CHECK(note.text[0]);
	}
	free(text);
	return 0;
}
