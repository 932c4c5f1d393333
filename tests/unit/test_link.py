"""What a job reports goes out by a thread of its own: little of it, the newest, and the last."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gigq_core.worker import runner
from gigq_core.worker.answers import Ask, Broken, ReportLines, Saved, Told, report_of
from gigq_core.worker.claims import Claim
from gigq_core.worker.file_responder import FileResponder
from gigq_core.worker.heard import Dialogue, Heard, ParentRow, Report, Save, Unwritten
from gigq_core.worker.runner import JobContext, Link
from tests.waiting import wait_until

FACTS = ("job", 1, 3, 300.0)


class Wire:
    """A link whose other end is this test."""

    def __init__(self) -> None:
        jobs, self._to_job = os.pipe()
        self.sent: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.link = Link(jobs, self._take)
        self.context = self.link.context = JobContext(self.link, FACTS, time.time(), False)

    def _take(self, message: dict[str, Any]) -> None:
        self.times.append(time.monotonic())
        self.sent.append(json.loads(json.dumps(message)))
        if "number" in message and "silent" not in message:
            self.answer(message)

    def answer(self, message: dict[str, Any]) -> None:
        self.say({"answer": message["number"], "saved": None})

    def say(self, *messages: object) -> None:
        data = b"".join(
            m if isinstance(m, bytes) else json.dumps(m).encode() + b"\n" for m in messages
        )
        os.write(self._to_job, data)

    def reports(self) -> list[list[Any]]:
        return [message["report"] for message in self.sent if "report" in message]

    def close(self) -> None:
        os.close(self._to_job)
        os.close(self.link.jobs_fd)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def test_a_million_reports_are_few_messages(wire: Wire) -> None:
    progress = wire.context.progress
    began = time.monotonic()
    for number in range(1_000_000):
        progress(number, 1_000_000)
    took = time.monotonic() - began
    wire.link.finish()
    reports = wire.reports()
    assert reports[-1] == [999_999, 1_000_000, ""]
    assert len(reports) <= took / runner.REPORT_EVERY_S + 3
    # Each is newer than the one before.
    assert [r[0] for r in reports] == sorted({r[0] for r in reports})
    pairs = zip(wire.times[:-1], wire.times[1:-1], strict=False)
    assert all(later - earlier > runner.REPORT_EVERY_S * 0.9 for earlier, later in pairs)


def test_the_first_goes_out_at_once_and_the_last_by_itself(wire: Wire) -> None:
    for number in range(100):
        wire.context.progress(number)
    wait_until(lambda: wire.reports() and wire.reports()[-1][0] == 99)
    assert len(wire.reports()) <= 3
    # After a rest the next one is not held back.
    rested = time.monotonic() + 2 * runner.REPORT_EVERY_S
    wait_until(lambda: time.monotonic() > rested)
    wire.context.progress(100)
    wait_until(lambda: wire.reports()[-1][0] == 100)


def test_after_the_end_nothing_goes_out(wire: Wire) -> None:
    wire.context.progress(1)
    wire.link.finish()
    assert wire.reports() == [[1, None, ""]]
    for number in range(1000):
        wire.context.progress(number)
    with pytest.raises(RuntimeError, match="the job has ended"):
        wire.context.save(1)
    # Another job begins; the old context is still without a say.
    other = wire.link.context = JobContext(wire.link, FACTS, time.time(), False)
    wire.context.progress(7)
    other.progress(5)
    wait_until(lambda: wire.reports()[-1][0] == 5)
    wire.link.finish()
    assert [report[0] for report in wire.reports()] == [1, 5]


def test_where_no_thread_is_to_be_had_it_tells_by_itself(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(runner._thread, "start_new_thread", refuse)
    for number in range(1000):
        wire.context.progress(number)
    wire.context.save("x" * 60_000)
    wire.link.finish()
    assert wire.reports()[0][0] == 0
    assert wire.reports()[-1][0] == 999
    assert {"save", "number"} in [set(message) for message in wire.sent]


@pytest.mark.parametrize(
    "stray",
    [
        [],
        [{"answer": 99, "saved": "[1]"}],
        [{"id": "another"}, {"answer": None}, {"answer": "1"}],
        [b"\n", b"5\n", b"[1]\n", b'{"answer": 1, "sav\n', b"\xff\xfe\n", b'wer": 1}\n'],
    ],
)
def test_an_answer_to_nobody_is_dropped(wire: Wire, stray: list[object]) -> None:
    wire.say(*stray)
    assert wire.context.saved is None
    wire.context.save([1])
    wire.say(*stray)
    wire.context.save([2])
    assert wire.context.saved == [2]


def test_a_worker_that_is_gone_is_no_answer(wire: Wire) -> None:
    jobs, other = os.pipe()
    os.close(other)
    link = Link(jobs, lambda message: None)
    with pytest.raises(RuntimeError, match="the pipe from the worker is closed"):
        link.saved()
    os.close(jobs)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"1 2 three four", Told(1, 2, "three four")),
        (b"  1   2  ", Told(1, 2, "")),
        (b"0.5", Told(0.5, None, "")),
        (b"7 - no total", Told(7, None, "no total")),
        (b"9007199254740993 1e300", Told(9007199254740993, 1e300, "")),
        (b"99999999999999999999 1", Told(1e20, 1, "")),
        (b"1 2 caf\xc3\x00", Told(1, 2, "caf\ufffd\\x00")),
        (b"1 2 " + b"x" * 500, Told(1, 2, "x" * 200)),
        (b"", None),
        (b"half", None),
        (b"-1", None),
        (b"nan", None),
        (b"1 inf", None),
        (b"1 two", None),
        (b"1/2", None),
    ],
)
def test_a_line_of_another_program(line: bytes, told: Told | None) -> None:
    assert report_of(line) == told


def test_lines_of_other_programs_are_read_however_they_are_cut() -> None:
    lines = ReportLines()
    assert lines.newest(b"1 2 on") is None
    assert lines.newest(b"e\n3 4") == Told(1, 2, "one")
    assert lines.newest(b" two\nnonsense\n5") == Told(3, 4, "two")
    assert lines.newest(b"\n") == Told(5, None, "")
    for _ in range(1000):
        assert lines.newest(b"6 " + b"x" * 10_000) is None
    assert lines.newest(b"\n7 8\n") == Told(7, 8, "")
    assert lines.newest(b"9 9\n" + b"?\n" * 1000) == Told(9, 9, "")


class Asked:
    """Knows what jobs ask for, and counts how often they do."""

    def __init__(self) -> None:
        self.count = 0

    def parents_of(self, claim: Claim) -> list[ParentRow]:
        self.count += 1
        return [("p", "completed", None, "1")]

    def saved_of(self, claim: Claim) -> str | None:
        self.count += 1
        return "[1]"


def claim(*dependencies: str) -> Claim:
    return Claim("j", "token", "n", "m", "f", "{}", dependencies, 1, 1, 300.0, 0.0, None)


def test_the_worker_answers_each_question_with_its_number() -> None:
    sent: list[dict[str, Any]] = []
    heard = Heard()
    dialogue = Dialogue(FileResponder(Asked()), heard, sent.append)
    one = claim("p")
    dialogue.begin(one)
    dialogue.hear(one, Ask("parents", 4))
    dialogue.hear(one, Ask("saved", 5))
    assert sent == [
        {"answer": 4, "parents": [("p", "completed", None, "1")]},
        {"answer": 5, "saved": "[1]"},
    ]
    sent.clear()
    # Those that were broken off are answered along with the newest, which alone is stored.
    for number in (6, 7, 9):
        dialogue.hear(one, Saved(str(number), number))
    assert [save.text for save in heard.take_saves()] == ["9"]
    assert heard.take_saves() == []
    dialogue.tell_saved(7)
    assert sent == [{"answer": 6}, {"answer": 7}]
    dialogue.tell_saved(9)
    assert sent[2:] == [{"answer": 9}]


def test_a_job_that_asks_without_end_is_ended() -> None:
    asked = Asked()
    dialogue = Dialogue(FileResponder(asked), Heard(), lambda message: None)
    dialogue.begin(claim())
    with pytest.raises(Broken, match="has none"):
        dialogue.hear(claim(), Ask("parents", 1))
    many = [Ask("saved", number) for number in range(999)]
    for ask in many:
        dialogue.hear(claim(), ask)
    with pytest.raises(Broken, match="again and again"):
        dialogue.hear(claim(), many[0])
    assert asked.count == 999
    saves = [Saved("1", number) for number in range(1_000)]
    for save in saves:
        dialogue.hear(claim(), save)
    with pytest.raises(Broken, match="does not wait"):
        dialogue.hear(claim(), saves[0])
    dialogue.begin(claim())
    dialogue.hear(claim(), Ask("saved", 1))


def test_reports_wait_for_a_second_and_checkpoints_for_nothing() -> None:
    unwritten = Unwritten()
    assert unwritten.due() == float("inf")
    unwritten.add([], [Report(claim(), number, None, "", 0.0) for number in range(3)])
    assert unwritten.due() <= time.monotonic()
    assert [report.done for report in unwritten.reports] == [2]
    assert unwritten.written() == []
    unwritten.add([], [Report(claim(), 4, None, "", 0.0)])
    assert 0 < unwritten.due() - time.monotonic() <= 1
    unwritten.add([Save(claim(), 1, "1")], [])
    assert unwritten.due() == 0
    assert [save.number for save in unwritten.written()] == [1]
    assert unwritten.due() == float("inf")
