"""C-FIND: matching, return keys, levels, character sets (PS3.4 Annex C)."""

import unicodedata

import pytest

from support import dcmtk, peers, synthetic
from support.synthetic import IMPLICIT

# name: (patient id, patient name, study date, study time, accession, modalities, series, instances)
STUDIES = {
    "duc": ("VN1", synthetic.VIETNAMESE, "20240115", "081500", "A100", ("CT", "SR"), 2, 3),
    "hoa": ("VN2", "Lê^Thị^Hoa", "20240220", "235959", "A101", ("MR",), 1, 2),
    "duc-again": ("VN1", synthetic.VIETNAMESE, "20240320", "120000", "A102", ("CT",), 1, 1),
    "smith": ("US1", "Smith^John^Q", "20231231", "000000", "B200", ("US",), 1, 1),
    "yamada": ("JP1", "Yamada^Tarou=山田^太郎=やまだ^たろう", "20220505", "093000", "C300", ("DX",), 1, 1),
}


@pytest.fixture(scope="module")
def studies(shared_archive, module_folder):
    made = {}
    for name, (patient, person, date, time, accession, modalities, series, instances) in STUDIES.items():
        made[name] = synthetic.study(
            module_folder / name, series=series, instances=instances, modalities=modalities, PatientID=patient,
            PatientName=person, StudyDate=date, StudyTime=time, AccessionNumber=accession,
            StudyDescription=f"Study of {name}")
        dcmtk.run("storescu", *dcmtk.peer(shared_archive), *made[name].files)
    return made


@pytest.fixture
def find(shared_archive, studies):
    """Finds by keys with pynetdicom; answers as names from STUDIES."""
    names = {made.uid: name for name, made in studies.items()}

    def ask(level="STUDY", model=peers.STUDY_FIND, **keys):
        with peers.association(shared_archive.dicom_port, [(model, [IMPLICIT])]) as association:
            matches, status = peers.find(association, level, model, **keys)
        assert status == 0
        return matches

    ask.names = lambda **keys: sorted(
        names[match.StudyInstanceUID] for match in ask(StudyInstanceUID="", SpecificCharacterSet="ISO_IR 192", **keys))
    return ask


EVERYTHING = sorted(STUDIES)


@pytest.mark.parametrize("keys, expected", [
    ({}, EVERYTHING),
    ({"PatientID": ""}, EVERYTHING),
    ({"PatientID": "*"}, EVERYTHING),
    ({"PatientID": "VN1"}, ["duc", "duc-again"]),
    ({"PatientID": "vn1"}, []),
    ({"PatientID": "VN?"}, ["duc", "duc-again", "hoa"]),
    ({"PatientID": "?S*"}, ["smith"]),
    ({"AccessionNumber": "A10*"}, ["duc", "duc-again", "hoa"]),
    ({"AccessionNumber": "A101"}, ["hoa"]),
    ({"StudyDate": "20240115"}, ["duc"]),
    ({"StudyDate": "20240101-20240229"}, ["duc", "hoa"]),
    ({"StudyDate": "-20231231"}, ["smith", "yamada"]),
    ({"StudyDate": "20240220-"}, ["duc-again", "hoa"]),
    ({"StudyDate": "20240101-20240320", "StudyTime": "120000-235959"}, ["duc", "duc-again", "hoa"]),
    ({"StudyTime": "0800-0930"}, ["duc", "yamada"]),
    ({"StudyTime": "235959"}, ["hoa"]),
    ({"ModalitiesInStudy": "SR"}, ["duc"]),
    ({"ModalitiesInStudy": "CT"}, ["duc", "duc-again"]),
    ({"ModalitiesInStudy": ["MR", "US"]}, ["hoa", "smith"]),
    ({"StudyDescription": "*duc*"}, ["duc", "duc-again"]),
    ({"PatientID": "VN1", "StudyDate": "20240320"}, ["duc-again"]),
    ({"PatientID": "NOBODY"}, []),
])
def test_study_keys(find, keys, expected):
    """Single value, universal, wildcard, range and combined date-time matching (PS3.4 Section C.2.2.2)."""
    if keys.get("StudyTime", "").count("-") and "StudyDate" in keys:
        # Both readings of a date range with a time range are allowed; the combined one is the wider here.
        assert find.names(**keys) in (expected, ["duc-again", "hoa"])
    else:
        assert find.names(**keys) == expected


