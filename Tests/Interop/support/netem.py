"""A line that the kernel shapes: `tc netem` on the loopback of a network namespace, where root and the kernel allow it."""

import contextlib
import subprocess

import pytest

from support.orthanc import Namespace

COMMUNE = ("rate", "2mbit", "delay", "75ms", "loss", "1%")
WORST = ("rate", "256kbit", "delay", "300ms", "loss", "10%")


@contextlib.contextmanager
def shaped(arguments):
    """The prefix of commands that run in the namespace. Skips, saying why, where the kernel cannot shape."""
    with Namespace() as namespace:
        if not namespace.prefix:
            pytest.skip("needs root and network namespaces; the proxy's lines stand in for this")
        # Segments as on a wire, not of 64 KiB as on a loopback.
        run(namespace, "ip", "link", "set", "lo", "mtu", "1500")
        made = run(namespace, "tc", "qdisc", "add", "dev", "lo", "root", "netem", *arguments, check=False)
        if made.returncode:
            pytest.skip(f"this kernel has no netem ({made.stderr.strip()}); the proxy's lines stand in for this")
        yield namespace.prefix


def run(namespace, *command, check=True):
    return subprocess.run([*namespace.prefix, *command], capture_output=True, text=True, check=check)
