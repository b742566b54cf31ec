"""WADO-RS with strangers: dicomweb-client asks for every resource, pydicom reads every answer."""

import gzip
import io
import json
import zipfile

import numpy
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from support import dcmtk, synthetic


@pytest.fixture(scope="module")
def web(shared_archive):
    """A session of requests against the DICOMweb root."""
    session = shared_archive.http()
    session.root = f"{shared_archive.url}/dicom-web"
    return session


@pytest.fixture(scope="module")
def client(shared_archive, web):
    return DICOMwebClient(url=f"{shared_archive.url}/dicom-web", session=web)


def rich(number=1, **values):
    """A slice with everything that JSON has a rule for."""
    dataset = synthetic.ct(number=number, PatientName="Nguyễn^Văn^Đức=阮^文^德", **values)
    dataset.ImageType = ["ORIGINAL", "", "AXIAL"]
    dataset.PixelSpacing = ["0.5", "0.25"]
    dataset.ImagePositionPatient = [-1.5, 0, 1e-3]
    dataset.FrameIncrementPointer = [0x00181063]
    dataset.PatientComments = "  dòng một\nhai \\ \"ba\""
    dataset.AccessionNumber = ""
    private = dataset.private_block(0x0009, "PHIM TEST", create=True)
    private.add_new(0x01, "FD", [0.1, -2.5])
    private.add_new(0x02, "OB", bytes(range(200)))
    private.add_new(0x03, "OB", bytes(range(256)) * 8)
    private.add_new(0x04, "UN", b"\x01\x02")
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121071", "DCM", "Phát hiện"
    inner = Dataset()
    inner.ConceptNameCodeSequence = Sequence([code])
    inner.ICCProfile = b"profile" * 400
    dataset.OpticalPathSequence = Sequence([Dataset(), inner])
    return dataset


@pytest.fixture(scope="module")
def study(shared_archive, module_folder):
    """Two series: three rich slices, and one in Implicit VR."""
    made = synthetic.Study(synthetic.uid(), [], [])
    series = synthetic.uid()
    for number in (1, 2, 3):
        dataset = rich(number, study=made.uid, series=series)
        made.datasets.append(dataset)
        made.files.append(synthetic.write(module_folder / f"rich-{number}.dcm", dataset))
    dataset = rich(1, study=made.uid, series=synthetic.uid(), SeriesNumber=2, PixelRepresentation=1)
    dataset.PixelPaddingValue = -2000
    dataset["PixelPaddingValue"].VR = "SS"
    made.datasets.append(dataset)
    made.files.append(synthetic.write(module_folder / "implicit.dcm", dataset, synthetic.IMPLICIT))
    dcmtk.run("storescu", "-xi", *dcmtk.peer(shared_archive), made.files[3])
    dcmtk.run("storescu", "-xe", *dcmtk.peer(shared_archive), *made.files[:3])
    return made


def path(dataset, level="instances"):
    parts = f"/studies/{dataset.StudyInstanceUID}"
    if level != "studies":
        parts += f"/series/{dataset.SeriesInstanceUID}"
    if level == "instances":
        parts += f"/instances/{dataset.SOPInstanceUID}"
    return parts


def same(given, wanted):
    """Equal data sets, whatever their order, character set and group lengths."""
    given, wanted = given.to_json_dict(), wanted.to_json_dict()
    # Of private attributes Implicit VR has the bytes only.
    private = [tag for tag, attribute in given.items() if attribute["vr"] == "UN" and tag.startswith("0009")]
    for tag in private:
        assert wanted[tag]["vr"] in ("FD", "OB", "UN")
    assert {t: a for t, a in given.items() if t not in private} == {t: a for t, a in wanted.items() if t not in private}


# Objects.


