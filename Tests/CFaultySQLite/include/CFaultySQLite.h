// The files of SQLite with faults in them: a VFS over the system's own, default for the process once it is installed.
#ifndef CFAULTYSQLITE_H
#define CFAULTYSQLITE_H

/// Makes the VFS the default one. Files opened before are not touched. Returns SQLite's result code.
int faulty_sqlite_install(void);

enum {
    /// Writes do half of their work, then the disk is full; neither does the shared memory grow.
    FAULTY_SQLITE_FULL = 1,
    /// Every call fails with EIO: reads, writes, syncs, truncations, shared memory.
    FAULTY_SQLITE_IO = 2,
    /// Only syncs fail.
    FAULTY_SQLITE_SYNC = 3,
};

/// Counts calls anew and fails those numbered `first` up to before `last` (from 1) that reach files whose path contains
/// `folder`. Other files are neither counted nor touched; one folder at a time.
void faulty_sqlite_arm(int fault, int first, int last, const char *folder);

/// Calls counted since then.
int faulty_sqlite_calls(void);

/// How many of them were made to fail.
int faulty_sqlite_hits(void);

#endif
