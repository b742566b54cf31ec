"""The command line, with the server running and without: import, export, find, status, verify, rebuild, delete."""

import concurrent.futures
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
import zipfile

import pydicom
import pytest

from support import corpus, dcmtk, peers, synthetic, wire
from support.archive import BINARY
from support.synthetic import CT, EXPLICIT, IMPLICIT


@pytest.fixture(params=["running", "stopped"])
def archive(make_archive, request):
    """An archive whose server runs, or ran once and was stopped."""
    made = make_archive().start()
    if request.param == "stopped":
        made.stop()
    return made


def listing(volume):
    return subprocess.run(["tar", "tf", volume], capture_output=True, text=True, check=True).stdout.splitlines()


def pixel_digests(paths):
    return sorted(hashlib.sha256(pydicom.dcmread(path).PixelData).hexdigest() for path in paths)


def dicom_files(folder):
    return [path for path in folder.rglob("*") if path.is_file() and path.read_bytes()[128:132] == b"DICM"
            and path.name != "DICOMDIR"]


def test_import_of_files_folders_and_zip(archive, tmp_path):
    one = synthetic.study(tmp_path / "one", instances=4)
    two = synthetic.study(tmp_path / "two", instances=3)
    with zipfile.ZipFile(tmp_path / "three.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        three = synthetic.study(tmp_path / "three", instances=5)
        for path in three.files:
            packed.write(path, f"study/{path.name}")
        packed.writestr("../outside.txt", "not an image")
    shutil.rmtree(tmp_path / "three")
    report = archive.json("import", *one.files, tmp_path / "two", tmp_path / "three.zip", expect=(0, 1))
    assert (report["imported"], report["duplicates"], report["conflicts"]) == (12, 0, 0)
    assert sorted(row["StudyInstanceUID"] for row in archive.find()) == sorted([one.uid, two.uid, three.uid])
    assert not (tmp_path / "outside.txt").exists() and not (tmp_path.parent / "outside.txt").exists()
    again = archive.json("import", *one.files, tmp_path / "two", tmp_path / "three.zip", expect=(0, 1))
    assert again["imported"] == 0


def test_import_says_what_it_refused_and_why(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=2)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    raw = synthetic.bare("../../x", "1.2.3", "1.2.4", pixels=b"ab")
    (tmp_path / "in" / "hostile.dcm").write_bytes(synthetic.part10(raw, CT, "1.2.3"))
    (tmp_path / "in" / "empty.dcm").write_bytes(b"")
    (tmp_path / "in" / "cut.dcm").write_bytes(made.files[0].read_bytes()[:150])
    report = archive.json("import", tmp_path / "in", expect=1)
    assert report["imported"] == 2
    refused = {entry["path"].rsplit("/", 1)[-1]: entry["reason"] for entry in report["refused"]}
    assert "hostile.dcm" in refused
    assert all(refused.values())
    plain = archive.run("import", tmp_path / "in", expect=None)
    assert "hostile.dcm" in plain.stdout + plain.stderr


def test_import_of_dicomdir_media(archive, tmp_path):
    made = synthetic.study(tmp_path / "media", instances=3)
    names = []
    for number, path in enumerate(made.files):
        path.rename(tmp_path / "media" / f"IM{number}")
        names.append(f"IM{number}")
    dcmtk.run("dcmmkdir", "+D", tmp_path / "media" / "DICOMDIR", "+id", tmp_path / "media", "-Nxc", *names)
    report = archive.json("import", tmp_path / "media" / "DICOMDIR", expect=(0, 1))
    assert report["imported"] == 3


def test_what_came_by_store_is_a_duplicate_by_import(make_archive, tmp_path):
    """The same bytes, whichever way they came, are stored once."""
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "in", instances=3)
    dcmtk.run("storescu", *dcmtk.peer(archive), *made.files)
    report = archive.json("import", tmp_path / "in")
    assert (report["imported"], report["duplicates"], report["conflicts"]) == (0, 3, 0)
    assert archive.json("status")["conflicts"] == 0


