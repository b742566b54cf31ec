"""What is found out about a study later goes out with it by every way; the pixels and the original stay as they came."""

import hashlib
import io
import json
import time

import numpy
import pydicom
import pytest

from support import dcmtk, hospital, peers, synthetic, ways_out
from support.accounts import add_account

NAME = "NGUYỄN VĂN ĐỨC"
DEFLATED, BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"


@pytest.fixture
def archive(make_archive):
    return make_archive({"hospital": {"facility": "24001", "accessionPrefix": "BG"}}).start("--hl7-port", 0)


def eventually(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.1)
    return value


def register(archive, code="BN1", name=NAME, **how):
    with hospital.Engine(archive.hl7_port) as engine:
        answer = engine.send(hospital.message("ADT^A04", hospital.pid(code, name, **how), hospital.pv1(f"V-{code}")))
        assert answer[0] == "AA", answer


def store(archive, study):
    dcmtk.run("storescu", "-R", *dcmtk.peer(archive), *study.files)
    eventually(lambda: archive.find("--study", study.uid))
    eventually(lambda: [row for row in archive.json("inbox", "list") if row["studyInstanceUID"] == study.uid]
               or archive.json("inbox", "show", study.uid)["links"])
    return study


def walk_in(archive, folder, **values):
    """A study under a made-up name, as the emergency department sends it."""
    values = {"PatientID": "CAPCUU", "PatientName": "KHONG^RO", "PatientBirthDate": "19000101", "AccessionNumber": "",
              "OtherPatientIDs": "079000000001", **values}
    return store(archive, synthetic.study(folder / "study", instances=2, **values))


def pixels(dataset):
    return hashlib.sha256(dataset.PixelData).digest()


def assert_named(way, dataset, name, code):
    said = str(dataset.PatientName)
    assert (said, dataset.PatientID) == (name, code), way


def shown(archive, uid):
    row, = archive.find("--study", uid)
    return row["PatientID"], row["PatientName"]


def test_a_linked_study_leaves_under_its_patient_by_every_way(archive, tmp_path):
    register(archive)
    study = walk_in(archive, tmp_path)
    sent = {str(dataset.SOPInstanceUID): dataset for dataset in study.datasets}
    archive.json("inbox", "link", study.uid, "--visit", "V-BN1", "--reason", "đã gọi khoa cấp cứu")

    for way, datasets in ways_out.objects(archive, study.uid, tmp_path):
        assert len(datasets) == 2, way
        for dataset in datasets:
            assert_named(way, dataset, NAME, "BN1")
            assert dataset.PatientBirthDate == "19800215", way
            assert not dataset.OtherPatientIDs, way  # it was the other person's
            assert pixels(dataset) == pixels(sent[dataset.SOPInstanceUID]), way
            item, = dataset.OriginalAttributesSequence
            before, = item.ModifiedAttributesSequence
            assert (str(before.PatientName), before.PatientID) == ("KHONG^RO", "CAPCUU"), way
            assert item.ReasonForTheAttributeModification == "COERCE" and item.ModifyingSystem == "PHIM", way
            changed = {"PatientName", "PatientID", "PatientBirthDate", "PatientSex", "OtherPatientIDs",
                       "OriginalAttributesSequence"}
            for element in sent[dataset.SOPInstanceUID]:
                if element.keyword not in changed:
                    assert dataset[element.tag].value == element.value, (way, element.keyword)
    for way, datasets in ways_out.rows(archive, study.uid, tmp_path):
        assert datasets, way
        for dataset in datasets:
            assert_named(way, dataset, NAME, "BN1")
    assert "CAPCUU" in ways_out.xml(archive, study.uid)  # in Original Attributes Sequence
    assert "BN1" in ways_out.xml(archive, study.uid)

    # Found as it is shown, and not as it came.
    client, session = ways_out.web(archive)
    found = lambda **keys: [row["0020000D"]["Value"][0] for row in client.search_for_studies(search_filters=keys)]
    assert found(PatientID="BN1") == found(PatientName="*van duc*") == [study.uid]
    assert found(PatientID="CAPCUU") == found(PatientName="*khong*") == []
    assert archive.json("status")["patients"] == 1
    study_page = session.get(f"{archive.url}/api/v1/studies/{study.uid}")
    assert study_page.status_code == 200 and "KHONG" not in study_page.text and "BN1" in study_page.text


