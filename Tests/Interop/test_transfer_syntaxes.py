"""Classes and syntaxes nobody here has a codec for are stored as they are; known ones are expanded on request."""

import numpy
import pydicom
import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from support import corpus, dcmtk, peers, synthetic
from support.synthetic import CT, EXPLICIT, IMPLICIT

UNKNOWN = {
    "HTJ2K lossless": "1.2.840.10008.1.2.4.201", "HTJ2K lossless RPCL": "1.2.840.10008.1.2.4.202",
    "HTJ2K": "1.2.840.10008.1.2.4.203", "MPEG2 main": "1.2.840.10008.1.2.4.100",
    "MPEG2 high": "1.2.840.10008.1.2.4.101", "MPEG4 4.1": "1.2.840.10008.1.2.4.102",
    "MPEG4 4.2 3D": "1.2.840.10008.1.2.4.106", "HEVC main": "1.2.840.10008.1.2.4.107",
    "HEVC main 10": "1.2.840.10008.1.2.4.108", "JPEG XL lossless": "1.2.840.10008.1.2.4.110",
    "JPEG XL recompression": "1.2.840.10008.1.2.4.111", "JPEG XL": "1.2.840.10008.1.2.4.112",
    "private": "1.2.826.0.1.3680043.10.1475.99.1",
}
CLASSES = {
    "private": "1.2.826.0.1.3680043.10.1475.98.1", "retired ultrasound": "1.2.840.10008.5.1.4.1.1.6",
    "encapsulated PDF": "1.2.840.10008.5.1.4.1.1.104.1", "unknown standard": "1.2.840.10008.5.1.4.1.1.9999.7",
    "video endoscopic": "1.2.840.10008.5.1.4.1.1.77.1.1.1", "Philips private": "1.3.46.670589.11.0.0.12.1",
}


def store(archive, dataset, syntax, sop_class=None):
    sop_class = sop_class or str(dataset.SOPClassUID)
    raw = synthetic.encode(dataset)
    with peers.association(archive.dicom_port, [(sop_class, [syntax])]) as association:
        assert association.accepted_contexts, f"{sop_class} in {syntax} is not accepted"
        context = association.accepted_contexts[0].context_id
        answer = peers.store_bytes(association, context, sop_class, str(dataset.SOPInstanceUID), raw, 1)
    assert answer[0] == 0, answer
    return raw


def fetch(archive, study, sop_class, syntaxes):
    with peers.getter(archive.dicom_port, [(sop_class, syntaxes)]) as (association, received):
        return peers.get(association, StudyInstanceUID=study), received


@pytest.mark.parametrize("syntax", UNKNOWN.values(), ids=UNKNOWN)
def test_a_syntax_without_a_codec_is_kept_byte_exact(shared_archive, syntax):
    dataset = synthetic.encapsulated(b"\xff\x4f not a code stream \x00\xff" * 40)
    raw = store(shared_archive, dataset, syntax)
    outcome, received = fetch(shared_archive, dataset.StudyInstanceUID, CT, [syntax])
    assert (outcome.status, outcome.completed) == (0, 1)
    assert received.data[dataset.SOPInstanceUID] == [(syntax, raw)]

    # To a peer without that syntax this one sub-operation fails, and the answer says so.
    outcome, received = fetch(shared_archive, dataset.StudyInstanceUID, CT, [EXPLICIT, IMPLICIT])
    assert (outcome.completed, outcome.failed, received.order) == (0, 1, [])
    assert outcome.status in (0xA702, 0xB000)
    assert outcome.failed_instances == [dataset.SOPInstanceUID]


@pytest.mark.parametrize("sop_class", CLASSES.values(), ids=CLASSES)
def test_any_storage_class_is_kept_byte_exact(shared_archive, sop_class):
    dataset = synthetic.ct(SOPClassUID=sop_class)
    raw = store(shared_archive, dataset, EXPLICIT)
    outcome, received = fetch(shared_archive, dataset.StudyInstanceUID, sop_class, [EXPLICIT])
    assert (outcome.status, outcome.completed) == (0, 1)
    assert received.data[dataset.SOPInstanceUID] == [(EXPLICIT, raw)]