def test_same_uid_with_other_bytes_is_kept_beside_the_first(archive, tmp_path):
    first, second = synthetic.ct(PatientID="FIRST"), synthetic.ct(PatientID="SECOND")
    second.SOPInstanceUID = first.SOPInstanceUID
    archive.json("import", synthetic.write(tmp_path / "a" / "x.dcm", first))
    report = archive.json("import", synthetic.write(tmp_path / "b" / "x.dcm", second))
    assert (report["conflicts"], report["duplicates"]) == (1, 0)
    assert archive.json("status")["conflicts"] == 1
    entry, = archive.json("conflict", "list")
    assert entry["sopInstanceUID"] == first.SOPInstanceUID
    assert [copy["isPrimary"] for copy in entry["copies"]].count(True) == 1
    shown, = archive.find(level="image")
    assert shown["StudyInstanceUID"] == first.StudyInstanceUID
    names = [name for volume in archive.volumes() for name in listing(volume)]
    assert len([name for name in names if name.endswith(f"/{first.SOPInstanceUID}.dcm")]) == 2

    archive.run("rebuild-index")
    assert archive.json("status")["conflicts"] == 1
    assert archive.find(level="image")[0]["StudyInstanceUID"] == first.StudyInstanceUID
    hidden, = [copy for copy in entry["copies"] if not copy["isPrimary"]]
    kept = archive.json("conflict", "keep", "--instance", first.SOPInstanceUID, "--sha256", hidden["sha256"])
    assert kept == {"sopInstanceUID": first.SOPInstanceUID, "sha256": hidden["sha256"]}
    assert archive.find(level="image")[0]["StudyInstanceUID"] == second.StudyInstanceUID

    # A decision may be taken back: the copies stay, and are listed on request.
    assert archive.json("conflict", "list") == []
    entry, = archive.json("conflict", "list", "--all")
    hidden, = [copy for copy in entry["copies"] if not copy["isPrimary"]]
    assert hidden["studyInstanceUID"] == first.StudyInstanceUID
    archive.run("conflict", "keep", "--instance", first.SOPInstanceUID, "--sha256", hidden["sha256"])
    assert archive.find(level="image")[0]["StudyInstanceUID"] == first.StudyInstanceUID

    # The hidden copy is the only one of its study, and can be deleted by it.
    report = archive.json("delete", "--study", second.StudyInstanceUID, "--yes")
    assert report["deleted"] == 1
    assert archive.json("conflict", "list", "--all") == []
    assert archive.find(level="image")[0]["StudyInstanceUID"] == first.StudyInstanceUID


@pytest.mark.parametrize("kind", ["folder", "zip", "dicomdir"])
def test_export(archive, tmp_path, kind):
    made = synthetic.study(tmp_path / "in", series=2, instances=4, PatientName=synthetic.VIETNAMESE)
    archive.json("import", tmp_path / "in")
    target = tmp_path / ("out.zip" if kind == "zip" else "out")
    archive.run("export", "--study", made.uid, "--to", target, "--format", kind)
    folder = target
    if kind == "zip":
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(target) as packed:
            assert packed.testzip() is None
            packed.extractall(folder)
    files = dicom_files(folder)
    assert pixel_digests(files) == pixel_digests(made.files)
    for path in files:
        dcmtk.run("dcmftest", path)
    if kind == "dicomdir":
        directory = pydicom.dcmread(folder / "DICOMDIR")
        kinds = [record.DirectoryRecordType for record in directory.DirectoryRecordSequence]
        assert kinds.count("IMAGE") == 8 and kinds.count("SERIES") == 2 and kinds.count("STUDY") == 1
        for record in directory.DirectoryRecordSequence:
            if "ReferencedFileID" in record:
                parts = record.ReferencedFileID
                assert all(len(part) <= 8 and part == part.upper() for part in parts)
                assert folder.joinpath(*parts).is_file()
        dcmtk.run("dcmdump", "-q", folder / "DICOMDIR")


def test_export_of_an_unknown_study_fails_and_leaves_nothing(archive, tmp_path):
    done = archive.run("export", "--study", "1.2.3.4.5", "--to", tmp_path / "out", "--format", "folder", expect=None)
    assert done.returncode != 0 and done.stderr
    assert not (tmp_path / "out").exists() or not dicom_files(tmp_path / "out")


def test_find_and_status(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", series=2, instances=2, PatientID="VN7", PatientName=synthetic.VIETNAMESE)
    synthetic.study(tmp_path / "in", PatientID="XX1", PatientName="Other^Person")
    archive.json("import", tmp_path / "in")
    for arguments in (["--patient-name", "nguyen van duc"], ["--patient-id", "VN7"], ["--study", made.uid],
                      ["--patient-name", "duc NGUYEN van"], ["--patient-id", "VN*"]):
        row, = archive.find(*arguments)
        assert row["StudyInstanceUID"] == made.uid
        assert row["PatientName"] == synthetic.VIETNAMESE
    assert len(archive.find("--study", made.uid, level="series")) == 2
    assert len(archive.find("--study", made.uid, level="image")) == 4
    assert len(archive.find(level="patient")) == 2
    assert archive.find("--patient-id", "NOBODY") == []
    assert made.uid in archive.run("find", "--patient-id", "VN7").stdout
    status = archive.json("status")
    assert (status["patients"], status["studies"], status["series"], status["instances"]) == (2, 2, 3, 7)
    assert status["bytes"] >= sum(path.stat().st_size for path in made.files) * 0.9


def test_verify_finds_a_flipped_byte(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=5)
    archive.json("import", tmp_path / "in")
    good = archive.json("verify")
    assert (good["checked"], good["rot"]) == (5, [])
    volume, at, instance = middle_of_a_body(archive)
    mode = volume.stat().st_mode
    volume.chmod(0o644)
    with open(volume, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x10]))
    volume.chmod(mode)
    bad = archive.json("verify", expect=1)
    assert [rot["sopInstanceUID"] for rot in bad["rot"]] == [instance]
    assert instance in made.instances


