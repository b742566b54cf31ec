"""Disks that are full when a test says so: a small file system, or a limit on file sizes where none can be mounted."""

import contextlib
import os
import resource
import subprocess
import warnings
from pathlib import Path


class MountedDisk:
    """A file system in memory of limited size. Needs the right to mount."""

    refusals = "full"  # what every refusal says

    def __init__(self, place, size="96m"):
        self.place, self.ballast = place, place / "ballast"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise PermissionError(done.stderr.strip())

    prefix = ()

    def free(self):
        facts = os.statvfs(self.place)
        return facts.f_bavail * facts.f_frsize

    def leave(self, count, archive):
        """Fills the disk up to `count` free bytes."""
        self.lift(archive)
        with open(self.ballast, "wb") as file:
            end = 0
            # The server may be writing as well: what it took is not ours to fill.
            while (rest := self.free() - count) > 0:
                with contextlib.suppress(OSError):
                    os.posix_fallocate(file.fileno(), end, rest)
                    end += rest

    def leave_little(self, archive):
        """Leaves less than a hundred objects of 1 MiB take, and more than five."""
        self.leave(40 << 20, archive)

    def lift(self, archive):
        """Gives the space back."""
        self.ballast.unlink(missing_ok=True)

    def close(self):
        subprocess.run(["umount", "-l", self.place], check=True)


class FileSizeLimit:
    """No file of the server may grow beyond a limit: each write across it ends short or with EFBIG."""

    refusals = ""

    def __init__(self, place):
        self.place = place
        place.mkdir()

    # The signal would end the process; ignored, the call fails.
    prefix = ("sh", "-c", 'trap "" XFSZ; exec "$@"', "sh")

    def leave(self, count, archive):
        """The largest file may grow by so many bytes, and no other one beyond that."""
        files = [path.stat().st_size for path in Path(archive.data).rglob("*") if path.is_file()]
        self.limit(archive, max(files) + count)

    def leave_little(self, archive):
        self.limit(archive, 10 << 20)

    def lift(self, archive):
        self.limit(archive, resource.RLIM_INFINITY)

    @staticmethod
    def limit(archive, size):
        hard = resource.prlimit(archive.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(archive.pid, resource.RLIMIT_FSIZE, (size, hard))

    def close(self):
        pass


def small_disk(place):
    """A small file system, or what stands in for it, and a warning that says so."""
    try:
        return MountedDisk(place)
    except (PermissionError, FileNotFoundError) as error:
        place.rmdir()
        warnings.warn(f"no small file system can be mounted here, a limit on file sizes stands in: {error}",
                      stacklevel=2)
        return FileSizeLimit(place)