def test_a_private_class_in_a_private_syntax_moves_too(shared_archive):
    dataset = synthetic.encapsulated(b"private" * 100, SOPClassUID=CLASSES["private"])
    raw = store(shared_archive, dataset, UNKNOWN["private"])
    with peers.destination("PRIVATE") as (port, received):
        shared_archive.run("peer", "add", "private", "--ae-title", "PRIVATE", "--host", "127.0.0.1", "--port", port)
        with peers.association(shared_archive.dicom_port, [(peers.STUDY_MOVE, [IMPLICIT])]) as association:
            outcome = peers.move(association, "PRIVATE", StudyInstanceUID=dataset.StudyInstanceUID)
    shared_archive.run("peer", "remove", "private")
    assert (outcome.status, outcome.completed) == (0, 1)
    assert received.data[dataset.SOPInstanceUID] == [(UNKNOWN["private"], raw)]


def test_one_unsendable_instance_does_not_stop_the_others(shared_archive):
    study = synthetic.uid()
    plain = [synthetic.ct(study, number=n) for n in range(1, 4)]
    odd = synthetic.encapsulated(b"??" * 50, study=study, number=4)
    for dataset in plain:
        store(shared_archive, dataset, EXPLICIT)
    store(shared_archive, odd, UNKNOWN["HTJ2K"])
    outcome, received = fetch(shared_archive, study, CT, [EXPLICIT])
    assert (outcome.status, outcome.completed, outcome.failed) == (0xB000, 3, 1)
    assert outcome.failed_instances == [odd.SOPInstanceUID]
    assert sorted(received.order) == sorted(str(dataset.SOPInstanceUID) for dataset in plain)


# Files of the pydicom wheel: name -> largest allowed difference per sample (lossy decoders may differ by rounding).
COMPRESSED = {
    "MR_small_RLE": 0, "SC_rgb_rle": 0, "SC_rgb_rle_16bit": 0, "SC_rgb_rle_2frame": 0, "rtdose_rle_1frame": 0,
    "SC_rgb_jpeg_gdcm": 0, "MR_small_jpeg_ls_lossless": 0, "JPEGLSNearLossless_08": 0, "JPEGLSNearLossless_16": 0,
    "SC_rgb_jls_lossy_line": 0, "SC_rgb_jls_lossy_sample": 0, "SC_rgb_small_odd_jpeg": 3, "SC_rgb_jpeg_dcmtk": 3,
    "SC_rgb_dcmtk_+eb+cy+n1": 3, "SC_rgb_dcmtk_+eb+cr": 3, "JPGExtended": 3, "examples_ybr_color": 4,
}
JPEG_2000 = ["JPEG2000", "MR_small_jp2klossless", "693_J2KI", "examples_jpeg2k"]


def wheel_samples(names):
    return [corpus.read(corpus.wheel_file(f"{name}.dcm")) for name in names]


def put(archive, sample):
    with peers.association(archive.dicom_port, [(sample.sop_class, [sample.transfer_syntax])]) as association:
        answer = peers.store_bytes(association, association.accepted_contexts[0].context_id, sample.sop_class,
                                   sample.sop_instance, sample.data(), 1)
    assert answer[0] == 0, answer


def samples_of(raw, syntax):
    dataset = read_dataset(DicomBytesIO(raw), syntax == IMPLICIT, True)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset, dataset.pixel_array


def rgb(dataset, pixels):
    """Colour as RGB, so that either reading of the photometric interpretation can be compared."""
    if dataset.SamplesPerPixel == 3 and str(dataset.PhotometricInterpretation).startswith("YBR"):
        return pydicom.pixels.convert_color_space(pixels, "YBR_FULL", "RGB", per_frame=True)
    return pixels


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("sample", wheel_samples(COMPRESSED), ids=str)
def test_a_peer_without_the_syntax_gets_the_right_pixels(make_archive, sample, syntax):
    archive = make_archive().start()
    put(archive, sample)
    study = archive.find(level="study")[0]["StudyInstanceUID"]
    outcome, received = fetch(archive, study, sample.sop_class, [syntax])
    assert (outcome.status, outcome.completed) == (0, 1), outcome
    (got_syntax, raw), = received.data[sample.sop_instance]
    assert got_syntax == syntax
    dataset, pixels = samples_of(raw, syntax)
    original = pydicom.dcmread(sample.path)
    expected = pydicom.pixels.pixel_array(sample.path, raw=original.SamplesPerPixel == 1)
    got = rgb(dataset, pixels) if dataset.SamplesPerPixel == 3 else pixels
    assert got.shape == expected.shape
    difference = int(numpy.abs(got.astype(int) - expected.astype(int)).max())
    assert difference <= COMPRESSED[sample.path.stem], f"pixels differ by {difference}"
    for keyword in ("PatientID", "StudyInstanceUID", "SOPInstanceUID", "Rows", "Columns"):
        assert dataset.get(keyword) == original.get(keyword)

    # The archive still holds what it received.
    outcome, received = fetch(archive, study, sample.sop_class, [sample.transfer_syntax])
    assert received.data[sample.sop_instance] == [(sample.transfer_syntax, sample.data())]


