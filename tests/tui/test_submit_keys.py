"""The submit form: typing, looking up, judging, submitting, leaving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from gigq_core.errors import GigQError
from gigq_core.job import JobOptions
from gigq_core.retry import Backoff, RetryPolicy
from gigq_core.unique import Unique
from gigq_tui.actions.functions.completion import Listing
from gigq_tui.actions.functions.inspection import FunctionInfo, Parameter
from gigq_tui.actions.report import Report
from gigq_tui.actions.shell_command import words_of_submit
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.screens.submit import function_lookup
from gigq_tui.screens.submit import screen as submit_screen
from gigq_tui.screens.submit.screen import SubmitScreen
from gigq_tui.store.models import JobDetail
from gigq_tui.widgets.form_row import FormRow, PushLine
from gigq_tui.widgets.lines import TextLines
from tests.tui.harness import (
    FakeJobs,
    detail_of,
    feed_of,
    give,
    make_app,
    press,
    row,
    running,
    screen_text,
    services_of,
    settle,
)

RETRIED = ("builtins.OSError", "json.decoder.JSONDecodeError")
PARENT = row(7, "parent", "completed")
RESIZE = FunctionInfo(
    "pipeline.resize",
    "Make it smaller.",
    (
        Parameter("src", "POSITIONAL_OR_KEYWORD", "str", "", True),
        Parameter("w", "POSITIONAL_OR_KEYWORD", "int", "1024", False),
        Parameter("token", "KEYWORD_ONLY", "str", '""', False),
    ),
)


class Acts(FakeJobs):
    """The act of this screen."""

    submitted: Report | None = None

    def submit(self, request: SubmitRequest) -> Report:
        self._said("submit", request)
        return self.submitted or Report(
            f"submitted {request.options.name}", (), "gigq-core --db jobs.db submit", ("new",)
        )


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """No child process: one function is known, and who was asked for which is remembered."""
    calls: list[tuple[str, str]] = []

    def inspect(function: str, python: str, chdir: Any, **_: Any) -> FunctionInfo:
        calls.append((function, python))
        if function != RESIZE.function:
            raise GigQError(f"{function} can't be used: ModuleNotFoundError: No module named 'x'.")
        return RESIZE

    monkeypatch.setattr(function_lookup, "inspect_function", inspect)
    monkeypatch.setattr(function_lookup, "list_functions", lambda *_, **__: Listing())
    return calls


def form_app(**options: Any) -> tuple[ConsoleApp, Acts]:
    app = make_app(**options)
    acts = Acts()
    app.services.actions.jobs = acts
    known = {PARENT.id[:8]: (PARENT.id,), PARENT.id: (PARENT.id,), "0": (PARENT.id, "0b")}
    feed_of(app).answers["resolve"] = lambda prefix: known.get(prefix, ())
    feed_of(app).answers["rows"] = lambda ids: {PARENT.id: PARENT} if PARENT.id in ids else {}
    return app, acts


async def open_form(pilot: Pilot[None], template: JobDetail | None = None) -> SubmitScreen:
    await give(pilot, [PARENT])
    screen = SubmitScreen(services_of(pilot), template)
    pilot.app.push_screen(screen)
    await settle(pilot)
    return screen


def row_of(screen: SubmitScreen, key: str) -> FormRow:
    return next(found for found in screen.form.rows if found.key == key)


def request_of(acts: Acts) -> SubmitRequest:
    ((verb, request),) = acts.calls
    assert verb == "submit"
    assert isinstance(request, SubmitRequest)
    return request


FILLED = ("pipeline.resize", "tab", "tab", "s3://in/1.png")


async def fill(screen: SubmitScreen, pilot: Pilot[None]) -> None:
    """Have in the form what `FILLED` types."""
    screen.form.fixed["function"].field.value = FILLED[0]
    await settle(pilot)
    await press(pilot, "tab")
    row_of(screen, "param:src").field.value = FILLED[3]
    await settle(pilot)


def typed(*parts: str) -> list[str]:
    """Keys: names of more than one letter as they are when they are keys, else letter by letter."""
    names = {"tab", "shift+tab", "down", "up", "enter", "escape", "alt+s", "backspace", "end"}
    keys: list[str] = []
    for part in parts:
        keys += [part] if part in names else list(part)
    return keys


@pytest.fixture
def _asked_at_the_end_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever types slowly, as on a busy machine, is not looked after between two letters."""
    monkeypatch.setattr(submit_screen, "LOOK_UP_AFTER_S", 1e6)