def test_instances_come_back_as_they_went(client, study):
    for dataset in study.datasets:
        got = client.retrieve_instance(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
        same(got, dataset)
        assert got.file_meta.TransferSyntaxUID == synthetic.EXPLICIT or study.datasets.index(dataset) == 3


def test_as_stored_means_byte_for_byte(web, study):
    for level, wanted in (("studies", 4), ("series", 3), ("instances", 1)):
        answer = web.get(
            web.root + path(study.datasets[0], level),
            headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
        assert answer.status_code == 200, answer.text[:300]
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        got = parts(answer)
        assert len(got) == wanted
        for head, body in got:
            dataset = pydicom.dcmread(io.BytesIO(body))
            assert head["Content-Type"] == f"application/dicom; transfer-syntax={dataset.file_meta.TransferSyntaxUID}"
            source = next(d for d in study.datasets if d.SOPInstanceUID == dataset.SOPInstanceUID)
            same(dataset, source)


def parts(answer):
    """(header fields, body) of every part, cut at the boundary by hand."""
    kind, _, rest = answer.headers["Content-Type"].partition(";")
    assert kind.startswith("multipart/"), answer.headers["Content-Type"]
    boundary = next(p.split("=", 1)[1].strip('"') for p in rest.split(";") if p.strip().startswith("boundary="))
    content = answer.content
    assert content.startswith(f"--{boundary}\r\n".encode()), content[:80]
    assert content.endswith(f"\r\n--{boundary}--\r\n".encode()), content[-80:]
    found = []
    for piece in content[len(boundary) + 4:-len(boundary) - 8].split(f"\r\n--{boundary}\r\n".encode()):
        head, _, body = piece.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        assert int(fields["Content-Length"]) == len(body)
        found.append((fields, body))
    return found


def test_one_file_with_ranges_and_entity_tag(web, study):
    url = web.root + path(study.datasets[1])
    accept = {"Accept": "application/dicom; transfer-syntax=*"}
    whole = web.get(url, headers=accept)
    assert whole.status_code == 200 and whole.headers["Content-Type"].startswith("application/dicom")
    assert pydicom.dcmread(io.BytesIO(whole.content)).SOPInstanceUID == study.datasets[1].SOPInstanceUID
    size, tag = len(whole.content), whole.headers["ETag"]
    assert tag.startswith('"')

    def ranged(value, **more):
        return web.get(url, headers={**accept, "Range": value, **more})

    for value, start, end in (("bytes=0-9", 0, 10), ("bytes=100-", 100, size), ("bytes=-7", size - 7, size),
                              ("bytes=5-999999999", 5, size)):
        answer = ranged(value)
        assert answer.status_code == 206, value
        assert answer.content == whole.content[start:end]
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    several = ranged("bytes=0-3, 128-131")
    assert several.status_code == 206
    assert [body for _, body in parts(several)] == [whole.content[:4], b"DICM"]
    for value in (f"bytes={size}-", "bytes=999999999999-", "bytes=-0"):
        answer = ranged(value)
        assert answer.status_code == 416, value
        assert answer.headers["Content-Range"] == f"bytes */{size}"
    for value in ("bytes=", "bytes=a-b", "bytes=9-5", "lines=1-2", "bytes=0-,0-,0-", "bytes=" + "0-1," * 5000,
                  "bytes=99999999999999999999999999-"):
        assert ranged(value).status_code == 200, value
    assert ranged("bytes=0-9", **{"If-Range": '"other"'}).status_code == 200
    assert ranged("bytes=0-9", **{"If-Range": tag}).status_code == 206
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = web.get(url, headers={**accept, "If-None-Match": known})
        assert answer.status_code == 304 and not answer.content, known
    assert web.get(url, headers={**accept, "If-None-Match": '"other"'}).status_code == 200
    assert web.get(url, headers={**accept, "If-Match": '"other"'}).status_code == 412
    head = web.head(url, headers=accept)
    assert head.status_code == 200 and not head.content and head.headers["ETag"] == tag
    assert int(head.headers["Content-Length"]) == size


def test_a_study_as_a_zip_file(web, study):
    answer = web.get(web.root + path(study.datasets[0], "studies"), headers={"Accept": "application/zip"})
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/zip"
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    assert packed.testzip() is None
    assert len(packed.namelist()) == 4
    for name in packed.namelist():
        dataset = pydicom.dcmread(io.BytesIO(packed.read(name)))
        assert name.endswith(f"{dataset.SOPInstanceUID}.dcm")
    linked = web.get(web.root + path(study.datasets[0], "studies") + "?accept=application/zip")
    assert linked.headers["Content-Type"] == "application/zip"


# Metadata.


def test_metadata_of_every_level_is_what_pydicom_would_say(client, study):
    first = study.datasets[0]
    of_study = client.retrieve_study_metadata(first.StudyInstanceUID)
    of_series = client.retrieve_series_metadata(first.StudyInstanceUID, first.SeriesInstanceUID)
    of_instance = client.retrieve_instance_metadata(
        first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID)
    assert len(of_study) == 4 and len(of_series) == 3
    assert of_instance in of_series and of_instance in of_study
    by_uid = {metadata["00080018"]["Value"][0]: metadata for metadata in of_study}
    for dataset in study.datasets:
        compare(by_uid[dataset.SOPInstanceUID], dataset, client)


def compare(metadata, dataset, client):
    """Against pydicom's own JSON; values behind an address are fetched."""
    assert metadata["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    wanted = dataset.to_json_dict(bulk_data_threshold=1 << 30)
    implicit = int(dataset.SeriesNumber) == 2
    assert list(metadata) == sorted(metadata)
    assert set(metadata) == set(wanted)
    for tag, attribute in wanted.items():
        got = metadata[tag]
        if tag == "00080005" or implicit and tag.startswith("0009"):
            continue
        if tag == "7FE00010":
            assert set(got) == {"vr", "BulkDataURI"}
        elif "InlineBinary" in attribute and len(attribute["InlineBinary"]) > 400:
            assert set(got) == {"vr", "BulkDataURI"}
        elif tag == "00480105":
            assert got["Value"][0] == {}
            assert got["Value"][1]["00282000"]["BulkDataURI"].endswith("/bulk/00480105/2/00282000")
            assert got["Value"][1]["0040A043"] == attribute["Value"][1]["0040A043"]
        elif attribute.get("Value") == [] or attribute.get("Value") == [""]:
            assert got == {"vr": attribute["vr"]}
        elif tag == "00080008":
            assert got["Value"] == ["ORIGINAL", None, "AXIAL"]
        elif tag == "00104000":
            assert got["Value"] == ["  dòng một\nhai \\ \"ba\""]
        else:
            assert got == attribute, tag
    # What comes back is a data set again, with all its values.
    root = client.base_url.removesuffix("/dicom-web")

    def fetch(tag, vr, address):
        return bytes(client.retrieve_bulkdata(root + address)[0])

    again = Dataset.from_json(metadata, fetch)
    for keyword in ("PatientName", "PixelSpacing", "ImagePositionPatient", "PixelData"):
        assert again[keyword].value == dataset[keyword].value, keyword
    assert again.OpticalPathSequence[1].ICCProfile == dataset.OpticalPathSequence[1].ICCProfile
    if not implicit:
        assert again.private_block(0x0009, "PHIM TEST")[0x03].value == bytes(range(256)) * 8


def test_metadata_compressed_conditional_and_head(web, study):
    for level in ("studies", "series", "instances"):
        url = web.root + path(study.datasets[0], level) + "/metadata"
        plain = web.get(url, headers={"Accept": "application/dicom+json", "Accept-Encoding": "identity"})
        assert plain.status_code == 200 and plain.headers["Content-Type"] == "application/dicom+json"
        assert "Content-Encoding" not in plain.headers
        packed = web.get(url, headers={"Accept-Encoding": "gzip"}, stream=True)
        raw = packed.raw.read(decode_content=False)
        assert packed.headers["Content-Encoding"] == "gzip" and raw[:2] == b"\x1f\x8b"
        assert gzip.decompress(raw) == plain.content
        assert packed.headers["ETag"] != plain.headers["ETag"]
        assert "Accept-Encoding" in plain.headers["Vary"]
        same_again = web.get(url, headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]})
        assert same_again.status_code == 304 and not same_again.content
        head = web.head(url, headers={"Accept-Encoding": "identity"})
        assert head.status_code == 200 and int(head.headers["Content-Length"]) == len(plain.content)


def test_metadata_follows_what_is_stored_and_deleted(shared_archive, web, tmp_path):
    made = synthetic.study(tmp_path / "first", instances=2)
    url = f"{web.root}/studies/{made.uid}/series/{made.series[0]}/metadata"
    dcmtk.run("storescu", *dcmtk.peer(shared_archive), *made.files)
    first = web.get(url)
    assert len(first.json()) == 2
    more = synthetic.ct(study=made.uid, series=made.series[0], number=3)
    dcmtk.run("storescu", *dcmtk.peer(shared_archive), synthetic.write(tmp_path / "more.dcm", more))
    second = web.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert second.status_code == 200 and len(second.json()) == 3
    assert [one["00200013"]["Value"][0] for one in second.json()] == [1, 2, 3]
    shared_archive.run("delete", "--instance", made.instances[0], "--yes", expect=(0, 2))
    third = web.get(url, headers={"If-None-Match": second.headers["ETag"]})
    assert third.status_code == 200 and len(third.json()) == 2


def test_metadata_survives_a_restart_and_a_damaged_projection(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "in", instances=5)
    dcmtk.run("storescu", *dcmtk.peer(archive), *made.files)
    path = f"/dicom-web/studies/{made.uid}/metadata"
    first = archive.http().get(archive.url + path).json()
    kept = [file for file in (archive.data / "metadata").rglob("[!.]*") if file.is_file()]
    assert kept
    for damage in (lambda data: data, lambda data: data[:-40], lambda data: b"", lambda data: data[:60] + b"\0" * 200,
                   lambda data: data.replace(b"1", b"2")):
        archive.stop()
        for file in kept:
            file.write_bytes(damage(file.read_bytes()))
        archive.start()
        assert archive.http().get(archive.url + path).json() == first


def test_metadata_as_xml(web, study):
    for level, number in (("studies", 4), ("series", 3), ("instances", 1)):
        answer = web.get(web.root + path(study.datasets[0], level) + "/metadata",
                         headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
        assert answer.status_code == 200
        got = parts(answer)
        assert len(got) == number
        import xml.etree.ElementTree as tree
        for head, body in got:
            assert head["Content-Type"] == "application/dicom+xml"
            model = tree.fromstring(body)
            space = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
            assert model.tag == space + "NativeDicomModel"
            by_tag = {one.get("tag"): one for one in model}
            name = by_tag["00100010"].find(f"{space}PersonName/{space}Alphabetic/{space}FamilyName")
            assert name.text == "Nguyễn"
            assert by_tag["00100010"].get("keyword") == "PatientName"
            assert by_tag["7FE00010"].find(space + "BulkData").get("uri").endswith("/bulk/7FE00010")


# Bulk data.


def test_bulk_data_by_its_address(shared_archive, client, web, study):
    dataset = study.datasets[0]
    metadata = client.retrieve_instance_metadata(
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    address = shared_archive.url + metadata["00480105"]["Value"][1]["00282000"]["BulkDataURI"]
    wanted = dataset.OpticalPathSequence[1].ICCProfile
    assert client.retrieve_bulkdata(address)[0] == wanted
    assert client.retrieve_bulkdata(address, media_types=("application/octet-stream",))[0] == wanted
    assert client.retrieve_bulkdata(address, byte_range=(7, 13))[0] == wanted[7:14]
    alone = web.get(address, headers={"Accept": "application/octet-stream"})
    assert alone.content == wanted and alone.headers["Content-Type"] == "application/octet-stream"
    part = web.get(address, headers={"Accept": "application/octet-stream", "Range": "bytes=7-13"})
    assert part.status_code == 206 and part.content == wanted[7:14]
    # Both names of the resource, and a path relative to the instance.
    other = web.get(f"{web.root}{path(dataset)}/bulkdata/00480105/2/00282000")
    assert other.content == wanted
    pixels = web.get(shared_archive.url + metadata["7FE00010"]["BulkDataURI"])
    assert pixels.content == dataset.PixelData
    everything = web.get(f"{web.root}{path(dataset, 'studies')}/bulkdata",
                         headers={"Accept": 'multipart/related; type="application/octet-stream"'})
    assert everything.status_code == 200
    locations = {head["Content-Location"]: body for head, body in parts(everything)}
    assert locations[metadata["7FE00010"]["BulkDataURI"]] == dataset.PixelData


@pytest.mark.parametrize("tail", [
    "bulk/", "bulk/00104000x", "bulk/0048010", "bulk/00480105/3/00282000", "bulk/00480105/0/00282000",
    "bulk/00480105/-1/00282000", "bulk/00480105", "bulk/..%2f..%2fphim.yaml", "bulk/../../../../metadata%00",
    "bulk/" + "00480105/1/" * 5000 + "00282000", "bulk/00480105/99999999999999999999/00282000", "bulk/%00%00%00%00",
])
def test_addresses_of_nothing(shared_archive, web, study, tail):
    answer = web.get(f"{web.root}{path(study.datasets[0])}/{tail}")
    assert answer.status_code in (400, 404, 414, 431)
    shared_archive.assert_healthy()


# Refusals.


@pytest.mark.parametrize("study_uid", ["1.2.3", "%2e%2e", "1..2", "1.2.3/../4", "9" * 65, "1.2.%00", "*", "1.2.3'--"])
def test_studies_that_are_not_there(shared_archive, web, study_uid):
    for tail in ("", "/metadata", "/series/1.2/metadata", "/series/1.2/instances/1.2", "/bulkdata"):
        answer = web.get(f"{web.root}/studies/{study_uid}{tail}")
        assert answer.status_code in (400, 404), (study_uid, tail)
    shared_archive.assert_healthy()


def test_an_instance_under_another_study_is_not_there(shared_archive, web, study, tmp_path):
    other = synthetic.study(tmp_path / "other", instances=1)
    dcmtk.run("storescu", *dcmtk.peer(shared_archive), *other.files)
    mine, its = study.datasets[0], other.datasets[0]
    for study_uid, series_uid, instance_uid in (
            (mine.StudyInstanceUID, mine.SeriesInstanceUID, its.SOPInstanceUID),
            (its.StudyInstanceUID, mine.SeriesInstanceUID, mine.SOPInstanceUID),
            (mine.StudyInstanceUID, its.SeriesInstanceUID, mine.SOPInstanceUID)):
        for tail in ("", "/metadata", "/bulk/7FE00010"):
            answer = web.get(f"{web.root}/studies/{study_uid}/series/{series_uid}/instances/{instance_uid}{tail}")
            assert answer.status_code == 404, tail
            assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("accept", ["image/jpeg", "text/plain", "application/dicom+json", "multipart/related; type=\"text/html\""])
def test_what_cannot_be_given_is_said_in_a_sentence(web, study, accept):
    answer = web.get(web.root + path(study.datasets[0]), headers={"Accept": accept})
    assert answer.status_code == 406
    problem = json.loads(answer.text)
    assert "application/dicom" in problem["detail"] and problem["status"] == 406


def test_nobody_reads_without_a_credential(shared_archive, study):
    for tail in ("", "/metadata", "/bulk/7FE00010"):
        status, _, _ = shared_archive.get(f"/dicom-web{path(study.datasets[0])}{tail}")
        assert status == 401