def middle_of_a_body(archive):
    for volume in archive.volumes():
        # Told that it is plain, or a volume that is only allocated is tried as lzma, which takes a minute at worst.
        with tarfile.open(volume, "r:") as tar:
            for member in tar:
                if member.isfile() and member.name.endswith(".dcm"):
                    return volume, member.offset_data + member.size // 2, member.name.rsplit("/", 1)[-1][:-4]
    raise AssertionError("no entry in any volume")


def test_rebuild_gives_the_same_answers(archive, tmp_path):
    synthetic.study(tmp_path / "in", series=3, instances=4, PatientName=synthetic.VIETNAMESE)
    synthetic.study(tmp_path / "in", PatientID="")
    archive.json("import", tmp_path / "in")
    archive.run("import", corpus.wheel_folder() / "charset_files", expect=(0, 1))
    levels = ("patient", "study", "series", "image")
    before = {level: sorted(json.dumps(row, sort_keys=True) for row in archive.find(level=level)) for level in levels}
    report = archive.json("rebuild-index")
    after = {level: sorted(json.dumps(row, sort_keys=True) for row in archive.find(level=level)) for level in levels}
    assert after == before
    assert report["instances"] >= len(before["image"])


def test_the_catalogue_may_be_lost(make_archive, tmp_path):
    """The volumes are the truth: without any index file, one command brings everything back."""
    archive = make_archive().start()
    synthetic.study(tmp_path / "in", instances=6)
    archive.json("import", tmp_path / "in")
    before = archive.image_keys()
    archive.stop()
    for path in archive.data.glob("catalog.sqlite*"):
        path.unlink()
    archive.run("rebuild-index")
    assert archive.image_keys() == before
    archive.start()
    assert archive.image_keys() == before


def test_delete_returns_space_and_stays_deleted(archive, tmp_path):
    kept = synthetic.study(tmp_path / "kept", instances=2, rows=256)
    gone = synthetic.study(tmp_path / "gone", instances=20, rows=512)
    archive.json("import", tmp_path / "kept", tmp_path / "gone")
    before = sum(volume.stat().st_blocks * 512 for volume in archive.volumes())
    archive.run("delete", "--study", gone.uid, "--yes")
    after = sum(volume.stat().st_blocks * 512 for volume in archive.volumes())
    assert before - after > 8 << 20, "twenty slices of 512 KiB were punched out"
    assert [row["StudyInstanceUID"] for row in archive.find()] == [kept.uid]
    assert archive.json("status")["instances"] == 2
    archive.run("rebuild-index")
    assert [row["StudyInstanceUID"] for row in archive.find()] == [kept.uid]
    assert archive.json("verify")["rot"] == []
    for volume in archive.volumes():
        assert not any(name.startswith(gone.uid) for name in listing(volume))
    again = archive.json("import", tmp_path / "gone")
    assert again["imported"] + again.get("skipped", 0) == 20


@pytest.mark.parametrize("scope, left", [("series", 3), ("instance", 5)])
def test_delete_of_a_part(archive, tmp_path, scope, left):
    made = synthetic.study(tmp_path / "in", series=2, instances=3)
    archive.json("import", tmp_path / "in")
    uid = made.series[0] if scope == "series" else made.instances[0]
    archive.run("delete", f"--{scope}", uid, "--yes")
    assert archive.json("status")["instances"] == left
    row, = archive.find()
    assert row["NumberOfStudyRelatedInstances"] == str(left)


def test_delete_asks_unless_told_yes(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=1)
    archive.json("import", tmp_path / "in")
    assert archive.run("delete", "--study", made.uid, expect=None).returncode != 0
    assert archive.json("status")["instances"] == 1


