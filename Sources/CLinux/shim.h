// Calls of Linux that the Glibc module hides, because it is built without _GNU_SOURCE.
#pragma once

#include <stddef.h>
#include <stdint.h>

int fallocate(int descriptor, int mode, int64_t offset, int64_t count);
int sync_file_range(int descriptor, int64_t offset, int64_t count, unsigned int flags);
void *memmem(const void *haystack, size_t count, const void *needle, size_t length);

/// fallocate(2): keep the file's size, give the blocks back.
enum { LINUX_PUNCH_HOLE = 0x01 | 0x02 };
/// open(2): past the page cache.
#if defined(__aarch64__) || defined(__arm__)
enum { LINUX_DIRECT = 0x10000 };
#else
enum { LINUX_DIRECT = 0x4000 };
#endif
/// sync_file_range(2): start write-back, do not wait.
enum { LINUX_START_WRITEBACK = 2 };
/// lseek(2): the next data at or after the offset.
enum { LINUX_SEEK_DATA = 3 };
