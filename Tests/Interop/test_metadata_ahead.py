"""Metadata that is there before anybody asks for it."""

import time

from support import synthetic

JSON = {"Accept": "application/dicom+json"}


def kept(archive):
    return [path for path in (archive.data / "metadata").rglob("[!.]*") if path.is_file()]


def until(condition):
    end = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_long_series_has_its_metadata_before_anybody_asks(archive, tmp_path):
    long, short = synthetic.study(tmp_path, instances=40), synthetic.study(tmp_path, instances=3)
    archive.run("import", *short.files, *long.files)
    until(lambda: len(kept(archive)) == 1)
    session = archive.http()

    def metadata():
        answer = session.get(f"{archive.url}/dicom-web/studies/{long.uid}/metadata", headers=JSON)
        assert answer.status_code == 200
        return answer.json()

    ahead = metadata()
    assert {one["00080018"]["Value"][0] for one in ahead} == set(long.instances)
    assert len(kept(archive)) == 1
    # Built anew when it is asked for, it is the same.
    archive.stop()
    kept(archive)[0].unlink()
    archive.start()
    assert kept(archive) == []
    assert metadata() == ahead


def test_metadata_follows_what_comes_later_and_goes_with_its_series(archive, tmp_path):
    study = synthetic.study(tmp_path, instances=40)
    archive.run("import", *study.files[:39])
    until(lambda: len(kept(archive)) == 1)
    before = kept(archive)[0].read_bytes()
    archive.run("import", study.files[39])
    until(lambda: kept(archive)[0].read_bytes() != before)
    archive.run("delete", "--study", study.uid, "--yes")
    assert kept(archive) == []
