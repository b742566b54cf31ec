"""Studies that searches are tried on, and how they are asked for."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from . import synthetic

JSON = "application/dicom+json"
LIST = "limit=101&offset=0&fuzzymatching=true&includefield=00081030,00080060"
NAMES = ["Nguyễn^Văn^Đức", "Trần^Thị^Mai", "Lê^Hoàng^Ánh", "Phạm^Quốc^Bảo", "Đỗ^Thị^Hạnh"]


def order(step, procedure):
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = step, procedure
    item.ScheduledProcedureStepDescription = "Ngực thẳng"
    return item


def fill(archive, folder):
    """Five studies of 2 × 3 instances; the third has two modalities, the fourth an order and a time zone."""
    studies = []
    for number, name in enumerate(NAMES):
        values = {"PatientName": name, "PatientID": f"BN{number:03d}", "AccessionNumber": f"2024-{number}12345",
                  "StudyDate": f"2024031{number}", "StudyTime": f"1{number}1500", "StudyDescription": f"CT ngực {number}",
                  "KVP": "120", "PerformedProcedureStepStartDate": f"2024031{number}"}
        if number == 3:
            values["RequestAttributesSequence"] = Sequence([order("SPS1", "RP1"), order("SPS2", "RP2")])
            values["TimezoneOffsetFromUTC"] = "+0700"
            code = Dataset()
            code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "CTNGUC", "99VN", "CT ngực"
            values["ProcedureCodeSequence"] = Sequence([code])
        modalities = ("CT", "MR") if number == 2 else ("CT",)
        studies.append(synthetic.study(folder, series=2, instances=3, modalities=modalities, **values))
    archive.run("import", *[path for study in studies for path in study.files])
    archive.studies = studies
    return archive


def ask(archive, session, path, accept=JSON, **options):
    return session.get(f"http://127.0.0.1:{archive.http_port}/dicom-web{path}", headers={"Accept": accept}, **options)


def found(archive, session, path, **options):
    """The matches of a search that succeeds."""
    answer = ask(archive, session, path, **options)
    assert answer.status_code in (200, 204), answer.text
    assert answer.headers.get("Content-Type", JSON) == JSON
    return answer.json() if answer.status_code == 200 else []


def value(match, tag):
    return match[tag].get("Value", [None])[0]


def studies_of(matches):
    return sorted(value(match, "0020000D") for match in matches)
