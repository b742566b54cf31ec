"""The objects: made from a seed, the same ones for every receiver."""

import os
import shutil
from pathlib import Path

import numpy
from pydicom.dataset import Dataset

from support import synthetic

SEED = 20260101
GROUPS = 16
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
_KINDS = {"ct": 1, "small": 2, "series": 3}
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
