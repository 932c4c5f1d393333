"""Outputs, words, files and folders that are not UTF-8: no command ends with a traceback."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from gigq_core import Job, JobQueue

DRIVER = Path(__file__).with_name("many_commands.py")
BAD = b"na\xefve"
# A name that no encoding but UTF-8 holds, and that would turn a line round.
ROCKET = "start \U0001f680 \u202e caf\u00e9"

UTF8 = {"LC_ALL": "C.UTF-8"}
ENVIRONMENTS = {
    "utf-8": UTF8,
    "latin-1 in the C locale": {"PYTHONIOENCODING": "latin-1", "LC_ALL": "C"},
    "ascii": {"PYTHONIOENCODING": "ascii", "LC_ALL": "C.UTF-8"},
    "C": {"LC_ALL": "C"},
    "C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a locale that is not there": {"LANG": "de_DE"},
    "utf-16": {"PYTHONIOENCODING": "utf-16"},
}
# The others are tried in the long form.
QUICK = ("utf-8", "latin-1 in the C locale", "C without UTF-8")
EXIT_CODES = range(5)


class Answer(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: bytes
    err: bytes


class Order(NamedTuple):
    """A command line, and what it reads from stdin."""

    program: str
    words: Sequence[bytes]
    fed: bytes = b""


def run(orders: Sequence[Order], folder: bytes, environment: dict[str, str]) -> list[Answer]:
    """The answers to the command lines, run in that folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHON"))}
    told = [
        [o.program, [w.decode("latin-1") for w in o.words], o.fed.decode("latin-1")] for o in orders
    ]
    done = subprocess.run(
        [sys.executable, str(DRIVER)],
        input=json.dumps(told).encode(),
        stdout=subprocess.PIPE,
        cwd=folder,
        env={**kept, **environment},
        timeout=240,
        check=True,
    )
    return [
        Answer(code, out.encode("latin-1"), err.encode("latin-1"))
        for code, out, err in json.loads(done.stdout)
    ]


