// Calls of Linux that the Glibc module hides, because it is built without _GNU_SOURCE.
#pragma once

#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int fallocate(int descriptor, int mode, int64_t offset, int64_t count);
int sync_file_range(int descriptor, int64_t offset, int64_t count, unsigned int flags);
int mkostemp(char *pattern, int flags);
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

int pipe2(int descriptors[2], int flags);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);
int memfd_create(const char *name, unsigned int flags);
/// memfd_create(2): close on exec, allow seals.
enum { LINUX_MEMORY_FILE = 0x1 | 0x2 };
/// fcntl(2): the size of this memory file changes no more, and no more seals.
enum { LINUX_ADD_SEALS = 1033, LINUX_SEAL_SIZE = 0x1 | 0x2 | 0x4 };
/// madvise(2): give the pages of a shared mapping back.
enum { LINUX_REMOVE_PAGES = 9 };

int mallopt(int parameter, int value);
/// mallopt(3): bytes at the end of a heap that are kept; bytes from which an allocation is a mapping of its own.
enum { LINUX_TRIM_THRESHOLD = -1, LINUX_MAPPING_THRESHOLD = -3 };
/// open(2): close on exec.
enum { LINUX_CLOSE_ON_EXEC = 0x80000 };

/// Starts a program in a process group of its own with two descriptors as standard input and output and one as number 3,
/// no other open file, no blocked signal and hardly an environment. 0, or an errno.
static inline int linux_spawn(
    const char *path, const char *argument, int input, int output, int shared, int *process) {
    char *arguments[3] = {(char *)path, (char *)argument, 0};
    char *environment[2] = {0, 0};
    char libraries[4096] = "LD_LIBRARY_PATH=";
    const char *given = getenv("LD_LIBRARY_PATH");
    if (given && strlen(given) < sizeof(libraries) - 17) {
        strcat(libraries, given);
        environment[0] = libraries;
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&actions);
    if (code) return code;
    code = posix_spawnattr_init(&attributes);
    if (code) {
        posix_spawn_file_actions_destroy(&actions);
        return code;
    }
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (!code) code = posix_spawn_file_actions_adddup2(&actions, input, 0);
    if (!code) code = posix_spawn_file_actions_adddup2(&actions, output, 1);
    if (!code) code = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
    if (!code) code = posix_spawn_file_actions_adddup2(&actions, shared, 3);
    if (!code) code = posix_spawn_file_actions_addclosefrom_np(&actions, 4);
    pid_t started = 0;
    if (!code) code = posix_spawn(&started, path, &actions, &attributes, arguments, environment);
    *process = started;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}
