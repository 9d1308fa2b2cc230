/* faults.h - a table of disk.h that does what another does, and fails once.
 *
 * Calls that can fail are counted; the one whose turn it is fails in a way of its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { FAULT_WAYS = 6 }; /* tries of one call: most fail in fewer ways */

/* From now on: the call number `at` from here (0 the first) fails in way number `way`.
 * To be called after sim_use. */
void faults_set(size_t at, unsigned way);

/* Nothing fails any more.  Returns how many calls there were. */
size_t faults_stop(void);

/* What has failed, as in "fdatasync: EIO"; NULL: nothing, there were not so many calls, or
 * that one has not so many ways to fail. */
const char *faults_done(void);