class Place(NamedTuple):
    """A queue file, the folder that it lies in, and a job that has printed something."""

    folder: bytes
    db: bytes
    job: str


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Both the folder's name and the file's hold a byte that is not UTF-8."""
    folder = os.fsencode(tmp_path) + b"/d" + BAD
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes only names that are UTF-8")
    Path(os.fsdecode(folder), "tasks.py").write_text(
        "def speaks(**given):\n"
        "    import os\n"
        "    print('\\u2603 \\U0001f680 \\x1b[31mred', os.getcwd().encode('utf-8', 'replace'))\n"
        "    return {key: os.fsencode(value).hex() for key, value in given.items()}\n"
        "def fails():\n"
        "    raise ValueError('no \\u2603 here \\x1b[31m')\n"
    )
    db = folder + b"/q" + BAD + b".db"
    queue = JobQueue(os.fsdecode(db))
    job = queue.submit(Job(ROCKET, "tasks.speaks", description=ROCKET))
    queue.submit(Job(ROCKET, "tasks.fails", {"text": ROCKET}, max_attempts=1))
    answers = run([Order("gigq-core", [b"--db", db, b"worker", b"--once"])] * 2, folder, UTF8)
    assert [answer.code for answer in answers] == [0, 0], answers
    return Place(folder, db, job)


def orders_of(place: Place) -> list[Order]:
    """Every command, and every kind of word in which a byte that is not UTF-8 may come."""
    job = place.job.encode()
    core = [
        *([word] for word in b"list stats workers doctor pause resume attach".split()),
        [b"workers", b"--all"],
        [b"status", job, b"--show-params", b"--show-result", b"--show-executions"],
        [b"status", job, b"--show-traceback"],
        *([b"logs", job, *option] for option in ([], [b"--raw"], [b"-f"])),
        *([verb, BAD] for verb in b"logs status cancel requeue release stack".split()),
        [b"priority", BAD, b"--set", b"3"],
        [b"ask", BAD, b"pause"],
        [b"clear", BAD],
        [b"clear", b"--dry-run"],
        [b"clear", b"--before", BAD],
        [b"clear", b"--status", BAD],
        [b"clear", b"--ids-from", BAD],
        [b"cancel", b"--ids-from", BAD],
        [b"cancel", b"--ids-from", b"-"],
        [b"submit", BAD],
        [b"submit", BAD + b"." + BAD],
        *(
            [b"submit", b"tasks.speaks", option, BAD]
            for option in b"--name --description --depends-on --jsonl --on-crash -p".split()
        ),
        [b"submit", b"tasks.speaks", b"--jsonl", b"-"],
        [b"submit", b"tasks.speaks", b"-p", b"a=" + BAD],
        [b"submit", b"tasks.speaks", b"-p", b'a={"b": ["' + BAD + b'"]}'],
        *(
            [b"worker", b"--once", option, BAD]
            for option in b"--python --chdir --worker-id --log-path --isolation".split()
        ),
        [b"worker", b"--once", b"--chdir", place.folder],
        [b"list", b"--status", BAD],
        [b"list", b"--limit", BAD],
        [b"list", BAD],
        [BAD],
        [b"--" + BAD],
    ]
    with_json = {b"list", b"stats", b"workers", b"doctor", b"status", b"attach", b"pause"}
    core += [[*words, b"--json"] for words in core if words[0] in with_json]
    console = [
        *(
            [place.db, b"--once", option, BAD]
            for option in b"--filter --sort --fail-if --python --chdir --config --limit".split()
        ),
        [place.db, b"--once"],
        [place.db, b"--once", b"--json"],
        [place.db, b"--once", b"--chdir", place.folder],
        [place.db, b"--once", b"--wait", b"--wait-timeout", BAD],
        [place.db, b"--theme", BAD],
        [place.db],
        [place.db, BAD],
        [b"--print-config"],
        [b"--print-config", b"--config", BAD],
        [b"--help"],
        [BAD],
        [BAD, b"--once"],
        [BAD + b".new", b"--create", b"--once"],
        [place.folder, b"--once"],
    ]
    return [
        *(Order("gigq-core", [b"--db", place.db, *words], BAD + b"\n") for words in core),
        *(Order("gigq-core", [b"--db", file, b"list"]) for file in (BAD, place.folder)),
        *(Order("gigq-core", [verb, BAD]) for verb in b"attach doctor detach".split()),
        Order("gigq-core", [b"--help"]),
        *(Order("gigq-tui", words) for words in console),
    ]


@pytest.mark.parametrize(
    "environment",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in ENVIRONMENTS],
)
def test_no_command_fails_at_a_byte_or_an_output_that_is_not_utf8(
    place: Place, environment: str
) -> None:
    orders = orders_of(place)
    answers = run(orders, place.folder, ENVIRONMENTS[environment])
    for order, answer in zip(orders, answers, strict=True):
        told = (order, answer)
        assert b"Traceback" not in answer.out + answer.err, told
        assert answer.code in EXIT_CODES, told
        raw = b"--raw" in order.words
        assert raw or BAD not in answer.out + answer.err, told
        assert raw or b"\x1b" not in answer.out + answer.err, told
        if b"--json" in order.words and environment != "utf-16" and answer.code == 0:
            assert answer.out.isascii(), told
            # Half a character is refused by stricter readers than Python's.
            json.dumps(json.loads(answer.out), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ("utf-8", "start \U0001f680 \\u202e caf\u00e9".encode()),
        ("latin-1 in the C locale", b"start ? \\u202e caf\xe9"),
        ("ascii", b"start ? \\u202e caf?"),
        ("C without UTF-8", b"start ? \\u202e caf?"),
    ],
)
def test_what_an_output_has_no_character_for_is_replaced(
    place: Place, environment: str, shown: bytes
) -> None:
    orders = [
        Order("gigq-core", [b"--db", place.db, b"list"]),
        Order("gigq-core", [b"--db", place.db, b"status", place.job.encode()]),
    ]
    for answer in run(orders, place.folder, ENVIRONMENTS[environment]):
        assert shown in answer.out, answer


def test_a_parameter_reaches_the_function_byte_for_byte(place: Place) -> None:
    words = [b"submit", b"tasks.speaks", b"-p", b"path=" + BAD, b"--priority", b"9"]
    orders = [
        Order("gigq-core", [b"--db", place.db, *words]),
        Order("gigq-core", [b"--db", place.db, b"worker", b"--once", b"--chdir", place.folder]),
    ]
    answers = run(orders, place.folder, UTF8)
    assert [answer.code for answer in answers] == [0, 0], answers
    job = answers[0].out.split()[-1].decode()
    result = JobQueue(os.fsdecode(place.db)).get_result(job)
    assert bytes.fromhex(result["path"]) == BAD


def test_good_utf8_is_read_as_such_in_a_locale_that_is_not(place: Place) -> None:
    name = "Stra\u00dfe \u2603"
    words = [b"submit", b"tasks.speaks", b"--name", name.encode()]
    answers = run(
        [Order("gigq-core", [b"--db", place.db, *words])],
        place.folder,
        ENVIRONMENTS["C without UTF-8"],
    )
    job = answers[0].out.split()[-1].decode()
    assert JobQueue(os.fsdecode(place.db)).get_status(job)["name"] == name


def test_a_workers_row_tells_its_folder_with_escapes(place: Place) -> None:
    with sqlite3.connect(os.fsdecode(place.db)) as conn:
        folder = conn.execute("SELECT chdir FROM core_workers").fetchone()[0]
    assert folder == place.folder.decode("utf-8", "surrogateescape").replace("\udcef", "\\udcef")
