"""The objects: made from a seed, the same ones for every receiver."""

import hashlib
import os
import shutil
import zlib
from pathlib import Path

import numpy
import pydicom
from pydicom.dataset import Dataset

from support import corpus, synthetic

SEED = 20260101
GROUPS = 16
RADIOGRAPH = "1.2.840.10008.5.1.4.1.1.1.1"
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
PATIENTS = ["Nguyễn^Văn^Đức", "Trần^Thị^Mai", "Lê^Hoàng^Phúc", "Phạm^Minh^Châu", "Hoàng^Thị^Lan", "Vũ^Quốc^Bảo"]


class Samples:
    """Part 10 files in folders, so that one sender takes all folders and sixteen take one each."""

    def __init__(self, folder, kind):
        self.folder, self.kind = Path(folder), kind
        self.groups = sorted(path for path in self.folder.iterdir() if path.is_dir())
        self.files = sorted(self.folder.glob("*/*.dcm"))
        self.count = len(self.files)
        self.bytes = sum(path.stat().st_size for path in self.files)

    @property
    def description(self):
        sizes = sorted(path.stat().st_size for path in self.files)
        low, high = f"{sizes[0] / 1024:.0f}", f"{sizes[-1] / 1024:.0f}"
        return f"{self.count} {_NAMES[self.kind]} of {low if low == high else f'{low} to {high}'} KiB"

    def study(self, group):
        """Study Instance UID of a folder."""
        return _uid(self.kind, group)

    def shares(self, senders):
        return [self.groups[number::senders] for number in range(senders)]

    def part(self, count):
        """The first of each folder, `count` in all, under names of their own (hard links)."""
        if count >= self.count:
            return self
        folder = self.folder.with_name(f"{self.folder.name}-{count}")
        if not folder.exists():
            for group in self.groups:
                (folder / group.name).mkdir(parents=True)
                for path in sorted(group.iterdir())[:max(1, count // GROUPS)]:
                    os.link(path, folder / group.name / path.name)
        return Samples(folder, self.kind)


_NOISE = numpy.random.default_rng(SEED).integers(0, 4096, 512 * 512, dtype="<u2")
_KINDS = {"ct": 1, "small": 2, "series": 3, "scans": 4, "radiograph": 5}
_NAMES = {"ct": "CT slices", "small": "ultrasound images and text reports"}


def make(folder, kind, count):
    """`count` objects, brought down to a whole number for each of sixteen folders."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    random = numpy.random.default_rng(SEED)
    for group in range(GROUPS):
        study = _uid(kind, group)
        for number in range(1, max(1, count // GROUPS) + 1):
            dataset = (_ct if kind == "ct" else _small)(random, study, group, number)
            dataset.PatientName, dataset.PatientID = PATIENTS[group % len(PATIENTS)], f"BENCH{group:04}"
            dataset.AccessionNumber = f"A{group:08}"
            synthetic.write(folder / f"group-{group:02}" / f"{number:05}.dcm", dataset)
    return Samples(folder, kind)


class Series(Samples):
    """One series of CT slices that look like a body: smooth, with the noise of a scanner."""

    def __init__(self, folder):
        super().__init__(folder, "ct")
        self.study_uid, self.series_uid = _uid("series", 0), _uid("series", 0, 1)


def make_series(folder, slices):
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    random = numpy.random.default_rng(SEED)
    across = numpy.hypot(*numpy.meshgrid(numpy.linspace(-1, 1, 512), numpy.linspace(-1.3, 1.3, 512)))
    body = numpy.where(across < 0.85, 1040, 24)
    body[(across > 0.15) & (across < 0.45)] = 220
    noise = [random.normal(0, 12, body.shape) for _ in range(8)]
    for number in range(1, slices + 1):
        dataset = _ct(random, _uid("series", 0), 0, number, "series")
        dataset.PatientName, dataset.PatientID, dataset.AccessionNumber = "Phan^Thị^Hạnh", "BENCH9999", "A99999999"
        dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
        dataset.WindowCenter, dataset.WindowWidth = "40", "400"
        dataset.ImagePositionPatient = ["-200", "-200", f"{number * 0.6:.1f}"]
        dataset.ImageOrientationPatient, dataset.PixelSpacing = ["1", "0", "0", "0", "1", "0"], ["0.78", "0.78"]
        disc = numpy.where(across < 0.1 + 0.05 * numpy.sin(number / 40), 300, 0)
        pixels = numpy.clip(body + disc + noise[number % 8], 0, 4095).astype("<u2")
        dataset.PixelData = pixels.tobytes()
        synthetic.write(folder / f"group-{number % GROUPS:02}" / f"{number:05}.dcm", dataset)
    return Series(folder)


def make_scans(folder, count):
    """One study of pixels that scanners made: uncompressed slices of the test collection in turn, under headers of our own.
    None where there is no collection."""
    scans = _scans()
    if not scans:
        return None
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(1, count + 1):
        dataset = synthetic.ct(_uid("scans", 0), _uid("scans", 0, 1), _uid("scans", 0, 1, number), number, rows=8)
        for keyword in _PIXELS:
            setattr(dataset, keyword, scans[number % len(scans)].get(keyword))
        dataset.PatientName, dataset.PatientID = "Phan^Thị^Hạnh", "BENCH9998"
        synthetic.write(folder / f"group-{number % GROUPS:02}" / f"{number:05}.dcm", dataset)
    made = Series(folder)
    made.study_uid, made.series_uid, made.scans = _uid("scans", 0), _uid("scans", 0, 1), len(scans)
    return made


_PIXELS = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData")


def _scans():
    """Slices of 512 x 512 x 16 bits, no two with the same pixels, none that is mostly empty."""
    found = {}
    for sample in corpus.everything() if corpus.collection_folder() else ():
        if sample.transfer_syntax not in (synthetic.EXPLICIT, synthetic.IMPLICIT) or sample.sop_class != synthetic.CT:
            continue
        if not 512 * 512 * 2 < sample.path.stat().st_size < 512 * 512 * 3:
            continue
        try:
            dataset = pydicom.dcmread(sample.path)
            pixels = dataset.PixelData
        except (AttributeError, ValueError, TypeError, RuntimeError):  # made to be wrong
            continue
        if len(pixels) != 512 * 512 * 2 or len(zlib.compress(pixels, 1)) < len(pixels) / 4:
            continue
        found.setdefault(hashlib.sha256(pixels).digest(), dataset)
    return list(found.values())


def make_radiograph(folder):
    """A chest X-ray of 2000 x 1500 x 12 bits, in 16: bright lungs, ribs, and the noise of a detector."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    random = numpy.random.default_rng(SEED)
    across, along = numpy.meshgrid(numpy.linspace(-1, 1, 1500), numpy.linspace(-1.3, 1.3, 2000))
    body = 1800 - 900 * numpy.exp(-((numpy.abs(across) - 0.45) ** 2 / 0.06 + along ** 2 / 0.5))
    body += 90 * (numpy.sin(along * 30 + numpy.abs(across) * 4) > 0.6)
    pixels = numpy.clip(body + random.normal(0, 8, body.shape), 0, 4095).astype("<u2")
    dataset = synthetic.ct(_uid("radiograph", 0), _uid("radiograph", 0, 1), _uid("radiograph", 0, 1, 1), rows=8,
                           SOPClassUID=RADIOGRAPH, Modality="DX", BodyPartExamined="CHEST")
    dataset.Rows, dataset.Columns, dataset.PixelData = 2000, 1500, pixels.tobytes()
    dataset.PatientName, dataset.PatientID = "Bùi^Văn^Nam", "BENCH9997"
    synthetic.write(folder / "group-00" / "00001.dcm", dataset)
    made = Series(folder)
    made.study_uid, made.series_uid = _uid("radiograph", 0), _uid("radiograph", 0, 1)
    return made


def _uid(kind, *parts):
    # Long ones, as devices make them.
    tail = ".".join(str(1_000_000 + part) for part in parts)
    return f"{synthetic.ROOT}.9.{_KINDS[kind]}.{SEED}.{tail}"


def _ct(random, study, group, number, kind="ct"):
    dataset = synthetic.ct(study, _uid(kind, group, 1), _uid(kind, group, 1, number), number, rows=8)
    dataset.Rows = dataset.Columns = 512
    dataset.PixelData = numpy.roll(_NOISE, int(random.integers(_NOISE.size))).tobytes()
    return dataset


def _small(random, study, group, number):
    """In turn a report of about 8 KiB and an image of 8 to 32 KiB."""
    if number % 2:
        dataset = synthetic.ct(study, _uid("small", group, 1), _uid("small", group, 1, number), number, rows=8,
                               SOPClassUID=BASIC_TEXT_SR, Modality="SR", StudyDescription="Abdomen")
        for keyword in ("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated",
                        "BitsStored", "HighBit", "PixelRepresentation", "PixelData"):
            delattr(dataset, keyword)
        dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
        dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
        dataset.ContentSequence = [_text(random) for _ in range(24)]
        return dataset
    side = int(random.integers(90, 180))
    dataset = synthetic.ct(study, _uid("small", group, 2), _uid("small", group, 2, number), number, rows=side,
                           SOPClassUID=ULTRASOUND, Modality="US", StudyDescription="Abdomen")
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    pixels = random.integers(0, 256, side * side, dtype=numpy.uint8).tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    return dataset


def _text(random):
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    words = ("gan", "mật", "tụy", "lách", "thận")
    item.TextValue = " ".join(words[number] for number in random.integers(0, len(words), 56))
    return item