def test_tar_reads_every_volume_while_it_is_written(make_archive, tmp_path):
    archive = make_archive({"storage": {"volumeSize": "8MiB", "streamThreshold": "1MiB"}}).start()
    with wire.Wire(archive.dicom_port, [(1, CT, [EXPLICIT])]) as line:
        sent = {}
        for number in range(120):
            instance = synthetic.uid()
            size = 3 << 20 if number % 40 == 7 else 120_000
            data = synthetic.bare(instance, "1.2.826.1", "1.2.826.2", number=number, pixels=os.urandom(size))
            assert line.store(1, CT, instance, data).status == 0
            sent[instance] = data
            if number % 10 == 0:
                for volume in archive.volumes():
                    listing(volume)
        line.release()
    names = [name for volume in archive.volumes() for name in listing(volume)]
    assert sorted(name.rsplit("/", 1)[-1] for name in names) == sorted(f"{instance}.dcm" for instance in sent)
    assert len(archive.volumes()) > 2, "volumes fill and the next one begins"
    for number, volume in enumerate(archive.volumes()):
        folder = tmp_path / f"x{number}"
        folder.mkdir()
        subprocess.run(["tar", "xf", volume, "-C", folder], check=True)
        for path in folder.rglob("*.dcm"):
            raw = path.read_bytes()
            assert raw.endswith(sent[path.stem]) and raw[128:132] == b"DICM"
            dcmtk.run("dcmftest", path)
    sealed = [volume for volume in archive.volumes() if not volume.stat().st_mode & 0o222]
    assert sealed, "no volume is sealed"
    # The manifest is written after the volume is sealed.
    deadline = time.monotonic() + 60
    while not all(volume.with_suffix(".json").exists() for volume in sealed):
        assert time.monotonic() < deadline, "a sealed volume has no manifest"
        time.sleep(0.1)
    for volume in sealed:
        manifest = json.loads(volume.with_suffix(".json").read_text())
        assert manifest["sha256"] == hashlib.sha256(volume.read_bytes()).hexdigest()


def test_many_commands_at_once_beside_the_server(make_archive, tmp_path):
    archive = make_archive().start()
    studies = [synthetic.study(tmp_path / f"in-{n}", instances=15, PatientID=f"M{n}") for n in range(4)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        imports = [pool.submit(archive.json, "import", tmp_path / f"in-{n}") for n in range(4)]
        stores = [pool.submit(dcmtk.run, "storescu", *dcmtk.peer(archive), *studies[n].files) for n in (0, 1)]
        results = [future.result() for future in imports]
        for future in stores:
            future.result()
    assert sum(report["conflicts"] for report in results) == 0
    status = archive.json("status")
    assert (status["studies"], status["instances"], status["conflicts"]) == (4, 60, 0)
    assert archive.json("verify")["rot"] == []
    before = archive.image_keys()
    archive.run("rebuild-index")
    assert archive.image_keys() == before


def test_a_missing_archive_is_said_plainly(tmp_path):
    done = subprocess.run([BINARY, "status", "--data", tmp_path / "none"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "none" in done.stderr


def test_output_that_nobody_takes_kills_nothing(archive):
    command = [BINARY, "status", "--data", archive.data]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 1 and b"written" in done.stderr
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(command, stdout=closed, stderr=closed, timeout=120)
    assert done.returncode == 1


def test_exit_statuses_say_whether_work_began(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=2)
    archive.json("import", tmp_path / "in")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    export = ["export", "--study", made.uid, "--to"]
    assert "not empty" in archive.run(*export, tmp_path / "full", expect=2).stderr
    (tmp_path / "wrong.yaml").write_text("dicom: { port: many }\n")
    for command in (["status"], ["rebuild-index"], ["find"]):
        assert "dicom.port" in archive.run(*command, "--config", tmp_path / "wrong.yaml", expect=2).stderr
    archive.run("peer", "remove", "nobody", expect=2)
    archive.run("send", "--to", "nobody", "--study", made.uid, expect=2)


def test_an_import_ends_in_order_and_goes_on(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "in", instances=400, rows=256)
    command = [BINARY, "import", tmp_path / "in", "--data", archive.data, "--json", "--concurrency", "1"]
    importing = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while archive.json("status")["instances"] == 0 and importing.poll() is None:
        assert time.monotonic() < deadline
    importing.send_signal(signal.SIGINT)
    said, complaint = importing.communicate(timeout=120)
    report = json.loads(said)
    if report["interruption"]:  # else it was faster than the signal
        assert importing.returncode == 1 and b"again goes on" in complaint
    rest = archive.json("import", tmp_path / "in")
    assert report["imported"] + rest["imported"] == len(made.files)


def test_find_sees_what_the_network_sees(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "in", instances=3, PatientName=synthetic.VIETNAMESE)
    archive.json("import", tmp_path / "in")
    with peers.association(archive.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])]) as association:
        (match,), _ = peers.find(association, "STUDY", StudyInstanceUID=made.uid, PatientName="", StudyDate="")
    row, = archive.find("--study", made.uid)
    assert (str(match.PatientName), match.StudyDate) == (row["PatientName"], row["StudyDate"])
