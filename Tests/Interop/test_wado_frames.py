"""Frames, rendered resources, thumbnails and WADO-URI, asked as OHIF and dicomweb-client ask, and by guessers."""

import io

import numpy
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless, RLELossless

from support import dcmtk, synthetic
from test_wado import parts, path

STORED = 'multipart/related; type="application/octet-stream"; transfer-syntax="*"'
TILES = ('multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.80, '
         'multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.81, '
         'multipart/related; type="image/jp2"; transfer-syntax=1.2.840.10008.1.2.4.90, '
         'multipart/related; type="application/octet-stream"; transfer-syntax=*, '
         'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50')


@pytest.fixture(scope="module")
def web(shared_archive):
    session = shared_archive.http()
    session.root = f"{shared_archive.url}/dicom-web"
    return session


@pytest.fixture(scope="module")
def client(shared_archive, web):
    return DICOMwebClient(url=f"{shared_archive.url}/dicom-web", session=web)


def keep(archive, folder, dataset, syntax=synthetic.EXPLICIT):
    """Brings a data set in as it is."""
    archive.run("import", synthetic.write(folder / f"{dataset.SOPInstanceUID}.dcm", dataset, syntax))
    return dataset


@pytest.fixture(scope="module")
def single(shared_archive, module_folder):
    return keep(shared_archive, module_folder, synthetic.ct(rows=64, WindowCenter="2000", WindowWidth="4000"))


@pytest.fixture(scope="module")
def multi(shared_archive, module_folder):
    """Five frames of 8 bits, each of one value, native."""
    dataset = synthetic.ct(rows=16, SOPClassUID=synthetic.MULTIFRAME_BYTE, NumberOfFrames=5, BitsAllocated=8,
                           BitsStored=8, HighBit=7, Modality="US")
    dataset.PixelData = b"".join(bytes([number] * 256) for number in range(1, 6))
    dataset["PixelData"].VR = "OB"
    return keep(shared_archive, module_folder, dataset)


def compressed(dataset, syntax, **arguments):
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = synthetic.EXPLICIT
    dataset.compress(syntax, generate_instance_uid=False, **arguments)
    return dataset


@pytest.fixture(scope="module")
def rle(shared_archive, module_folder):
    dataset = synthetic.ct(rows=64)
    raw = bytes(dataset.PixelData)
    keep(shared_archive, module_folder, compressed(dataset, RLELossless), RLELossless)
    dataset.raw = raw
    return dataset


@pytest.fixture(scope="module")
def jls(shared_archive, module_folder):
    dataset = synthetic.ct(rows=64)
    raw = bytes(dataset.PixelData)
    keep(shared_archive, module_folder, compressed(dataset, JPEGLSLossless), JPEGLSLossless)
    dataset.raw = raw
    return dataset


def frames(web, dataset, numbers="1", accept=STORED, **more):
    return web.get(f"{web.root}{path(dataset)}/frames/{numbers}", headers={"Accept": accept, **more})


# What OHIF asks.


