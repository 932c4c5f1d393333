"""Questions through the file: who asks, who answers, and what is left of it."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.errors import AccessRefused, StackUnavailable
from gigq_core.fleet.agents_seen import AgentSeen, AgentState
from gigq_core.fleet.asks import LONGEST_ANSWER, STALE_S, Answer, ask_worker
from gigq_core.inspection.stack import stack_of
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.transaction import write
from gigq_core.worker.agents.asked import AskedOfAgents
from gigq_core.worker.agents.wire import Stack
from tests import unprivileged
from tests.agents.rows import run_at, write_agents, write_worker
from tests.waiting import wait_until


class Agents:
    """Answers at once by what it is given for each token; what it has nothing for, never."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self._told: list[Stack] = []

    def ask_stack(self, token: str, number: int) -> None:
        self.asked.append(token)
        if token in self.answers:
            self._told.append(Stack(number, *self.answers[token]))

    def take_stacks(self) -> list[Stack]:
        told, self._told = self._told, []
        return told


class Place:
    def __init__(self, folder: Path) -> None:
        self.db = folder / "jobs.db"
        JobQueue(self.db).close()
        self.conn = open_for_work(self.db, create=False)

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return write(self.conn)

    def asked(self, agents: Agents, worker_id: str = "w") -> AskedOfAgents:
        return AskedOfAgents(self.conn, self.writing, worker_id, agents)

    def rows(self) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.conn.execute("SELECT * FROM core_asks")]

    def put(self, **values: object) -> None:
        row: dict[str, object] = {
            "worker_id": "w",
            "execution_id": "e",
            "what": "stack",
            "asked": time.time(),
            **values,
        }
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self.conn.execute(f"INSERT INTO core_asks ({names}) VALUES ({marks})", [*row.values()])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    with closing(found.conn):
        yield found


