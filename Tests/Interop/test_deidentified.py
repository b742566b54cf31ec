"""Studies that leave without the patient, or in other letters; pydicom is the judge."""

import copy
import datetime
import io

import pydicom
import pytest
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from support import outbox, synthetic
from support.stow_receiver import StowReceiver

NAME, WORD = "Lêquýđôn^Thị Minh=黎貴惇", "Zyxwvut"
MARKS = ["quý", "Lequydon", "LEQUYDON", "黎", WORD, WORD.upper(), "PID-90210", "ACC-777", "20240315", "19700131", "Bạch"]
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"


def crowded(folder, **values):
    """A study of two series whose headers name the patient wherever text is taken."""
    made = synthetic.study(folder / "made", series=2, instances=2, PatientName=NAME, PatientID="PID-90210",
                           AccessionNumber="ACC-777", InstitutionName="Bệnh viện Bạch Mai", **values)
    for path, original in zip(made.files, made.datasets, strict=True):
        dataset, planted = copy.deepcopy(original), 0
        for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
            group = tag >> 16
            if vr not in ("LO", "SH", "ST", "LT", "UT", "UC", "PN") or group not in (0x8, 0x10, 0x18, 0x20, 0x32, 0x40) \
                    or retired or not keyword or keyword in dataset:
                continue
            setattr(dataset, keyword, f"{WORD} x"[:16])
            planted += 1
        assert planted > 200
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-1", "99X", f"of {WORD}"
        dataset.ProcedureCodeSequence = Sequence([code])
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = synthetic.CT, made.instances[0]
        dataset.ReferencedImageSequence = Sequence([reference])
        block = dataset.private_block(0x0011, f"MAKER {WORD}", create=True)
        block.add_new(0x01, "LO", WORD)
        dataset.PatientName = f"{WORD}^{NAME}"
        synthetic.write(path, dataset)
    return made


@pytest.fixture(scope="module")
def sent(shared_archive, module_folder):
    """(study as it was, what arrived of it twice: from two sendings) under the basic profile with shifted dates."""
    archive = shared_archive
    made = crowded(module_folder)
    with StowReceiver() as first, StowReceiver() as second:
        for name, receiver in (("one", first), ("two", second)):
            outbox.add_destination(archive, name, dicomweb=receiver.url)
            outbox.add_route(archive, name, name, "modality=CT", deidentify="basic+retain-dates-shifted")
        archive.run("import", module_folder / "made")
        outbox.wait(archive, lambda: len(first.files) == 4 and len(second.files) == 4)
        yield made, first, second


def strings(content):
    return [word for word in MARKS if word.encode() in content]


def test_no_mark_is_left_in_the_bytes(sent):
    _, first, _ = sent
    for content in first.files.values():
        assert strings(content) == []
        dataset = pydicom.dcmread(io.BytesIO(content))
        assert not [element for element in dataset.iterall() if element.tag.is_private]
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        assert dataset.PatientIdentityRemoved == "YES" and dataset.LongitudinalTemporalInformationModified == "MODIFIED"
        assert [code.CodeValue for code in dataset.DeidentificationMethodCodeSequence] == ["113100", "113107"]


def test_pixels_are_the_same(sent):
    made, first, _ = sent
    key = lambda dataset: (dataset.PixelData, int(dataset.InstanceNumber))
    assert sorted(map(key, first.data_sets())) == sorted(map(key, made.datasets))


def test_the_study_stays_together_and_a_second_sending_is_the_same(sent):
    made, first, second = sent
    assert first.files == second.files
    sets = first.data_sets()
    assert len({str(dataset.StudyInstanceUID) for dataset in sets}) == 1
    assert len({str(dataset.SeriesInstanceUID) for dataset in sets}) == 2
    assert len({str(dataset.PatientID) for dataset in sets}) == 1
    for dataset in sets:
        assert str(dataset.StudyInstanceUID).startswith("2.25.")
        # References still lead to the object that they led to.
        assert dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID in first.files
    was, now = made.datasets[0].StudyDate, sets[0].StudyDate
    shift = datetime.datetime.strptime(was, "%Y%m%d") - datetime.datetime.strptime(now, "%Y%m%d")
    assert 1 <= shift.days <= 3650 and sets[0].StudyTime == made.datasets[0].StudyTime


def test_the_ledger_speaks_of_what_is_stored(shared_archive, sent):
    made, _, _ = sent
    outbox.wait_sent(shared_archive, made.uid)
    assert sorted(outbox.shipped(shared_archive, made.uid)) == sorted(made.instances)


def test_pixels_that_may_show_a_name_do_not_leave(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "made", instances=1, SOPClassUID=ULTRASOUND)
    with StowReceiver() as receiver:
        outbox.add_destination(archive, "research", dicomweb=receiver.url)
        outbox.add_route(archive, "all", "research", deidentify="basic")
        archive.run("import", tmp_path / "made")
        said = outbox.wait(archive, lambda: outbox.unshipped(archive, made.uid))
        assert "often show names" in said[made.instances[0]]
        assert receiver.requests == []


@pytest.mark.parametrize("term, name, meaning", [
    # What Latin-1 has stays; the rest loses its marks.
    ("ISO_IR 100", "Lêquýdôn^Thi Minh", "So"), ("ISO_IR 6", "Lequydon^Thi Minh", "So"),
    ("ISO_IR 192", "Lêquýđôn^Thị Minh", "Số")])
def test_texts_leave_in_the_letters_that_a_destination_reads(make_archive, tmp_path, term, name, meaning):
    archive = make_archive().start()
    item = Dataset()
    item.CodeMeaning = "Số"
    made = synthetic.study(tmp_path / "made", instances=1, PatientName="Lêquýđôn^Thị Minh",
                           ProcedureCodeSequence=Sequence([item]))
    with StowReceiver() as receiver:
        outbox.add_destination(archive, "old", dicomweb=receiver.url)
        outbox.add_route(archive, "all", "old", character_set=term)
        archive.run("import", tmp_path / "made")
        outbox.wait_sent(archive, made.uid)
        dataset, = receiver.data_sets()
    assert dataset.get("SpecificCharacterSet", "ISO_IR 6") == term
    assert str(dataset.PatientName) == name
    assert dataset.ProcedureCodeSequence[0].CodeMeaning == meaning
    assert dataset.PixelData == made.datasets[0].PixelData
    assert str(dataset.SOPInstanceUID) == made.instances[0]
