"""Three archives in a row, as a country has them: a commune's station, the province's hospital, the centre."""

import pytest

from support import forwarding, synthetic
from support.archive import Archive
from support.forwarding import eventually
from support.line import Line, Shape


@pytest.fixture
def country(tmp_path):
    """(commune, province, centre), and the commune's line to the province."""
    made = [Archive(tmp_path / name).start() for name in ("commune", "province", "centre")]
    commune, province, centre = made
    with Line(Shape(20e6, 0.02), province.http_port) as line:
        forwarding.to_phim(commune, "province", province, port=line.port)
        forwarding.to_phim(province, "centre", centre, station="province")
        forwarding.route(commune, "all", "province")
        forwarding.route(province, "heads", "centre", "bodyPart=HEAD", priority="stat")
        yield commune, province, centre, line
    for archive in made:
        archive.stop()


def imported(archive, folder, **values):
    made = synthetic.study(folder, **values)
    archive.run("import", folder)
    return made


def test_from_the_commune_over_the_province_to_the_centre(country, tmp_path):
    commune, province, centre, _ = country
    chest = imported(commune, tmp_path / "chest", instances=6)
    head = imported(commune, tmp_path / "head", series=2, instances=6, BodyPartExamined="HEAD")
    for made in (chest, head):
        forwarding.wait_for(commune, made.uid, "committed", "province")
    forwarding.wait_for(province, head.uid, "committed")
    at_commune, at_province, at_centre = map(forwarding.files, (commune, province, centre))
    assert at_commune == at_province
    assert at_centre == {uid: at_commune[uid] for uid in head.instances}

    # More images of a study that is there already: only they go on.
    more = synthetic.study(tmp_path / "more", instances=2, BodyPartExamined="HEAD", StudyInstanceUID=head.uid)
    commune.run("import", tmp_path / "more")
    eventually(lambda: set(more.instances) <= set(forwarding.files(centre)))
    eventually(lambda: forwarding.shipment(province, head.uid)["state"] == "committed")
    assert forwarding.shipment(province, head.uid)["sentInstances"] == 14


def test_the_province_is_killed_in_the_middle(country, tmp_path):
    commune, province, centre, line = country
    head = imported(commune, tmp_path / "head", instances=24, rows=128, BodyPartExamined="HEAD")
    eventually(lambda: forwarding.counter(commune, "phim_forwarded_objects_total") > 4)
    province.kill()
    province.start()
    line.server_port = province.http_port
    forwarding.retry(commune, "province")
    forwarding.wait_for(province, head.uid, "committed")
    forwarding.wait_for(commune, head.uid, "committed", "province")
    assert forwarding.files(commune) == forwarding.files(province) == forwarding.files(centre)


def test_the_centre_sees_its_stations(country, tmp_path):
    commune, province, _, _ = country
    imported(commune, tmp_path / "one", instances=2)
    fleet = eventually(lambda: [row for row in province.json("fleet")["stations"]], say="(no station called)")
    assert len(fleet) == 1 and fleet[0]["account"] == "commune"
    assert fleet[0]["version"] and fleet[0]["lastAt"]
