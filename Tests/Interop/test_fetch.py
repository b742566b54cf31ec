"""Studies fetched from other archives: only what is missing crosses the line, and what is theirs is shown as theirs."""

import time
from pathlib import Path

import pydicom
import pydicom.multival
import pytest

from support import dcmtk, orthanc, synthetic
from support.outbox import records, wait
from support.query_retrieve import Hospital, dcmqrscp


def add(archive, name, aet, port, *more):
    archive.run("peer", "add", name, "--ae-title", aet, "--host", "127.0.0.1", "--port", port, *more)


def here(archive, study):
    return {row["SOPInstanceUID"] for row in archive.find("--study", study, level="image")}


def origin(archive, study):
    answer = archive.http().get(f"{archive.url}/api/v1/studies/{study}", timeout=30)
    assert answer.status_code == 200
    return answer.json().get("origin")


def bytes_of(archive, study, folder):
    """Data sets by the last 500 bytes of their pixels: file headers are each archive's own."""
    archive.run("study", "original", study, "--to", folder)
    return sorted(path.read_bytes()[-1500:] for path in Path(folder).rglob("*") if path.suffix == ".dcm")


@pytest.fixture
def made(tmp_path):
    return synthetic.study(tmp_path / "made", series=2, instances=4, PatientID="P-77", AccessionNumber="A77")


def test_from_another_phim_only_what_is_missing(make_archive, made, tmp_path):
    centre, station = make_archive(name="centre").start(), make_archive(name="station").start()
    centre.run("import", tmp_path / "made")
    add(station, "centre", "PHIM", centre.dicom_port)
    dry = station.json("fetch", "--from", "centre", "--study", made.uid, "--dry-run")
    assert (dry[0]["missing"], dry[0]["received"]) == (8, 0)
    assert not here(station, made.uid)
    report, = station.json("fetch", "--from", "centre", "--study", made.uid)
    assert (report["instances"], report["missing"], report["received"], report["failed"]) == (8, 8, 8, 0)
    assert report["bytes"] > 8 * 2048 and report["modalities"] == ["CT"]
    assert bytes_of(station, made.uid, tmp_path / "a") == bytes_of(centre, made.uid, tmp_path / "b")
    assert origin(station, made.uid)["source"] == "centre"
    assert origin(centre, made.uid) is None
    # Three new ones come at the centre: these alone are asked for.
    more = synthetic.ct(made.uid, made.series[0], number=9)
    synthetic.write(tmp_path / "more" / "9.dcm", more)
    centre.run("import", tmp_path / "more")
    report, = station.json("fetch", "--from", "centre", "--study", made.uid)
    assert (report["instances"], report["missing"], report["received"]) == (9, 1, 1)
    report, = station.json("fetch", "--from", "centre", "--study", made.uid)
    assert (report["missing"], report["received"]) == (0, 0)


def test_by_patient_and_by_accession_number(make_archive, tmp_path):
    centre, station = make_archive(name="centre").start(), make_archive(name="station").start()
    first = synthetic.study(tmp_path / "in" / "1", instances=1, PatientID="P1", IssuerOfPatientID="24001")
    second = synthetic.study(tmp_path / "in" / "2", instances=2, PatientID="P1", IssuerOfPatientID="24001",
                             AccessionNumber="A2")
    other = synthetic.study(tmp_path / "in" / "3", instances=1, PatientID="P1", IssuerOfPatientID="99999")
    centre.run("import", tmp_path / "in")
    add(station, "centre", "PHIM", centre.dicom_port)
    reports = station.json("fetch", "--from", "centre", "--accession", "A2")
    assert [report["studyInstanceUID"] for report in reports] == [second.uid]
    reports = station.json("fetch", "--from", "centre", "--patient", "P1", "--issuer", "24001")
    assert {report["studyInstanceUID"]: report["received"] for report in reports} == {first.uid: 1, second.uid: 0}
    assert not here(station, other.uid)
    station.run("fetch", "--from", "centre", "--patient", "NOBODY", expect=1)
    station.run("fetch", "--from", "centre", "--patient", "P*", expect=64)
    station.run("fetch", "--from", "nobody", "--patient", "P1", expect=2)
    with records(station) as base:
        told = base.execute("SELECT detail FROM audit WHERE studyInstanceUID = ? AND kind = 'store'", (first.uid,))
        assert [row["detail"] for row in told] == ["1 objects from centre"]


def test_a_study_of_ours_stays_ours(make_archive, made, tmp_path):
    """What a modality sent here first is not external because the rest came from elsewhere."""
    centre, station = make_archive(name="centre").start(), make_archive(name="station").start()
    centre.run("import", tmp_path / "made")
    dcmtk.run("storescu", *dcmtk.peer(station), *made.files[:3])
    add(station, "centre", "PHIM", centre.dicom_port)
    report, = station.json("fetch", "--from", "centre", "--study", made.uid)
    assert (report["missing"], report["received"]) == (5, 5)
    assert here(station, made.uid) == set(made.instances)
    assert origin(station, made.uid) is None


