"""How progress is drawn and told: the bar, the column, the job's facts, what output says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gigq_core.reasons.why import Health
from gigq_core.retry import Backoff, RetryPolicy
from gigq_core.units.moments import due_words
from gigq_core.units.times import local
from gigq_tui import columns
from gigq_tui import format as fmt
from gigq_tui.columns import COLUMNS, JobAt
from gigq_tui.screens.job.attempts import attempt_lines
from gigq_tui.screens.job.option_words import delay_words, option_words
from gigq_tui.screens.job.texts import fact_lines
from gigq_tui.screens.jobs.layout import layout_for, row_line
from gigq_tui.screens.tree.job_sentence import job_sentence
from gigq_tui.store.models import Attempt, Graph, GraphNode, JobRow, Progress
from gigq_tui.store.tail import Tail, said_share
from gigq_tui.widgets.lines import line_width
from tests.scene import NOW
from tests.tui.harness import detail_of, row

RUNS: dict[str, Any] = {"worker_id": "w1", "holder": Health.ALIVE, "holder_pid": 4119}


def reporting(done: float, total: float | None = 100, note: str = "", **more: Any) -> JobRow:
    told = Progress(done, total, note, NOW)
    return row(1, "told", "running", **RUNS | more, progress=told)


@pytest.mark.parametrize(
    ("share", "utf8", "ascii_"),
    [
        (0, "──────", "......"),
        (0.05, "╸─────", "......"),
        (0.5, "━━━───", "###..."),
        (0.6, "━━━╸──", "###..."),
        (0.99, "━━━━━━", "######"),
        (1, "━━━━━━", "######"),
        (7, "━━━━━━", "######"),
        (-1, "──────", "......"),
    ],
)
def test_a_bar(share: float, utf8: str, ascii_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for is_utf8, drawn in ((True, utf8), (False, ascii_)):
        monkeypatch.setattr(fmt, "UTF8", is_utf8)
        (done, role), (rest, other_role) = fmt.bar(share, 6)
        assert done + rest == drawn
        assert (role, other_role) == ("run", "rule")


@pytest.mark.parametrize("width", range(30, 240, 7))
def test_a_line_is_as_wide_with_a_bar_as_without(width: int) -> None:
    layout = layout_for(width)
    lines = [
        row_line(found, layout, NOW, NOW, cursor=False, marked=False)
        for found in (reporting(42), reporting(42, None), row(1, "told", "running", **RUNS))
    ]
    assert len({line_width(line) for line in lines}) == 1


def test_only_a_running_job_with_a_total_has_a_bar() -> None:
    picture = COLUMNS[-1].picture
    assert picture is not None
    rows = [
        *(reporting(42), reporting(0), reporting(42, None), reporting(0, 0)),
        row(1, "x", "running", **RUNS),
        row(1, "x", "failed"),
        row(1, "x"),
    ]
    drawn = [bool(picture(JobAt.of(found, NOW), columns.BAR_FROM)) for found in rows]
    assert drawn == [True, True, False, False, False, False, False]
    assert picture(JobAt.of(rows[0], NOW), columns.BAR_FROM - 1) == ()
    for room in (columns.BAR_FROM, columns.LONG_BAR_FROM, 500):
        assert line_width(picture(JobAt.of(rows[0], NOW), room)) <= room // 2


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((), ""),
        (("12%", "epoch 3"), ""),
        (("epoch 3: 42%", "", "  "), "42%"),
        (("10% of 3: 42.5 % done",), "42.5%"),
        (("100%|####| 8/8",), "100%"),
        (("101%", ""), ""),
        (("a100%", "x=7%d", "v1.2.3%"), ""),
        (("9999%",), ""),
        (("٤٢%",), ""),
    ],
)
def test_what_output_says(lines: tuple[str, ...], says: str) -> None:
    assert said_share(Tail(lines=lines)) == says
    assert said_share(None) == ""


def facts(job: JobRow, says: str = "", **values: Any) -> list[str]:
    lines = fact_lines(detail_of(job, **values), NOW, 118, reason=True, says=says)
    assert all(line_width(line) <= 118 for line in lines)
    return ["".join(text for text, _ in line) for line in lines]


def test_a_job_tells_how_far_it_is_and_when_it_said_so() -> None:
    at = f"{local(NOW):%H:%M:%S}"
    job = reporting(42, note="page 7")
    why, *_ = facts(job, progress=job.progress)
    assert "42% in 1m, about 1m25s left: page 7" in why
    assert why.endswith(f"told {at}")
    (why, *_) = facts(row(1, "x", "running", **RUNS), says="42%")
    assert why.endswith("% of timeout 5m, says 42%")
    (why, *_) = facts(job, says="7%", progress=job.progress)
    assert "says" not in why
    # The last report outlives its attempt here.
    failed = row(1, "x", "failed", error="boom")
    (why, *_) = facts(failed, progress=Progress(420, 1000, "page 7", NOW))
    assert why.endswith(f"boom   told 42% at {at}: page 7")


def test_an_attempt_says_what_was_decided_after_it() -> None:
    sentence = "retry in 30s"
    attempt = Attempt(1, "e", "w1", "failed", NOW, NOW, "boom", "Traceback", None, 7, sentence)
    lines = attempt_lines(detail_of(row(1)), attempt, None, NOW)
    assert [text for line in lines[:2] for text, _ in line] == ["boom", sentence]
    lines = attempt_lines(detail_of(row(1)), replace(attempt, decision=""), None, NOW)
    assert sentence not in [text for line in lines for text, _ in line]


def test_the_tree_tells_how_far_a_job_is() -> None:
    job = reporting(42)
    graph = Graph(job.id, {job.id: GraphNode(job.id, job, (), ())}, (job.id,), truncated=False)
    assert job_sentence(graph, job.id, NOW) == "told: runs for 1m00s, 42%; blocks no job."


POLICY = RetryPolicy(
    Backoff(30, 2, "1h", 0.5), ("builtins.OSError",), ("builtins.ValueError", "my.Own"), "fail"
)


def test_options_that_are_not_as_usual_are_said_in_words() -> None:
    plain = detail_of(row(1), raw={"on_crash": "retry", "retry_policy": None, "lane": None})
    assert option_words(plain, NOW) == []
    assert delay_words(plain) == "retry delay 0s"
    special = detail_of(
        row(1, blocked=True, due=NOW + timedelta(seconds=20)),
        raw={
            "retry_policy": POLICY.encode(),
            "on_crash": "fail",
            "stall_timeout": 60.0,
            "on_parent_failure": "cancel",
            "workflow": "nightly",
            "batch": "7",
            "lane": "-",
        },
    )
    assert delay_words(special) == "backoff 30x2..1h~0.5"
    assert option_words(special, NOW) == [
        "retried on OSError",
        "gives up on ValueError and my.Own",
        "fails on a timeout",
        "fails on a crash",
        "stall timeout 60s",
        "due in 20s",
        "cancelled if a parent fails",
        "workflow nightly",
        "batch 7",
        "for this package's workers alone",
    ]
    listed = detail_of(row(1), raw={"retry_policy": RetryPolicy((10, 60, 300)).encode()})
    assert delay_words(listed) == "retry delays 10s, 1m and 5m"
    for damaged in ("{", 7, b"x"):
        assert option_words(detail_of(row(1), raw={"retry_policy": damaged}), NOW) == []


def test_when_something_comes() -> None:
    noon = datetime(2026, 11, 23, 12).astimezone()
    for seconds, words in (
        (0.2, "in 1s"),
        (22, "in 22s"),
        (3599, "in 59m59s"),
        (7200, f"at {local(noon + timedelta(hours=2)):%H:%M}"),
        (7205, f"at {local(noon + timedelta(hours=2)):%H:%M}:05"),
        (86_400, f"tomorrow at {local(noon):%H:%M}"),
        (172_800, f"at 2026-11-25 {local(noon):%H:%M}"),
    ):
        assert due_words(noon + timedelta(seconds=seconds), noon) == words