def test_one_native_frame_as_ohif_asks(web, single):
    answer = frames(web, single)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith('multipart/related; type="application/octet-stream"; boundary=')
    [(head, body)] = parts(answer)
    assert head["Content-Type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert body == single.PixelData
    boundary = answer.headers["Content-Type"].split("boundary=")[1]
    assert len(boundary) >= 32 and boundary.encode() not in body
    assert answer.content.count(boundary.encode()) == 2
    unquoted = frames(web, single, accept=STORED.replace('"', ""))
    assert unquoted.content == answer.content
    assert frames(web, single, **{"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_compressed_frames_come_as_stored_and_decoded(web, jls, rle):
    for dataset, uid, own in ((jls, JPEGLSLossless, "image/jls"), (rle, RLELossless, "image/dicom-rle")):
        stored = dataset.PixelData
        [(head, body)] = parts(frames(web, dataset))
        assert head["Content-Type"] == f"application/octet-stream; transfer-syntax={uid}"
        assert body == next(pydicom.encaps.generate_frames(stored, number_of_frames=1))
        [(head, body)] = parts(frames(web, dataset, accept=f'multipart/related; type="{own}"'))
        assert head["Content-Type"] == f"{own}; transfer-syntax={uid}"
        [(head, body)] = parts(frames(web, dataset, accept='multipart/related; type="application/octet-stream"'))
        assert head["Content-Type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
        assert body == dataset.raw
    [(head, _)] = parts(frames(web, jls, accept=TILES))
    assert head["Content-Type"] == "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80"
    [(head, _)] = parts(frames(web, rle, accept=TILES))
    assert head["Content-Type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.5"


def test_frames_transcoded_without_loss(web, single):
    for media, uid in (("image/jls", JPEGLSLossless), ("image/jp2", "1.2.840.10008.1.2.4.90"),
                       ("image/jphc", "1.2.840.10008.1.2.4.202"), ("image/dicom-rle", RLELossless)):
        [(head, body)] = parts(frames(web, single, accept=f'multipart/related; type="{media}"; transfer-syntax={uid}'))
        assert head["Content-Type"] == f"{media}; transfer-syntax={uid}"
        if media == "image/jphc":
            assert body[:4] == b"\xff\x4f\xff\x51"
            continue
        again = synthetic.ct(rows=64)
        again.PixelData = encapsulate([body])
        again["PixelData"].VR = "OB"
        again.file_meta = pydicom.dataset.FileMetaDataset()
        again.file_meta.TransferSyntaxUID = uid
        assert again.pixel_array.astype("<u2").tobytes() == single.PixelData


# Lists of frames, and strangers.


def test_frame_lists(web, client, multi):
    for numbers in ([1], [5], [2, 4], [3, 1, 3], [1, 2, 3, 4, 5]):
        got = parts(frames(web, multi, ",".join(map(str, numbers))))
        assert [body for _, body in got] == [bytes([number] * 256) for number in numbers]
        mine = client.retrieve_instance_frames(
            multi.StudyInstanceUID, multi.SeriesInstanceUID, multi.SOPInstanceUID, frame_numbers=numbers)
        assert [bytes(one) for one in mine] == [bytes([number] * 256) for number in numbers]


def test_the_client_decodes_what_it_gets(client, single, jls, rle):
    for dataset, raw in ((single, single.PixelData), (jls, jls.raw), (rle, rle.raw)):
        uids = dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID
        assert bytes(client.retrieve_instance_frames(*uids, frame_numbers=[1])[0]) == raw
        got = client.retrieve_instance(*uids, media_types=(("application/dicom", synthetic.EXPLICIT),))
        assert got.file_meta.TransferSyntaxUID == synthetic.EXPLICIT
        assert got.PixelData == raw
        asked = client.retrieve_instance(*uids, media_types=(("application/dicom", "*"),))
        assert numpy.array_equal(asked.pixel_array, numpy.frombuffer(raw, "<u2").reshape(64, 64))


def test_one_frame_alone_by_range(web, single):
    url = f"{web.root}{path(single)}/frames/1"
    answer = web.get(url, headers={"Accept": "application/octet-stream", "Range": "bytes=10-19"})
    assert answer.status_code == 206 and answer.content == single.PixelData[10:20]


@pytest.mark.parametrize("numbers", ["0", "6", "-1", "1,", ",", "1,,2", "1-3", "a", "1.0", "%00", "99999999999", "1" * 4000,
                                     ",".join(["1"] * 5000), "+1", "١"])
def test_frames_that_are_not_there(shared_archive, web, multi, numbers):
    answer = frames(web, multi, numbers)
    assert answer.status_code in (400, 404, 414, 431), answer.status_code
    shared_archive.assert_healthy()


def test_frames_under_another_study_are_not_there(web, single, multi):
    url = f"{web.root}/studies/{multi.StudyInstanceUID}/series/{single.SeriesInstanceUID}/instances/{single.SOPInstanceUID}"
    for tail in ("/frames/1", "/rendered", "/thumbnail", "/frames/1/rendered"):
        assert web.get(url + tail).status_code == 404
    assert requests_without_credential(web, single) == 401


def requests_without_credential(web, dataset):
    import requests
    return requests.get(f"{web.root}{path(dataset)}/frames/1", timeout=60).status_code


def test_what_has_no_frames_says_so(shared_archive, web, module_folder):
    dataset = synthetic.ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR")
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated"):
        delattr(dataset, keyword)
    keep(shared_archive, module_folder, dataset)
    for tail in ("/frames/1", "/thumbnail", "/rendered"):
        answer = web.get(f"{web.root}{path(dataset)}{tail}", headers={"Accept": "*/*"})
        assert answer.status_code in (404, 406), (tail, answer.status_code)
        assert answer.json()["detail"]


def test_thin_lines_get_compressed_frames(make_archive, tmp_path):
    archive = make_archive({"http": {"compactFrames": "htj2k"}}).start()
    dataset = keep(archive, tmp_path, synthetic.ct(rows=64))
    web = archive.http()
    web.root = f"{archive.url}/dicom-web"
    [(head, body)] = parts(frames(web, dataset))
    assert head["Content-Type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.202"
    assert body[:4] == b"\xff\x4f\xff\x51"
    [(head, body)] = parts(frames(web, dataset, accept='multipart/related; type="application/octet-stream"'))
    assert body == dataset.PixelData


# Rendered.


def picture(answer, kind="JPEG"):
    assert answer.status_code == 200, answer.text[:300]
    image = Image.open(io.BytesIO(answer.content))
    assert image.format == kind
    return image


def test_rendered_pictures(web, single, multi):
    url = f"{web.root}{path(single)}"
    plain = picture(web.get(f"{url}/rendered"))
    assert plain.size == (64, 64) and numpy.asarray(plain).std() > 1
    expected = numpy.clip(numpy.frombuffer(single.PixelData, "<u2").reshape(64, 64) / 4000 * 255, 0, 255)
    exact = picture(web.get(f"{url}/rendered", headers={"Accept": "image/png"}), "PNG")
    assert numpy.abs(numpy.asarray(exact).astype(float) - expected).max() <= 2
    deep = picture(web.get(f"{url}/rendered?accept=image/png%3Bbits=16"), "PNG")
    assert deep.mode.startswith("I")
    dark = picture(web.get(f"{url}/rendered?window=60000,10,linear"))
    assert numpy.asarray(dark).max() < 8
    small = picture(web.get(f"{url}/rendered?viewport=32,16"))
    assert small.size[0] <= 32 and small.size[1] <= 16
    poor, good = (web.get(f"{url}/rendered?quality={quality}") for quality in (5, 95))
    assert len(poor.content) < len(good.content)
    third = picture(web.get(f"{web.root}{path(multi)}/frames/3/rendered?window=3,1,linear-exact", headers={"Accept": "image/png"}), "PNG")
    assert third.size == (16, 16)
    several = web.get(f"{web.root}{path(multi)}/frames/1,2/rendered")
    assert len(parts(several)) == 2
    moving = picture(web.get(f"{web.root}{path(multi)}/rendered", headers={"Accept": "image/gif"}), "GIF")
    assert moving.n_frames == 5
    for tail in ("/annotation", ):
        assert web.get(url + tail).status_code == 404
    assert picture(web.get(f"{url}/rendered?annotation=patient,technique&iccprofile=no")).size == (64, 64)


def test_annotation_is_text_over_the_upper_left_and_nothing_else(web, shared_archive, module_folder):
    dataset = synthetic.ct(rows=512, PatientName="Short^Name", WindowCenter="2048", WindowWidth="4096")
    dataset.PixelData = numpy.full((512, 512), 500, "<u2").tobytes()
    url = web.root + path(keep(shared_archive, module_folder, dataset))
    plain, patient, both = (
        numpy.asarray(picture(web.get(f"{url}/rendered{query}", headers={"Accept": "image/png"}), "PNG").convert("L")).astype(int)
        for query in ("", "?annotation=patient", "?annotation=patient,technique"))
    rows, columns = numpy.nonzero(patient != plain)
    assert len(rows) > 100, "there is text"
    assert rows.max() < 200 and columns.max() < 400, "in the upper left"
    assert abs(patient[rows, columns] - plain[rows, columns]).max() > 100, "that can be read"
    more = numpy.nonzero(both != plain)[0]
    assert more.max() > rows.max(), "technique stands below"


@pytest.mark.parametrize("query", [
    "window=1", "window=a,b,linear", "window=1,2,cubic", "window=nan,inf,linear", "window=1,0,linear", "quality=0",
    "quality=101", "quality=x", "viewport=0,0", "viewport=-1,5", "viewport=1e9,1e9", "viewport=10", "annotation=secrets",
    "iccprofile=bad", "viewport=10,10,0,0,0,0",
])
def test_wrong_wishes_are_refused(shared_archive, web, single, query):
    answer = web.get(f"{web.root}{path(single)}/rendered?{query}")
    assert answer.status_code == 400 and answer.json()["detail"], query
    shared_archive.assert_healthy()


def test_thumbnails_of_every_level(web, single):
    for level in ("studies", "series", "instances"):
        answer = web.get(f"{web.root}{path(single, level)}/thumbnail?accept=image/jpeg")
        assert max(picture(answer).size) <= 256
        small = picture(web.get(f"{web.root}{path(single, level)}/thumbnail?viewport=20,20"))
        assert max(small.size) <= 20


def test_documents_come_as_they_are(shared_archive, web, client, module_folder):
    text = b"%PDF-1.4 made up"
    dataset = synthetic.ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", Modality="DOC")
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated"):
        delattr(dataset, keyword)
    dataset.EncapsulatedDocument, dataset.MIMETypeOfEncapsulatedDocument = text + bytes(1000) + b"e", "application/pdf"
    dataset.EncapsulatedDocumentLength = len(text) + 1001
    keep(shared_archive, module_folder, dataset)
    whole = dataset.EncapsulatedDocument[:len(text) + 1001]
    answer = web.get(f"{web.root}{path(dataset)}/rendered")
    assert answer.headers["Content-Type"] == "application/pdf" and answer.content == whole
    metadata = web.get(f"{web.root}{path(dataset)}/metadata").json()[0]
    asked = 'multipart/related; type="application/pdf", multipart/related; type="application/octet-stream"'
    bulk = web.get(shared_archive.url + metadata["00420011"]["BulkDataURI"], headers={"Accept": asked})
    [(head, body)] = parts(bulk)
    assert head["Content-Type"] == "application/pdf" and body.startswith(text)


# WADO-URI.


@pytest.mark.parametrize("root", ["/wado", "/dicom-web/wado"])
def test_wado_uri(shared_archive, web, single, multi, root):
    def ask(dataset, **query):
        wish = {"requestType": "WADO", "studyUID": dataset.StudyInstanceUID, "seriesUID": dataset.SeriesInstanceUID,
                "objectUID": dataset.SOPInstanceUID, **query}
        return web.get(shared_archive.url + root, params={k: v for k, v in wish.items() if v is not None})

    assert picture(ask(single)).size == (64, 64)
    assert max(picture(ask(single, rows="20", columns="30")).size) <= 30
    assert numpy.asarray(picture(ask(single, windowCenter="60000", windowWidth="10"))).max() < 8
    object_ = ask(single, contentType="application/dicom")
    assert object_.headers["Content-Type"].startswith("application/dicom")
    assert pydicom.dcmread(io.BytesIO(object_.content)).SOPInstanceUID == single.SOPInstanceUID
    assert pydicom.dcmread(io.BytesIO(ask(multi).content)).SOPInstanceUID == multi.SOPInstanceUID
    assert picture(ask(multi, contentType="image/jpeg", frameNumber="4")).size == (16, 16)
    transcoded = ask(single, contentType="application/dicom", transferSyntax="1.2.840.10008.1.2.4.80")
    assert pydicom.dcmread(io.BytesIO(transcoded.content)).file_meta.TransferSyntaxUID == JPEGLSLossless
    for wrong in ({"requestType": "X"}, {"objectUID": ".."}, {"studyUID": None}, {"windowCenter": "5"},
                  {"rows": "0"}, {"rows": "x"}, {"frameNumber": "0", "contentType": "image/jpeg"},
                  {"imageQuality": "101"}, {"anonymize": "no"}, {"annotation": "x"}):
        assert ask(single, **wrong).status_code == 400, wrong
    assert ask(single, anonymize="yes").status_code == 406
    assert ask(single, studyUID=multi.StudyInstanceUID).status_code == 404
    assert ask(single, contentType="text/plain").status_code == 406
