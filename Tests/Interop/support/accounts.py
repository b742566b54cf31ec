"""Accounts of an archive under test: made on the command line, signed in as a browser does."""

import subprocess
import time

import requests

from support.archive import BINARY

PASSWORD = "Mười hai con giáp"
API = "/api/v1"


def add_account(archive, name, *roles, password=PASSWORD, more=()):
    """`phim account add` with the password on standard input, as a script gives it."""
    command = [str(BINARY), "account", "add", name, "--data", str(archive.data), *more]
    for role in roles:
        command += ["--role", role]
    done = subprocess.run(command, input=password + "\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done


def browser(archive, name=None, password=PASSWORD, expect=200):
    """A session as a browser keeps it: cookies, and an Origin with every request."""
    session = requests.Session()
    session.trust_env = False
    session.headers["Origin"] = archive.url
    if name is not None:
        answer = session.post(archive.url + API + "/session", json={"name": name, "password": password})
        assert answer.status_code == expect, answer.text
    return session


def trail(archive, **options):
    arguments = [word for key, value in options.items() for word in (f"--{key}", value)]
    return archive.json("audit", "find", *arguments)


def eventually(ask, seconds=60):
    """What another process does is seen by the server within two seconds; the time itself is not tested here."""
    deadline = time.monotonic() + seconds
    while not ask() and time.monotonic() < deadline:
        time.sleep(0.1)
    return ask()