@pytest.mark.usefixtures("_asked_at_the_end_only")
async def test_a_job_from_scratch(asked: list[tuple[str, str]]) -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *typed("pipeline.resize", "tab"))
        assert asked == [("pipeline.resize", app.services.settings.python)]
        assert "found: (src, w=1024" in screen_text(app)
        assert row_of(screen, "name").text == "resize"
        await press(pilot, *typed("tab", "s3://in/1 a.png", "down", "512"))
        text = screen_text(app)
        assert "Will insert 1 row." in text
        assert "No workers running. Press + " in " ".join(text.split())
        assert "--param" in text
        await press(pilot, "alt+s")
        request = request_of(acts)
        assert request == SubmitRequest(
            "pipeline.resize", {"src": "s3://in/1 a.png", "w": 512}, JobOptions("resize")
        )
        assert isinstance(app.screen, JobsScreen)
        assert app.screen.notice_line.text == "submitted resize"
        assert app.screen.notice_line.twin == "gigq-core --db jobs.db submit"


async def test_every_field_arrives() -> None:
    app, acts = form_app()
    async with running(app, size=(80, 24)) as pilot:
        await open_form(pilot)
        await press(pilot, *typed(*FILLED, "tab", "tab", "t0p", "tab", 'deep={"a": [1]}'))
        await press(pilot, *typed("tab", "tab", "5", "tab", "2.5s", "tab", "7", "tab", "30"))
        await press(pilot, *typed("tab", "fail", "tab", "no", "tab", "1", "tab", "tab"))
        await press(pilot, *typed(PARENT.id[:8], "tab", "a note"))
        # The function takes no `deep`: it is told, and nothing is written.
        await press(pilot, "alt+s")
        assert acts.calls == []
        assert "no such parameter" in screen_text(app)
        await press(pilot, *typed(*["backspace"] * 20, "alt+s"))
        request = request_of(acts)
        assert request.params == {"src": "s3://in/1.png", "token": "t0p"}
        assert (request.options.priority, request.options.timeout) == (5, 2.5)
        assert (request.options.max_attempts, request.options.retry_delay) == (7, 30.0)
        assert request.options.dependencies == (PARENT.id,)
        assert request.options.description == "a note"
        assert (request.options.on_crash, request.options.pass_parent_results) == ("fail", False)


TYPED_MORE: list[tuple[str, str, dict[str, Any]]] = [
    ("retry", "30x2..1h", {"retry": Backoff(30, 2, "1h")}),
    ("retry", "10, 1m,300", {"retry": (10, 60, 300)}),
    ("retry", "5,", {"retry": (5,)}),
    ("retry_on", "OSError  json.JSONDecodeError", {"retry_on": RETRIED}),
    ("give_up_on", "ValueError,my.Own", {"give_up_on": ("builtins.ValueError", "my.Own")}),
    ("when", "10m", {"run_after": 600}),
    ("when", "2030-01-31T08:00+01:00", {"run_at": datetime(2030, 1, 31, 7, tzinfo=timezone.utc)}),
    ("batch", " nightly 7 ", {"batch": "nightly 7"}),
    ("stall_timeout", "1m", {"stall_timeout": 60}),
    ("on_timeout", "fail", {"on_timeout": "fail"}),
    ("on_timeout", "retry", {}),
    ("on_parent_failure", "run", {"on_parent_failure": "run"}),
    ("ours", "yes", {"ours": True}),
    ("ours", "no", {}),
]