def test_from_dcmqrscp(archive, made, tmp_path):
    with dcmqrscp(tmp_path / "qr", made.files) as port:
        add(archive, "qr", "QRSCP", port)
        archive.run("import", *made.files[:1])
        report, = archive.json("fetch", "--from", "qr", "--patient", "P-77")
        assert (report["missing"], report["received"], report["failed"]) == (7, 7, 0)
        assert here(archive, made.uid) == set(made.instances)


@pytest.mark.parametrize("lists", [True, False], ids=["lists", "one by one"])
def test_c_get_asks_for_nothing_that_is_here(archive, made, tmp_path, lists):
    archive.run("import", made.files[0], made.files[5])
    with Hospital(made.files, gets=True, lists=lists) as hospital:
        add(archive, "hospital", "HOSPITAL", hospital.port)
        report, = archive.json("fetch", "--from", "hospital", "--study", made.uid)
        assert (report["missing"], report["received"]) == (6, 6)
        assert sorted(hospital.sent) == sorted(set(made.instances) - {made.instances[0], made.instances[5]})


def test_c_move_to_ourselves_where_there_is_no_c_get(archive, made, tmp_path):
    with Hospital(made.files, destination=("127.0.0.1", archive.dicom_port)) as hospital:
        add(archive, "hospital", "HOSPITAL", hospital.port)
        archive.run("import", made.files[0])
        report, = archive.json("fetch", "--from", "hospital", "--study", made.uid)
        assert (report["missing"], report["received"]) == (7, 7)
        assert made.instances[0] not in hospital.sent and len(hospital.sent) == 7


def test_a_source_that_does_not_know_us_says_so(archive, made):
    with Hospital(made.files) as hospital:
        add(archive, "hospital", "HOSPITAL", hospital.port)
        done = archive.run("fetch", "--from", "hospital", "--study", made.uid, expect=1)
        assert "does not know PHIM" in done.stderr
    done = archive.run("fetch", "--from", "hospital", "--study", made.uid, expect=1)
    assert "cannot be reached" in done.stderr
    # Nothing came, so nothing is anybody's.
    archive.run("import", made.files[0])
    assert origin(archive, made.uid) is None


@pytest.mark.skipif(not Path(orthanc.BINARY).exists(), reason="Orthanc is not installed")
def test_from_orthanc(make_archive, made, tmp_path):
    with orthanc.Namespace() as namespace:
        archive = make_archive(prefix=namespace.prefix).start()
        peer = orthanc.Orthanc(tmp_path / "orthanc", namespace.prefix, {"phim": ["PHIM", "127.0.0.1", archive.dicom_port]})
        try:
            dcmtk.run("storescu", "127.0.0.1", peer.dicom_port, *made.files, prefix=peer.prefix)
            add(archive, "orthanc", peer.aet, peer.dicom_port)
            archive.run("import", made.files[2])
            report, = archive.json("fetch", "--from", "orthanc", "--study", made.uid)
            assert (report["missing"], report["received"], report["failed"]) == (7, 7, 0)
        finally:
            peer.stop()


# Orders that ask for what was before.


def priors(archive):
    with records(archive) as base:
        return [dict(row) for row in base.execute("SELECT * FROM priorFetch ORDER BY procedure")]


def done(archive, count=1):
    rows = priors(archive)
    return rows if len(rows) == count and all(row["state"] != "waiting" for row in rows) else None


def earlier(folder, **values):
    """A study of patient P-77 at the centre, of this year unless it says otherwise."""
    values = {"PatientID": "P-77", "PatientBirthDate": "19700131", "StudyDate": time.strftime("%Y") + "0101", **values}
    modality = values.pop("Modality", "CT")
    return synthetic.study(folder, instances=2, modalities=(modality,), **values)


def station_of(make_archive, port, **rules):
    station = make_archive({"forwarding": {"priors": {"from": "centre", **rules}}}, name="station")
    station.start()
    add(station, "centre", "HOSPITAL", port)
    return station


def order(archive, modality="CT", patient="P-77", *more):
    archive.run("order", "add", "--patient-id", patient, "--name", "Test^Patient", "--birth-date", "19700131",
                "--modality", modality, *more)


def test_an_order_brings_what_was_before(make_archive, tmp_path):
    folder = tmp_path / "centre"
    wanted = earlier(folder)
    not_wanted = [earlier(folder, Modality="MR"), earlier(folder, StudyDate="20010101"),
                  earlier(folder, PatientBirthDate="20000101"), earlier(folder, PatientID="P-78")]
    with Hospital(sorted(folder.rglob("*.dcm")), gets=True) as hospital:
        station = station_of(make_archive, hospital.port)
        wait(station, lambda: sqlite_position(station) is not None)
        order(station)
        row, = wait(station, lambda: done(station))
        assert (row["state"], row["studies"], row["instances"]) == ("done", 1, 2), row
        assert here(station, wanted.uid) == set(wanted.instances)
        assert not any(here(station, study.uid) for study in not_wanted)
        assert sorted(hospital.sent) == sorted(wanted.instances)
        assert origin(station, wanted.uid)["source"] == "centre"
        # The next order asks, and nothing crosses the line again.
        order(station)
        wait(station, lambda: done(station, 2))
        assert sorted(hospital.sent) == sorted(wanted.instances)


