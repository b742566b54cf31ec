"""Pixels against decoders and arithmetic that nobody here wrote: pydicom with its plug-ins, numpy, DCMTK."""

import functools
import subprocess
import warnings

import numpy
import pydicom
import pytest
from PIL import Image
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

from support import corpus, synthetic
from support.archive import BINARY
from support.synthetic import EXPLICIT, IMPLICIT

BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
RLE, JPEG_LOSSLESS, JPEG_SV1, JPEG_LS = (f"1.2.840.10008.1.2.{tail}" for tail in ("5", "4.57", "4.70", "4.80"))
JPEG_2000, HTJ2K, HTJ2K_RPCL = (f"1.2.840.10008.1.2.4.{tail}" for tail in ("90", "201", "202"))
COMPRESSED = [RLE, JPEG_LOSSLESS, JPEG_SV1, JPEG_LS, JPEG_2000, HTJ2K, HTJ2K_RPCL]
NATIVE = [IMPLICIT, BIG, DEFLATED]
LOSSY = {"1.2.840.10008.1.2.4." + tail for tail in ("50", "51", "53", "55", "81", "91", "203")}


def run(*arguments, seconds=300):
    """Exit status, and what was said."""
    process = subprocess.Popen([str(BINARY), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, said


def transcode(files, syntax, folder):
    status, said = run("transcode", "--to", syntax, "--output", folder, *files)
    assert status in (0, 1), said
    return said


# What was made: every kind of sample that an encoder takes.

KINDS = {
    "8": (8, 8, 0, 1, "MONOCHROME2"), "6 of 8": (8, 6, 0, 1, "MONOCHROME2"), "10": (16, 10, 0, 1, "MONOCHROME2"),
    "12": (16, 12, 0, 1, "MONOCHROME1"), "16": (16, 16, 0, 1, "MONOCHROME2"), "12 signed": (16, 12, 1, 1, "MONOCHROME2"),
    "16 signed": (16, 16, 1, 1, "MONOCHROME2"), "palette": (8, 8, 0, 1, "PALETTE COLOR"), "rgb": (8, 8, 0, 3, "RGB"),
    "ybr": (8, 8, 0, 3, "YBR_FULL"), "rgb 16": (16, 16, 0, 3, "RGB"),
}


def made(kind, frames=1, rows=61, columns=47, planar=0):
    allocated, stored, signed, samples, photometric = KINDS[kind]
    random = numpy.random.default_rng(7)
    low = -(1 << stored - 1) if signed else 0
    y, x = numpy.mgrid[0:rows, 0:columns]
    base = (numpy.sin(x / 7) + numpy.cos(y / 5)) / 4 + 0.5
    pixels = base[None, :, :, None] + random.normal(0, 0.02, (frames, rows, columns, samples))
    kind = numpy.dtype(f"<{'i' if signed else 'u'}{allocated // 8}")
    pixels = (numpy.clip(pixels, 0, 1) * ((1 << stored) - 1) + low).astype(kind)
    dataset = synthetic.ct(SOPClassUID=synthetic.SECONDARY if frames == 1 else synthetic.MULTIFRAME_BYTE)
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = rows, columns, samples
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, stored, stored - 1
    dataset.PixelRepresentation, dataset.PhotometricInterpretation = signed, photometric
    if frames > 1:
        dataset.NumberOfFrames = frames
    if samples == 3:
        dataset.PlanarConfiguration = planar
    if photometric == "PALETTE COLOR":
        for number, name in enumerate(("Red", "Green", "Blue")):
            setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
            entries = (numpy.arange(256) * (number + 1) * 257 % 65536).astype("<u2")
            setattr(dataset, f"{name}PaletteColorLookupTableData", entries.tobytes())
    raw = pixels.transpose(0, 3, 1, 2) if planar else pixels
    dataset.PixelData = raw.tobytes() + b"\0" * (raw.nbytes % 2)
    dataset["PixelData"].VR = "OW" if allocated > 8 else "OB"
    return dataset, pixels


def samples_of(path, raw=True):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # By path pydicom does not look into deflated objects.
        return pixel_array(pydicom.dcmread(path), raw=raw)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    files = {}
    for kind in KINDS:
        for frames in (1, 3):
            dataset, pixels = made(kind, frames)
            files[kind, frames] = synthetic.write(folder / f"{kind.replace(' ', '-')}-{frames}.dcm", dataset), pixels
    return files


@pytest.mark.parametrize("syntax", COMPRESSED + NATIVE)
def test_lossless_is_bit_by_bit_for_other_decoders_and_there_and_back(originals, tmp_path, syntax):
    paths = [path for path, _ in originals.values()]
    assert transcode(paths, syntax, tmp_path / "there") == ""
    assert transcode([tmp_path / "there" / f"{path.name}.dcm" for path in paths], EXPLICIT, tmp_path / "back") == ""
    for (kind, frames), (path, pixels) in originals.items():
        there = tmp_path / "there" / f"{path.name}.dcm"
        back = pydicom.dcmread(tmp_path / "back" / f"{path.name}.dcm.dcm")
        original = pydicom.dcmread(path)
        assert back.PixelData == original.PixelData, (kind, frames)
        assert pydicom.dcmread(there, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
        decoded = samples_of(there)
        assert numpy.array_equal(decoded.reshape(pixels.shape), pixels), (kind, frames)
        for keyword in ("SOPInstanceUID", "PatientName", "BitsStored", "PixelRepresentation", "NumberOfFrames"):
            assert back.get(keyword) == original.get(keyword), keyword


def test_planar_colour_comes_out_by_pixel(tmp_path):
    dataset, pixels = made("rgb", planar=1)
    path = synthetic.write(tmp_path / "planar.dcm", dataset)
    for syntax in COMPRESSED:
        assert transcode([path], syntax, tmp_path / syntax) == ""
        assert numpy.array_equal(samples_of(tmp_path / syntax / "planar.dcm.dcm"), pixels[0]), syntax


def test_private_and_nested_elements_keep_their_bytes(tmp_path):
    dataset, _ = made("12")
    block = dataset.private_block(0x0029, "PHIM TEST", create=True)
    block.add_new(0x01, "OB", bytes(range(256)))
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = "Müller^Jörg"
    inner = pydicom.Dataset()
    inner.CodeValue, inner.CodeMeaning = "1", "größer"
    dataset.ProcedureCodeSequence = [inner]
    dataset.SmallestImagePixelValue = 7
    path = synthetic.write(tmp_path / "rich.dcm", dataset)
    for syntax in (RLE, IMPLICIT, BIG, DEFLATED):
        transcode([path], syntax, tmp_path / syntax)
        transcode([tmp_path / syntax / "rich.dcm.dcm"], EXPLICIT, tmp_path / syntax / "back")
        back = pydicom.dcmread(tmp_path / syntax / "back" / "rich.dcm.dcm.dcm")
        assert back[0x0029, 0x1001].value == bytes(range(256))
        assert back.PatientName == dataset.PatientName
        assert back.ProcedureCodeSequence[0].CodeMeaning == "größer"
        assert back.SmallestImagePixelValue == 7


# Real files: those of the wheel, and the larger collection where it is.


@functools.cache
def images():
    """Files with pixel data that pydicom decodes, with what it makes of them."""
    found = []
    for sample in corpus.everything():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(sample.path)
                if "PixelData" not in dataset or dataset.PixelData is None:
                    continue
                if int(dataset.get("NumberOfFrames") or 1) * dataset.Rows * dataset.Columns > 40_000_000:
                    continue
                found.append((sample, pixel_array(dataset, raw=True)))
        except Exception:  # what pydicom cannot decode is no reference
            continue
    return found


def linked(folder, samples):
    folder.mkdir()
    links = []
    for number, sample in enumerate(samples):
        links.append(folder / f"{number:04}.dcm")
        links[-1].symlink_to(sample.path)
    return links


TOLERANCE = 2


def as_rgb(dataset, pixels):
    if dataset.SamplesPerPixel == 3 and str(dataset.PhotometricInterpretation).startswith("YBR_FULL"):
        # In place otherwise, and the reference is used again.
        return pydicom.pixels.convert_color_space(pixels.copy(), "YBR_FULL", "RGB", per_frame=True)
    return pixels


def test_every_real_image_decodes_as_pydicom_decodes_it(tmp_path):
    known = images()
    assert len(known) >= 40
    links = linked(tmp_path / "in", [sample for sample, _ in known])
    said = transcode(links, EXPLICIT, tmp_path / "out")
    wrong = []
    for link, (sample, expected) in zip(links, known):
        out = tmp_path / "out" / f"{link.name}.dcm"
        if not out.exists():
            wrong.append(f"{sample.path}: " + next((line for line in said.splitlines() if link.name in line), "?"))
            continue
        original, dataset = pydicom.dcmread(sample.path), pydicom.dcmread(out)
        try:
            got = samples_of(out)
        except Exception as error:
            wrong.append(f"{sample.path}: {error}")
            continue
        lossy = sample.transfer_syntax in LOSSY
        if dataset.SamplesPerPixel == 3 and lossy:
            got, expected = as_rgb(dataset, got), as_rgb(original, expected)
        if got.shape != expected.shape:
            wrong.append(f"{sample.path}: shape {got.shape}, not {expected.shape}")
            continue
        difference = int(numpy.abs(got.astype(numpy.int64) - expected.astype(numpy.int64)).max())
        if difference > (COLOUR_TOLERANCE if lossy and dataset.SamplesPerPixel == 3 else TOLERANCE if lossy else 0):
            wrong.append(f"{sample.path}: {sample.transfer_syntax} differs by {difference}")
    assert not wrong, f"{len(wrong)} of {len(known)}\n" + "\n".join(wrong)


COLOUR_TOLERANCE = 16  # at sharp edges of shared chrominance: libjpeg-turbo interpolates it, others repeat it


def reference(dataset, frame):
    """The picture of one frame of 8 bits by pydicom and numpy; None where the standard leaves the choice to the viewer."""
    photometric = str(dataset.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        colours = apply_color_lut(frame, dataset)
        # Tables that say 16 bits and hold 8 are drawn as they are, as DCMTK draws them.
        return colours.astype(numpy.uint8) if colours.max() <= 255 else (colours >> 8).astype(numpy.uint8)
    if dataset.SamplesPerPixel == 3:
        if str(dataset.PhotometricInterpretation).startswith("YBR_FULL"):
            frame = pydicom.pixels.convert_color_space(frame, "YBR_FULL", "RGB")
        return frame if dataset.BitsStored == 8 else None
    values = apply_modality_lut(frame, dataset).astype(float)
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        center = float(numpy.atleast_1d(dataset.WindowCenter)[0])
        width = float(numpy.atleast_1d(dataset.WindowWidth)[0])
        if width < 1 or str(dataset.get("VOILUTFunction", "LINEAR")).upper() != "LINEAR":
            return None
        shown = (values > center - 0.5 - (width - 1) / 2).astype(float) if width == 1 else numpy.clip(
            (values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
    elif "VOILUTSequence" in dataset:
        bits = dataset.VOILUTSequence[0].LUTDescriptor[2]
        shown = apply_voi_lut(apply_modality_lut(frame, dataset), dataset, prefer_lut=True) / ((1 << bits) - 1)
    elif dataset.BitsStored <= 8 and not dataset.PixelRepresentation and numpy.array_equal(values, frame):
        shown = values / ((1 << dataset.BitsStored) - 1)
    else:
        span = values.max() - values.min()
        shown = (values - values.min()) / span if span else numpy.ones_like(values) * 0.5
    inverse = (photometric == "MONOCHROME1") != (dataset.get("PresentationLUTShape") == "INVERSE")
    return numpy.rint((1 - shown if inverse else shown) * 255).astype(numpy.uint8)


def pads(dataset):
    return "PixelPaddingValue" in dataset


def has_groups(dataset):
    return "PerFrameFunctionalGroupsSequence" in dataset or "SharedFunctionalGroupsSequence" in dataset


def test_every_real_image_is_drawn_as_arithmetic_says(tmp_path):
    known = images()
    links = linked(tmp_path / "in", [sample for sample, _ in known])
    status, said = run("render", "--format", "png", "--no-overlays", "--output", tmp_path / "out", *links)
    assert status in (0, 1), said
    wrong, compared = [], 0
    for link, (sample, pixels) in zip(links, known):
        out = tmp_path / "out" / f"{link.name}.png"
        if "fuzz" in str(sample.path):  # attributes that contradict each other have no right picture
            continue
        if not out.exists():
            wrong.append(f"{sample.path}: " + next((line for line in said.splitlines() if link.name in line), "?"))
            continue
        dataset = pydicom.dcmread(sample.path)
        if has_groups(dataset) or pads(dataset) or dataset.BitsAllocated == 1:
            continue
        multi = int(dataset.get("NumberOfFrames") or 1) > 1
        try:
            expected = reference(dataset, pixels[0] if multi else pixels)
        except Exception:  # tables that pydicom does not read
            continue
        if expected is None:
            continue
        got = numpy.asarray(Image.open(out))
        compared += 1
        lossy_colour = dataset.SamplesPerPixel == 3 and sample.transfer_syntax in LOSSY
        high, wide = (float(side) for side in dataset.get("PixelAspectRatio") or (1, 1))
        if high != wide:  # drawn with pixels of their own shape: the size says so, the values lie between those here
            size = [round(expected.shape[0] * max(1, high / wide)), round(expected.shape[1] * max(1, wide / high))]
            if list(got.shape[:2]) != size or abs(got.mean() - expected.mean()) > 2:
                wrong.append(f"{sample.path}: {got.shape} of mean {got.mean()}, not {size} of {expected.mean()}")
            continue
        if got.shape != expected.shape:
            wrong.append(f"{sample.path}: shape {got.shape}, not {expected.shape}")
            continue
        difference = numpy.abs(got.astype(int) - expected.astype(int)).max()
        limit = COLOUR_TOLERANCE if lossy_colour else 1
        if sample.transfer_syntax in LOSSY and not lossy_colour:
            # Decoders differ by a level or two, which a narrow window spreads.
            slope, width = float(dataset.get("RescaleSlope") or 1), numpy.atleast_1d(dataset.get("WindowWidth") or 255)[0]
            limit = max(4, TOLERANCE * abs(slope) * 255 / float(width) + 1)
        if difference > limit:
            wrong.append(f"{sample.path}: {sample.transfer_syntax} {dataset.PhotometricInterpretation} "
                         f"differs by {difference}")
    assert compared >= 25
    assert not wrong, f"{len(wrong)} of {compared}\n" + "\n".join(wrong)


# Forms of pictures.


def picture(tmp_path, dataset, *options, suffix=".png"):
    path = synthetic.write(tmp_path / "one.dcm", dataset)
    status, said = run("render", "--output", tmp_path / "pictures", *options, path)
    assert status == 0, said
    return Image.open(tmp_path / "pictures" / f"one.dcm{suffix}")


def test_sixteen_bits_jpeg_viewport_and_animation(tmp_path):
    dataset, pixels = made("16", frames=3)
    dataset.FrameTime = "40"
    deep = numpy.asarray(picture(tmp_path, dataset, "--format", "png16", "--window", "32767.5,65535,linear-exact"))
    assert deep.dtype == numpy.int32 or deep.dtype == numpy.uint16
    assert numpy.abs(deep.astype(int) - pixels[0, :, :, 0].astype(int)).max() <= 1
    jpeg = picture(tmp_path, dataset, "--format", "jpeg", "--quality", "95", suffix=".jpg")
    png = picture(tmp_path, dataset)
    assert jpeg.format == "JPEG" and jpeg.mode == "L"
    assert numpy.abs(numpy.asarray(jpeg).astype(int) - numpy.asarray(png).astype(int)).mean() < 3
    assert picture(tmp_path, dataset, "--viewport", "20x20").size == (15, 20)
    moving = picture(tmp_path, dataset, "--format", "gif", suffix=".gif")
    assert (moving.n_frames, moving.info["duration"]) == (3, 40)
    colour, _ = made("rgb", frames=2)
    assert picture(tmp_path, colour, "--format", "gif", suffix=".gif").n_frames == 2


def test_a_presentation_state_says_window_shutter_and_drawing(tmp_path):
    dataset, pixels = made("12")
    dataset.PhotometricInterpretation = "MONOCHROME2"
    image = synthetic.write(tmp_path / "image.dcm", dataset)
    state = pydicom.Dataset()
    state.SOPClassUID, state.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.11.1", synthetic.uid()
    state.StudyInstanceUID, state.SeriesInstanceUID = dataset.StudyInstanceUID, synthetic.uid()
    reference_item = pydicom.Dataset()
    reference_item.ReferencedSOPClassUID, reference_item.ReferencedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    series = pydicom.Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = dataset.SeriesInstanceUID, [reference_item]
    state.ReferencedSeriesSequence = [series]
    voi = pydicom.Dataset()
    voi.WindowCenter, voi.WindowWidth = 2048, 1024
    state.SoftcopyVOILUTSequence = [voi]
    state.PresentationLUTShape = "INVERSE"
    state.ShutterShape = "RECTANGULAR"
    state.ShutterLeftVerticalEdge, state.ShutterRightVerticalEdge = 5, 40
    state.ShutterUpperHorizontalEdge, state.ShutterLowerHorizontalEdge = 10, 55
    line = pydicom.Dataset()
    line.GraphicAnnotationUnits, line.GraphicDimensions, line.NumberOfGraphicPoints = "PIXEL", 2, 2
    line.GraphicData, line.GraphicType = [10.0, 20.0, 30.0, 20.0], "POLYLINE"
    annotation = pydicom.Dataset()
    annotation.GraphicLayer, annotation.GraphicObjectSequence = "A", [line]
    state.GraphicAnnotationSequence = [annotation]
    path = synthetic.write(tmp_path / "state.dcm", state)
    status, said = run("render", "--presentation-state", path, "--output", tmp_path / "out", image)
    assert status == 0, said
    got = numpy.asarray(Image.open(tmp_path / "out" / "image.dcm.png")).astype(int)
    shown = numpy.clip((pixels[0, :, :, 0].astype(float) - 2047.5) / 1023 + 0.5, 0, 1)
    expected = numpy.rint((1 - shown) * 255)
    expected[:10], expected[54:], expected[:, :5], expected[:, 39:] = 0, 0, 0, 0
    expected[19, 9:30] = 255
    assert numpy.abs(got - expected).max() <= 1
    other, _ = made("12")
    stranger = synthetic.write(tmp_path / "other.dcm", other)
    assert run("render", "--presentation-state", path, "--output", tmp_path / "out", stranger)[0] == 1
