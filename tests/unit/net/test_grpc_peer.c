/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Who counts as one peer. */
#include "testing.h"

#include <event2/util.h>

#include "net/grpc_server_internal.h"

static void names_of_addresses(void **state)
{
	static const struct {
		const char *address, *name;
	} rows[] = {
		{"192.0.2.7", "192.0.2.7"},
		{"::1", "::1"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[TLS_NAME_SIZE];
		struct sockaddr_storage sa = {0};
		int n = sizeof(sa);

		assert_int_equal(
			evutil_parse_sockaddr_port(rows[i].address, (struct sockaddr *)&sa, &n), 0);
		grpc_peer_address(name, (struct sockaddr *)&sa);
		assert_string_equal(name, rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_addresses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("grpc_peer", tests, NULL, NULL);
}