async def test_more_options_are_shown_when_they_are_wanted_and_arrive() -> None:
    for size in ((120, 32), (80, 24)):
        app, acts = form_app()
        async with running(app, size=size) as pilot:
            screen = await open_form(pilot)
            await fill(screen, pilot)
            assert "Backoff" not in screen_text(app)
            screen.query_one("#show-more", PushLine).focus()
            await press(pilot, "enter", *typed("30x2..1h", "tab"))
            assert row_of(screen, "retry_on").field.has_focus
            assert "Backoff" in screen_text(app)
            await press(pilot, "alt+s")
            assert request_of(acts).options == JobOptions("resize", retry=Backoff(30, 2, "1h"))


@pytest.mark.usefixtures("_asked_at_the_end_only")
async def test_each_of_them_is_what_the_core_takes_it_for() -> None:
    app, _ = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        for key, text, options in TYPED_MORE:
            row = row_of(screen, key)
            row.field.value = text
            await settle(pilot)
            assert row.trouble == ""
            request = screen.submission.request
            assert request is not None, screen.submission.troubles
            assert request.options == JobOptions("resize", **options)
            if key == "when":
                comes = "in 10m" if "run_after" in options else "at 2030-01-31"
                assert f"It would be due {comes}" in " ".join(screen_text(app).split())
            # The command that is shown means the same.
            words = words_of_submit(request)
            assert len(words) == 6 + 2 * bool(options) + ("retry_on" in options) * 2 + (
                "give_up_on" in options
            ) * 2 - ("ours" in options), words
            row.field.value = ""


@pytest.mark.parametrize(
    ("key", "text", "trouble"),
    [
        (
            "retry",
            "x",
            "'x' is not a backoff: write base, factor and longest delay, like 30x2..1h.",
        ),
        ("retry", "5,x", "A delay of retry is 'x': write a number of seconds, or units like 90s"),
        ("retry", "0x2", "A backoff's base is 0: give a time that is more than 0."),
        ("retry_on", "Nonsense", "retry_on holds Nonsense, which is none of Python's own"),
        ("give_up_on", "a b-c", "give_up_on holds"),
        ("when", "noon", "run_at is 'noon': write a time like 2030-01-31T08:00+01:00."),
        ("when", "2030-01-31T08:00", "run_at"),
        ("stall_timeout", "0", "stall_timeout is 0: give a time that is more than 0."),
        ("on_timeout", "x", "must be retry or fail"),
        ("on_parent_failure", "x", "must be wait, cancel or run"),
        ("ours", "x", "must be no or yes"),
        ("unique_until", "x", "must be ended, started or forever"),
        ("unique_until", "started", "say what is unique first: yes, or a key"),
        ("unique_within", "1h", "say what is unique first: yes, or a key"),
        ("unique_within", "soon", "unique's within is 'soon'"),
        ("on_duplicate", "x", "must be existing, error, replace or again"),
        ("lane", "-", "lane"),
        ("lane", "fetch:{host}", "lane names the parameter host, which this job does not have."),
        ("memory", "x", "memory"),
    ],
)
async def test_what_the_core_refuses_is_said_beside_the_field_in_its_words(
    key: str, text: str, trouble: str
) -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        row_of(screen, key).field.value = text
        await settle(pilot)
        await press(pilot, "alt+s")
        assert acts.calls == []
        assert row_of(screen, key).trouble.startswith(trouble)
        # Wherever it was folded away, it is there now.
        assert row_of(screen, key).field.has_focus
        assert row_of(screen, key).region.height == 1


async def test_what_is_said_of_a_unique_job_becomes_one_value_and_is_kept_by_a_copy() -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        for key, text in (
            ("unique", "sync 7"),
            ("unique_until", "started"),
            ("unique_within", "1h"),
            ("on_duplicate", "again"),
            ("memory", "500M"),
            ("lane", "fetch:{src}"),
        ):
            row_of(screen, key).field.value = text
        await settle(pilot)
        request = screen.submission.request
        assert request is not None, screen.submission.troubles
        unique = Unique("sync 7", "started", 3600, "again")
        assert request.options.unique == unique
        told = words_of_submit(request)
        assert told[told.index("--unique") :][:8] == [
            *("--unique", "sync 7", "--unique-until", "started"),
            *("--unique-within", "3600", "--on-duplicate", "again"),
        ]
        # Held for ever, and for an hour at least: the core's own words, at the row.
        row_of(screen, "unique_until").field.value = "forever"
        await settle(pilot)
        assert screen.submission.request is None
        assert "give one" in row_of(screen, "unique_until").trouble
    raw = {"unique_key": "sync 7", "unique_until": "started", "unique_within": 3600.0}
    template = detail_of(row(5, "old", function="pipeline.resize"), params={"src": "a"}, raw=raw)
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot, template)
        assert not screen.form.changed
        await press(pilot, "alt+s")
        assert request_of(acts).options.unique == Unique("sync 7", "started", 3600)


