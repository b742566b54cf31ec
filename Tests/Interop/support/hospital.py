"""A hospital's system: python-hl7 as its interface engine, and the messages that it sends."""

import itertools
import time

import hl7.client

_control = itertools.count(1)


def header(kind, control=None, at=None, charset="UNICODE UTF-8"):
    at = at or time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 7 * 3600))
    control = control or f"HIS{next(_control)}"
    return f"MSH|^~\\&|HIS|24001|PHIM|24001|{at}||{kind}|{control}|P|2.5.1||||||{charset}"


def message(kind, *segments, **how):
    lines = [header(kind, **how)]
    if kind.startswith("ADT"):
        lines.append("EVN||" + lines[0].split("|")[6])
    return "\r".join([*lines, *segments]) + "\r"


def pid(code, name="NGUYỄN VĂN ĐỨC", born="19800215", sex="M", more=""):
    return f"PID|1||{code}^^^24001^MR{more}||{name}||{born}|{sex}"


def pv1(visit, ward="K01^P2^G5"):
    return f"PV1|1|I|{ward}||||BS01^TRẦN THỊ LAN||||||||||||{visit}"


def order(control, number, at="20261121093000", modality="CT", accession="", code="18.0219^CLVT sọ não^VN"):
    return (f"ORC|{control}|{number}^HIS|||||^^^{at}^^S||20261121081500|||BS02^LÊ VĂN NAM",
            f"OBR|1|{number}^HIS||{code}|||||||||Đau đầu|||||{accession}||||||{modality}|||^^^{at}^^S")


class Engine:
    """One connection; `send` gives (MSA-1, MSA-3)."""

    def __init__(self, port, host="127.0.0.1"):
        self.client = hl7.client.MLLPClient(host, port, encoding="utf-8")
        self.client.socket.settimeout(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def send(self, text):
        raw = text if isinstance(text, bytes) else text.encode()
        answer = self.client.send(b"\x0b" + raw + b"\x1c\x0d")
        reply = hl7.parse(answer.strip(b"\x0b\x1c\x0d").decode())
        assert str(reply.segment("MSA")[2]) == str(hl7.parse(raw.decode("utf-8", "replace")).segment("MSH")[10])
        verdict = reply.segment("MSA")
        return str(verdict[1]), str(verdict[3]) if len(verdict) > 3 else ""
