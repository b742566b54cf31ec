"""What a station says beside objects, and what the centre makes of it: corrections, and the fleet."""

import time

from support import synthetic
from support.exchange import Station, digests, study


def test_a_correction_comes_with_the_study(centre, station, tmp_path):
    uid, objects = study(tmp_path, instances=2, PatientName="Sai^Ten", PatientID="OLD")
    wanted = digests(objects)
    correction = {"00100010": "Đúng^Tên", "00100020": "NEW", "00080018": "1.2.3", "00104000": "", "00080020": "x", "y": ""}
    assert station.offer(uid, wanted, correction=correction).json()["correctionTaken"] is False, "nothing is here yet"
    for name, data in objects.items():
        assert station.send(uid, name, data).json()["outcome"] == "stored"

    def shown():
        rows = centre.http().get(
            f"{centre.url}/dicom-web/studies?StudyInstanceUID={uid}&includefield=00100010", timeout=20).json()
        return rows[0]["00100020"]["Value"][0], rows[0]["00100010"]["Value"][0]["Alphabetic"]

    assert shown() == ("OLD", "Sai^Ten")
    answer = station.offer(uid, wanted, correction=correction).json()
    assert answer["correctionTaken"] is True and {"00080018", "00080020", "y"} <= set(answer["rejected"])
    assert shown() == ("NEW", "Đúng^Tên")
    # The octets stay those of the station.
    assert station.offer(uid, wanted, correction=correction).json()["isComplete"]
    # Said again it changes nothing; said otherwise it is otherwise; taken back it is gone.
    station.offer(uid, wanted, correction={"00100020": "NEWER"})
    assert shown() == ("NEWER", "Sai^Ten")
    station.offer(uid, wanted, correction={})
    assert shown() == ("OLD", "Sai^Ten")
    # Another station has no say, nor has anybody in a thousand attributes.
    other = Station(centre, account="other station")
    assert other.offer(uid, wanted, correction={"00100020": "EVIL"}).json()["correctionTaken"] is False
    many = {f"0010{number:04X}": "" for number in range(1_000)}
    assert station.offer(uid, wanted, correction=many).json()["correctionTaken"] is False
    assert shown() == ("OLD", "Sai^Ten")
    # What somebody wrote at the centre stays, and nothing is put beside it, even when it was taken back.
    station.offer(uid, wanted, correction={"00100010": "Before^That"})
    centre.run("study", "correct", uid, "--set", "PatientID=MINE", "--reason", "known here")
    for said in ({"00100020": "THEIRS", "00100010": "Their^Name"}, {}):
        assert station.offer(uid, wanted, correction=said).json()["correctionTaken"] is False
        assert shown() == ("MINE", "Before^That")
    answer = station.receipt(uid, wanted, synthetic.uid(), correction={"00100020": "THEIRS"}).json()
    assert answer["correctionTaken"] is False and shown() == ("MINE", "Before^That")


def test_a_study_that_others_brought_is_not_corrected_and_not_told_of(centre, station, tmp_path):
    uid, objects = study(tmp_path, instances=2, PatientID="OTHERS")
    other = Station(centre, account="other station")
    (first, one), (second, two) = objects.items()
    assert other.send(uid, first, one).json()["outcome"] == "stored"
    # Who does not know the digests learns nothing.
    guess = {name: bytes(32) for name in objects}
    for listed in (False, True):
        answer = station.offer(uid, guess, listed=listed, correction={"00100020": "EVIL"}).json()
        assert (answer["instances"], answer["correctionTaken"]) == (0, False)
    # One object of its own does not make the study its own.
    assert station.send(uid, second, two).json()["outcome"] == "stored"
    assert station.offer(uid, digests(objects), correction={"00100020": "EVIL"}).json()["correctionTaken"] is False
    assert other.offer(uid, digests(objects), correction={"00100020": "EVIL"}).json()["correctionTaken"] is False
    rows = centre.http().get(f"{centre.url}/dicom-web/studies?StudyInstanceUID={uid}", timeout=20).json()
    assert rows[0]["00100020"]["Value"] == ["OTHERS"]


def test_contact_and_fleet(centre, station):
    now = int(time.time() * 1e6)
    report = {
        "name": "Trạm xá Mường Lát", "version": "1", "time": now - 90_000_000, "diskFree": 5, "diskTotal": 10,
        "backlog": [{"priority": "stat", "studies": 1, "instances": 2, "octets": 3, "oldest": now}], "newestAt": now,
    }
    answer = station.http.post(f"{station.root}/contact", json=report, timeout=20)
    assert answer.status_code == 200, answer.text
    assert abs(answer.json()["time"] - now) < 60_000_000
    fleet = centre.http("technician").get(f"{centre.url}/api/v1/fleet", timeout=20)
    [shown] = [each for each in fleet.json() if each["name"] == report["name"]]
    assert shown["account"] == "station" and not shown["isSilent"]
    assert shown["backlog"][0]["octets"] == 3 and shown["diskFree"] == 5
    assert -150 < shown["clockSkew"] < -80
    # Another account of this name is another station.
    other = Station(centre, account="impostor")
    assert other.http.post(f"{other.root}/contact", json=report | {"diskFree": 7}, timeout=20).status_code == 200
    fleet = centre.http("technician").get(f"{centre.url}/api/v1/fleet", timeout=20).json()
    assert {each["account"]: each["diskFree"] for each in fleet} == {"station": 5, "impostor": 7}
    for change in ({"name": ""}, {"name": "x" * 65}, {"time": 1 << 63}, {"backlog": [report["backlog"][0]] * 101}):
        assert station.http.post(f"{station.root}/contact", json=report | change, timeout=20).status_code == 400
    # Numbers whose sum no number holds, and the same urgency twice.
    [waiting] = report["backlog"]
    most = 10 ** 15
    for change in (
        {"diskFree": -1}, {"diskTotal": most + 1}, {"newestAt": -1}, {"newestAt": (1 << 63) - 1}, {"backlog": [waiting] * 2},
        *({"backlog": [waiting | {field: wrong}]} for wrong in (-1, most + 1, (1 << 63) - 1)
          for field in ("studies", "instances", "octets")), {"backlog": [waiting | {"oldest": -(1 << 63)}]},
    ):
        assert station.http.post(f"{station.root}/contact", json=report | change, timeout=20).status_code == 400, change
    largest = [{"priority": word, "studies": most, "instances": most, "octets": most, "oldest": 253_402_300_799_000_000}
               for word in ("stat", "normal", "bulk")]
    extreme = report | {"time": -(1 << 63), "backlog": largest, "diskFree": most, "diskTotal": most}
    assert station.http.post(f"{station.root}/contact", json=extreme, timeout=20).status_code == 200
    assert centre.http().get(f"{centre.url}/api/v1/fleet", timeout=20).status_code == 200
    assert f"{3 * most} studies" in centre.run("fleet").stdout
