/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service_buckets.h"

#include "connector/service_signer.h"
#include "net/aws_s3.h"

enum err service_buckets_open(struct transport **ret_transport, const struct connector_config *c,
			      struct transport *inner, struct clock *clock, const char *const *env,
			      const struct log *log, struct err_note *note)
{
	const struct config_strings *buckets = &c->s3_signed_buckets;
	const char *region = c->s3_signing_region;
	const struct aws_s3_options o = {
		.inner = inner,
		.clock = clock,
		.env = env,
		.buckets = (const char *const *)buckets->v,
		.buckets_n = buckets->n,
		.region = region && region[0] ? region : NULL,
	};
	struct transport *t;
	enum err e;

	if (buckets->n == 0) {
		if (o.region)
			LOG_WARN(log, "s3_signing_region has no effect: s3_signed_buckets names no "
				      "bucket");
		*ret_transport = NULL;
		return ERR_OK;
	}
	e = aws_s3_new(&t, &o, note);
	if (e != ERR_OK)
		return err_prefix(note, e, "s3_signed_buckets");
	LOG_INFO(log, "Reads of buckets are signed", log_i("buckets", (int64_t)buckets->n),
		 log_s("credentials", aws_source_words(aws_s3_source(t))));
	for (size_t i = 0; i < buckets->n; i++)
		if (service_url_plain_and_far(buckets->v[i]))
			LOG_WARN(log, "A bucket is asked in plain text with a signature: use https",
				 log_s("bucket", buckets->v[i]));
	*ret_transport = t;
	return ERR_OK;
}
