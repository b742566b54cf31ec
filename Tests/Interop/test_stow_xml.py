"""Metadata as XML, the Native DICOM Model: what DICOM JSON can say arrives alike, and hostile documents are refused."""

import base64
import json

import numpy
import pytest

from support import stow, synthetic
from support.stow import STORED
from test_stow_wrapping import PHOTO, bulk, jpeg, metadata, stored

XML = f'multipart/related; type="application/dicom+xml"; boundary={stow.BOUNDARY}'
NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"


def attribute(tag, vr, *values, creator=None, inside=None):
    content = inside if inside is not None else "".join(
        f'<Value number="{number}">{value}</Value>' for number, value in enumerate(values, 1) if value)
    private = f' privateCreator="{creator}"' if creator else ""
    return f'<DicomAttribute tag="{tag}" vr="{vr}"{private}>{content}</DicomAttribute>'


def name(family, given, middle=""):
    parts = f"<FamilyName>{family}</FamilyName><GivenName>{given}</GivenName>"
    parts += f"<MiddleName>{middle}</MiddleName>" if middle else ""
    return f'<PersonName number="1"><Alphabetic>{parts}</Alphabetic></PersonName>'


def document(*attributes):
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n'
            f'<NativeDicomModel xmlns="{NAMESPACE}">\n{"".join(attributes)}\n</NativeDicomModel>\n').encode()


def described(study, *more, sop_class=PHOTO):
    return document(
        attribute("00080016", "UI", sop_class), attribute("00080018", "UI", synthetic.uid()),
        attribute("00080060", "CS", "XC"), attribute("0020000D", "UI", study),
        attribute("0020000E", "UI", synthetic.uid()), *more)


def reference(tag, vr, address):
    return attribute(tag, vr, inside=f'<BulkData uri="{address}"/>')


def test_a_photograph_with_its_metadata(shared_archive, tmp_path):
    image, study = jpeg(40, 30), synthetic.uid()
    raw = described(
        study, attribute("00100010", "PN", inside=name("Lê", "Mận", "Thị")), attribute("00100020", "LO", "XML &amp; 1"),
        attribute("00080008", "CS", "ORIGINAL", "", "AXIAL"),
        attribute("00091001", "OB", inside=f"<InlineBinary>{base64.b64encode(b'own!').decode()}</InlineBinary>",
                  creator="MAKER"),
        attribute("00400275", "SQ", inside='<Item number="1">' + attribute("00400007", "LO", "<![CDATA[Ngực <thẳng>]]>")
                  + attribute("00401001", "SH", "RP&#45;1") + "</Item>"),
        reference("7FE00010", "OB", "image"))
    body = stow.multipart([("application/dicom+xml", raw),
                           ({"Content-Type": "image/jpeg", "Content-Location": "image"}, image)])
    dataset = stored(shared_archive, tmp_path, stow.post(shared_archive, body, XML))
    assert str(dataset.PatientName) == "Lê^Mận^Thị" and dataset.PatientID == "XML & 1"
    assert list(dataset.ImageType) == ["ORIGINAL", "", "AXIAL"]
    assert dataset[0x0009, 0x0010].value == "MAKER" and dataset[0x0009, 0x1001].value == b"own!"
    item, = dataset.RequestAttributesSequence
    assert item.ScheduledProcedureStepDescription == "Ngực <thẳng>" and item.RequestedProcedureID == "RP-1"
    assert (dataset.Columns, dataset.Rows) == (40, 30)


def test_several_documents_and_raw_pixels(shared_archive):
    study, pixels = synthetic.uid(), numpy.arange(64, dtype="<u2").tobytes()
    numbers = [("00280002", 1), ("00280010", 8), ("00280011", 8), ("00280100", 16), ("00280101", 16), ("00280102", 15),
               ("00280103", 0)]
    parts = []
    for address in "ab":
        parts.append(("application/dicom+xml", described(
            study, attribute("00280004", "CS", "MONOCHROME2"), *(attribute(tag, "US", value) for tag, value in numbers),
            attribute("00280103", "US", inside='<Value number="1">0</Value>'), reference("7FE00010", "OW", address),
            sop_class=synthetic.SECONDARY)))
        parts.append(({"Content-Type": "application/octet-stream", "Content-Location": address}, pixels))
    answer = stow.post(shared_archive, stow.multipart(parts), XML)
    assert answer.status == 200 and len(answer.instances(STORED)) == 2


