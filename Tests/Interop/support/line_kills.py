"""Two archives that are killed, and whose line is cut, at random moments while one sends to the other; and what must be true
afterwards: both hold the same, and next to nothing crossed the line twice."""

import random
import time

import numpy

from support import forwarding, synthetic
from support.line import Line, Shape

SHAPE = Shape(48e6, 0.005)
LANES = 2
EVENTS = ("station", "centre", "line")
# What is sent for each thing that happens: what a cut costs is what lies on the line, whatever the study weighs.
EVENT_OCTETS = 4_000_000
# After a kill the tail of a volume is looked for in the zeros that were written ahead of it: small ones are read at once.
CONFIGURATION = {"storage": {"volumeSize": "16MiB", "streamThreshold": "4MiB"}}


class LineKills:
    """Rounds of one study each. `way` is `phim` or `dimse`."""

    def __init__(self, make_archive, folder, way, seed, lanes=LANES, kinds=EVENTS):
        self.folder, self.way, self.dice = folder, way, random.Random(seed)
        self.lanes, self.kinds, self.deck = lanes, kinds, []
        self.noise = numpy.random.default_rng(seed)
        self.station, self.centre = (make_archive(CONFIGURATION, name).start() for name in ("station", "centre"))
        self.stores = forwarding.Stores()
        self.line = Line(SHAPE, self.far_port, seed, tap=self.stores if way == "dimse" else None)
        self.events = {event: 0 for event in EVENTS}
        self.payload = self.objects = self.rounds = self.largest = 0

    def __enter__(self):
        self.line.__enter__()
        if self.way == "phim":
            forwarding.to_phim(self.station, "centre", self.centre, port=self.line.port, lanes=self.lanes)
        else:
            forwarding.to_peer(self.station, "centre", self.line.port, "PHIM", lanes=self.lanes)
        forwarding.route(self.station, "all", "centre")
        return self

    def __exit__(self, *error):
        self.line.__exit__(*error)

    @property
    def far_port(self):
        return self.centre.http_port if self.way == "phim" else self.centre.dicom_port

    @property
    def disturbed(self):
        return sum(self.events.values())

    @property
    def killed(self):
        return self.disturbed - self.events["line"]

    def round(self, times=1):
        """A study sets out; something happens so many times while it is under way; it arrives all the same."""
        self.rounds += 1
        study, weight = self.make(times * EVENT_OCTETS)
        before, moments = self.line.octets, sorted(self.dice.random() * 0.9 * weight for _ in range(times))
        self.station.run("import", self.folder / str(self.rounds))
        for moment in moments:
            forwarding.eventually(lambda: self.line.octets - before >= moment, say=self.station.tail, pause=0.002)
            self.disturb(self.deal())
            forwarding.retry(self.station)
        forwarding.wait_for(self.station, study, "committed" if self.way == "phim" else "sent", seconds=90)

    def deal(self):
        """Each of the kinds as often as it stands there, in any order."""
        if not self.deck:
            self.deck = list(self.kinds)
            self.dice.shuffle(self.deck)
        return self.deck.pop()

    def disturb(self, event):
        self.events[event] += 1
        if event == "line":
            self.line.cut()
            return
        archive = getattr(self, event)
        archive.kill()
        archive.start()
        self.line.server_port = self.far_port

    def make(self, least):
        """Pixels that nothing makes smaller, so that what an object weighs is known. (study, octets)"""
        study, series, weight, number = synthetic.uid(), synthetic.uid(), 0, 0
        while weight < least:
            number += 1
            side = self.dice.randrange(64, 220) if self.dice.random() < 0.7 else self.dice.randrange(400, 800)
            dataset = synthetic.ct(study, series, number=number, rows=8, BitsStored=16, HighBit=15)
            dataset.Rows = dataset.Columns = side
            dataset.PixelData = self.noise.bytes(side * side * 2)
            path = synthetic.write(self.folder / str(self.rounds) / f"{number}.dcm", dataset)
            size = path.stat().st_size
            weight, self.largest = weight + size, max(size, self.largest)
        self.payload += weight
        self.objects += number
        return study, weight

    def check(self):
        """Both ends hold the same, whole and once; and little of it crossed the line again."""
        read = forwarding.files if self.way == "phim" else forwarding.data_sets
        ours, theirs = read(self.station), read(self.centre)
        assert len(ours) == self.objects
        assert ours == theirs, f"{len(set(ours) ^ set(theirs))} at one end only"
        for archive in (self.station, self.centre):
            archive.assert_healthy()
            assert archive.json("status")["conflicts"] == 0
        if self.way == "phim":
            assert self.line.octets <= 1.1 * self.payload, self.text()
        else:
            # Of a lane, what was on its way set out again; what was answered, and the answer lost with the line or not yet
            # written down, was sent twice. A cut kills nobody who writes down.
            assert self.stores.again("down") <= self.disturbed * self.lanes, self.text()
            assert self.stores.again("up") <= (self.disturbed + self.killed) * self.lanes, self.text()
            # Beyond that, what stands around objects, and what lay in the line's two buffers when it was cut.
            again = (self.disturbed + self.killed) * self.lanes * self.largest
            assert self.line.octets <= 1.1 * self.payload + again, self.text()

    def text(self):
        happened = ", ".join(f"{count} {event}" for event, count in self.events.items())
        said = (f"{self.way}: {self.disturbed} disturbances ({happened}), {self.objects} objects, {self.payload} octets; "
                f"{self.line.octets} over the line, {self.line.octets / self.payload:.3f} of the payload")
        if self.way == "dimse":
            said += f"; set out again {self.stores.again('up')}, answered twice {self.stores.again('down')}"
        return said