@pytest.mark.parametrize("name, expected", [
    ("nguyen van duc", ["duc", "duc-again"]),
    ("duc nguyen van", ["duc", "duc-again"]),
    ("NGUYEN^VAN^DUC", ["duc", "duc-again"]),
    ("Nguyễn^Văn^Đức", ["duc", "duc-again"]),
    ("*van*", ["duc", "duc-again"]),
    ("nguyen*", ["duc", "duc-again"]),
    ("NGUY?N^VAN^*", ["duc", "duc-again"]),
    ("le thi hoa", ["hoa"]),
    ("smith^john^q", ["smith"]),
    ("SMITH*", ["smith"]),
    ("john smith q", ["smith"]),
    ("山田^太郎", ["yamada"]),
    ("yamada^tarou", ["yamada"]),
    ("duc", []),
    ("*", EVERYTHING),
    ("nobody", []),
])
def test_person_names_are_folded(find, name, expected):
    """Case, accents, order of words and carets make no difference (PS3.4 Section C.2.2.2.1)."""
    assert find.names(PatientName=name) == expected


def test_list_of_uids(find, studies):
    wanted = [studies["duc"].uid, studies["smith"].uid, "1.2.3.4"]
    found = find(StudyInstanceUID=wanted)
    assert sorted(match.StudyInstanceUID for match in found) == sorted(wanted[:2])


def test_study_return_keys(find, studies):
    match, = find(StudyInstanceUID=studies["duc"].uid, ModalitiesInStudy="", NumberOfStudyRelatedSeries="",
                  NumberOfStudyRelatedInstances="", PatientID="", StudyDate="", AccessionNumber="",
                  SOPClassesInStudy="", StudyID="", PatientSex="", PatientBirthDate="", ReferringPhysicianName="",
                  InstanceAvailability="", RetrieveAETitle="")
    assert match.QueryRetrieveLevel == "STUDY"
    assert sorted(match.ModalitiesInStudy) == ["CT", "SR"]
    assert (match.NumberOfStudyRelatedSeries, match.NumberOfStudyRelatedInstances) == (2, 6)
    assert (match.PatientID, match.StudyDate, match.AccessionNumber) == ("VN1", "20240115", "A100")
    assert (match.StudyID, match.PatientSex, match.PatientBirthDate) == ("S1", "F", "19700131")
    assert match.SOPClassesInStudy == synthetic.CT
    assert match.ReferringPhysicianName == "Tran^Thi^Mai"
    assert match.InstanceAvailability in ("", "ONLINE")
    assert match.RetrieveAETitle == "PHIM"


def test_patient_level_counts(find):
    match, = find("PATIENT", peers.PATIENT_FIND, PatientID="VN1", PatientName="", NumberOfPatientRelatedStudies="",
                  NumberOfPatientRelatedSeries="", NumberOfPatientRelatedInstances="")
    counts = (match.NumberOfPatientRelatedStudies, match.NumberOfPatientRelatedSeries,
              match.NumberOfPatientRelatedInstances)
    assert counts == (2, 3, 7)


def test_patient_root_below_the_patient(find, studies):
    found = find("STUDY", peers.PATIENT_FIND, PatientID="VN1", StudyInstanceUID="")
    assert sorted(match.StudyInstanceUID for match in found) == sorted(studies[n].uid for n in ("duc", "duc-again"))


def test_series_level(find, studies):
    study = studies["duc"]
    found = find("SERIES", StudyInstanceUID=study.uid, SeriesInstanceUID="", Modality="", SeriesNumber="",
                 NumberOfSeriesRelatedInstances="", SeriesDescription="", BodyPartExamined="")
    rows = {match.SeriesInstanceUID: (match.Modality, int(match.SeriesNumber), match.NumberOfSeriesRelatedInstances)
            for match in found}
    assert rows == {study.series[0]: ("CT", 1, 3), study.series[1]: ("SR", 2, 3)}
    assert {match.SeriesDescription for match in found} == {"Lung 1.0"}
    assert [match.Modality for match in find("SERIES", StudyInstanceUID=study.uid, Modality="SR")] == ["SR"]


def test_image_level(find, studies):
    study = studies["duc"]
    keys = {"StudyInstanceUID": study.uid, "SeriesInstanceUID": study.series[0]}
    found = find("IMAGE", **keys, SOPInstanceUID="", InstanceNumber="", SOPClassUID="", Rows="", NumberOfFrames="")
    assert sorted(match.SOPInstanceUID for match in found) == sorted(study.instances[:3])
    assert sorted(int(match.InstanceNumber) for match in found) == [1, 2, 3]
    assert {(match.SOPClassUID, match.Rows) for match in found} == {(synthetic.CT, 32)}
    second, = find("IMAGE", **keys, InstanceNumber="2", SOPInstanceUID="")
    assert second.SOPInstanceUID == study.instances[1]