def test_what_the_archive_gives_as_xml_it_takes_as_xml(shared_archive, tmp_path):
    """The metadata of an instance go round: out as XML, in again under another UID, out as JSON, and are the same."""
    original = synthetic.ct(PatientName=synthetic.VIETNAMESE)
    raw = synthetic.part10(synthetic.encode(original), original.SOPClassUID, original.SOPInstanceUID)
    assert stow.post(shared_archive, stow.multipart([raw])).status == 200
    session = shared_archive.http()
    base = f"{shared_archive.url}/dicom-web/studies/{original.StudyInstanceUID}/series/{original.SeriesInstanceUID}/instances/"
    given = session.get(base + original.SOPInstanceUID + "/metadata", headers={"Accept": "application/dicom+xml"}, timeout=30)
    fresh = synthetic.uid()
    text = given.text.replace(original.SOPInstanceUID, fresh)
    start = text.index('<BulkData uri="') + 15
    address = text[start:text.index('"', start)]
    body = stow.multipart([("application/dicom+xml", text.encode()), (
        {"Content-Type": "application/octet-stream", "Content-Location": address}, original.PixelData)])
    assert stow.post(shared_archive, body, XML).status == 200

    def attributes(uid):
        found, = session.get(base + uid + "/metadata", headers={"Accept": "application/dicom+json"}, timeout=30).json()
        return {tag: value for tag, value in found.items() if tag not in ("00080018", "7FE00010")}

    old, new = attributes(original.SOPInstanceUID), attributes(fresh)
    assert {tag: new[tag] for tag in old} == old
    frame = session.get(base + fresh + "/frames/1", headers={"Accept": "application/octet-stream"}, timeout=30)
    assert frame.content == original.PixelData


HOSTILE = {
    "laughs": b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><NativeDicomModel>&b;</NativeDicomModel>',
    "file": b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><NativeDicomModel>&a;</NativeDicomModel>',
    "unknown entity": b"<NativeDicomModel>&nbsp;</NativeDicomModel>",
    "depth": b"<NativeDicomModel>" + b'<DicomAttribute tag="00400275" vr="SQ"><Item number="1">' * 100_000,
    "cut off": described("1.2.3")[:-30],
    "not closed in order": b'<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"></NativeDicomModel></DicomAttribute>',
    "a gap": document(attribute("00100020", "LO", inside='<Value number="2000000000">x</Value>')),
    "no tag": document('<DicomAttribute vr="LO"/>'),
    "other text": document("words"),
    "another root": b"<html/>",
    "nothing": b"<!-- -->",
    "two roots": described("1.2.3") + b"<NativeDicomModel/>",
    "wide": described("1.2.3").decode().encode("utf-16"),
    "number too large": described("1.2.3", attribute("00280010", "US", 65536)),
    "a long name": b"<" + b"a" * 1_000_000 + b"/>",
    "many fields": b"<NativeDicomModel " + b" ".join(b'a%d=""' % number for number in range(100_000)) + b"/>",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_documents(shared_archive, kind):
    before = shared_archive.peak_memory()
    answer = stow.post(shared_archive, stow.multipart([("application/dicom+xml", HOSTILE[kind])]), XML)
    assert answer.status in (400, 409), answer.body
    assert b"passwd" not in answer.body and b"root:" not in answer.body
    assert shared_archive.peak_memory() - before < 256 << 20
    shared_archive.assert_healthy()


def test_many_references_to_one_value_are_no_lever(shared_archive):
    """A few kilobytes of metadata that name one large part again and again make neither memory nor disk full."""
    large = bytes(24 << 20)
    study = synthetic.uid()
    names = {}
    for element in range(200):
        names.update(bulk(f"0009{0x1000 + element:04X}", "OB", "large"))
    body = stow.multipart([
        ("application/dicom+json", json.dumps([metadata(study, **names)]).encode()),
        ({"Content-Type": "application/octet-stream", "Content-Location": "large"}, large)])
    before = shared_archive.peak_memory()
    answer = stow.post(shared_archive, body, f'multipart/related; type="application/dicom+json"; boundary={stow.BOUNDARY}')
    assert answer.status == 409, answer.body
    assert shared_archive.peak_memory() - before < 256 << 20
    shared_archive.assert_healthy()
