/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/transport.h"

const char *http_reply_header(const struct http_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->headers_n; i++)
		if (strcmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	return NULL;
}
