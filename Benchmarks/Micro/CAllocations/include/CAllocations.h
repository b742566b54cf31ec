// Counts every allocation of the process, on every thread. Linking this into an executable is enough.

#ifndef CALLOCATIONS_H
#define CALLOCATIONS_H

#include <stdint.h>

/// Blocks of memory asked for since the process began: malloc, calloc, realloc and the aligned forms.
uint64_t allocation_count(void);

/// Bytes asked for since the process began, by the same calls.
uint64_t allocated_bytes(void);

#endif
