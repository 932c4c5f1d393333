"""Groups of failed jobs in steps: the part that is read is told, and what is known whole stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gigq_core import JobQueue
from gigq_core.errors import DatabaseError
from gigq_tui.store.clock import SystemClock
from gigq_tui.store.failures import reading as module
from gigq_tui.store.failures.grouping import CAUSE, FUNCTION, grouping_of, of_param
from gigq_tui.store.failures.reading import ChosenIds, Groups, GroupsReading, JobsOfGroups
from gigq_tui.store.reader import Reader
from gigq_tui.store.stepwise import SoFar, Stepwise
from tests import incident
from tests.store_files import digest, gigq_copy


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return incident.build(tmp_path_factory.mktemp("night") / "jobs.db")


@pytest.fixture
def path(night: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "jobs.db"
    copy.write_bytes(night.read_bytes())
    return copy


@pytest.fixture
def reader(path: Path) -> Iterator[Reader]:
    with closing(Reader(path, SystemClock())) as reader:
        yield reader


def steps(reader: Reader, work: Stepwise[Groups]) -> list[SoFar[Groups]]:
    found = [reader.step(work)]
    while not found[-1].done:
        found.append(reader.step(work))
    return found


def ids(reader: Reader, work: JobsOfGroups) -> ChosenIds:
    so_far = reader.step(work)
    while not so_far.done:
        so_far = reader.step(work)
    return so_far.value


def test_it_comes_in_steps_with_the_part_that_is_read(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_STEP", "LEAST_STEP", "MOST_STEP"):
        monkeypatch.setattr(module, name, 40)
    found = steps(reader, GroupsReading(CAUSE))
    assert len(found) >= 412 // 40
    assert [part.read for part in found] == sorted(part.read for part in found)
    assert {part.total for part in found[:-2]} == {412}
    assert [part.value.is_whole for part in found] == [False] * (len(found) - 1) + [True]
    assert 0 < found[1].share < 1
    whole = found[-1].value.known
    assert (whole.jobs, whole.total) == (412, 6)


def test_what_is_dear_to_put_together_is_told_seldom(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_STEP", "LEAST_STEP", "MOST_STEP"):
        monkeypatch.setattr(module, name, 10)
    # As if there were very many groups: each telling costs more than a step may.
    monkeypatch.setattr(module, "CHEAP_S", -1.0)
    monkeypatch.setattr(module, "PATIENCE", 1e9)
    # And as if no machine were so busy that the words of all groups don't fit into a step.
    monkeypatch.setattr(module, "STEP_S", 60.0)
    found = steps(reader, GroupsReading(CAUSE))
    assert len({id(so_far.value) for so_far in found[:-1] if not so_far.value.is_whole}) == 1
    assert [so_far.read for so_far in found] == sorted(so_far.read for so_far in found)
    assert found[-1].value.known.jobs == 412


def test_a_step_takes_more_or_less_by_what_the_last_one_took() -> None:
    reading = GroupsReading(CAUSE)
    taken = []
    for took_s in (0.001, 0.001, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5):
        reading._fit(took_s)
        taken.append(reading._most)
    assert taken[:2] == [1_000, 2_000]
    assert taken[-1] < 50
    assert all(module.LEAST_STEP <= most <= module.MOST_STEP for most in taken)


def test_what_is_known_whole_stays_while_it_is_read_anew(
    path: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = GroupsReading(CAUSE)
    before = steps(reader, work)[-1].value
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("DELETE FROM jobs WHERE error LIKE 'KeyError%'")
    for name in ("FIRST_STEP", "LEAST_STEP", "MOST_STEP"):
        monkeypatch.setattr(module, name, 40)
    work._most = 40
    work.renew()
    found = steps(reader, work)
    assert len(found) > 2
    assert all(part.value == before for part in found[:-1])
    assert found[-1].value.known.jobs == 412 - 38


def test_the_jobs_of_groups_are_read_by_their_ids(path: Path, reader: Reader) -> None:
    work = GroupsReading(CAUSE)
    groups = steps(reader, work)[-1].value.known.groups
    values = [group.value for group in groups[:2]]
    all_of_them = ids(reader, JobsOfGroups(work, values))
    assert len(set(all_of_them.ids)) == all_of_them.of == 118 + 107
    left = ids(reader, JobsOfGroups(work, values, without=all_of_them.ids[:25]))
    assert left.ids == all_of_them.ids[25:]
    canary = ids(reader, JobsOfGroups(work, values[:1], canary=10))
    assert (len(set(canary.ids)), canary.of, len(canary.names)) == (10, 118, 3)
    assert set(canary.ids) <= set(all_of_them.ids)
    # What is no longer failed is not meant any more.
    queue = JobQueue(path)
    queue.requeue_jobs(all_of_them.ids[:5])
    queue.close()
    assert len(ids(reader, JobsOfGroups(work, values)).ids) == 220
    assert ids(reader, JobsOfGroups(work, values, waiting=True)).ids == ()


def test_the_command_line_chooses_the_same_canary(path: Path, reader: Reader) -> None:
    from gigq_core.cli.queue_view import QueueView

    work = GroupsReading(CAUSE)
    group = steps(reader, work)[-1].value.known.groups[0]
    view = QueueView(path)
    (failed,) = view.failed_groups(group.value or "")
    assert view.canary_of(failed, 10) == list(
        ids(reader, JobsOfGroups(work, [group.value], canary=10)).ids
    )
    view.close()


def test_parameters_that_tell_something_are_offered(reader: Reader) -> None:
    groups = steps(reader, GroupsReading(FUNCTION))[-1].value
    # `feed` is another one for each job.
    assert groups.params == ("customer",)
    by_customer = steps(reader, GroupsReading(of_param("customer")))[-1].value
    assert {group.value for group in by_customer.known.groups} == {
        str(customer) for customer in incident.CUSTOMERS
    }


@pytest.mark.parametrize("word", ["cause", "function", "worker", "param.customer"])
def test_a_grouping_has_a_word(word: str) -> None:
    assert grouping_of(word).name == word


@pytest.mark.parametrize("word", ["", "param.", "param.a b", "causes", "params.x"])
def test_any_other_word_is_no_grouping(word: str) -> None:
    with pytest.raises(ValueError, match="write cause, function, worker or"):
        grouping_of(word)


def test_a_file_of_gigqs_is_only_read(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, "gigq-0.5.1.db")
    before = digest(path)
    with closing(Reader(path, SystemClock())) as reader:
        work = GroupsReading(CAUSE)
        known = steps(reader, work)[-1].value.known
        assert known.jobs == known.groups[0].jobs >= 1
        assert len(ids(reader, JobsOfGroups(work, [known.groups[0].value], canary=10)).ids) >= 1
    assert digest(path) == before


@pytest.mark.parametrize("anew", ["replaced", "vacuumed"])
def test_no_job_is_chosen_by_what_was_read_of_another_file(
    path: Path, reader: Reader, anew: str
) -> None:
    groups = GroupsReading(CAUSE)
    value = steps(reader, groups)[-1].value.known.groups[0].value
    if anew == "vacuumed":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM")
        again = reader
    else:
        again = Reader(path, SystemClock())
    for canary in (None, 10):
        with pytest.raises(DatabaseError, match="read again first"):
            ids(again, JobsOfGroups(groups, [value], canary=canary))
    steps(again, groups)
    assert len(ids(again, JobsOfGroups(groups, [value])).ids) == 118
    again.close()