async def test_where_a_job_holds_the_key_already_that_job_is_opened() -> None:
    app, acts = form_app()
    acts.submitted = Report("Already waiting: sync (7)", instead=PARENT.id)
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await press(pilot, "alt+s")
        assert "Already waiting: sync (7). Open it?" in screen_text(app)
        await press(pilot, "y")
        assert isinstance(app.screen, JobScreen)
        assert app.screen.job.id == PARENT.id
        await press(pilot, "escape")
        assert isinstance(app.screen, JobsScreen)


async def test_a_backoff_and_a_plain_delay_are_refused_together() -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        row_of(screen, "delay").field.value = "5"
        row_of(screen, "retry").field.value = "30"
        await settle(pilot)
        await press(pilot, "alt+s")
        assert acts.calls == []
        told = "retry and retry_delay are both given: give one of them."
        assert row_of(screen, "retry").trouble == told


async def test_a_copy_keeps_its_policy_its_time_and_its_names() -> None:
    due = datetime(2030, 1, 31, 7, tzinfo=timezone.utc)
    policy = RetryPolicy((10.0, 60.0), RETRIED, ("my.Own",), "fail")
    template = detail_of(
        row(5, "old", function="pipeline.resize", due=due, priority=0, max_attempts=3),
        params={"src": "a"},
        raw={
            "dependencies": "[]",
            "retry_policy": policy.encode(),
            "batch": "nightly 7",
            "stall_timeout": 60.0,
            "on_parent_failure": "cancel",
            "lane": "-",
        },
    )
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot, template)
        assert "Backoff" in screen_text(app)
        assert not screen.form.changed
        await press(pilot, "alt+s")
        assert request_of(acts).options == JobOptions(
            "old",
            retry=(10, 60),
            retry_on=RETRIED,
            give_up_on=("my.Own",),
            on_timeout="fail",
            run_at=due,
            batch="nightly 7",
            stall_timeout=60,
            on_parent_failure="cancel",
            ours=True,
        )


async def test_mistakes_are_told_beside_the_field_and_nothing_is_written() -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *typed("pipeline.resize", "tab", "tab", "tab", "wide"))
        assert row_of(screen, "param:w").trouble == "must be a whole number"
        # What is missing is no mistake before somebody tries.
        assert row_of(screen, "param:src").trouble == ""
        await press(pilot, "alt+s")
        assert acts.calls == []
        assert row_of(screen, "param:src").trouble.startswith("required")
        assert row_of(screen, "param:src").field.has_focus
        assert "Nothing was submitted: 2 things" in screen.notice_line.text
        assert "! must be a whole number" in screen_text(app)


@pytest.mark.parametrize(
    ("key", "text", "trouble"),
    [
        ("priority", "high", "must be a whole number"),
        ("timeout", "0", "must be more than 0"),
        ("attempts", "0", "must be 1 or more"),
        ("delay", "-1", "must be 0 or more"),
        ("depends", "ffff", "no job's id begins with ffff"),
        ("depends", "0", "several jobs' ids begin with 0"),
        ("name", " ", ""),
    ],
)
async def test_bad_input(key: str, text: str, trouble: str) -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        row_of(screen, key).field.focus()
        row_of(screen, key).field.value = text
        await settle(pilot)
        await press(pilot, "alt+s")
        assert acts.calls == []
        assert trouble in row_of(screen, key).trouble
        assert app.screen is screen


