// Stands between SQLite and its files: opens them by the system's VFS, then puts own calls before the ones that matter.

#include "CFaultySQLite.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static sqlite3_vfs *system_vfs;
static sqlite3_vfs faulty_vfs;

/// What is kept of an open file, behind the bytes that the system's VFS keeps of it.
typedef struct {
    const sqlite3_io_methods *real;
    sqlite3_io_methods mine;
    /// SQLite keeps the name until the file is closed.
    const char *path;
} Extra;

static struct {
    pthread_mutex_t lock;
    int fault, first, last, calls, hits;
    char folder[512];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t extra_offset(void) {
    size_t const grain = _Alignof(Extra);
    return ((size_t)system_vfs->szOsFile + grain - 1) / grain * grain;
}

static Extra *extra(sqlite3_file *file) { return (Extra *)((char *)file + extra_offset()); }

/// Counts a call; nonzero when it is to fail and is of a kind that the fault concerns.
static int fails(sqlite3_file *file, int is_for_full, int is_for_sync) {
    pthread_mutex_lock(&state.lock);
    int hit = 0;
    if (state.fault && strstr(extra(file)->path, state.folder)) {
        state.calls++;
        hit = state.calls >= state.first && state.calls < state.last;
        if (state.fault == FAULTY_SQLITE_FULL) hit = hit && is_for_full;
        if (state.fault == FAULTY_SQLITE_SYNC) hit = hit && is_for_sync;
        state.hits += hit;
    }
    int const fault = state.fault;
    pthread_mutex_unlock(&state.lock);
    return hit ? fault : 0;
}

static int faulty_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    if (fails(file, 0, 0)) return SQLITE_IOERR_READ;
    return extra(file)->real->xRead(file, bytes, count, offset);
}

static int faulty_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    int const fault = fails(file, 1, 0);
    if (!fault) return extra(file)->real->xWrite(file, bytes, count, offset);
    // As a real disk does, it leaves something behind.
    (void)extra(file)->real->xWrite(file, bytes, count / 2, offset);
    return fault == FAULTY_SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size) {
    if (fails(file, 0, 0)) return SQLITE_IOERR_TRUNCATE;
    return extra(file)->real->xTruncate(file, size);
}

static int faulty_sync(sqlite3_file *file, int flags) {
    if (fails(file, 0, 1)) return SQLITE_IOERR_FSYNC;
    return extra(file)->real->xSync(file, flags);
}

static int faulty_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory) {
    if (fails(file, extend, 0)) return extend ? SQLITE_IOERR_SHMSIZE : SQLITE_IOERR_SHMMAP;
    return extra(file)->real->xShmMap(file, region, size, extend, memory);
}

static int faulty_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags) {
    (void)vfs;
    int const code = system_vfs->xOpen(system_vfs, name, file, flags, out_flags);
    if (code != SQLITE_OK || !name || !file->pMethods) return code;
    Extra *own = extra(file);
    own->real = file->pMethods;
    own->path = name;
    own->mine = *own->real;
    own->mine.xRead = faulty_read;
    own->mine.xWrite = faulty_write;
    own->mine.xTruncate = faulty_truncate;
    own->mine.xSync = faulty_sync;
    if (own->mine.iVersion >= 2 && own->mine.xShmMap) own->mine.xShmMap = faulty_map;
    // Reading past the seam is not wanted.
    if (own->mine.iVersion > 2) own->mine.iVersion = 2;
    file->pMethods = &own->mine;
    return code;
}

int faulty_sqlite_install(void) {
    pthread_mutex_lock(&state.lock);
    int code = SQLITE_OK;
    if (!system_vfs) {
        code = sqlite3_initialize();
        system_vfs = sqlite3_vfs_find(NULL);
        faulty_vfs = *system_vfs;
        faulty_vfs.zName = "faulty";
        faulty_vfs.pNext = NULL;
        faulty_vfs.szOsFile = (int)(extra_offset() + sizeof(Extra));
        faulty_vfs.xOpen = faulty_open;
        if (code == SQLITE_OK) code = sqlite3_vfs_register(&faulty_vfs, 1);
    }
    pthread_mutex_unlock(&state.lock);
    return code;
}

void faulty_sqlite_arm(int fault, int first, int last, const char *folder) {
    pthread_mutex_lock(&state.lock);
    state.fault = fault;
    state.first = first;
    state.last = last;
    state.calls = state.hits = 0;
    snprintf(state.folder, sizeof state.folder, "%s", folder);
    pthread_mutex_unlock(&state.lock);
}

int faulty_sqlite_calls(void) {
    pthread_mutex_lock(&state.lock);
    int const calls = state.calls;
    pthread_mutex_unlock(&state.lock);
    return calls;
}

int faulty_sqlite_hits(void) {
    pthread_mutex_lock(&state.lock);
    int const hits = state.hits;
    pthread_mutex_unlock(&state.lock);
    return hits;
}
