"""Per cent and time left, on the record of a real index."""

import pytest

from auto_context.engine.meter import Meter, Phase
from auto_context.types import Progress
from support import Clock

WORK = 210_346
RECORD = (
    (7.45, 15772, 16287), (11.72, 39432, 38779), (15.09, 59113, 55938), (18.13, 76422, 71854),
    (21.57, 96737, 89384), (24.66, 113389, 105154), (27.64, 129550, 120051), (31.47, 149923, 139528),
    (34.54, 165875, 154848), (37.30, 181116, 168862), (40.17, 198347, 183859), (42.48, 210346, 195841),
)  # fmt: skip
"""Of starlette's transformer tier, the model being loaded first: processor seconds, work expected, tokens read."""
END = RECORD[-1][0]


class Told:
    """A meter, its clock, and what it told when."""

    def __init__(self, reading: float = 3.0) -> None:
        self.clock = Clock()
        self.news: list[tuple[float, Progress]] = []
        self.meter = Meter(lambda progress: self.news.append((self.clock.now, progress)), self.clock, reading)

    @property
    def last(self) -> Progress:
        return self.news[-1][1]

    def until(self, when: float) -> None:
        """Wait as an update does: look twice a second."""
        while self.clock.now + 0.5 < when:
            self.clock.now += 0.5
            self.meter.tick()
        self.clock.now = when


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.mark.parametrize("slower", [1, 20])
def test_the_time_left_is_within_a_quarter_from_halfway_on(told: Told, slower: int) -> None:
    began = told.clock.now
    told.meter.total.work = WORK
    told.meter.enter("embed")
    for when, work, tokens in RECORD:
        told.until(began + when * slower)
        told.meter.report(work, tokens)
    late = [(now - began, progress) for now, progress in told.news if 0.5 <= (now - began) / END / slower <= 0.97]
    assert len(late) > 40
    for now, progress in late:
        left = END * slower - now
        assert progress.eta_s == pytest.approx(left, rel=0.25)
        assert progress.tokens_per_s == pytest.approx(4900 / slower, rel=0.25)
    assert told.last.eta_s == 0.0


def test_per_cent_never_falls_and_goes_with_the_time(told: Told) -> None:
    meter = told.meter
    meter.total.bytes = 600_000
    meter.enter("scan")
    phases: list[Phase] = ["chunk", "chunk"]  # an update that starts over: another branch was checked out meanwhile
    for phase in phases:
        meter.enter(phase)
        for done in range(0, 600_001, 100_000):
            told.until(told.clock.now + 0.3)
            meter.report(done)
    assert told.last.percent == 3.0
    meter.enter("static")
    meter.total.work = WORK
    meter.enter("embed")
    began = told.clock.now
    for when, work, tokens in RECORD:
        told.until(began + when)
        meter.report(work, tokens)
        if when > END / 2:
            assert told.last.percent == pytest.approx(100 * when / END, abs=8)
    meter.enter("done")
    shares = [progress.percent for _, progress in told.news]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 100.0)


def test_without_a_transformer_reading_is_nearly_all() -> None:
    told = Told(90.0)
    told.meter.total.bytes = 10
    told.meter.enter("chunk")
    told.clock.now += 1
    told.meter.report(5)
    assert told.last.percent == 45.0


def test_a_pause_is_told_and_tells_nothing_of_the_speed(told: Told) -> None:
    meter, clock = told.meter, told.clock
    meter.total.work = 1_000
    meter.enter("embed")
    for done in range(100, 501, 100):
        clock.now += 10
        meter.report(done, done)
    meter.pause("battery")
    assert (told.last.paused, told.last.eta_s, told.last.tokens_per_s) == ("battery", None, 0)
    told.until(clock.now + 3600)
    assert told.last.percent == 50.0
    meter.pause("")
    assert (told.last.paused, told.last.eta_s) == ("", None)
    for done in range(600, 701, 100):
        clock.now += 10
        meter.report(done, done)
    assert told.last.eta_s == pytest.approx(30)


def test_news_come_at_most_ten_times_a_second(told: Told) -> None:
    told.meter.total.work = 1_000
    told.meter.enter("embed")
    for done in range(100):
        told.clock.now += 0.01
        told.meter.report(done)
    assert len(told.news) <= 12
