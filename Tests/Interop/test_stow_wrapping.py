"""Images, documents and videos that become DICOM objects on the way in, with metadata or within a study that is here."""

import base64
import io
import json
import struct

import numpy
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_frames

from support import stow, synthetic
from support.stow import FAILED, OTHER, STORED

PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
PHOTO, DOCUMENT, VIDEO = "1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.77.1.4.1"


def jpeg(width=97, height=64, mode="RGB", **options):
    ramp = numpy.add.outer(numpy.arange(height), numpy.arange(width)).astype("uint8")
    image = Image.fromarray(numpy.dstack([ramp, ramp[::-1], 255 - ramp]) if mode == "RGB" else ramp, mode)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95, **options)
    return out.getvalue()


def box(name, *content):
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), name.encode()) + body


def mp4(width=640, height=480, frames=50, rate=25, level=31, codec="avc1", index_last=True, handler=b"vide"):
    """A file of the right form whose frames are noise."""
    settings = box("avcC", bytes([1, 77, 0, level, 0xFF, 0xE1, 0, 0, 0]))
    entry = box(codec, bytes(6) + b"\0\1" + bytes(16) + struct.pack(">HH", width, height) + bytes(50), settings)
    table = box("stbl", box("stsd", struct.pack(">II", 0, 1), entry), box("stsz", struct.pack(">III", 0, 0, frames)))
    media = box("mdia", box("mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 1000, frames * 1000 // rate, 0, 0)),
                box("hdlr", bytes(8) + handler + bytes(13)), box("minf", table))
    index = box("moov", box("mvhd", bytes(100)), box("trak", media))
    data = box("mdat", bytes(range(256)) * 700)
    kind = box("ftyp", b"isom\0\0\2\0isomavc1")
    return kind + (data + index if index_last else index + data)


def hostile_media():
    """Files that lie about themselves, each in one way."""
    good, start = mp4(index_last=False), struct.pack(">H4s", 0, b"")
    timed = struct.pack(">IIIII", 0, 0, 0, 1000, 2000)
    assert timed in good
    huge = struct.pack(">IQQIQ", 1 << 24, 0, 0, 1, (1 << 64) - 1)
    yield "image/jpeg", jpeg(mode="L")[:2] + bytes.fromhex("ffc0000b080040006101011100ffda0002")
    yield "image/jpeg", bytes.fromhex("ffd8ffda0002")
    yield "video/mp4", box("free") + struct.pack(">I4sQ", 1, b"mdat", (1 << 63) - 1)
    yield "video/mp4", box("free") + struct.pack(">I4sQ", 1, b"mdat", (1 << 64) - 1) + start
    for scale, duration in [(1, 0xFFFFFFFF), (0xFFFFFFFF, 1), (0, 1), (1, 0)]:
        yield "video/mp4", good.replace(timed, struct.pack(">IIIII", 0, 0, 0, scale, duration))
    # One frame in more years than there are: a header of version 1 has times of 64 bits.
    media = good.replace(timed, huge).replace(struct.pack(">III", 0, 0, 50), struct.pack(">III", 0, 0, 1))
    for name, grown in [(b"mdhd", 12), (b"mdia", 12), (b"trak", 12), (b"moov", 12)]:
        at = media.index(name) - 4
        media = media[:at] + struct.pack(">I", struct.unpack(">I", media[at:at + 4])[0] + grown) + media[at + 4:]
    yield "video/mp4", media
    # More pixels than a ratio of sixteen characters can say.
    yield "video/mp4", mp4(65535, 65535, 50).replace(struct.pack(">III", 0, 0, 50), struct.pack(">III", 0, 0, 0x7FFFFFFF))


def test_files_that_lie_are_refused_and_nobody_else_notices(shared_archive, here):
    for kind, raw in hostile_media():
        answer = stow.post(shared_archive, raw, kind, f"/dicom-web/studies/{here.uid}")
        assert answer.status == 409, (kind, answer.body)
        assert answer.instances(OTHER) or answer.instances(FAILED)
    assert stow.post(shared_archive, jpeg(), "image/jpeg", f"/dicom-web/studies/{here.uid}").status == 200


@pytest.fixture(scope="module")
def here(shared_archive, module_folder):
    """A study that the archive holds."""
    made = synthetic.study(module_folder / "here", instances=2, PatientID="WRAP-1", PatientName=synthetic.VIETNAMESE)
    body = stow.multipart([path.read_bytes() for path in made.files])
    assert stow.post(shared_archive, body).status == 200
    return made


def stored(archive, folder, answer, status=200):
    """The one object that an answer names, read by pydicom."""
    assert answer.status == status, answer.body
    (instance, reason), = answer.instances(STORED)
    assert reason is None
    study = answer.json["00081190"]["Value"][0].rsplit("/", 1)[1]
    archive.run("export", "--study", study, "--to", folder / instance[-20:], "--format", "folder")
    for path in (folder / instance[-20:]).rglob("*"):
        if path.is_file() and path.read_bytes()[128:132] == b"DICM" and path.name != "DICOMDIR":
            dataset = pydicom.dcmread(path)
            if dataset.SOPInstanceUID == instance:
                return dataset
    raise AssertionError("not exported")


def test_a_photograph_joins_a_study(shared_archive, here, tmp_path):
    image = jpeg()
    answer = stow.post(shared_archive, image, "image/jpeg",
                       f"/dicom-web/studies/{here.uid}?SeriesDescription=Wound")
    dataset = stored(shared_archive, tmp_path, answer)
    assert (dataset.SOPClassUID, dataset.Modality, dataset.SeriesDescription) == (PHOTO, "XC", "Wound")
    assert (str(dataset.PatientName), dataset.PatientID, dataset.StudyInstanceUID) == (
        synthetic.VIETNAMESE, "WRAP-1", here.uid)
    assert (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel) == (64, 97, 3)
    assert dataset.PhotometricInterpretation == "YBR_FULL_422" and dataset.LossyImageCompression == "01"
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    frame, = generate_frames(dataset.PixelData, number_of_frames=1)
    assert frame[: len(image)] == image
    assert dataset.pixel_array.shape == (64, 97, 3)


@pytest.mark.parametrize(("options", "photometric"), [
    ({"mode": "L"}, "MONOCHROME2"), ({"subsampling": 0}, "YBR_FULL"), ({"subsampling": 2}, "YBR_FULL_422")])
def test_kinds_of_jpeg(shared_archive, here, tmp_path, options, photometric):
    answer = stow.post(shared_archive, stow.multipart([("image/jpeg", jpeg(**options))]),
                       f'multipart/related; type="image/jpeg"; boundary={stow.BOUNDARY}',
                       f"/dicom-web/studies/{here.uid}")
    dataset = stored(shared_archive, tmp_path, answer)
    assert dataset.PhotometricInterpretation == photometric
    frame, = generate_frames(dataset.PixelData, number_of_frames=1)
    assert frame.rstrip(b"\0") == jpeg(**options)
    assert dataset.pixel_array.shape[:2] == (64, 97)


def test_a_document_joins_a_study(shared_archive, here, tmp_path):
    answer = stow.post(shared_archive, PDF, "application/pdf", f"/dicom-web/studies/{here.uid}?DocumentTitle=Report")
    dataset = stored(shared_archive, tmp_path, answer)
    assert (dataset.SOPClassUID, dataset.Modality, dataset.DocumentTitle) == (DOCUMENT, "DOC", "Report")
    assert dataset.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == PDF
    assert dataset.PatientID == "WRAP-1"


@pytest.mark.parametrize(("file", "syntax"), [
    (mp4(), "102"), (mp4(index_last=False), "102"), (mp4(level=42), "104")])
def test_a_video_joins_a_study(shared_archive, here, tmp_path, file, syntax):
    answer = stow.post(shared_archive, file, "video/mp4", f"/dicom-web/studies/{here.uid}")
    dataset = stored(shared_archive, tmp_path, answer)
    assert dataset.SOPClassUID == VIDEO
    assert (dataset.Rows, dataset.Columns, dataset.NumberOfFrames) == (480, 640, 50)
    assert float(dataset.FrameTime) == 40 and dataset.CineRate == 25
    assert dataset.file_meta.TransferSyntaxUID == f"1.2.840.10008.1.2.4.{syntax}"
    fragment, = [piece for piece in pydicom.encaps.generate_fragments(dataset.PixelData) if piece]
    assert fragment[: len(file)] == file


def test_a_video_is_given_back_to_play_and_leaves_a_gap_where_it_is_not_accepted(shared_archive, tmp_path):
    file, study = mp4(), synthetic.study(tmp_path / "gap", instances=1)
    session, root = shared_archive.http(), f"{shared_archive.url}/dicom-web"
    assert stow.post(shared_archive, stow.multipart([path.read_bytes() for path in study.files])).status == 200
    answer = stow.post(shared_archive, file, "video/mp4", f"/dicom-web/studies/{study.uid}")
    url = answer.json["00081199"]["Value"][0]["00081190"]["Value"][0]
    played = session.get(f"{url}/rendered", headers={"Accept": "video/mp4"}, timeout=30)
    assert played.status_code == 200 and played.headers["Content-Type"] == "video/mp4"
    assert played.content.rstrip(b"\0") == file.rstrip(b"\0")
    piece = session.get(f"{url}/rendered", headers={"Accept": "video/mp4", "Range": "bytes=100-199"}, timeout=30)
    assert piece.status_code == 206 and piece.content == file[100:200]
    assert session.get(f"{url}/rendered", headers={"Accept": "image/jpeg"}, timeout=30).status_code == 406
    # Of a study whose instances have no form in common, those that have one come (PS3.18 Table 10.4.3-1).
    whole = session.get(f"{root}/studies/{study.uid}", headers={
        "Accept": 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'}, timeout=30)
    assert whole.status_code == 206 and "299" in whole.headers["Warning"]
    assert whole.content.count(b"Content-Type: application/dicom") == 1
    both = session.get(f"{root}/studies/{study.uid}", headers={
        "Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}, timeout=30)
    assert both.status_code == 200 and both.content.count(b"Content-Type: application/dicom") == 2


@pytest.mark.parametrize(("body", "kind"), [
    (b"\xff\xd8\xff\xd9", "image/jpeg"), (b"GIF89a", "image/jpeg"), (jpeg(progressive=True), "image/jpeg"),
    (jpeg()[:100], "image/jpeg"), (b"no document", "application/pdf"), (b"\0" * 64, "video/mp4"),
    (mp4()[:200], "video/mp4"), (mp4(codec="mp4v"), "video/mp4"), (mp4(handler=b"soun"), "video/mp4"),
    (mp4(level=62), "video/mp4"), (box("moov", *[box("trak")] * 5000), "video/mp4")])
def test_what_cannot_be_wrapped_says_so(shared_archive, here, body, kind):
    answer = stow.post(shared_archive, body, kind, f"/dicom-web/studies/{here.uid}")
    assert answer.status == 409 and answer.instances(OTHER) == [(None, 0xC000)]
    shared_archive.assert_healthy()


@pytest.mark.parametrize("path", ["/dicom-web/studies", "/dicom-web/studies/1.2.3.4.5.6.7"])
def test_an_image_without_a_patient_is_refused(shared_archive, path):
    answer = stow.post(shared_archive, jpeg(), "image/jpeg", path)
    assert answer.status == 409 and answer.instances(OTHER) == [(None, 0xC000)]


# With metadata.

JSON = f'multipart/related; type="application/dicom+json"; boundary={stow.BOUNDARY}'


def metadata(study, **more):
    return {"00080016": {"vr": "UI", "Value": [PHOTO]}, "00080018": {"vr": "UI", "Value": [synthetic.uid()]},
            "0020000D": {"vr": "UI", "Value": [study]}, "0020000E": {"vr": "UI", "Value": [synthetic.uid()]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Lê^Thị^Mận"}]},
            "00100020": {"vr": "LO", "Value": ["META-1"]}, "00080060": {"vr": "CS", "Value": ["XC"]}, **more}


def bulk(tag, vr, address):
    return {tag: {"vr": vr, "BulkDataURI": address}}


def test_metadata_and_two_photographs(shared_archive, tmp_path):
    study = synthetic.uid()
    first, second = metadata(study, **bulk("7FE00010", "OB", "a")), metadata(study, **bulk("7FE00010", "OB", "b"))
    images = jpeg(40, 30), jpeg(50, 20, "L")
    body = stow.multipart([
        ("application/dicom+json", json.dumps([first, second]).encode()),
        ({"Content-Type": "image/jpeg", "Content-Location": "b"}, images[1]),
        ({"Content-Type": "image/jpeg", "Content-Location": "a"}, images[0])])
    answer = stow.post(shared_archive, body, JSON)
    assert answer.status == 200, answer.body
    assert [uid for uid, _ in answer.instances(STORED)] == [
        one["00080018"]["Value"][0] for one in (first, second)]
    shared_archive.run("export", "--study", study, "--to", tmp_path / "out", "--format", "folder")
    found = {dataset.SOPInstanceUID: dataset for path in (tmp_path / "out").rglob("*")
             if path.is_file() and path.name != "DICOMDIR" and path.read_bytes()[128:132] == b"DICM"
             for dataset in [pydicom.dcmread(path)]}
    one, two = (found[item["00080018"]["Value"][0]] for item in (first, second))
    assert (one.Columns, one.Rows, two.Columns, two.Rows) == (40, 30, 50, 20)
    assert str(one.PatientName) == "Lê^Thị^Mận" and one.PatientID == "META-1"
    assert next(generate_frames(one.PixelData, number_of_frames=1))[: len(images[0])] == images[0]


def test_metadata_and_raw_pixels(shared_archive, tmp_path):
    study, pixels = synthetic.uid(), numpy.arange(32 * 16, dtype="<u2").tobytes()
    described = metadata(
        study, **bulk("7FE00010", "OW", "pixels"), **{
            "00080016": {"vr": "UI", "Value": [synthetic.SECONDARY]}, "00280002": {"vr": "US", "Value": [1]},
            "00280004": {"vr": "CS", "Value": ["MONOCHROME2"]}, "00280010": {"vr": "US", "Value": [16]},
            "00280011": {"vr": "US", "Value": [32]}, "00280100": {"vr": "US", "Value": [16]},
            "00280101": {"vr": "US", "Value": [16]}, "00280102": {"vr": "US", "Value": [15]},
            "00280103": {"vr": "US", "Value": [0]},
            "00091001": {"vr": "OB", "InlineBinary": base64.b64encode(b"private!").decode()}})
    body = stow.multipart([("application/dicom+json", json.dumps([described]).encode()),
                           ({"Content-Type": "application/octet-stream", "Content-Location": "pixels"}, pixels)])
    dataset = stored(shared_archive, tmp_path, stow.post(shared_archive, body, JSON))
    assert dataset.PixelData == pixels and dataset["PixelData"].VR == "OW"
    assert dataset.pixel_array.shape == (16, 32) and dataset[0x0009, 0x1001].value == b"private!"


def test_metadata_alone(shared_archive, tmp_path):
    """A structured report needs no bulk data."""
    study = synthetic.uid()
    report = metadata(study, **{
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.88.11"]},
        "0040A730": {"vr": "SQ", "Value": [{"0040A160": {"vr": "UT", "Value": ["Không có gì lạ"]}}]}})
    answer = stow.post(shared_archive, json.dumps([report]).encode(), "application/dicom+json")
    dataset = stored(shared_archive, tmp_path, answer)
    assert dataset.ContentSequence[0].TextValue == "Không có gì lạ"


@pytest.mark.parametrize(("document", "status"), [
    (b"{", 400), (b"[1]", 400), (b"[" * 100_000, 400), (b'[{"00080018":{"vr":"XX"}}]', 400), (b"[]", 400),
    (b"[{}]", 409), (b'[{"00080016":{"vr":"UI","Value":["not a uid"]}}]', 409)])
def test_metadata_that_are_none(shared_archive, document, status):
    assert stow.post(shared_archive, document, "application/dicom+json").status == status
    shared_archive.assert_healthy()


def test_a_missing_bulk_part_fails_its_object_only(shared_archive):
    study = synthetic.uid()
    good, bad = metadata(study, **bulk("7FE00010", "OB", "a")), metadata(study, **bulk("7FE00010", "OB", "gone"))
    body = stow.multipart([("application/dicom+json", json.dumps([good, bad]).encode()),
                           ({"Content-Type": "image/jpeg", "Content-Location": "a"}, jpeg())])
    answer = stow.post(shared_archive, body, JSON)
    assert answer.status == 202
    assert answer.instances(STORED) == [(good["00080018"]["Value"][0], None)]
    assert answer.instances(FAILED) == [(bad["00080018"]["Value"][0], 0xC000)]