def test_an_unsupported_return_key_comes_back_empty_or_not_at_all(find, studies):
    match, = find(StudyInstanceUID=studies["hoa"].uid, AdmittingDiagnosesDescription="", StudyDescription="")
    assert match.get("AdmittingDiagnosesDescription", "") == ""
    assert match.StudyDescription == "Study of hoa"


def test_findscu_at_every_level(shared_archive, studies, tmp_path):
    study = studies["duc"]
    ask = lambda level, *keys, **more: dcmtk.find(shared_archive, tmp_path / "rsp", level, *keys, **more)
    assert len(ask("PATIENT", "PatientID=VN*", "PatientName", model="-P")) == 2
    assert len(ask("STUDY", "PatientID=VN1", "StudyInstanceUID")) == 2
    assert len(ask("SERIES", f"StudyInstanceUID={study.uid}", "SeriesInstanceUID")) == 2
    assert len(ask("IMAGE", f"StudyInstanceUID={study.uid}", f"SeriesInstanceUID={study.series[0]}",
                   "SOPInstanceUID")) == 3
    assert len(ask("STUDY", "PatientName=duc nguyen van", "StudyInstanceUID")) == 2


def without_marks(text):
    plain = "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
    return plain.replace("đ", "d").replace("Đ", "D")


@pytest.mark.parametrize("study, charset, name", [
    ("duc", "utf8", "Nguyễn^Văn^Đức"), ("duc", "latin1", None), ("duc", "ascii", "Nguyen^Van^Duc"),
    ("hoa", "utf8", "Lê^Thị^Hoa"), ("hoa", "latin1", "Lê^Thi^Hoa"), ("hoa", "ascii", "Le^Thi^Hoa"),
])
def test_character_set_per_peer(shared_archive, studies, study, charset, name):
    """What is sent is what SpecificCharacterSet says; letters that do not fit lose their marks, not themselves."""
    title = f"CS{charset.upper()}"
    shared_archive.run("peer", "add", charset, "--ae-title", title, "--host", "127.0.0.1", "--port", 11113,
                       "--charset", charset)
    try:
        with peers.association(shared_archive.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])], title) as association:
            (match,), _ = peers.find(association, "STUDY", StudyInstanceUID=studies[study].uid, PatientName="")
    finally:
        shared_archive.run("peer", "remove", charset)
    raw = match.get_item("PatientName").value
    raw = raw if isinstance(raw, bytes) else match.PatientName.original_string
    term, encoding = {
        "utf8": ("ISO_IR 192", "utf-8"), "latin1": ("ISO_IR 100", "latin-1"), "ascii": (None, "ascii"),
    }[charset]
    stated = match.get("SpecificCharacterSet") or None
    assert stated == term or (stated is None and raw.isascii())
    text = raw.decode(encoding).rstrip()
    assert "?" not in text
    assert without_marks(text) == without_marks(STUDIES[study][1])
    assert name is None or text == name


def test_a_query_in_latin1_is_read_in_its_own_character_set(find):
    assert find.names() == EVERYTHING
    matches = find(PatientName="Lê^Thi^Hoa", SpecificCharacterSet="ISO_IR 100", StudyInstanceUID="")
    assert len(matches) == 1


@pytest.mark.parametrize("keys", [{"StudyDate": "not a date"}, {"StudyDate": "20241399-"}])
def test_a_nonsense_key_gets_an_answer_and_no_harm(shared_archive, studies, keys):
    with peers.association(shared_archive.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])]) as association:
        matches, status = peers.find(association, "STUDY", StudyInstanceUID="", **keys)
    assert matches == []
    assert status == 0x0000 or status == 0xA900 or 0xC000 <= status <= 0xCFFF
    shared_archive.assert_healthy()


def test_a_missing_level_is_refused(shared_archive):
    from pydicom.dataset import Dataset

    keys = Dataset()
    keys.StudyInstanceUID = ""
    with peers.association(shared_archive.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])]) as association:
        status = [status.Status for status, _ in association.send_c_find(keys, peers.STUDY_FIND)][-1]
    assert status == 0xA900 or 0xC000 <= status <= 0xCFFF
