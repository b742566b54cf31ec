"""Every real file goes in by C-STORE in its own transfer syntax, is found, and comes back as the same bytes."""

import hashlib
from collections import defaultdict

import pytest

from support import corpus, peers, wire
from support.synthetic import IMPLICIT

CONTEXTS = 100  # of the 128 that one association may have


def digest(data):
    return hashlib.sha256(data).digest()


def even(data):
    """A data set of odd length gets the padding byte without which it cannot travel (PS3.8 Annex E)."""
    return data + b"\0" * (len(data) % 2)


def contexts_of(samples):
    return sorted({(sample.sop_class, sample.transfer_syntax) for sample in samples})


def portions(pairs):
    return [pairs[at : at + CONTEXTS] for at in range(0, len(pairs), CONTEXTS)]


def store_with_pynetdicom(archive, samples):
    """{sample: (status, comment)}; after an abort the next association goes on behind the sample that caused it."""
    answers = {}
    for pairs in portions(contexts_of(samples)):
        contexts = [(abstract, [syntax]) for abstract, syntax in pairs]
        waiting = [sample for sample in samples if (sample.sop_class, sample.transfer_syntax) in set(pairs)]
        while waiting:
            with peers.association(archive.dicom_port, contexts) as association:
                accepted = {(str(c.abstract_syntax), str(c.transfer_syntax[0])): c.context_id
                            for c in association.accepted_contexts}
                assert len(accepted) == len(pairs), f"contexts refused: {set(pairs) - set(accepted)}"
                while waiting and association.is_established:
                    sample = waiting.pop(0)
                    context = accepted[sample.sop_class, sample.transfer_syntax]
                    answers[sample] = peers.store_bytes(
                        association, context, sample.sop_class, sample.sop_instance, even(sample.data()),
                        len(answers) % 65535 + 1)
    return answers


def store_on_the_wire(archive, sample):
    with wire.Wire(archive.dicom_port, [(1, sample.sop_class, [sample.transfer_syntax])]) as line:
        if 1 not in line.accepted:
            return 0x0122, "context refused"
        answer = line.store(1, sample.sop_class, sample.sop_instance, even(sample.data()))
        line.release()
        return answer.status, answer.comment


@pytest.fixture(scope="module")
def samples():
    found = corpus.everything()
    assert len(found) >= 90
    return found


@pytest.fixture(scope="module")
def answers(shared_archive, samples):
    plain = [sample for sample in samples if corpus.is_legal_uid(sample.sop_instance)]
    return store_with_pynetdicom(shared_archive, plain) | {
        sample: store_on_the_wire(shared_archive, sample) for sample in samples if sample not in set(plain)
    }


@pytest.fixture(scope="module")
def kept(samples, answers):
    """The first of the kept samples per SOP Instance UID: the one that stays primary."""
    first = {}
    for sample in samples:
        if answers[sample][0] == 0:
            first.setdefault(sample.sop_instance, sample)
    return first


def test_every_file_is_kept_or_refused_with_a_reason(shared_archive, samples, answers):
    problems = []
    for sample in samples:
        status, comment = answers[sample]
        if status == 0:
            continue
        if not sample.may_be_refused:
            problems.append(f"{sample.path}: {status} {comment}")
        elif status is None or not (status == 0xA900 or status == 0x0117 or 0xC000 <= status <= 0xCFFF) or not comment:
            problems.append(f"{sample.path}: {status} {comment!r} is no reason for: {sample.may_be_refused}")
    assert not problems, "\n".join(problems)
    refused = [sample for sample in samples if answers[sample][0]]
    print(f"kept {len(samples) - len(refused)} of {len(samples)}")
    shared_archive.assert_healthy()


def test_same_uid_with_other_bytes_is_a_conflict_and_the_first_stays(shared_archive, samples, answers, kept):
    contents = defaultdict(set)
    for sample in samples:
        if answers[sample][0] == 0:
            contents[sample.sop_instance].add(digest(even(sample.data())))
    expected = sorted(instance for instance, digests in contents.items() if len(digests) > 1)
    status = shared_archive.json("status")
    assert status["instances"] == len(kept)
    assert status["conflicts"] == len(expected)


