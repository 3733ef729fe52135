/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The page of kms-server and kms-gen-keys, beside the connector's: both have a struct of one name.
 */
#include "cmd/kms_dev_reference.h"
#include "core/config.h"

static const char server_head[] =
	"# Configuration of the server\n"
	"\n"
	"This page is made from the tables that `kms-server` and `kms-gen-keys` read: `ninja -C "
	"BUILD configuration-doc`\n"
	"writes it. Do not edit it.\n"
	"\n"
	"Each key can be given in a TOML file or in the environment, by the name in the second "
	"column; the environment wins,\n"
	"and letter case of variables does not matter. A dot in a key is a table in the file: "
	"`service.tls.cert` is `cert` under\n"
	"`[service.tls]`. A key that nobody knows is an error: a misspelt key in front of private "
	"keys must not pass.\n"
	"`config/kms-server.toml` and `config/kms-gen-keys.toml` show them with comments; how the "
	"connector is configured is in\n"
	"[configuration.md](configuration.md).\n";

enum err reference_add_server(struct buf *out)
{
	TRY(buf_add_str(out, server_head));
	TRY(buf_add_str(out, "\n## kms-server\n\n`kms-server -c FILE`.\n\n"));
	TRY(config_reference(&core_config_table, out));
	TRY(buf_add_str(out, "\n`[service.tls]` counts whole: `cert`, `key`, `ca` and "
			     "`allowed_peers`, or none of them. The client port is a Unix\n"
			     "socket, or has TLS, or is a loopback address with "
			     "`plaintext_loopback`; nothing else is served.\n"));
	TRY(buf_add_str(out, "\n## kms-gen-keys\n\n`kms-gen-keys -f FILE`.\n\n"));
	return config_reference(&keygen_config_table, out);
}
