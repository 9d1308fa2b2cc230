/* steady_cond.h - conditions that are waited for until a time of clock_mono_ms(), which
 * nobody sets. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Instead of pthread_cond_init. */
void steady_cond_init(pthread_cond_t *cond);

/* As pthread_cond_timedwait, until a time of clock_mono_us() or clock_mono_ms().  False if it
 * has passed. */
bool steady_cond_wait_us(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us);
bool steady_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ms);
