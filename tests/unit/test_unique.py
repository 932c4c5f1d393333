"""Unique jobs: who holds a key, for how long, and what becomes of another job with the same key."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gigq
import pytest

from gigq_core import DuplicateJob, Job, JobQueue, Unique, Workflow, task
from gigq_core.changes.undo import Undo
from gigq_core.graph.cycles import CycleError
from gigq_core.job import FunctionReference
from gigq_core.schema.transaction import savepoint
from gigq_core.status import Change
from gigq_core.submitting.definition import encode_definition, job_of_definition
from gigq_core.submitting.insertion import submit_within
from gigq_core.submitting.key_holders import already, count_shared_keys
from gigq_core.units.times import Moment
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register
from gigq_core.worker.upkeep import forget_deleted, has_forgettable

WORK = FunctionReference("json", "dumps")
DAY_S = 86_400.0
OWN = Register("ours", "script", "thread", 8, None, None, None)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    queue = JobQueue(tmp_path / "jobs.db")
    yield queue
    queue.close()


@pytest.fixture
def ledger(queue: JobQueue) -> Iterator[Ledger]:
    ledger = Ledger(queue.db_path, runs_script=False)
    yield ledger
    ledger.close()


def keyed(unique: Any = "k", name: str = "n", **options: Any) -> Job:
    return Job(name, WORK, options.pop("params", {"obj": 1}), unique=unique, **options)


def write(queue: JobQueue, statement: str, *values: object) -> None:
    conn = sqlite3.connect(queue.db_path, isolation_level=None)
    conn.execute(statement, values)
    conn.close()


def age(queue: JobQueue, seconds: float) -> None:
    """As if so much time had passed; below zero, as if the clock had been set back."""
    write(queue, "UPDATE jobs SET created = created - ?", seconds)
    write(
        queue,
        "UPDATE core_kept_keys SET created = created - ?1, holds_until = holds_until - ?1",
        seconds,
    )


def claim(ledger: Ledger, n: int = 1) -> list[Claim]:
    done = ledger.commit(OWN, [], [1] * n, claim=True, stage=True, beat=False)
    return list(done.claims)


def end(ledger: Ledger, one: Claim, fate: Fate) -> None:
    ending = Ending(one, fate, error="no good")
    ledger.commit(OWN, [ending], [], claim=False, stage=False, beat=False)


def status(queue: JobQueue, job_id: str) -> str:
    return str(queue.get_status(job_id).get("status"))


def count(queue: JobQueue) -> int:
    return queue.stats()["total"]


# --- keys ----------------------------------------------------------------------------------------


def test_the_second_is_not_submitted_and_knows_the_first(queue: JobQueue) -> None:
    first, second = keyed(), keyed()
    job_id = queue.submit(first)
    assert queue.submit(second) == job_id == first.id
    assert (first.duplicate_of, second.duplicate_of) == (None, first.id)
    assert not queue.get_status(second.id)["exists"]
    assert count(queue) == 1
    assert queue.get_status(job_id)["unique"] == {"key": "k", "until": "ended", "within": None}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"a": 1, "b": {"y": [1, 2], "x": None}}, {"b": {"x": None, "y": [1, 2]}, "a": 1}, True),
        ({"a": {1: "x", "2": "y"}}, {"a": {"2": "y", "1": "x"}}, True),
        ({"a": "ä\udc80"}, {"a": "ä\udc80"}, True),
        ({}, {}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 0}, {"a": False}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": None}, {}, False),
        ({"a": "x"}, {"a": "X"}, False),
    ],
)
def test_true_makes_the_key_of_function_and_parameters(
    queue: JobQueue, first: dict[str, Any], second: dict[str, Any], same: bool
) -> None:
    ids = [queue.submit(Job("n", "a.b", params, unique=True)) for params in (first, second)]
    assert (ids[0] == ids[1]) is same
    # Of another function it is another job.
    assert queue.submit(Job("n", "a.c", second, unique=True)) not in ids


@pytest.mark.parametrize(
    "key",
    ["k", "K", " k", "k ", "'k\"", "k%_*", "ключ", "🔑", "a\nb\x1b[31m", "k" * 1_000, "-", "0"],
)
def test_keys_are_compared_as_they_are(queue: JobQueue, key: str) -> None:
    others = [
        queue.submit(keyed(other)) for other in ("other", "k2", key + "2"[: len(key) < 1_000])
    ]
    first = queue.submit(keyed(key))
    assert first == queue.submit(keyed(key)) or first in others
    assert queue.get_status(first)["unique"]["key"] == key
    assert queue.submit(keyed(key.swapcase() + "x"[: len(key) < 1_000])) != first


WRONG: list[tuple[Any, type[Exception], str]] = [
    (None, TypeError, "NoneType"),
    (1, TypeError, "type int"),
    (0.5, TypeError, "type float"),
    (b"k", TypeError, "type bytes"),
    (["k"], TypeError, "type list"),
    ("", ValueError, "empty key"),
    (" \n", ValueError, "empty key"),
    ("a\0b", ValueError, "NUL"),
    ("a\udc80", ValueError, "character 2"),
    ("k" * 1_001, ValueError, "1,001 characters"),
    ("k" * 1_000_000, ValueError, "1,000,000 characters"),
    ({"key": "k", "for": 3}, ValueError, "'for'"),
    ({"key": ""}, ValueError, "empty key"),
    ({"key": False}, ValueError, "False"),
    ({"key": "k", "until": "ever"}, ValueError, "say 'ended', 'started' or 'forever'"),
    ({"key": "k", "until": None}, ValueError, "until=None"),
    ({"key": "k", "until": []}, ValueError, "until="),
    ({"key": "k", "conflict": "skip"}, ValueError, "conflict='skip'"),
    ({"key": "k", "within": 0}, ValueError, "more than 0"),
    ({"key": "k", "within": -1}, ValueError, "negative"),
    ({"key": "k", "within": float("nan")}, ValueError, "finite"),
    ({"key": "k", "within": float("inf")}, ValueError, "finite"),
    ({"key": "k", "within": 10**400}, ValueError, "finite"),
    ({"key": "k", "within": "soon"}, ValueError, "90s"),
    ({"key": "k", "within": True}, TypeError, "number of seconds"),
    ({"key": "k", "within": "1h", "until": "forever"}, ValueError, "give one"),
]


@pytest.mark.parametrize(("given", "kind", "said"), WRONG)
def test_what_can_be_no_key_is_refused_in_a_sentence(
    queue: JobQueue, given: Any, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as caught:
        queue.submit(Job("n", WORK, unique=given))
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 500
    job = Job("n", WORK)
    job.unique = given
    with pytest.raises(kind):
        queue.submit(job)
    assert count(queue) == 0


def test_the_option_stands_wherever_options_do(queue: JobQueue) -> None:
    wish = Unique("k", until="started", within="1h", conflict="again")
    decorated = task(unique=wish)(json_like)
    job = decorated.to_job()
    assert job.unique == wish
    assert Workflow("w").add_task(decorated).unique == wish
    assert Workflow("w").add_task(decorated, unique="other").unique == Unique("other")
    assert job_of_definition(encode_definition(job)).unique == wish
    assert job_of_definition(encode_definition(keyed())).unique == Unique("k")
    assert job_of_definition(encode_definition(keyed(True))).unique == Unique()


def json_like() -> None:
    """Is submitted."""


# --- for how long ----------------------------------------------------------------------------


def test_a_key_is_held_until_the_job_has_ended(queue: JobQueue, ledger: Ledger) -> None:
    job_id = queue.submit(keyed(max_attempts=2))
    for _ in range(2):
        (one,) = claim(ledger)
        assert queue.submit(keyed()) == job_id
        end(ledger, one, Fate.FAILED)
    # It had failed and waited in between.
    assert status(queue, job_id) == "failed"
    assert queue.submit(keyed()) != job_id


@pytest.mark.parametrize("how", ["completed", "failed", "timeout", "cancelled", "deleted"])
def test_whatever_ends_a_job_frees_its_key(queue: JobQueue, how: str) -> None:
    job_id = queue.submit(keyed())
    if how == "deleted":
        write(queue, "DELETE FROM jobs WHERE id = ?", job_id)
    else:
        write(queue, "UPDATE jobs SET status = ? WHERE id = ?", how, job_id)
    other = keyed()
    assert queue.submit(other) == other.id
    assert other.duplicate_of is None


def test_until_started_is_while_it_waits_for_its_first_attempt(
    queue: JobQueue, ledger: Ledger
) -> None:
    wish = Unique("k", until="started")
    first = queue.submit(keyed(wish, max_attempts=2))
    assert queue.submit(keyed(wish)) == first
    (one,) = claim(ledger)
    second = queue.submit(keyed(wish))
    assert second != first
    end(ledger, one, Fate.FAILED)
    # The first waits again; it has had its attempt.
    assert status(queue, first) == "pending"
    assert queue.submit(keyed(wish)) == second


@pytest.mark.parametrize("deleted", [False, True])
def test_forever_outlives_the_job(queue: JobQueue, ledger: Ledger, deleted: bool) -> None:
    wish = Unique("k", until="forever")
    job_id = queue.submit(keyed(wish))
    end(ledger, claim(ledger)[0], Fate.COMPLETED)
    if deleted:
        assert queue.clear_completed() == 1
    age(queue, 400 * DAY_S)
    job = keyed()
    assert queue.submit(job) == job.duplicate_of == job_id
    with pytest.raises(DuplicateJob) as caught:
        queue.submit(keyed(Unique("k", conflict="error")))
    words = "was deleted" if deleted else "has completed"
    assert str(caught.value) == f"'n' was not submitted: a job with the same key {words}: " + (
        job_id[:4] + "."
    )
    assert caught.value.duplicate_of == job_id


@pytest.mark.parametrize("deleted", [False, True])
def test_within_counts_from_the_submission(queue: JobQueue, ledger: Ledger, deleted: bool) -> None:
    job_id = queue.submit(keyed(Unique("k", within="1h")))
    assert queue.submit(keyed()) == job_id
    end(ledger, claim(ledger)[0], Fate.FAILED)
    end(ledger, claim(ledger)[0], Fate.COMPLETED)
    if deleted:
        queue.clear_completed()
    age(queue, 3_590)
    assert queue.submit(keyed()) == job_id
    age(queue, 11)
    assert queue.submit(keyed()) != job_id


def test_within_does_not_free_the_key_of_a_job_that_still_waits(queue: JobQueue) -> None:
    job_id = queue.submit(keyed(Unique("k", within=60)))
    age(queue, 1_000)
    assert queue.submit(keyed(Unique("k", within=60))) == job_id


def test_a_deleted_job_holds_its_key_for_30_days_at_most(queue: JobQueue, ledger: Ledger) -> None:
    job_id = queue.submit(keyed(Unique("k", within="52w")))
    end(ledger, claim(ledger)[0], Fate.COMPLETED)
    age(queue, 100 * DAY_S)
    assert queue.submit(keyed()) == job_id
    queue.clear_completed()
    age(queue, 29.9 * DAY_S)
    assert queue.submit(keyed()) == job_id
    age(queue, 0.2 * DAY_S)
    assert queue.submit(keyed()) != job_id


def test_keys_that_are_held_no_more_are_forgotten(queue: JobQueue, ledger: Ledger) -> None:
    for wish in (Unique("k", within=60), Unique("f", until="forever")):
        queue.submit(keyed(wish))
        end(ledger, claim(ledger)[0], Fate.COMPLETED)
    queue.clear_completed()
    conn = queue._connection()
    assert not has_forgettable(conn)
    age(queue, 100 * DAY_S)
    assert has_forgettable(conn)
    with queue._writing():
        forget_deleted(conn)
    assert [row[0] for row in conn.execute("SELECT unique_key FROM core_kept_keys")] == ["f"]
    assert not has_forgettable(conn)


@pytest.mark.parametrize(
    ("back", "held"), [(1_800, True), (3 * DAY_S, False), (365 * DAY_S, False)]
)
@pytest.mark.parametrize("deleted", [False, True])
def test_a_clock_set_back_does_not_hold_a_key_for_days(
    queue: JobQueue, ledger: Ledger, back: float, held: bool, deleted: bool
) -> None:
    job_id = queue.submit(keyed(Unique("k", within="1h")))
    end(ledger, claim(ledger)[0], Fate.COMPLETED)
    if deleted:
        queue.clear_completed()
    age(queue, -back)
    assert (queue.submit(keyed()) == job_id) is held


def test_a_deleted_job_that_is_put_back_holds_its_key_once(queue: JobQueue, ledger: Ledger) -> None:
    job_id = queue.submit(keyed(Unique("k", until="forever")))
    end(ledger, claim(ledger)[0], Fate.COMPLETED)
    for _ in range(2):
        undo = Undo()
        assert queue.clear_jobs([job_id], undo=undo)[0].done
        assert queue.submit(keyed()) == job_id
        assert queue.restore_jobs(undo)[0].done
        assert queue.submit(keyed()) == job_id
        assert status(queue, job_id) == "completed"


# --- what becomes of another one ---------------------------------------------------------------


def test_error_raises_and_writes_nothing(queue: JobQueue) -> None:
    job_id = queue.submit(keyed(name="first"))
    other = keyed("free", name="other")
    with pytest.raises(DuplicateJob, match=f"a job with the same key waits: {job_id[:4]}"):
        queue.submit_many([other, keyed(Unique("k", conflict="error"))])
    assert count(queue) == 1
    with pytest.raises(DuplicateJob, match="'b' has the same key as 'a'"):
        queue.submit_many([keyed("c", "a"), keyed(Unique("c", conflict="error"), "b")])
    assert count(queue) == 1


REPLACE = Unique("k", conflict="replace")
AGAIN = Unique("k", conflict="again")


def test_replace_takes_the_place_of_one_that_waits(queue: JobQueue, ledger: Ledger) -> None:
    old = queue.submit(keyed(name="old"))
    child = queue.submit(Job("child", WORK, {"obj": 2}, dependencies=[old]))
    new = keyed(REPLACE, "new")
    assert queue.submit(new) == new.id
    assert new.duplicate_of is None
    told = queue.get_status(old)
    assert (told["status"], told["error"]) == ("cancelled", f"replaced by new ({new.id[:4]}…)")
    # What waited for it waits for the new one.
    assert queue.get_status(child)["dependencies"] == [new.id]
    (one,) = claim(ledger, 2)
    assert one.job_id == new.id
    end(ledger, one, Fate.COMPLETED)
    assert [one.job_id for one in claim(ledger)] == [child]
    assert queue.requeue_jobs([old])[0].done


@pytest.mark.parametrize("runs", [False, True])
def test_what_is_submitted_along_waits_for_the_new_one_too(
    queue: JobQueue, ledger: Ledger, runs: bool
) -> None:
    old = queue.submit(keyed(name="old"))
    claim(ledger, int(runs))
    twin, new = keyed(name="twin"), keyed(REPLACE, "new")
    children = [
        Job("names the twin", WORK, {"obj": 1}, dependencies=[twin.id]),
        Job("names the old one", WORK, {"obj": 1}, dependencies=[old]),
        Job("names all", WORK, {"obj": 1}, dependencies=[old, twin.id, new.id]),
    ]
    ids = [child.id for child in children]
    assert queue.submit_many([twin, *children, new]) == [new.id, *ids, new.id]
    assert (twin.duplicate_of, new.duplicate_of) == (new.id, None)
    assert [queue.get_status(id)["dependencies"] for id in ids] == [[new.id]] * 3


def test_what_replaces_the_job_that_it_waits_for_waits_for_one_that_runs_alone(
    queue: JobQueue, ledger: Ledger
) -> None:
    old = queue.submit(keyed(name="old"))
    with pytest.raises(CycleError):
        queue.submit(keyed(REPLACE, dependencies=[old]))
    assert (status(queue, old), count(queue)) == ("pending", 1)
    claim(ledger)
    new = queue.submit(keyed(REPLACE, dependencies=[old]))
    assert queue.get_status(new)["dependencies"] == [old]
    assert queue.get_status(old)["stop_requested_at"]


@pytest.mark.parametrize("damaged", ["not json", "null", '[1, {"a": 2}]', b"\xff", "{}", "5"])
def test_a_damaged_child_of_what_is_replaced_keeps_nobody_from_submitting(
    queue: JobQueue, ledger: Ledger, damaged: object
) -> None:
    old = queue.submit(keyed(name="old"))
    child = queue.submit(Job("child", WORK, {"obj": 2}, dependencies=[old]))
    ledger.conn.execute("UPDATE jobs SET dependencies = ? WHERE id = ?", (damaged, child))
    new = queue.submit(keyed(REPLACE, "new"))
    assert status(queue, old) == "cancelled"
    (one,) = claim(ledger, 2)
    assert one.job_id == new
    end(ledger, one, Fate.COMPLETED)
    # Its turn comes, and it fails by itself.
    assert claim(ledger) == []
    assert status(queue, child) == "failed"


def test_replace_stops_one_that_runs_and_starts_when_that_has_ended(
    queue: JobQueue, ledger: Ledger
) -> None:
    old = queue.submit(keyed(name="old"))
    (one,) = claim(ledger)
    ids = [queue.submit(keyed(REPLACE, f"new {n}")) for n in range(3)]
    assert queue.get_status(old)["stop_requested_at"]
    assert [status(queue, id) for id in ids] == ["cancelled", "cancelled", "pending"]
    assert claim(ledger) == []
    end(ledger, one, Fate.CANCELLED)
    assert status(queue, old) == "cancelled"
    queue._tell_children()
    (two,) = claim(ledger)
    assert two.job_id == ids[-1]
    end(ledger, two, Fate.COMPLETED)
    assert queue.submit(keyed()) not in ids


@pytest.mark.parametrize("fate", [Fate.COMPLETED, Fate.HOPELESS, Fate.CANCELLED])
def test_again_runs_once_more_after_the_one_that_runs(
    queue: JobQueue, ledger: Ledger, fate: Fate
) -> None:
    first = queue.submit(keyed(AGAIN))
    assert queue.submit(keyed(AGAIN)) == first
    (one,) = claim(ledger)
    again = keyed(AGAIN)
    assert queue.submit(again) == again.id
    # At most one, whoever asks.
    assert [queue.submit(keyed(wish)) for wish in (AGAIN, "k")] == [again.id] * 2
    told = queue.get_status(again.id)
    assert told["dependencies"] == [first]
    assert (told["on_parent_failure"], told["pass_parent_results"]) == ("run", False)
    assert claim(ledger) == []
    end(ledger, one, fate)
    queue._tell_children()
    (two,) = claim(ledger)
    assert two.job_id == again.id
    third = keyed(AGAIN)
    assert queue.submit(third) == third.id


@pytest.mark.parametrize("policy", ["wait", "cancel", "run"])
def test_again_keeps_what_it_asked_for_of_its_own_parents(
    queue: JobQueue, ledger: Ledger, policy: Any
) -> None:
    parent = queue.submit(Job("parent", WORK, {"obj": 1}, run_after=3_600))
    first = queue.submit(keyed())
    (one,) = claim(ledger)
    assert one.job_id == first
    again = keyed(AGAIN, dependencies=[parent], on_parent_failure=policy)
    assert queue.submit(again) == again.id
    assert queue.get_status(again.id)["dependencies"] == [parent, first]
    end(ledger, one, Fate.HOPELESS)
    queue._tell_children()
    # The other one's failure never counts.
    assert status(queue, again.id) == "pending"
    queue.cancel(parent)
    wanted = {"wait": "pending", "cancel": "cancelled", "run": "pending"}
    assert status(queue, again.id) == wanted[policy]
    assert len(claim(ledger)) == (policy == "run")


@pytest.mark.parametrize("wish", ["replace", "again", "existing"])
def test_where_the_other_one_has_ended_nothing_is_submitted(
    queue: JobQueue, ledger: Ledger, wish: Any
) -> None:
    old = queue.submit(keyed(Unique("k", within=3_600)))
    end(ledger, claim(ledger)[0], Fate.COMPLETED)
    assert queue.submit(keyed(Unique("k", conflict=wish))) == old
    assert status(queue, old) == "completed"


# --- together ------------------------------------------------------------------------------------


@pytest.mark.parametrize("conflict", ["existing", "again", "replace"])
def test_of_one_batch_one_is_submitted_and_all_know_it(queue: JobQueue, conflict: Any) -> None:
    jobs = [keyed(Unique("k", conflict=conflict), f"n{n}") for n in range(3)]
    kept = jobs[2] if conflict == "replace" else jobs[0]
    children = [Job(f"c{n}", WORK, {"obj": 1}, dependencies=[job.id]) for n, job in enumerate(jobs)]
    both = Job("both", WORK, {"obj": 1}, dependencies=[job.id for job in jobs])
    # Children may stand before their parents.
    ids = queue.submit_many([both, *children[:2], *jobs, children[2]])
    assert ids == [both.id, *(c.id for c in children[:2]), *[kept.id] * 3, children[2].id]
    assert [job.duplicate_of for job in jobs] == [None if job is kept else kept.id for job in jobs]
    for child in (*children, both):
        assert queue.get_status(child.id)["dependencies"] == [kept.id]
    assert count(queue) == 5


def test_children_of_a_duplicate_wait_for_the_one_that_is_there(
    queue: JobQueue, ledger: Ledger
) -> None:
    there = queue.submit(keyed(Unique("k", until="forever")))
    late = keyed()
    # It was submitted before its parent.
    early = queue.submit(Job("early", WORK, {"obj": 1}, dependencies=[late.id]))
    flow = Workflow("w")
    parent = flow.add_job(late)
    child = flow.add_job(Job("child", WORK, {"obj": 1}), depends_on=[parent])
    assert flow.submit_all(queue) == [there, child.id]
    for job_id in (early, child.id):
        assert queue.get_status(job_id)["dependencies"] == [there]
    end(ledger, claim(ledger)[0], Fate.COMPLETED)
    assert {one.job_id for one in claim(ledger, 3)} == {early, child.id}
    # It has completed: who comes now need not wait.
    late = keyed()
    early = queue.submit(Job("early", WORK, {"obj": 1}, dependencies=[late.id]))
    assert claim(ledger) == []
    assert queue.submit(late) == there
    assert [one.job_id for one in claim(ledger)] == [early]


def test_no_circle_comes_of_it(queue: JobQueue) -> None:
    a = keyed("a", "a")
    b = Job("b", WORK, {"obj": 1}, dependencies=[a.id])
    queue.submit_many([a, b])
    # It would replace what b waits for, and wait for b.
    with pytest.raises(CycleError):
        queue.submit(keyed(Unique("a", conflict="replace"), "a2", dependencies=[b.id]))
    # What stands for it waits for whoever waits for it.
    x = keyed("x", "x")
    c = Job("c", WORK, {"obj": 1}, dependencies=[x.id])
    queue.submit(c)
    queue.submit(keyed("x", "x2", dependencies=[c.id]))
    with pytest.raises(CycleError):
        queue.submit(x)
    first = keyed("y", "y")
    with pytest.raises(CycleError):
        queue.submit_many([first, keyed(Unique("y", conflict="replace"), dependencies=[first.id])])
    assert status(queue, a.id) == "pending"
    assert count(queue) == 4


def test_a_job_that_is_submitted_twice_is_a_mistake_as_ever(queue: JobQueue) -> None:
    for wish in ("existing", "again", "replace"):
        job = keyed(Unique(wish, conflict=wish))
        queue.submit(job)
        with pytest.raises(DuplicateJob, match="submitted once"):
            queue.submit(job)
        with pytest.raises(DuplicateJob, match="submitted once"):
            queue.submit_many([twice := keyed(Unique(wish + "2", conflict=wish)), twice])
        assert status(queue, job.id) == "pending"
    assert count(queue) == 3


@pytest.mark.parametrize("how", ["cancelled", "completed"])
def test_nobody_stands_for_a_job_that_is_there_itself(
    queue: JobQueue, ledger: Ledger, how: str
) -> None:
    first = keyed(name="first")
    child = Job("child", WORK, {"obj": 1}, dependencies=[queue.submit(first)])
    queue.submit(child)
    if how == "cancelled":
        assert queue.cancel(first.id)
    else:
        end(ledger, claim(ledger)[0], Fate.COMPLETED)
    queue.submit(keyed(name="second"))
    with pytest.raises(DuplicateJob, match="submitted once") as raised:
        queue.submit(first)
    assert raised.value.duplicate_of == ""
    # What waits for it goes on doing so.
    assert queue.get_status(child.id)["dependencies"] == [first.id]
    assert count(queue) == 3


def test_whoever_has_a_transaction_submits_within_it(queue: JobQueue) -> None:
    first = queue.submit(keyed())
    new, plain = keyed(), Job("plain", WORK, {"obj": 1})
    with queue._writing() as conn:
        assert submit_within(conn, [new, plain], Moment.now()) == [first, plain.id]
        with pytest.raises(DuplicateJob), savepoint(conn):
            submit_within(
                conn, [Job("p", WORK), keyed(Unique("k", conflict="error"))], Moment.now()
            )
    assert new.duplicate_of == first
    assert count(queue) == 2


# --- coming back ---------------------------------------------------------------------------------


def test_what_comes_back_asks_first(queue: JobQueue) -> None:
    old = queue.submit(keyed())
    undo = Undo()
    assert queue.cancel_jobs([old], undo)[0].done
    new = queue.submit(keyed())
    said = f"a job with the same key waits: {new[:4]}"
    for outcome in (
        queue.requeue_jobs([old])[0],
        queue.restore_jobs(undo)[0],
        queue.retry_first([old]).outcomes[0],
    ):
        assert (outcome.change, outcome.reason, outcome.name) == (Change.REFUSED, said, "n")
    assert status(queue, old) == "cancelled"
    # It has no more of a say once it has ended.
    queue.cancel(new)
    assert queue.requeue_jobs([old, new])[0].done
    assert status(queue, new) == "cancelled"


def test_a_job_is_no_obstacle_to_itself(queue: JobQueue, ledger: Ledger) -> None:
    for wish in (
        Unique("f", until="forever"),
        Unique("w", within=60),
        Unique("s", until="started"),
    ):
        job_id = queue.submit(keyed(wish, max_attempts=1))
        end(ledger, claim(ledger)[0], Fate.FAILED)
        assert queue.requeue_job(job_id)
        undo = Undo()
        queue.cancel_jobs([job_id], undo)
        assert queue.restore_jobs(undo)[0].done
        end(ledger, claim(ledger)[0], Fate.COMPLETED)


def test_a_child_that_was_cancelled_along_asks_first(queue: JobQueue) -> None:
    parent = queue.submit(Job("parent", WORK, {"obj": 1}))
    child = queue.submit(keyed(dependencies=[parent], on_parent_failure="cancel"))
    undo = Undo()
    queue.cancel_jobs([parent], undo)
    assert status(queue, child) == "cancelled"
    new = queue.submit(keyed())
    outcomes = queue.restore_jobs(undo)
    assert [one.change for one in outcomes] == [Change.RESTORED, Change.REFUSED]
    assert outcomes[1].reason == f"a job with the same key waits: {new[:4]}"


def test_of_two_that_are_requeued_one_waits(queue: JobQueue) -> None:
    ids = []
    for _ in range(2):
        ids.append(queue.submit(keyed()))
        queue.cancel(ids[-1])
    assert [one.done for one in queue.requeue_jobs(ids)] == [True, False]


def test_gigq_asks_nobody_and_that_is_told(queue: JobQueue, ledger: Ledger) -> None:
    old = queue.submit(keyed())
    queue.cancel(old)
    new = queue.submit(keyed())
    theirs = gigq.JobQueue(str(queue.db_path))
    assert theirs.requeue_job(old)
    gigq.close_connections()
    assert count_shared_keys(queue._connection()) == 1
    assert [status(queue, id) for id in (old, new)] == ["pending"] * 2
    claim(ledger, 2)
    assert count_shared_keys(queue._connection()) == 1
    # One that waits for its twin is meant.
    queue.submit(keyed(Unique("m", conflict="again")))
    claim(ledger)
    queue.submit(keyed(Unique("m", conflict="again")))
    assert count_shared_keys(queue._connection()) == 1


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("pending", "Already waiting"),
        ("running", "Already running"),
        ("timeout", "Already timed out"),
        ("odd", "Already there"),
    ],
)
def test_the_words_fit_the_state(state: str, words: str) -> None:
    assert already(state) == words


# --- what it costs -------------------------------------------------------------------------------


def test_a_key_is_found_among_many_without_reading_them(queue: JobQueue) -> None:
    queue.submit_many(keyed(Unique(f"own {n}", until="forever")) for n in range(2_000))
    # Of one key, and long over.
    write(
        queue,
        "UPDATE jobs SET unique_key = 'same', unique_until = 'ended', unique_within = 60, "
        "created = created - 1000 - rowid, status = 'completed' WHERE rowid % 2",
    )
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    conn = queue._connection()
    conn.set_progress_handler(step, 1)
    queue.submit_many([keyed("same"), keyed("new"), keyed("own 3")])
    conn.set_progress_handler(None, 0)
    assert count(queue) == 2_002
    assert steps < 2_000
