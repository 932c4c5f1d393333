"""The ready-made functions of hooks: what they send, and what they say where it does not arrive."""

from __future__ import annotations

import ast
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gigq_core import notify, post_json, run_command
from gigq_core.system.identity import process_start
from tests.waiting import wait_until

JOBS = [
    {
        "id": "9f3c0000-0000-4000-8000-000000000000",
        "name": "load",
        "status": "failed",
        "error_type": "ValueError",
        "error_message": "row 7:\nbad",
    },
    {
        "id": "b",
        "name": "clean",
        "status": "cancelled",
        "error_type": None,
        "error_message": "gone",
    },
]
TEXT = "7 jobs failed\nload (9f3c0000): ValueError: row 7: bad\nclean (b): gone\nand 5 more"

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[Any]]]:
    """A server on loopback: its address, and what was posted to it."""
    posted: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, dict(self.headers), json.loads(body)))
            answer(self)

        def do_GET(self) -> None:
            posted.append("GET")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *about: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posted
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_what_failed_is_posted_as_json_with_a_text_for_people() -> None:
    with serving(status(204)) as (address, posted):
        sent = post_json(
            f"{address}/secret", JOBS, 7, headers={"X-Key": "k"}, fields={"channel": "#ops"}
        )
    ((path, headers, body),) = posted
    assert sent == 204
    assert path == "/secret"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Key"] == "k"
    assert body == {"text": TEXT, "count": 7, "jobs": JOBS, "channel": "#ops"}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status(500, b" on fire \n"), r"http://127\.0\.0\.1 answered 500 Internal.*: on fire"),
        (status(404), r"answered 404 Not Found"),
        (status(302, Location="/other"), r"answered 302 Found"),
        (status(307, Location="/other"), r"answered 307 Temporary Redirect"),
    ],
)
def test_an_answer_that_is_no_success_fails_and_names_the_server_alone(
    answer: Answer, sentence: str
) -> None:
    with (
        serving(answer) as (address, posted),
        pytest.raises(RuntimeError, match=sentence) as refused,
    ):
        post_json(f"{address}/secret", JOBS, 1)
    assert "secret" not in str(refused.value)
    assert len(posted) == 1


def test_a_server_that_does_not_answer_is_not_waited_for_longer_than_was_said() -> None:
    free = threading.Event()
    with serving(lambda handler: [free.wait(20), None][1]) as (address, _):
        began = time.monotonic()
        with pytest.raises(RuntimeError, match="could not be reached: timed out"):
            post_json(address, JOBS, 1, timeout=0.2)
        assert time.monotonic() - began < 10
        free.set()


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"http://127\.0\.0\.1 could not be reached: .*refused"):
        post_json("http://127.0.0.1:9/secret", JOBS, 1)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/secret", "ftp://a/secret", "", "http://", "secret", None, 5),
        *("http://a:b/secret", "http://a:99999/secret", "http://[::1/secret", "http://a:0/secret"),
        *("http://a/a secret", "http://a/sécret", "http://a secret/b"),
        *("http://a/secret\udcff", "http://me:secret@a:b/"),
    ],
)
def test_what_is_no_address_of_a_server_is_refused_and_none_of_it_told(url: Any) -> None:
    with pytest.raises(ValueError, match=r"^post_json needs a URL") as refused:
        post_json(url, JOBS, 1)
    assert "secret" not in str(refused.value)
    assert type(refused.value) is ValueError


def test_who_asks_is_said_as_a_header() -> None:
    with serving(status(204)) as (address, posted):
        url = address.replace("http://", "http://me:p%40ss@") + "/a?b=c#d"
        assert post_json(url, JOBS, 1) == 204
        assert post_json(url, JOBS, 1, headers={"Authorization": "Bearer t"}) == 204
    (path, headers, _), (_, own, _) = posted
    assert (path, headers["Authorization"]) == ("/a?b=c", "Basic bWU6cEBzcw==")
    assert own["Authorization"] == "Bearer t"
    assert "@" not in headers["Host"]


@pytest.mark.parametrize("said", [b"no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200])
def test_what_answers_in_no_words_of_http_is_told(said: bytes) -> None:
    with (
        serving(lambda handler: [handler.wfile.write(said), None][1]) as (address, _),
        pytest.raises(RuntimeError, match=r"^http://127\.0\.0\.1 gave no answer of HTTP: "),
    ):
        post_json(f"{address}/secret", JOBS, 1)


def _python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def test_a_program_reads_what_failed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read() + '\\n' + sys.argv[2])"
    assert run_command(_python(code, str(out), "{count}: {text} {other}"), JOBS, 7) == 0
    given, argument = out.read_text().split("\n", 1)
    assert json.loads(given) == {"text": TEXT, "count": 7, "jobs": JOBS}
    assert argument == f"7: {TEXT} {{other}}"


def test_a_command_as_text_is_split_as_a_shell_would_and_run_without_one(tmp_path: Path) -> None:
    out = tmp_path / "a file"
    assert run_command(f"touch '{out}' ';' '{tmp_path}/$HOME'") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["$HOME", "a file"]


def test_a_program_that_fails_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; sys.stderr.write('one\\nno such pager\\n'); sys.exit(3)"
    with pytest.raises(RuntimeError, match=r"ended with exit code 3: no such pager$"):
        run_command(_python(code))
    assert capsys.readouterr().err == "one\nno such pager\n"


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"^no-such-pager could not be started: No such file"):
        run_command("no-such-pager now")
    with pytest.raises(ValueError, match="give a command that is not empty"):
        run_command("  ")
    for odd in (None, 5, {"a": 1}):
        with pytest.raises(TypeError, match="needs text or a list of words"):
            run_command(odd)  # type: ignore[arg-type]


def test_a_program_that_runs_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    out = tmp_path / "pid"
    # No Python, whose start alone may take as long on a busy machine.
    words = ["sh", "-c", 'sleep 60 & echo $! > "$0"; sleep 60', str(out)]
    with pytest.raises(TimeoutError, match="still ran after 2 s, and was killed"):
        run_command(words, timeout=2)
    pid = int(out.read_text())
    wait_until(lambda: process_start(pid) is None, what="what it started to be gone")


def test_a_process_that_a_program_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    out = tmp_path / "pid"
    assert run_command(["sh", "-c", 'sleep 60 & echo $! > "$0"', str(out)]) == 0
    # It is there still: this fails where it is gone.
    os.kill(int(out.read_text()), signal.SIGKILL)


def test_they_are_tasks_whose_jobs_name_them_where_they_stand() -> None:
    job = post_json.to_job(url="http://a")
    assert ".".join(job.reference) == "gigq_core.notify.post_json"
    assert ".".join(run_command.to_job(command=["a"]).reference) == "gigq_core.notify.run_command"


def test_they_need_nothing_but_the_standard_library_of_an_old_python() -> None:
    tree = ast.parse(Path(notify.__file__).read_text(), feature_version=(3, 8))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else name.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    }
    assert imported <= sys.stdlib_module_names
