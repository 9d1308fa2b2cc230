/* clock.h - what time it is.  Code with rules about time takes the time as an
 * argument; only the edges of a program ask here. */
#pragma once

#include <stdint.h>

/* Seconds since 1970. */
int64_t clock_unix(void);

/* Milliseconds since 1970. */
int64_t clock_unix_ms(void);

/* Milliseconds on a clock that only goes forward, for deadlines. */
int64_t clock_mono_ms(void);

/* Microseconds on the same clock, for measuring. */
int64_t clock_mono_us(void);
