/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What kms-server does besides serving. */
#ifndef CMD_KMS_SERVER_H
#define CMD_KMS_SERVER_H

/* `kms-server gc …`: argv[0] is "gc". The exit code. */
int kms_server_gc(int argc, char **argv);

#endif
