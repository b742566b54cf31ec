"""Studies made on the spot: CT-like slices with any names, any sizes, any transfer syntax."""

import io
import itertools
import os
import struct
from dataclasses import dataclass

import numpy
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

CT = "1.2.840.10008.5.1.4.1.1.2"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
MULTIFRAME_BYTE = "1.2.840.10008.5.1.4.1.1.7.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
ROOT = "1.2.826.0.1.3680043.10.1475"
VIETNAMESE = "Nguyễn^Văn^Đức"

_counter = itertools.count(1)


def uid():
    """A UID of this test run; never the same twice."""
    return f"{ROOT}.{os.getpid()}.{next(_counter)}"


def ct(study=None, series=None, instance=None, number=1, rows=32, **values):
    """One CT-like slice as a pydicom data set in Explicit VR Little Endian."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = values.pop("SpecificCharacterSet", "ISO_IR 192")
    dataset.SOPClassUID = values.pop("SOPClassUID", CT)
    dataset.SOPInstanceUID = instance or uid()
    dataset.StudyDate, dataset.StudyTime = "20240315", "101500"
    dataset.AccessionNumber = "ACC1"
    dataset.Modality = "CT"
    dataset.StudyDescription = "Chest"
    dataset.SeriesDescription = "Lung 1.0"
    dataset.ReferringPhysicianName = "Tran^Thi^Mai"
    dataset.PatientName = "Test^Patient"
    dataset.PatientID = "P1"
    dataset.PatientBirthDate, dataset.PatientSex = "19700131", "F"
    dataset.BodyPartExamined = "CHEST"
    dataset.StudyInstanceUID = study or uid()
    dataset.SeriesInstanceUID = series or uid()
    dataset.StudyID = "S1"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = rows
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    ramp = (numpy.add.outer(numpy.arange(rows), numpy.arange(rows)) * 7 + number) % 4096
    dataset.PixelData = ramp.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def encapsulated(payload, **values):
    """A data set whose pixel data is one made-up encapsulated frame."""
    dataset = ct(**values)
    dataset.PixelData = encapsulate([payload])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def encode(dataset, syntax=EXPLICIT):
    """The data set alone as bytes."""
    out = io.BytesIO()
    implicit, little = syntax == IMPLICIT, syntax != "1.2.840.10008.1.2.2"
    pydicom.dcmwrite(out, dataset, implicit_vr=implicit, little_endian=little, enforce_file_format=False)
    return out.getvalue()


def part10(raw, sop_class, sop_instance, syntax=EXPLICIT):
    """A Part 10 file around data set bytes that stay as they are."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, sop_instance
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = ROOT
    out = io.BytesIO()
    pydicom.filewriter.write_file_meta_info(out, meta, enforce_standard=True)
    return b"\0" * 128 + b"DICM" + out.getvalue() + raw


def write(path, dataset, syntax=EXPLICIT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(part10(encode(dataset, syntax), dataset.SOPClassUID, dataset.SOPInstanceUID, syntax))
    return path


@dataclass
class Study:
    """What was made: the files, and what a query must say about them."""

    uid: str
    files: list
    datasets: list

    @property
    def series(self):
        return list(dict.fromkeys(str(dataset.SeriesInstanceUID) for dataset in self.datasets))

    @property
    def instances(self):
        return [str(dataset.SOPInstanceUID) for dataset in self.datasets]


def study(folder, series=1, instances=3, rows=32, modalities=("CT",), **values):
    """`series` series of `instances` slices each, written into `folder`."""
    made = Study(uid(), [], [])
    for number in range(1, series + 1):
        series_uid, modality = uid(), modalities[(number - 1) % len(modalities)]
        for slice_number in range(1, instances + 1):
            dataset = ct(made.uid, series_uid, number=slice_number, rows=rows,
                         **{"SeriesNumber": number, "Modality": modality, **values})
            made.datasets.append(dataset)
            made.files.append(write(folder / made.uid[-12:] / f"{number}-{slice_number}.dcm", dataset))
    return made


# A data set without pydicom: quick enough for thousands, and free to be wrong on purpose.

_LONG = {"OB", "OW", "OF", "OD", "OL", "SQ", "UN", "UT", "UC", "UR"}


def element(group, number, vr, value):
    """One Explicit VR Little Endian element."""
    raw = value if isinstance(value, bytes) else str(value).encode()
    if len(raw) % 2:
        raw += b"\0" if vr in ("UI", "OB") else b" "
    head = struct.pack("<HH2s", group, number, vr.encode())
    return head + (struct.pack("<HI", 0, len(raw)) if vr in _LONG else struct.pack("<H", len(raw))) + raw


def bare(instance, study_uid, series_uid, sop_class=CT, patient="P1", name="Bare^Bone", number=1, pixels=b"",
         extra=b""):
    """A minimal image as bytes in Explicit VR Little Endian; `None` leaves an element out."""
    optional = lambda group, number, vr, value: b"" if value is None else element(group, number, vr, value)
    return b"".join([
        optional(0x0008, 0x0016, "UI", sop_class), optional(0x0008, 0x0018, "UI", instance),
        element(0x0008, 0x0020, "DA", "20240315"), element(0x0008, 0x0060, "CS", "CT"),
        optional(0x0010, 0x0010, "PN", name), optional(0x0010, 0x0020, "LO", patient),
        optional(0x0020, 0x000D, "UI", study_uid), optional(0x0020, 0x000E, "UI", series_uid),
        element(0x0020, 0x0013, "IS", number), extra,
        element(0x7FE0, 0x0010, "OW", pixels) if pixels else b"",
    ])