@pytest.mark.parametrize("sample", wheel_samples(JPEG_2000), ids=str)
def test_jpeg_2000_is_expanded_right_or_refused_never_wrong(shared_archive, sample):
    put(shared_archive, sample)
    study, = {row["StudyInstanceUID"] for row in shared_archive.find(level="image")
              if row["SOPInstanceUID"] == sample.sop_instance}
    outcome, received = fetch(shared_archive, study, sample.sop_class, [EXPLICIT])
    got = received.data.get(sample.sop_instance)
    if not got:
        assert sample.sop_instance in outcome.failed_instances
        return
    dataset, pixels = samples_of(got[0][1], EXPLICIT)
    expected = pydicom.pixels.pixel_array(sample.path, raw=dataset.SamplesPerPixel == 1)
    assert int(numpy.abs(rgb(dataset, pixels).astype(int) - expected.astype(int)).max()) <= 3


@pytest.mark.parametrize("stored, asked", [
    (IMPLICIT, EXPLICIT), (EXPLICIT, IMPLICIT), ("1.2.840.10008.1.2.2", EXPLICIT), (EXPLICIT, "1.2.840.10008.1.2.2"),
])
def test_uncompressed_syntaxes_are_translated(shared_archive, stored, asked):
    dataset = synthetic.ct()
    raw = synthetic.encode(dataset, stored)
    with peers.association(shared_archive.dicom_port, [(CT, [stored])]) as association:
        answer = peers.store_bytes(association, 1, CT, str(dataset.SOPInstanceUID), raw, 1)
    assert answer[0] == 0
    outcome, received = fetch(shared_archive, dataset.StudyInstanceUID, CT, [asked])
    assert (outcome.status, outcome.completed) == (0, 1)
    (syntax, got), = received.data[dataset.SOPInstanceUID]
    assert syntax == asked
    read = read_dataset(DicomBytesIO(got), asked == IMPLICIT, asked != "1.2.840.10008.1.2.2")
    assert read.PatientName == dataset.PatientName
    assert read.Rows == dataset.Rows
    # pydicom writes pixel bytes as they are: what it calls big endian holds words in little-endian order.
    pixels = numpy.frombuffer(dataset.PixelData, "<u2")
    swapped = "1.2.840.10008.1.2.2" in (stored, asked)
    assert read.PixelData == (pixels.byteswap() if swapped else pixels).tobytes()


def test_the_stored_syntax_wins_when_the_peer_takes_it_among_others(make_archive):
    archive = make_archive().start()
    sample = corpus.read(corpus.wheel_file("MR_small_RLE.dcm"))
    put(archive, sample)
    study, = {row["StudyInstanceUID"] for row in archive.find(level="image")
              if row["SOPInstanceUID"] == sample.sop_instance}
    contexts = [(sample.sop_class, [EXPLICIT, IMPLICIT, sample.transfer_syntax])]
    with peers.destination("CHOOSER", contexts) as (port, received):
        archive.run("peer", "add", "chooser", "--ae-title", "CHOOSER", "--host", "127.0.0.1", "--port", port)
        with peers.association(archive.dicom_port, [(peers.STUDY_MOVE, [IMPLICIT])]) as association:
            peers.move(association, "CHOOSER", StudyInstanceUID=study)
    archive.run("peer", "remove", "chooser")
    assert received.data[sample.sop_instance] == [(sample.transfer_syntax, sample.data())]


def test_a_plain_storescp_gets_compressed_images_expanded(make_archive, tmp_path):
    """storescp as installed takes uncompressed syntaxes only."""
    archive = make_archive().start()
    sample = corpus.read(corpus.wheel_file("MR_small_RLE.dcm"))
    put(archive, sample)
    with dcmtk.StoreSCP(tmp_path / "out") as target:
        archive.run("peer", "add", "plain", "--ae-title", target.aet, "--host", "127.0.0.1", "--port", target.port)
        archive.run("send", "--to", "plain", "--study", archive.find(level="study")[0]["StudyInstanceUID"])
        file, = target.files()
    assert pydicom.dcmread(file).file_meta.TransferSyntaxUID in (EXPLICIT, IMPLICIT)
