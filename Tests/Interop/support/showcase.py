"""One study of every kind that a viewer must show: pictures with shapes in them, made on the spot."""

import io
import subprocess
import tempfile
from pathlib import Path

import numpy
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from support import synthetic

MR = "1.2.840.10008.5.1.4.1.1.4"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
PHOTOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.4"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"


def phantom(size, phase=0.0):
    """A body with organs: discs of several densities over a gradient, 0 to 1."""
    y, x = numpy.mgrid[-1:1:size * 1j, -1:1:size * 1j]
    image = 0.12 * (x + 1) * (x**2 + y**2 < 0.9)
    for cx, cy, radius, density in ((0, 0, 0.75, 0.35), (-0.3, 0.1 + phase, 0.25, 0.3), (0.35, -0.2, 0.2, 0.5),
                                    (0.1, 0.45, 0.12, 0.6)):
        image += density * ((x - cx) ** 2 + (y - cy) ** 2 < radius**2)
    return numpy.clip(image + 0.02 * numpy.sin(40 * x) * numpy.cos(31 * y), 0, 1)


def grey(study, series, number, size=128, **values):
    """One slice of 12 bits with its place in the patient."""
    # A patient of its own: names of patients that share an ID are one patient's.
    values = {"PatientID": f"V{study[-16:]}"} | values
    dataset = synthetic.ct(study, series, number=number, rows=size, **values)
    dataset.PixelData = (phantom(size, number / 60) * 4095).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.FrameOfReferenceUID = f"{series}.9"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [-64, -64, number * 2.0], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [1.0, 1.0], 2.0
    dataset.RescaleIntercept, dataset.RescaleSlope = 0, 1
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    return dataset


def colour(study, series, frames, sop_class, modality, size=160):
    """Frames of RGB, moving when there are several."""
    dataset = synthetic.ct(study, series, rows=size, SOPClassUID=sop_class, Modality=modality,
                           PatientID=f"V{study[-16:]}", PatientName=f"Viewer^{modality}")
    pictures = []
    for frame in range(frames):
        body = phantom(size, frame / 40)
        pictures.append((numpy.stack([body, body**0.5, 1 - body], axis=2) * 255).astype("u1"))
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = numpy.concatenate(pictures).tobytes()
    dataset["PixelData"].VR = "OB"
    if frames > 1:
        dataset.NumberOfFrames, dataset.FrameTime = frames, 40
        dataset.FrameIncrementPointer = 0x00181063
    return dataset, pictures


def compressed(dataset, syntax):
    """The data set in another transfer syntax, by pydicom's encoders."""
    copy = pydicom.dcmread(io.BytesIO(synthetic.part10(
        synthetic.encode(dataset), dataset.SOPClassUID, dataset.SOPInstanceUID)))
    copy.compress(syntax, generate_instance_uid=False)
    return copy


def high_throughput(dataset, scratch):
    """The data set as HTJ2K lossless by OpenJPH's own program, which no Python package can write."""
    pixels = numpy.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    source, target = scratch / "frame.pgm", scratch / "frame.j2c"
    source.write_bytes(b"P5\n%d %d\n4095\n" % pixels.shape[::-1] + pixels.astype(">u2").tobytes())
    command = ["ojph_compress", "-i", source, "-o", target, "-reversible", "true"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    dataset.PixelData = encapsulate([target.read_bytes()])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    raw = synthetic.encode(dataset)
    return synthetic.part10(raw, dataset.SOPClassUID, dataset.SOPInstanceUID, HTJ2K_LOSSLESS)


def save(folder, dataset, syntax=synthetic.EXPLICIT):
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    if syntax == synthetic.EXPLICIT:
        return synthetic.write(path, dataset)
    dataset.save_as(path, enforce_file_format=True)
    return path


def stack(folder, name, syntax=synthetic.EXPLICIT, slices=6, **values):
    """A study of one series of slices; gives its UID."""
    study, series = synthetic.uid(), synthetic.uid()
    for number in range(1, slices + 1):
        dataset = grey(study, series, number, **{"PatientName": f"Viewer^{name}", "PatientID": f"V-{name}",
                                                 "StudyDescription": name, **values})
        save(folder, dataset if syntax == synthetic.EXPLICIT else compressed(dataset, syntax), syntax)
    return study


def studies(folder):
    """{kind: Study Instance UID}; the files are below the folder."""
    made = {
        "ct": stack(folder, "CT", slices=12),
        "mr": stack(folder, "MR", SOPClassUID=MR, Modality="MR"),
        "jpeg2000": stack(folder, "JPEG2000", JPEG2000Lossless),
        "jpegls": stack(folder, "JPEGLS", JPEGLSLossless),
        "rle": stack(folder, "RLE", RLELossless),
    }
    study, series = synthetic.uid(), synthetic.uid()
    made["htj2k"] = study
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(1, 5):
            dataset = grey(study, series, number, PatientName="Viewer^HTJ2K", StudyDescription="HTJ2K")
            (folder / f"htj2k-{number}.dcm").write_bytes(high_throughput(dataset, Path(scratch)))
    study = made["ultrasound"] = synthetic.uid()
    dataset, _ = colour(study, synthetic.uid(), 8, US_MULTIFRAME, "US")
    save(folder, dataset)
    study = made["colour"] = synthetic.uid()
    dataset, pictures = colour(study, synthetic.uid(), 1, PHOTOGRAPHY, "XC")
    out = io.BytesIO()
    Image.fromarray(pictures[0]).save(out, "JPEG", quality=92)
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.LossyImageCompression = "01"
    dataset.PixelData = encapsulate([out.getvalue()])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    raw = synthetic.encode(dataset)
    (folder / "colour.dcm").write_bytes(
        synthetic.part10(raw, dataset.SOPClassUID, dataset.SOPInstanceUID, JPEGBaseline8Bit))
    return made