def sqlite_position(archive):
    with records(archive) as base:
        return base.execute("SELECT sequence FROM follower WHERE name = 'priors'").fetchone()


def test_not_more_than_the_newest_few(make_archive, tmp_path):
    year = int(time.strftime("%Y"))
    studies = [earlier(tmp_path / "centre", StudyDate=f"{year - age}0101") for age in range(4)]
    with Hospital(sorted((tmp_path / "centre").rglob("*.dcm")), gets=True) as hospital:
        station = station_of(make_archive, hospital.port, match="any", studies=2, years=10)
        wait(station, lambda: sqlite_position(station) is not None)
        order(station, "US")
        wait(station, lambda: done(station))
        assert [bool(here(station, study.uid)) for study in studies] == [True, True, False, False]


def test_a_source_that_is_away_is_asked_again_also_after_a_restart(make_archive, tmp_path):
    wanted = earlier(tmp_path / "centre")
    port = dcmtk.free_port()
    station = station_of(make_archive, port)
    wait(station, lambda: sqlite_position(station) is not None)
    order(station)
    row, = wait(station, lambda: [row for row in priors(station) if row["failures"] > 0])
    assert "cannot be reached" in row["answer"]
    station.restart()
    with Hospital(sorted((tmp_path / "centre").rglob("*.dcm")), gets=True, port=port):
        wait(station, lambda: done(station))
        assert here(station, wanted.uid) == set(wanted.instances)


def test_a_cancelled_order_asks_for_nothing(make_archive, tmp_path):
    earlier(tmp_path / "centre")
    station = station_of(make_archive, dcmtk.free_port())
    wait(station, lambda: sqlite_position(station) is not None)
    order(station, "CT", "P-77", "--number", "N1")
    wait(station, lambda: [row for row in priors(station) if row["failures"] > 0])
    station.run("order", "cancel", "N1")
    row, = wait(station, lambda: done(station))
    assert (row["state"], row["instances"]) == ("dropped", 0)


class Liar(Hospital):
    """Answers a C-GET with what it is not asked for, or lists without end."""

    def __init__(self, files, others=(), **more):
        super().__init__(files, gets=True, **more)
        self.others = [pydicom.dcmread(file) for file in others]

    def _wanted(self, event):
        return [*self.others, *super()._wanted(event)]


def test_a_source_that_sends_another_study(archive, made, tmp_path):
    other = synthetic.study(tmp_path / "other", instances=2, PatientName="Somebody^Else")
    with Liar(made.files, other.files) as liar:
        add(archive, "liar", "HOSPITAL", liar.port)
        report, = archive.json("fetch", "--from", "liar", "--study", made.uid)
        assert (report["missing"], report["received"], report["failed"]) == (8, 8, 0)
    assert here(archive, made.uid) == set(made.instances)
    assert not here(archive, other.uid)
    assert "Somebody" not in archive.log.read_text()


def test_a_source_that_sends_nothing_else_is_left(archive, made, tmp_path):
    other = synthetic.study(tmp_path / "other", instances=150)
    with Liar(made.files, other.files) as liar:
        add(archive, "liar", "HOSPITAL", liar.port)
        done = archive.run("fetch", "--from", "liar", "--study", made.uid, expect=1)
        assert "something else than it was asked for" in done.stderr
    assert not here(archive, other.uid)


class ShortLists(Hospital):
    """Matches the first UIDs of a list only."""

    def _agrees(self, dataset, element):
        wanted = element.value if isinstance(element.value, (list, pydicom.multival.MultiValue)) else [element.value]
        return str(dataset.get(element.keyword, "")) in {str(value) for value in list(wanted)[:2]}


def test_what_does_not_come_of_a_list_is_asked_for_one_by_one(archive, made):
    archive.run("import", made.files[0])
    with ShortLists(made.files, gets=True) as hospital:
        add(archive, "hospital", "HOSPITAL", hospital.port)
        report, = archive.json("fetch", "--from", "hospital", "--study", made.uid)
        assert (report["missing"], report["received"]) == (7, 7)
        assert sorted(hospital.sent) == sorted(set(made.instances) - {made.instances[0]})


class Breaking(Hospital):
    """Gives three objects, and breaks off."""

    def _get(self, event):
        found = self._wanted(event)
        yield len(found)
        for number, dataset in enumerate(found):
            if number == 3:
                event.assoc.abort()
                return
            yield 0xFF00, dataset


def test_what_came_before_a_source_broke_off_is_in_the_trail(archive, made):
    with Breaking(made.files, gets=True) as hospital:
        add(archive, "hospital", "HOSPITAL", hospital.port)
        archive.run("fetch", "--from", "hospital", "--study", made.uid, expect=1)
    assert len(here(archive, made.uid)) == 3
    with records(archive) as base:
        told = base.execute("SELECT detail FROM audit WHERE studyInstanceUID = ? AND kind = 'store'", (made.uid,))
        assert [row["detail"] for row in told] == ["3 objects from hospital"]