def test_the_original_comes_back_byte_for_byte(archive, tmp_path):
    register(archive)
    study = walk_in(archive, tmp_path)
    before = sorted(ways_out.zipped(archive, study.uid))
    archive.json("inbox", "link", study.uid, "--visit", "V-BN1")
    assert sorted(ways_out.zipped(archive, study.uid)) != before
    assert sorted(ways_out.zipped(archive, study.uid, "?original=true")) == before
    files = ways_out.exported(archive, study.uid, tmp_path / "original", "--original")
    assert sorted(path.read_bytes() for path in files) == before
    archive.run("study", "original", study.uid, "--to", tmp_path / "again")
    assert sorted(path.read_bytes() for path in (tmp_path / "again").rglob("*.dcm")) == before

    # Not everybody who reads may have what names somebody else, and it is written down who had it.
    add_account(archive, "doctor", "integration")
    address = f"{archive.url}/dicom-web/studies/{study.uid}?original=true"
    assert archive.http(account="doctor").get(address).status_code == 403
    assert archive.http().get(address.replace("true", "maybe")).status_code == 400
    archive.trail(has=lambda row: row["detail"] == "as it was received")

    archive.run("inbox", "undo", study.uid)
    assert sorted(ways_out.zipped(archive, study.uid)) == before
    assert shown(archive, study.uid) == ("CAPCUU", "KHONG^RO")
    history = archive.json("study", "corrections", study.uid)
    assert [row["derived"].get("PatientID") for row in history["revisions"]] == [None, "BN1"]
    assert history["original"]["PatientID"] == "CAPCUU"


def test_a_merge_moves_the_studies_and_an_unmerge_brings_them_back(archive, tmp_path):
    register(archive, "BN7", "NGUYEN VAN DUC")
    register(archive, "BN1")
    study = store(archive, synthetic.study(tmp_path / "a", instances=1, PatientID="BN7", PatientName="NGUYEN VAN DUC",
                                           AccessionNumber=""))
    other = store(archive, synthetic.study(tmp_path / "b", instances=1, PatientID="BN7", PatientName="LE THI HOA",
                                           AccessionNumber=""))
    with hospital.Engine(archive.hl7_port) as engine:
        assert engine.send(hospital.message("ADT^A40", hospital.pid("BN1"), "MRG|BN7^^^24001^MR"))[0] == "AA"
    eventually(lambda: shown(archive, study.uid)[0] == "BN1")
    _, (dataset,) = ways_out.get(archive, study.uid)
    # The console's spelling is right; only the code is another now.
    assert_named("C-GET", dataset, "NGUYEN VAN DUC", "BN1")
    # Somebody else under a mistyped code stays where they are.
    assert shown(archive, other.uid)[0] == "BN7"
    archive.run("patient", "unmerge", "BN7")
    assert shown(archive, study.uid)[0] == "BN7"
    assert ways_out.zipped(archive, study.uid) == [study.files[0].read_bytes()] or pixels(
        pydicom.dcmread(io.BytesIO(ways_out.zipped(archive, study.uid)[0]))) == pixels(study.datasets[0])


def test_a_corrected_name_reaches_the_linked_study(archive, tmp_path):
    register(archive)
    study = walk_in(archive, tmp_path)
    archive.json("study", "move", study.uid, "--patient", "BN1", "--reason", "nhầm bệnh nhân")
    with hospital.Engine(archive.hl7_port) as engine:
        later = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 7 * 3600 + 60))
        answer = engine.send(hospital.message("ADT^A08", hospital.pid("BN1", "NGUYỄN VĂN ĐẠT"), hospital.pv1("V-BN1"),
                                              at=later))
        assert answer[0] == "AA", answer
    eventually(lambda: shown(archive, study.uid)[1] == "NGUYỄN VĂN ĐẠT")
    _, datasets = ways_out.get(archive, study.uid)
    assert {str(dataset.PatientName) for dataset in datasets} == {"NGUYỄN VĂN ĐẠT"}


