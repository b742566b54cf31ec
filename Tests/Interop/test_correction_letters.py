"""A corrected name goes out in letters that its object declares, and no text is rewritten that could only be guessed."""

import io

import pydicom
import pytest

from support import synthetic, ways_out
from test_corrections import NAME, archive, register  # noqa: F401  (a fixture)


def raw(folder, *extra, charset=b"", patient="CAPCUU"):
    """An image written byte by byte: texts that no library would write."""
    instance, uid = synthetic.uid(), synthetic.uid()
    declared = synthetic.element(0x0008, 0x0005, "CS", charset) if charset else b""
    data = declared + synthetic.bare(instance, uid, synthetic.uid(), patient=patient, name="KHONG^RO",
                                     extra=b"".join(extra))
    path = folder / "raw.dcm"
    path.write_bytes(synthetic.part10(data, synthetic.CT, instance))
    return path, uid


# Texts in the object, whether they can be read for certain, and what they are.
@pytest.mark.parametrize("charset, comment, text", [
    (b"\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B", "山田"), (b"\\ISO 2022 IR 87", b"Mi\xeate", None), (b"", b"Mi\xeate", None),
    (b"", "Mỹ".encode(), "Mỹ"), (b"ISO_IR 6", b"plain", "plain"), (b"\\ISO 2022 IR 87", b"A\x1b%/1B", None)])
def test_a_name_leaves_in_letters_that_are_declared(archive, tmp_path, charset, comment, text):
    register(archive)
    path, uid = raw(tmp_path, synthetic.element(0x0020, 0x4000, "LT", comment), charset=charset)
    archive.run("import", path)
    archive.json("study", "move", uid, "--patient", "BN1", "--reason", "x")
    got = pydicom.dcmread(io.BytesIO(ways_out.zipped(archive, uid)[0]))
    stored = bytes(got.get_item(0x00100010).value).rstrip()
    if text is None:  # nobody knows what it says: it stays as it is, and the name has no marks
        assert stored == b"NGUYEN VAN DUC"
        assert bytes(got.get_item(0x00204000).value).rstrip() == comment
        assert list(got.get("SpecificCharacterSet") or []) == (charset.decode().split("\\") if charset else [])
    else:
        assert stored.decode() == NAME and got.SpecificCharacterSet == "ISO_IR 192"
        assert got.ImageComments == text


def test_group_lengths_in_items_that_become_longer_are_left_out(archive, tmp_path):
    register(archive)
    body = synthetic.element(0x0008, 0x0104, "LO", b"Cr\xe2ne")
    item = synthetic.element(0x0008, 0x0000, "UL", len(body).to_bytes(4, "little")) + body
    sequence = b"\x40\x00\x75\x02SQ\0\0" + (len(item) + 8).to_bytes(4, "little") \
        + b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item
    path, uid = raw(tmp_path, sequence, charset=b"ISO_IR 100")
    archive.run("import", path)
    archive.json("study", "move", uid, "--patient", "BN1", "--reason", "x")
    got = pydicom.dcmread(io.BytesIO(ways_out.zipped(archive, uid)[0]))
    kept, = got.RequestAttributesSequence
    assert kept.CodeMeaning == "Crâne" and [element.tag for element in kept] == [0x00080104]