@pytest.mark.usefixtures("_asked_at_the_end_only")
async def test_a_function_that_is_not_found() -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *typed("x.y", "tab"))
        assert "! can't be used: Module" in screen_text(app)
        await press(pilot, "alt+s")
        assert acts.calls == []
        assert screen.form.fixed["function"].field.has_focus
        # In whole at the foot, where the field has room for its beginning only.
        screen.notice_line.clear()
        assert "No module named 'x'" in screen.notice_line.plain
        await press(pilot, *typed("end", "z"))
        assert screen.form.fixed["function"].trouble == ""


async def test_no_function_at_all() -> None:
    app, acts = form_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, "alt+s")
        assert acts.calls == []
        assert screen.form.fixed["function"].trouble == "required"
        await press(pilot, *typed("nodot", "tab"))
        assert screen.form.fixed["function"].trouble == "write package.module.function"


async def test_the_name_follows_until_it_is_typed() -> None:
    app, _ = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *typed("a.bc", "tab"))
        assert row_of(screen, "name").text == "bc"
        await press(pilot, *typed("x", "shift+tab", "end", "d"))
        assert row_of(screen, "name").text == "bcx"


async def test_what_was_typed_survives_another_signature() -> None:
    app, _ = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot, detail_of(row(1), params={"src": "a", "w": 3}))
        assert row_of(screen, "param:src").text == "a"
        row_of(screen, "param:src").field.value = "b"
        screen.form.fixed["function"].field.value = "pipeline.resize"
        await settle(pilot)
        await press(pilot, "tab")
        assert row_of(screen, "param:src").text == "b"
        assert row_of(screen, "param:w").text == "3"
        assert row_of(screen, "param:token").text == ""


async def test_a_copy_keeps_what_is_not_touched() -> None:
    app, acts = form_app()
    job = row(3, "dedupe", "failed", function="pipeline.resize", priority=9, timeout_s=2e6)
    template = detail_of(
        job,
        params={"src": "two\nlines", "token": "hunter2", "w": 5},
        description="first\nsecond",
        retry_delay_s=604_800.25,
        raw={"dependencies": f'["{PARENT.id}"]'},
    )
    async with running(app) as pilot:
        await open_form(pilot, template)
        text = screen_text(app)
        assert "hunter2" not in text
        assert "--param 'token=<token>'" in text
        await press(pilot, *typed("tab", "x", "alt+s"))
        request = request_of(acts)
        assert request == SubmitRequest(
            "pipeline.resize",
            {"src": "two\nlines", "token": "hunter2", "w": 5},
            JobOptions(
                "dedupex",
                priority=9,
                timeout=2_000_000,
                max_attempts=3,
                retry_delay=604_800.25,
                dependencies=(PARENT.id,),
                description="first\nsecond",
            ),
        )


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        (("tab",), "name"),
        (("down",), "name"),
        (("enter",), "name"),
        (("tab", "shift+tab"), "function"),
        (("tab", "up"), "function"),
    ],
)
async def test_moving_between_fields(move: tuple[str, ...], expected: str) -> None:
    app, _ = form_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *move)
        assert row_of(screen, expected).field.has_focus


async def test_escape_asks_only_if_something_was_typed() -> None:
    app, _ = form_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, "escape")
        assert app.screen is not screen
        screen = await open_form(pilot)
        await press(pilot, *typed("a.b", "tab", "tab", "escape"))
        assert screen.panel.is_open
        before = screen.query_one("#params-title", TextLines)
        await press(pilot, "escape")
        assert not screen.panel.is_open
        assert screen.focused is not None
        assert before.is_mounted
        await press(pilot, "escape", "y")
        assert app.screen is not screen


async def test_the_buttons() -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        screen.query_one("#send", PushLine).focus()
        await press(pilot, "enter")
        assert request_of(acts).options.name == "resize"
        screen = await open_form(pilot)
        await pilot.click("#drop")
        await settle(pilot)
        assert app.screen is not screen
        screen = await open_form(pilot)
        await pilot.click("#send")
        await settle(pilot)
        assert screen.submission.tried


async def test_trouble_of_the_act_leaves_the_form() -> None:
    app, acts = form_app()
    acts.trouble = GigQError("jobs.db is locked.")
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await press(pilot, "alt+s")
        assert app.screen is screen
        assert screen.notice_line.text == "jobs.db is locked."
        acts.trouble = None
        await press(pilot, "alt+s")
        assert app.screen is not screen