def test_by_hand_and_taken_back(archive, tmp_path):
    study = walk_in(archive, tmp_path)
    assert archive.run("study", "correct", study.uid, "--set", "Modality=MR", "--reason", "x", expect=64)
    assert archive.run("study", "correct", study.uid, "--set", "PatientSex=nam", "--reason", "x", expect=(1, 2))
    archive.run("study", "correct", study.uid, "--set", "PatientName=TRẦN^THỊ LAN", "--set", "StudyDescription=Ngực",
                "--set", "PatientBirthDate=", "--reason", "gõ nhầm")
    for way, datasets in ways_out.objects(archive, study.uid, tmp_path):
        for dataset in datasets:
            assert (str(dataset.PatientName), dataset.StudyDescription) == ("TRẦN^THỊ LAN", "Ngực"), way
            assert not dataset.PatientBirthDate
            assert dataset.OriginalAttributesSequence[0].ReasonForTheAttributeModification == "CORRECT", way
    # A link derives more; what was written by hand wins.
    register(archive)
    archive.json("inbox", "link", study.uid, "--visit", "V-BN1")
    assert shown(archive, study.uid) == ("BN1", "TRẦN^THỊ LAN")
    archive.run("study", "correct", study.uid, "--undo")
    assert shown(archive, study.uid) == ("BN1", NAME)
    assert archive.run("study", "correct", study.uid, "--undo", expect=(1, 2))


def test_new_images_of_a_corrected_study_are_corrected_too(archive, tmp_path):
    register(archive)
    study = walk_in(archive, tmp_path)
    archive.json("inbox", "link", study.uid, "--visit", "V-BN1")
    late = synthetic.ct(study.uid, PatientID="CAPCUU", PatientName="KHONG^RO")
    path = synthetic.write(tmp_path / "late.dcm", late)
    dcmtk.run("storescu", *dcmtk.peer(archive), path)
    _, datasets = ways_out.get(archive, study.uid)
    assert len(datasets) == 3
    for dataset in datasets:
        assert_named("C-GET", dataset, NAME, "BN1")
    assert shown(archive, study.uid) == ("BN1", NAME)
    assert archive.json("status")["patients"] == 1


def test_a_kill_between_the_link_and_what_follows(archive, tmp_path):
    register(archive)
    study = walk_in(archive, tmp_path)
    archive.kill()
    # As the link is when a process ends right behind it: in the records, and nowhere else.
    import sqlite3
    records = sqlite3.connect(archive.data / "records.sqlite")
    patient, = records.execute("SELECT id FROM patient").fetchone()
    records.execute("INSERT INTO studyLink (studyInstanceUID, patient, method, score, reason, at, actor)"
                    " VALUES (?, ?, 'person', 1, 'x', 1, 'x')", (study.uid, patient))
    records.commit()
    records.close()
    archive.start("--hl7-port", 0)
    eventually(lambda: shown(archive, study.uid) == ("BN1", NAME))
    for _ in range(3):
        archive.json("inbox", "link", study.uid, "--visit", "V-BN1")
        archive.kill()
        archive.start("--hl7-port", 0)
        assert shown(archive, study.uid) == ("BN1", NAME)
        archive.run("inbox", "undo", study.uid)
        archive.kill()
        archive.start("--hl7-port", 0)
        assert shown(archive, study.uid) == ("CAPCUU", "KHONG^RO")