def test_every_kept_file_is_found_by_its_identifiers(shared_archive, kept):
    problems = []
    with peers.association(shared_archive.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])]) as association:
        rows = shared_archive.find(level="image")
        by_instance = {row["SOPInstanceUID"]: row for row in rows}
        for instance, sample in kept.items():
            row = by_instance.get(instance)
            if row is None:
                problems.append(f"{sample.path}: not listed")
                continue
            for tag, keyword in ((corpus.STUDY, "StudyInstanceUID"), (corpus.SERIES, "SeriesInstanceUID")):
                if sample.value(tag) and not sample.may_be_refused and row[keyword] != sample.value(tag):
                    problems.append(f"{sample.path}: {keyword} {row[keyword]}")
            keys = {key: row[key] for key in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")}
            matches, status = peers.find(association, "IMAGE", SOPClassUID="", **keys)
            if status != 0 or [str(match.SOPInstanceUID) for match in matches] != [instance]:
                problems.append(f"{sample.path}: {len(matches)} matches, status {status:04X}H")
            elif str(matches[0].SOPClassUID) != sample.sop_class:
                problems.append(f"{sample.path}: SOP class {matches[0].SOPClassUID}")
    assert not problems, "\n".join(problems)


def test_every_kept_file_comes_back_by_get_unchanged(shared_archive, kept):
    studies = sorted({row["StudyInstanceUID"] for row in shared_archive.find(level="study")})
    problems = []
    for pairs in portions(contexts_of(kept.values())):
        storage = [(abstract, [syntax]) for abstract, syntax in pairs]
        with peers.getter(shared_archive.dicom_port, storage) as (association, received):
            for study in studies:
                outcome = peers.get(association, StudyInstanceUID=study)
                if len(portions(contexts_of(kept.values()))) == 1 and (outcome.status, outcome.failed) != (0, 0):
                    problems.append(f"study {study}: {outcome}")
        problems += compare(kept, received, {pair for pair in pairs})
    assert not problems, "\n".join(problems)


def test_every_kept_file_comes_back_by_move_unchanged(shared_archive, kept):
    problems = []
    with peers.destination("CORPUS") as (port, received):
        shared_archive.run("peer", "add", "corpus", "--ae-title", "CORPUS", "--host", "127.0.0.1", "--port", port)
        with peers.association(shared_archive.dicom_port, [(peers.STUDY_MOVE, [IMPLICIT])]) as association:
            studies = [row["StudyInstanceUID"] for row in shared_archive.find(level="study")]
            for at in range(0, len(studies), 50):
                outcome = peers.move(association, "CORPUS", StudyInstanceUID=studies[at : at + 50])
                if (outcome.status, outcome.failed) != (0, 0):
                    problems.append(str(outcome))
    shared_archive.run("peer", "remove", "corpus")
    problems += compare(kept, received, set(contexts_of(kept.values())))
    assert not problems, "\n".join(problems)


def compare(kept, received, pairs):
    problems = []
    for instance, sample in kept.items():
        if (sample.sop_class, sample.transfer_syntax) not in pairs:
            continue
        got = received.data.get(instance, [])
        if [syntax for syntax, _ in got] != [sample.transfer_syntax]:
            problems.append(f"{sample.path}: came as {[syntax for syntax, _ in got]}")
        elif even(got[0][1]) != even(sample.data()):
            problems.append(f"{sample.path}: bytes differ")
    return problems


def test_verify_and_rebuild_agree_with_the_catalogue(shared_archive, kept):
    assert shared_archive.json("verify")["rot"] == []
    before = shared_archive.image_keys()
    shared_archive.run("rebuild-index")
    assert shared_archive.image_keys() == before
    shared_archive.assert_healthy()


def test_import_takes_what_store_takes(make_archive, samples, kept):
    """The same files by `phim import`: nothing that C-STORE kept is refused, and every refusal has a reason."""
    archive = make_archive().start()
    folder = corpus.collection_folder() or corpus.wheel_folder()
    report = archive.json("import", folder, expect=(0, 1), timeout=900)
    assert all(entry["reason"] for entry in report["refused"])
    refused = {entry["path"].rsplit("/", 1)[-1] for entry in report["refused"]}
    lost = [str(sample.path) for sample in samples if not sample.may_be_refused and sample.path.name in refused]
    assert lost == []
    present = {row["SOPInstanceUID"] for row in archive.find(level="image")}
    assert [str(sample.path) for uid, sample in kept.items() if uid not in present and not sample.may_be_refused] == []
    again = archive.json("import", folder, expect=(0, 1), timeout=900)
    assert again["imported"] == 0 and again["conflicts"] == 0