async def test_gigqs_own_file_is_announced() -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        assert app.services.picture.shown is not None
        await give(pilot, [PARENT], info=replace(app.services.picture.shown.info, attached=False))
        await fill(screen, pilot)
        await press(pilot, "alt+s")
        assert acts.calls == []
        assert screen.panel.question is not None
        assert "GigQ's own file" in screen.panel.question.details[0]
        await press(pilot, "y")
        assert request_of(acts).options.name == "resize"


async def test_read_only_submits_nothing() -> None:
    app, acts = form_app(read_only=True)
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await press(pilot, "alt+s")
        assert acts.calls == []
        assert "read-only" in screen.notice_line.text


async def test_a_dependency_that_is_still_looked_up() -> None:
    app, acts = form_app()
    waiting: list[Callable[[], None]] = []
    feed = feed_of(app)
    feed.answers.pop("resolve")
    ask = feed.ask

    def slow(
        read: Callable[[Any], Any], got: Callable[[Any], None], failed: Callable[..., None]
    ) -> None:
        ask(read, got, failed)
        if feed.asked[-1][0] == "resolve":
            waiting.append(lambda: got((PARENT.id,)))

    feed.ask = slow  # type: ignore[method-assign]
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        row_of(screen, "depends").field.value = "0000"
        await settle(pilot)
        await press(pilot, "alt+s")
        assert acts.calls == []
        for answer in waiting:
            answer()
        await settle(pilot)
        assert request_of(acts).options.dependencies == (PARENT.id,)


async def test_hostile_values_are_inert() -> None:
    job = row(3, "\x1b[31mevil\u202e", function="pipeline.resize")
    template = detail_of(job, params={"src": "\x1b]0;x\x07[@click=app.quit]", "\x1b[2J": 1})
    app, _ = form_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot, template)
        text = screen_text(app)
        assert "\x1b" not in text
        assert "\u202e" not in text
        screen.form.fixed["note"].field.value = "a\x1b[31m\u202eb"
        await settle(pilot)
        assert "\x1b" not in screen.form.fixed["note"].text


async def test_alt_and_a_letter_as_terminals_send_it() -> None:
    app, acts = form_app()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        field = row_of(screen, "param:src").field
        field.focus()
        await settle(pilot)
        for character in "xs":
            key = events.Key(f"alt+{character}", character)
            key.set_sender(app)
            app.post_message(key)
            await settle(pilot)
        assert request_of(acts).params == {"src": "s3://in/1.png"}


async def test_keys_that_come_in_one_go_reach_the_fields_they_are_meant_for() -> None:
    app, _ = form_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        for name, character in (
            *((letter, letter) for letter in "a.b"),
            ("tab", "\t"),
            *((letter, letter) for letter in "xy"),
            ("tab", "\t"),
            ("w", "w"),
            ("shift+tab", None),
            ("z", "z"),
        ):
            app.post_message(events.Key(name, character))
        await settle(pilot)
        await settle(pilot)
        assert screen.form.function == "a.b"
        # The name may or may not have followed before it was typed.
        assert row_of(screen, "name").text in ("xyz", "bxyz")
        assert row_of(screen, "other:0").text == "w"


async def test_letters_just_before_alt_s_are_submitted_too() -> None:
    app, acts = form_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        row_of(screen, "name").field.focus()
        await settle(pilot)
        for name, character in (("x", "x"), ("tab", "\t"), ("y", "y"), ("alt+s", None)):
            app.post_message(events.Key(name, character))
        await settle(pilot)
        await settle(pilot)
        request = request_of(acts)
        assert request.options.name == "resizex"
        assert request.params == {"src": "s3://in/1.pngy"}


async def test_what_is_typed_before_the_field_has_the_focus_is_not_lost() -> None:
    app, _ = form_app()
    async with running(app) as pilot:
        await give(pilot, [PARENT])
        screen = SubmitScreen(app.services)
        app.push_screen(screen)
        for character in "a.b":
            app.post_message(events.Key(character, character))
        await settle(pilot)
        assert screen.form.function == "a.b"