def test_a_catalogue_made_anew_shows_what_was_corrected(archive, tmp_path):
    register(archive)
    study = walk_in(archive, tmp_path)
    archive.json("inbox", "link", study.uid, "--visit", "V-BN1")
    before = archive.image_keys()
    archive.run("rebuild-index")
    assert archive.image_keys() == before
    assert shown(archive, study.uid) == ("BN1", NAME)
    archive.stop()
    for path in archive.data.glob("catalog.sqlite*"):
        path.unlink()
    archive.start("--hl7-port", 0)
    assert shown(archive, study.uid) == ("BN1", NAME)
    _, datasets = ways_out.get(archive, study.uid)
    for dataset in datasets:
        assert_named("C-GET", dataset, NAME, "BN1")


@pytest.mark.parametrize("syntax", [synthetic.EXPLICIT, synthetic.IMPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("charset", ["ISO_IR 192", "ISO_IR 100", None])
def test_every_encoding(archive, tmp_path, syntax, charset):
    """Texts of the object in its own letters, private ones too; the name has letters that only UTF-8 has."""
    register(archive)
    dataset = synthetic.ct(PatientID="X", PatientName="AI^DO", AccessionNumber="")
    if charset:
        dataset.SpecificCharacterSet = charset
        dataset.StudyDescription = "Tête à gauche"
        dataset.SeriesDescription = "Séquence"
        item = pydicom.Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", "Crâne é"
        dataset.ProcedureCodeSequence = pydicom.Sequence([item])
        dataset["ProcedureCodeSequence"].is_undefined_length = True
        dataset.ProcedureCodeSequence[0].is_undefined_length_sequence_item = True
    else:
        del dataset.SpecificCharacterSet
    private = dataset.private_block(0x0009, "PHIM TEST", create=True)
    private.add_new(0x01, "UN", b"\xe9\xff\x00\x01")
    if syntax == BIG:
        dataset.PixelData = numpy.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    raw = synthetic.encode(dataset, BIG if syntax == BIG else syntax)
    if syntax == DEFLATED:
        import zlib
        deflater = zlib.compressobj(wbits=-15)
        raw = deflater.compress(raw) + deflater.flush()
        raw += b"\0" * (len(raw) % 2)
    path = tmp_path / "one.dcm"
    path.write_bytes(synthetic.part10(raw, dataset.SOPClassUID, dataset.SOPInstanceUID, syntax))
    archive.run("import", path)
    uid = str(dataset.StudyInstanceUID)
    archive.json("study", "move", uid, "--patient", "BN1", "--reason", "x")
    outcome, (got,) = ways_out.get(archive, uid, [syntax])
    assert outcome.status == 0, outcome.comment
    ways = {"C-GET": got, "zip": pydicom.dcmread(io.BytesIO(ways_out.zipped(archive, uid)[0])),
            "C-GET in another syntax": ways_out.get(archive, uid, [synthetic.IMPLICIT])[1][0]}
    for way, got in ways.items():
        assert_named(way, got, NAME, "BN1")
        assert got.SpecificCharacterSet == "ISO_IR 192", way
        assert str(got.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientName) == "AI^DO", way
        if charset:
            assert (got.StudyDescription, got.SeriesDescription) == ("Tête à gauche", "Séquence"), way
            assert got.ProcedureCodeSequence[0].CodeMeaning == "Crâne é", way
        assert bytes(got[0x0009, 0x1001].value) == b"\xe9\xff\x00\x01", way
        if way == "C-GET":  # the others come in little endian
            assert pixels(got) == pixels(dataset), way
    path = tmp_path / "out.dcm"
    path.write_bytes(ways_out.zipped(archive, uid)[0])
    dcmtk.run("dcmdump", "-q", path)


def test_what_was_replaced_is_not_given_by_its_address(archive, tmp_path):
    register(archive)
    study = walk_in(archive, tmp_path)
    _, session = ways_out.web(archive)
    value = f"{archive.url}/dicom-web/studies/{study.uid}/series/{study.series[0]}/instances/{study.instances[0]}/bulk/"
    before = session.get(value + "00100010")
    assert before.status_code == 200 and b"KHONG" in before.content
    archive.json("inbox", "link", study.uid, "--visit", "V-BN1")
    assert session.get(value + "00100010").status_code == 404
    assert session.get(value + "7FE00010").ok


def test_an_object_that_cannot_be_corrected_does_not_leave(archive, tmp_path):
    register(archive)
    instance, series = synthetic.uid(), synthetic.uid()
    uid = synthetic.uid()
    good = synthetic.ct(uid, PatientID="CAPCUU", PatientName="KHONG^RO")
    # An element that says it is longer than the file: what follows cannot be told.
    broken = synthetic.bare(instance, uid, series, patient="CAPCUU", name="KHONG^RO",
                            extra=b"\x20\x00\x00\x40LT\xfe\xff" + b"abc ")
    paths = [synthetic.write(tmp_path / "good.dcm", good), tmp_path / "broken.dcm"]
    paths[1].write_bytes(synthetic.part10(broken, synthetic.CT, instance))
    archive.run("import", *paths, expect=None)
    archive.json("study", "move", uid, "--patient", "BN1", "--reason", "x")
    count = len(archive.find("--study", uid, level="image"))
    assert count == 2, "the broken object was taken in"
    outcome, datasets = ways_out.get(archive, uid, [synthetic.EXPLICIT])
    assert (outcome.completed, outcome.failed) == (1, 1) and outcome.failed_instances == [instance]
    assert [str(dataset.PatientName) for dataset in datasets] == [NAME]
    assert len(ways_out.zipped(archive, uid)) == 1
    client, session = ways_out.web(archive)
    answer = session.get(f"{archive.url}/dicom-web/studies/{uid}",
                         headers={"Accept": 'multipart/related; type="application/dicom"'})
    assert answer.headers["Warning"] == '299 phim "1 instances cannot be corrected"'
    assert answer.status_code == 206 and b"KHONG" not in answer.content.replace(b"KHONG^RO", b"", 1)
    assert "KHONG" not in json.dumps(client.retrieve_study_metadata(uid)[0].get("00100010", ""))
    assert len(ways_out.zipped(archive, uid, "?original=true")) == 2


def test_pictures_with_text_show_the_patient_that_is_true(archive, tmp_path):
    register(archive)
    study = walk_in(archive, tmp_path)
    _, session = ways_out.web(archive)
    series, instance = study.datasets[0].SeriesInstanceUID, study.datasets[0].SOPInstanceUID
    address = f"{archive.url}/dicom-web/studies/{study.uid}/series/{series}/instances/{instance}/rendered"
    ask = lambda: session.get(address, params={"annotation": "patient", "viewport": "512,512"},
                              headers={"Accept": "image/png"})
    before = ask()
    assert before.status_code == 200
    archive.json("inbox", "link", study.uid, "--visit", "V-BN1")
    after = ask()
    assert after.headers["ETag"] != before.headers["ETag"] and after.content != before.content


def test_memory_stays_flat_and_bytes_equal_for_a_large_object(archive, tmp_path):
    register(archive)
    frame = bytes(numpy.random.default_rng(1).integers(0, 256, 1 << 20, dtype="u1"))
    dataset = synthetic.ct(SOPClassUID=synthetic.MULTIFRAME_BYTE, PatientID="CAPCUU", PatientName="KHONG^RO",
                           Rows=1024, Columns=1024, BitsAllocated=8, BitsStored=8, HighBit=7, NumberOfFrames=300)
    dataset.PixelData = frame * 300
    dataset["PixelData"].VR = "OB"
    path = synthetic.write(tmp_path / "large.dcm", dataset)
    archive.run("import", path)
    uid = str(dataset.StudyInstanceUID)
    archive.json("study", "move", uid, "--patient", "BN1", "--reason", "x")
    before = archive.peak_memory()
    _, (got,) = ways_out.get(archive, uid, [synthetic.EXPLICIT], synthetic.MULTIFRAME_BYTE)
    assert_named("C-GET", got, NAME, "BN1")
    assert pixels(got) == pixels(dataset)
    assert archive.peak_memory() - before < 100 << 20
