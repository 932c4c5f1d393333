"""Functions are asked for in the interpreter of the workers; nothing is imported here."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from gigq_core import JobQueue, Unique
from gigq_core.errors import GigQError
from gigq_core.job import JobOptions
from gigq_core.status import Change, Outcome
from gigq_tui.actions.functions.inspection import check_folder, check_python, inspect_function
from gigq_tui.actions.jobs import QueueActions
from gigq_tui.actions.submit import MAX_COPIES, SubmitRequest, jobs_for

SHOP = '''
import os
import sys
print("noise on stdout")
os.write(1, b"raw noise")


def resize(src: str, w: int = 1024, *, mode="fit", box=(1, 2), when=object()):
    """Make an image smaller."""


def anything(**params):
    pass


def summary(parent_results, title="x"):
    pass


async def later():
    pass


NUMBER = 5
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "shop_for_test.py").write_text(SHOP)
    (folder / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    (folder / "dies.py").write_text("import os\nprint('last words', flush=True)\nos._exit(9)\n")
    (folder / "hangs.py").write_text("import threading\nthreading.Event().wait()\n")
    (folder / "broken.py").write_text("def f(:\n")
    return folder


def ask(function: str, project: Path, timeout_s: float = 20.0):  # type: ignore[no-untyped-def]
    return inspect_function(function, sys.executable, project, timeout_s)


def test_the_signature_comes_back_with_types_and_defaults(project: Path) -> None:
    info = ask("shop_for_test.resize", project)
    assert info.doc == "Make an image smaller."
    assert [(p.name, p.annotation, p.default, p.required) for p in info.parameters[:4]] == [
        ("src", "str", "", True),
        ("w", "int", "1024", False),
        ("mode", "", '"fit"', False),
        ("box", "", "[1, 2]", False),
    ]
    assert info.parameters[4].default.startswith("<object object")
    assert "shop_for_test" not in sys.modules


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("shop_for_test.missing", "has no attribute 'missing'"),
        ("no_such_module.f", "No module named 'no_such_module'"),
        ("shop_for_test.NUMBER", "it is int, not a function"),
        ("leaves.f", "SystemExit: 3"),
        ("broken.f", "SyntaxError"),
        ("dies.f", "ended with status 9 while it imported dies, saying: last words"),
        ("plain", "package.module.function"),
        ("a b.c", "package.module.function"),
    ],
)
def test_what_cannot_be_imported_is_told_in_one_sentence(
    project: Path, function: str, sentence: str
) -> None:
    with pytest.raises(GigQError) as caught:
        ask(function, project)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_import_that_hangs_is_ended(project: Path) -> None:
    with pytest.raises(GigQError, match=r"took longer than 0\.5 s"):
        ask("hangs.f", project, 0.5)


def test_the_parameters_are_held_against_the_signature(project: Path) -> None:
    resize = ask("shop_for_test.resize", project)
    assert resize.misfit({"src": "x"}) == ""
    assert resize.misfit({}) == "shop_for_test.resize needs a value for src."
    assert resize.misfit({"src": 1, "colour": 2, "x": 3}) == (
        "shop_for_test.resize has no parameter colour and x: it takes src, w, mode, box and when."
    )
    assert ask("shop_for_test.anything", project).misfit({"any": 1}) == ""
    assert ask("shop_for_test.summary", project).misfit({}) == ""


def test_submitting_makes_the_row(tmp_path: Path, project: Path) -> None:
    path = tmp_path / "jobs.db"
    JobQueue(path).close()
    actions = QueueActions(path, python=sys.executable, chdir=project)
    request = SubmitRequest(
        "shop_for_test.resize",
        {"src": "a.png"},
        JobOptions("small", priority=4, timeout=240.0),
        copies=2,
    )
    report = actions.submit(request)
    assert report.title == "submitted 2 jobs"
    assert len(report.job_ids) == 2
    # They are followed to their ends.
    assert report.outcomes == tuple(
        Outcome(id, Change.SUBMITTED, name="small") for id in report.job_ids
    )
    job = JobQueue(path).get_status(report.job_ids[0])
    assert (job["function_module"], job["function_name"]) == ("shop_for_test", "resize")
    assert (job["name"], job["params"], job["priority"]) == ("small", {"src": "a.png"}, 4)
    assert json.dumps(job["timeout"]) == "240"


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (SubmitRequest("shop_for_test.resize", {}, JobOptions("x")), "needs a value for src"),
        (SubmitRequest("shop_for_test.resize", {"src": 1}, JobOptions("")), "needs a name"),
        (SubmitRequest("shop_for_test.resize", {"src": 1}, JobOptions("x", timeout=0)), "timeout"),
        (SubmitRequest("shop_for_test.resize", {"src": {1}}, JobOptions("x")), "JSON"),
        (
            SubmitRequest("shop_for_test.resize", {"src": 1}, JobOptions("x", max_attempts=0)),
            "max_attempts",
        ),
        (SubmitRequest("nowhere", options=JobOptions("x")), "package.module.function"),
    ],
)
def test_a_wrong_request_writes_nothing(
    tmp_path: Path, project: Path, request_: SubmitRequest, sentence: str
) -> None:
    path = tmp_path / "jobs.db"
    JobQueue(path).close()
    with pytest.raises(GigQError, match=sentence):
        QueueActions(path, python=sys.executable, chdir=project).submit(request_)
    assert JobQueue(path).stats()["total"] == 0


@pytest.mark.parametrize("copies", [0, -1, MAX_COPIES + 1])
def test_copies_are_bounded(copies: int) -> None:
    with pytest.raises(GigQError, match="copies"):
        jobs_for(SubmitRequest("json.dumps", options=JobOptions("x"), copies=copies))


def test_the_interpreter_is_checked(tmp_path: Path) -> None:
    plain = tmp_path / "python"
    plain.write_text("no program")
    for python, sentence in (
        (str(tmp_path / "none"), "no interpreter at"),
        (str(plain), "can't be executed"),
        (str(tmp_path), "can't be executed"),
        ("no-such-python-anywhere", "on the PATH"),
    ):
        with pytest.raises(GigQError, match=sentence):
            check_python(python)
    assert check_python(sys.executable) == os.path.abspath(sys.executable)
    assert check_python("sh").endswith("/sh")


def test_the_folder_is_checked(tmp_path: Path) -> None:
    with pytest.raises(GigQError, match="no folder"):
        check_folder(tmp_path / "none")
    assert check_folder(tmp_path) == tmp_path


def test_an_async_function_is_known_as_ours_alone(project: Path) -> None:
    assert ask("shop_for_test.later", project).takes.ours
    assert not ask("shop_for_test.resize", project).takes.ours


def test_a_job_whose_key_is_held_is_told_with_the_one_that_holds_it(
    tmp_path: Path, project: Path
) -> None:
    path = tmp_path / "jobs.db"
    JobQueue(path).close()
    actions = QueueActions(path, python=sys.executable, chdir=project)
    options = JobOptions(name="sync", unique=Unique("sync"))
    first = actions.submit(SubmitRequest("os.getcwd", options=options))
    second = actions.submit(SubmitRequest("os.getcwd", options=options))
    assert second.job_ids == first.job_ids
    assert second.title == f"Already waiting: sync ({first.job_ids[0][:8]})"
    assert second.instead == first.job_ids[0]
    many = actions.submit(SubmitRequest("os.getcwd", options=options, copies=3))
    assert many.title == "submitted 0 jobs; 3 not, since others hold their keys"
    options = JobOptions(name="sync", unique="other")
    many = actions.submit(SubmitRequest("os.getcwd", options=options, copies=3))
    assert many.title == "submitted 1 job; 2 not, since others hold their keys"
    assert JobQueue(path).stats()["total"] == 2