class Asking(threading.Thread):
    """Somebody who asks."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self.result: object = None
        self.problem: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._act()
        except Exception as problem:
            self.problem = problem


def serve(asked: AskedOfAgents, *askers: Asking) -> None:
    """Be a worker until all of them have what they want."""

    def turn() -> bool:
        asked.look()
        asked.answer()
        return not any(asker.is_alive() for asker in askers)

    wait_until(turn)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer("  File x, line 1", None), Answer("  File x, line 1", None)),
        (Answer(None, "It has just ended."), Answer(None, "It has just ended.")),
        (Answer("", None), Answer("", None)),
        (Answer("ä\0" * 3, None), Answer("ä\0" * 3, None)),
    ],
)
def test_an_answer_comes_back_as_it_was_given_and_nothing_stays_in_the_file(
    place: Place, answer: Answer, expected: Answer
) -> None:
    asker = Asking(lambda: ask_worker(place.db, "w", "e", "stack", 20))
    serve(place.asked(Agents({"e": answer})), asker)
    assert (asker.result, asker.problem) == (expected, None)
    assert place.rows() == []


def test_a_long_answer_is_cut_and_says_so(place: Place) -> None:
    asker = Asking(lambda: ask_worker(place.db, "w", "e", "stack", 20))
    serve(place.asked(Agents({"e": Answer("x" * (LONGEST_ANSWER + 5), None)})), asker)
    assert isinstance(asker.result, Answer)
    text = asker.result.text or ""
    assert len(text) == LONGEST_ANSWER
    assert text.endswith("x\n…")


def test_many_who_ask_at_once_each_get_their_own(place: Place) -> None:
    tokens = [f"e{n % 4}" for n in range(12)]
    askers = [
        Asking(lambda token=token: ask_worker(place.db, "w", token, "stack", 20))
        for token in tokens
    ]
    serve(place.asked(Agents({t: Answer(f"of {t}", None) for t in set(tokens)})), *askers)
    assert [asker.result for asker in askers] == [Answer(f"of {t}", None) for t in tokens]
    assert place.rows() == []


def test_who_gives_up_leaves_nothing_and_the_next_is_not_taken_for_it(place: Place) -> None:
    agents = Agents({})
    asked = place.asked(agents)
    late = Asking(lambda: ask_worker(place.db, "w", "slow", "stack", 0.3))
    serve(asked, late)
    assert (late.result, late.problem, place.rows()) == (None, None, [])
    # Its row's number is given to the next one, whose answer comes with a number of its own.
    agents.answers = {"e": Answer("here", None)}
    asker = Asking(lambda: ask_worker(place.db, "w", "e", "stack", 20))
    serve(asked, asker)
    assert asker.result == Answer("here", None)
    assert agents.asked == ["slow", "e"]


def test_each_question_is_passed_on_once_and_only_to_its_own_worker(place: Place) -> None:
    place.put(execution_id="mine")
    place.put(execution_id="other", worker_id="v")
    agents = Agents({})
    asked = place.asked(agents)
    for _ in range(3):
        asked.look()
        asked.answer()
    assert agents.asked == ["mine"]


@pytest.mark.parametrize(
    "odd",
    [
        {"asked": time.time() - 2 * STALE_S},
        {"asked": time.time() + 1000 * STALE_S},
        {"asked": "soon"},
        {"execution_id": b"\xff"},
        {"what": b"\xff"},
        {"what": "money", "id": 2**62},
    ],
)
def test_what_is_stale_or_damaged_harms_nobody(place: Place, odd: dict[str, object]) -> None:
    place.put(**odd)
    agents = Agents({"e": Answer("here", None)})
    asker = Asking(lambda: ask_worker(place.db, "w", "e", "stack", 20))
    serve(place.asked(agents), asker)
    assert asker.result == Answer("here", None)
    assert agents.asked == ["e"]


def test_whoever_asks_next_takes_away_what_is_stale(place: Place) -> None:
    for asked in (time.time() - 2 * STALE_S, time.time() + 1000 * STALE_S, "soon"):
        place.put(asked=asked, worker_id="gone")
    assert ask_worker(place.db, "w", "e", "stack", 0) is None
    assert place.rows() == []


def test_a_file_without_the_table_stops_no_worker(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("gigq_core"), "propagate", True)
    asked = place.asked(Agents({}))
    place.conn.execute("DROP TABLE core_asks")
    for _ in range(2):
        asked.look()
        asked.answer()
    assert [record.getMessage() for record in caplog.records] == [
        "Requests about jobs at agents can't be read: no such table: core_asks"
    ]


def test_who_takes_the_row_away_ends_the_wait(place: Place) -> None:
    asker = Asking(lambda: ask_worker(place.db, "w", "e", "stack", 60))
    wait_until(place.rows)
    place.conn.execute("DELETE FROM core_asks")
    wait_until(lambda: not asker.is_alive())
    assert (asker.result, asker.problem) == (None, None)


@unprivileged.needs_another_user
def test_a_file_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    JobQueue(folder / "jobs.db").close()
    unprivileged.give_away(folder)
    call = (
        "from pathlib import Path; from gigq_core.fleet.asks import ask_worker; "
        f"ask_worker(Path({str(folder / 'jobs.db')!r}), 'w', 'e', 'stack', 1)"
    )
    done = unprivileged.run("-c", call)
    assert AccessRefused.__name__ in done.stderr
    assert "may not be written: check its permissions" in done.stderr


# --- the stack of a job at an agent ---------------------------------------------------------------


def at_an_agent(place: Place, *, state: AgentState = "ready", heard: float | None = None) -> str:
    """A job that runs at an agent of a worker, which is this process."""
    queue = JobQueue(place.db)
    job_id = queue.submit(Job("far", "far.away.train"))
    queue.close()
    write_worker(place.conn, "w")
    write_agents(place.conn, AgentSeen("w/1", "w", "ssh gpu1", state, host="gpu1", heard=heard))
    run_at(place.conn, job_id, "w", "gpu1")
    return job_id


def test_the_stack_of_a_job_elsewhere_comes_through_the_file(place: Place) -> None:
    job_id = at_an_agent(place)
    asker = Asking(lambda: stack_of(place.db, job_id))
    serve(place.asked(Agents({"e": Answer("in train", None)})), asker)
    assert (asker.result, asker.problem) == ("in train", None)


def test_why_there_is_no_stack_of_a_job_elsewhere(place: Place) -> None:
    silent = r"Its agent on gpu1 has been silent for \d+s: it gets no new jobs until it answers."
    job_id = at_an_agent(place, state="silent", heard=time.time() - 12.4)
    asker = Asking(lambda: stack_of(place.db, job_id))
    serve(place.asked(Agents({"e": Answer(None, "its agent on gpu1 is lost")})), asker)
    assert str(asker.problem) == "Its agent on gpu1 is lost."
    # Nobody answers: what the file tells of the agent does.
    with pytest.raises(StackUnavailable, match=silent):
        stack_of(place.db, job_id, -3)
    place.conn.execute("UPDATE core_agents SET state = 'ready'")
    with pytest.raises(StackUnavailable, match="worker w did not answer within 0 seconds"):
        stack_of(place.db, job_id, -3)
    place.conn.execute("UPDATE core_workers SET pid_started = '1'")
    with pytest.raises(StackUnavailable, match="Its worker w is gone"):
        stack_of(place.db, job_id)


def test_where_the_file_is_only_read_nothing_is_asked(place: Place) -> None:
    job_id = at_an_agent(place)
    changes = place.conn.execute("PRAGMA data_version").fetchone()[0]
    with pytest.raises(StackUnavailable, match="only read here"):
        stack_of(place.db, job_id, read_only=True)
    assert place.conn.execute("PRAGMA data_version").fetchone()[0] == changes
