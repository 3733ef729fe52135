/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the targets share that speak over a socket: frames of HTTP/2 from an input, and the loop by
 * small steps. */
#ifndef TESTS_FUZZ_SUPPORT_NET_H
#define TESTS_FUZZ_SUPPORT_NET_H

#include "fuzz.h"
#include "net/loop.h"

/*
 * The input as what one side of an HTTP/2 connection says; the preface, where it belongs, and
 * SETTINGS come first by themselves. Each piece begins with a u8:
 *
 *	below 0x40	a frame of this type: u8 flags || u8 stream || part
 *	below 0x80	a part as it is, without a frame around it
 *	otherwise	a frame HEADERS made of names and values that matter: u8 flags || u8 stream
 *			|| u8 how many || u8 each
 *
 * where a part is its length (u8; 255: u32 little endian) and that many bytes.
 */
void fuzz_frames(struct buf *out, struct bytes in, bool client);

/* What is ready to run on the loop, a few times. */
void fuzz_pump(struct loop *l);

/* The loop of the process; made at first. */
struct loop *fuzz_loop(void);

/* A listening socket on the loopback; its port. */
int fuzz_listen(unsigned *ret_port);

/* Write all, or as much as the socket takes. */
void fuzz_write(int fd, struct bytes b);

#endif
