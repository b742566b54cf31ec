"""Real DICOM files: those of the pydicom wheel always, a larger collection when it lies beside the repository."""

import functools
import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from support.archive import ROOT

IMPLICIT, EXPLICIT, DEFLATED, BIG = (f"1.2.840.10008.1.2{tail}" for tail in ("", ".1", ".1.99", ".2"))
LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
SHORT = {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL",
         b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
SOP_CLASS, SOP_INSTANCE, STUDY, SERIES = (0x0008, 0x0016), (0x0008, 0x0018), (0x0020, 0x000D), (0x0020, 0x000E)
PATIENT_ID = (0x0010, 0x0020)
DATA_SET_START = re.compile(rb"\x08\x00[\x05\x08\x16]\x00(CS|UI)")
LEGAL_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_legal_uid(value):
    return len(value) <= 64 and LEGAL_UID.fullmatch(value) is not None


def skip_items(raw, at, implicit, order, depth=0):
    """The offset behind a sequence of undefined length."""
    while depth < 60:
        group, element, length = struct.unpack_from(order + "HHI", raw, at)
        at += 8
        if (group, element) == (0xFFFE, 0xE0DD):
            return at
        if length != 0xFFFFFFFF:
            at += length
            continue
        while struct.unpack_from(order + "HH", raw, at) != (0xFFFE, 0xE00D):
            at = read_element(raw, at, implicit, order, depth + 1)[2]
        at += 8
    raise ValueError("too deep")


def read_element(raw, at, implicit, order, depth=0):
    """(tag, value, next offset) of one element; ValueError or struct.error when it does not read."""
    tag = struct.unpack_from(order + "HH", raw, at)
    vr = raw[at + 4 : at + 6]
    if implicit or tag[0] == 0xFFFE:
        (length,), start = struct.unpack_from(order + "I", raw, at + 4), at + 8
    elif vr in LONG:
        (length,), start = struct.unpack_from(order + "I", raw, at + 8), at + 12
    elif vr in SHORT:
        (length,), start = struct.unpack_from(order + "H", raw, at + 6), at + 8
    else:
        raise ValueError(f"VR {vr!r}")
    if length == 0xFFFFFFFF:
        return tag, b"", skip_items(raw, start, implicit or vr == b"UN", "<" if vr == b"UN" else order, depth)
    if start + length > len(raw):
        raise ValueError("value runs past the end")
    return tag, raw[start : start + length], start + length


def identifiers(raw, syntax):
    """Top-level values up to the Series Instance UID, as far as the bytes can be read."""
    if syntax == DEFLATED:
        try:
            raw = zlib.decompressobj(-15).decompress(raw, 1 << 20)
        except zlib.error:
            return {}, False
    order, implicit, at, values = (">" if syntax == BIG else "<"), syntax == IMPLICIT, 0, {}
    try:
        while at < len(raw):
            tag, value, at = read_element(raw, at, implicit, order)
            if tag > SERIES:
                break
            values[tag] = value.rstrip(b"\0 ").decode("latin-1")
    except (ValueError, struct.error):
        return values, False
    return values, True


def meta(raw):
    """(values of group 2, data set offset). The group length is not trusted; where group 2 does not read,
    the data set begins at the first thing that looks like its first element."""
    values, at = {}, 132
    try:
        while at + 8 <= len(raw) and struct.unpack_from("<H", raw, at)[0] == 2:
            tag, value, at = read_element(raw, at, False, "<")
            values[tag] = value.rstrip(b"\0 ").decode("latin-1")
    except (ValueError, struct.error):
        first = DATA_SET_START.search(raw, 132)
        if first:
            return {(2, 0x10): EXPLICIT} | values, first.start()
        raise
    return values, at


@dataclass(frozen=True)
class Sample:
    """One file: what a sender would announce for it, and where its data set begins."""

    path: Path
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    offset: int
    values: tuple  # identifiers found in the data set
    readable: bool  # the header reads up to the Series Instance UID
    agrees: bool  # the data set itself names the announced class and instance

    def data(self):
        return self.path.read_bytes()[self.offset :]

    def value(self, tag):
        return dict(self.values).get(tag, "")

    @property
    def may_be_refused(self):
        """Why the archive may refuse it, or None: it must be kept."""
        if not is_legal_uid(self.sop_instance) or not is_legal_uid(self.sop_class):
            return "the SOP UIDs are not UIDs"
        if not self.agrees:
            return "the data set does not name the announced class and instance"
        if any(self.value(tag) and not is_legal_uid(self.value(tag)) for tag in (STUDY, SERIES)):
            return "the Study or Series Instance UID is not a UID"
        if not self.readable:
            return "the header does not read to its identifiers"
        return None

    def __str__(self):
        return self.path.name


def read(path):
    """A Sample, or None when the file names no SOP class and instance anywhere: nobody could send it."""
    raw = path.read_bytes()
    values, at, syntax = {}, 0, ""
    if raw[128:132] == b"DICM":
        try:
            values, at = meta(raw)
        except (ValueError, struct.error):
            return None
        syntax = values.get((2, 0x10), "")
    elif raw[:2] == b"\x08\0":
        syntax = EXPLICIT if raw[4:6] in LONG | SHORT else IMPLICIT
    elif raw[:2] == b"\0\x08" and raw[4:6] in LONG | SHORT:
        syntax = BIG
    if not is_legal_uid(syntax) or len(raw) - at < 8:
        return None
    found, readable = identifiers(raw[at:], syntax)
    sop_class = found.get(SOP_CLASS) or values.get((2, 2), "")
    sop_instance = found.get(SOP_INSTANCE) or values.get((2, 3), "")
    if not sop_class or not sop_instance or sop_class == "1.2.840.10008.1.3.10":
        return None
    agrees = (found.get(SOP_CLASS), found.get(SOP_INSTANCE)) == (sop_class, sop_instance)
    return Sample(path, sop_class, sop_instance, syntax, at, tuple(found.items()), readable, agrees)


def wheel_folder():
    import pydicom

    return Path(pydicom.__file__).parent / "data"


@functools.cache
def wheel():
    """The files inside the pydicom wheel; nothing is downloaded."""
    folder = wheel_folder()
    return tuple(_samples(folder / "charset_files") + _samples(folder / "test_files"))


def collection_folder():
    """The larger collection's folder, or None."""
    folder = Path(os.environ.get("PHIM_TEST_DICOM_DIR", ROOT.parent / "shared" / "data"))
    return folder if folder.is_dir() else None


@functools.cache
def everything():
    folder = collection_folder()
    return tuple(_samples(folder)) if folder else wheel()


def _samples(folder):
    skipped = {".tsv", ".md", ".txt", ".rs", ".gz", ".json", ".zip", ".py", ".hl7", ".dump"}
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() not in skipped)
    return [sample for sample in map(read, paths) if sample]


def wheel_file(name):
    return wheel_folder() / "test_files" / name
