"""A job's definition as text: what is made of it is the job, with each of its options."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gigq_core import Job, Unique
from gigq_core.job import OPTION_NAMES
from gigq_core.submitting.definition import Definition, encode_definition, job_of_definition
from gigq_core.submitting.new_rows import row_of
from gigq_core.units.times import Moment
from tests.unit.test_job_options import OTHERS

NOW = Moment(1_800_000_000.0, "2027-01-15T08:00:00")


async def an_async_function() -> None:
    pass


def row_without_itself(job: Job) -> dict[str, Any]:
    """The values of its row but for what is each job's own."""
    row = row_of(job, NOW)
    return {k: v for k, v in row.items() if k not in ("id", "created_at")}


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_a_job_made_of_its_definition_has_each_option(name: str) -> None:
    given: dict[str, Any] = {"name": "one", name: OTHERS[name]}
    if name == "dependencies":
        given[name] = list(given[name])
    job = Job(function="shop.etl.load", params={"day": "{slot}", "n": [1, {"a": None}]}, **given)
    text = encode_definition(job)
    made = job_of_definition(text)
    assert made.id != job.id
    for option in OPTION_NAMES:
        assert getattr(made, option) == getattr(job, option), option
    assert row_without_itself(made) == row_without_itself(job)
    assert encode_definition(made) == text


@pytest.mark.parametrize(
    "unique",
    [True, "a key", Unique("a key", within="1h"), Unique(until="started", conflict="again")],
)
def test_a_definition_says_how_its_job_is_to_be_unique(unique: Any) -> None:
    job = Job("one", "shop.etl.load", unique=unique)
    assert job_of_definition(encode_definition(job)).unique == job.unique


def test_only_what_is_not_by_default_is_named() -> None:
    assert json.loads(encode_definition(Job("one", "shop.etl.load"))) == {
        "function": "shop.etl.load",
        "options": {"name": "one"},
    }


def test_an_id_and_parameters_may_be_given() -> None:
    text = encode_definition(Job("one", "shop.etl.load", {"day": "{slot}"}))
    job = job_of_definition(text, id="an-id", params={"day": "2027-01-15"})
    assert (job.id, job.params) == ("an-id", {"day": "2027-01-15"})


def test_what_our_workers_alone_can_run_stays_hidden_where_the_function_is_not_seen() -> None:
    text = encode_definition(Job("one", an_async_function))
    assert Definition.decode(text).options["ours"] is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "can't be read"),
        ("[]", "names no function"),
        (None, "names no function"),
        ('{"function": 7}', "names no function"),
        ('{"function": "nothing"}', "write package.module.function"),
        ('{"function": "a.b", "params": []}', "is no definition"),
        ('{"function": "a.b", "options": {"colour": 1}}', "option 'colour'"),
        ('{"function": "a.b", "options": {"timeout": -1}}', "negative"),
        ('{"function": "a.b", "options": {"unique": {"until": 1}}}', "until"),
        ('{"function": "a.b", "options": {"priority": "x"}}', "whole number"),
    ],
)
def test_text_that_makes_no_job_is_refused_in_a_sentence(text: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words) as problem:
        job_of_definition(text)
    assert str(problem.value).endswith(".")
