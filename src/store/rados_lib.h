/* rados_lib.h - librados, loaded when a store needs it.
 *
 * With what it needs itself it is some 20 shared libraries, which would cost every start of
 * every program time and memory, and every installation without Ceph a package.  So it is
 * not linked: its functions, as <rados/librados.h> declares them, are found by
 * name. */
#pragma once

#include "core/err.h"

#include <rados/librados.h>

/* Those that are used, without their rados_. */
#define RADOS_FUNCTIONS(F)                                                                         \
	F(create2)                                                                                 \
	F(conf_read_file)                                                                          \
	F(conf_get)                                                                                \
	F(conf_set)                                                                                \
	F(connect)                                                                                 \
	F(shutdown)                                                                                \
	F(ioctx_create)                                                                            \
	F(ioctx_destroy)                                                                           \
	F(ioctx_get_id)                                                                            \
	F(ioctx_set_namespace)                                                                     \
	F(pool_reverse_lookup)                                                                     \
	F(mon_command)                                                                             \
	F(buffer_free)                                                                             \
	F(create_write_op)                                                                         \
	F(release_write_op)                                                                        \
	F(write_op_create)                                                                         \
	F(write_op_write_full)                                                                     \
	F(write_op_remove)                                                                         \
	F(write_op_operate)                                                                        \
	F(create_read_op)                                                                          \
	F(release_read_op)                                                                         \
	F(read_op_read)                                                                            \
	F(read_op_stat)                                                                            \
	F(read_op_operate)                                                                         \
	F(aio_create_completion2)                                                                  \
	F(aio_get_return_value)                                                                    \
	F(aio_read_op_operate)                                                                     \
	F(aio_release)                                                                             \
	F(stat)                                                                                    \
	F(nobjects_list_open)                                                                      \
	F(nobjects_list_next)                                                                      \
	F(nobjects_list_close)

struct rados_lib {
#define DECLARE(name) __typeof__(rados_##name) *name;
	RADOS_FUNCTIONS(DECLARE)
#undef DECLARE
};

extern struct rados_lib rados_lib;

/* Load it, once; a program that has the functions already uses those.  ERR_CONFIG if there is
 * no librados.so.2, or one without a function that is needed.  From any thread. */
int rados_lib_load(struct err *err);
