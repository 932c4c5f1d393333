"""A copied command means the same words to a shell, and pasting it presses no key."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gigq_core.job import JobOptions
from gigq_tui.actions import shell_command
from gigq_tui.actions.shell_words import line_of, quoted
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.actions.workers.setup import WorkerSetup

# Starting a shell takes a while on a busy machine.
slow = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

HOSTILE = [
    "two\nlines",
    "ends\r",
    "\x1b[201~; touch /tmp/x\n",
    "\x03rm\x04",
    "\x15\x17",
    "tab\tbed",
    "\u202egnp.exe\u2066",
    "\u2028",
    "\x9b31m",
    "it's \n a \\ path",
    "!! \n !$",
    "$(id) `id` \n ${HOME}",
    "",
    "-x",
    "--",
    "~/x",
    "\u00e9\n\U0001f680",
    "\\n \x07",
    "\x7f",
    "IDS",
    " led and trailed ",
    "caf\udce9",
    "x" * 5_000,
]
WORD = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    st.text(st.sampled_from("a \n\r\t\x1b[201~\x03'\"\\$`!;&|é"), max_size=12),
)


def read_by_a_shell(line: str, shell: str = "bash") -> list[str]:
    """The words that a shell hands to the program, in a locale that is not UTF-8."""
    done = subprocess.run(
        [shell, "-c", f"gigq() {{ printf '%s\\0' \"$@\"; }}\n{line}"],
        capture_output=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    return [word.decode("utf-8", "surrogateescape") for word in done.stdout.split(b"\0")[:-1]]


def presses_no_key(text: str) -> bool:
    """Whether no character of it is a control, reorders the line, or is half a character."""
    return not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)


@slow
@given(st.lists(WORD, min_size=1, max_size=12))
def test_a_shell_reads_the_words_that_were_meant(words: list[str]) -> None:
    line = line_of(["gigq", *words])
    assert presses_no_key(line)
    assert read_by_a_shell(line) == words


@pytest.mark.parametrize("shell", ["zsh", "ksh", "mksh"])
def test_other_shells_read_them_too(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    assert read_by_a_shell(line_of(["gigq", *HOSTILE]), shell) == HOSTILE


def test_plain_words_are_written_as_they_always_were() -> None:
    assert line_of(["a", "b c", "it's", "日本"]) == "a 'b c' 'it'\"'\"'s' '日本'"


def test_no_argument_can_hold_a_nul() -> None:
    assert read_by_a_shell(line_of(["gigq", "a\0b"])) == ["a\\x00b"]
    assert presses_no_key(quoted("a\0b"))


def as_function(line: str) -> str:
    """The command as one of the shell's function, whose name has no hyphen."""
    return line.replace(shell_command.PROGRAM, "gigq")


@pytest.mark.parametrize("odd", HOSTILE)
def test_every_copied_command_holds_what_it_was_made_of(odd: str) -> None:
    path = Path("/srv") / (odd.replace("/", "_").strip(".")[:200] or "jobs.db")
    commands = {
        shell_command.for_jobs(path, "cancel", [odd]): [odd],
        shell_command.for_requests(path, [odd], "drain"): [odd, "drain"],
        shell_command.for_requests(path, [odd, "w2"], "drain"): [odd, "drain", "w2"],
        shell_command.for_submit(
            path,
            SubmitRequest(
                "shop.send", {"a": odd, "b": [odd]}, JobOptions(f"n{odd}", description=odd or "x")
            ),
        ): [f"n{odd}"],
        shell_command.for_worker(path, WorkerSetup(f"/py{odd}", Path(f"/srv/{odd}"), 2)): [
            f"/py{odd}"
        ],
    }
    for line, expected in commands.items():
        assert presses_no_key(line)
        words = read_by_a_shell(as_function(line))
        assert str(path) in words
        assert all(word in words for word in expected), words


def test_the_environment_of_a_worker_is_quoted_too() -> None:
    setup = WorkerSetup("python3", Path("/srv"), environment=(("NOTE", "a\n\x1b[201~b"),))
    line = shell_command.for_worker(Path("/srv/q.db"), setup)
    assert presses_no_key(line)
    assert line.startswith(r"NOTE=$'a\n\e[201~b' gigq-core --db /srv/q.db worker")


def test_many_ids_of_which_one_is_no_line_are_all_named() -> None:
    ids = [f"id-{n}" for n in range(30)]
    for odd in ("a\nb", "\u3164", "\x1b[A", "\u202e"):
        line = shell_command.for_jobs(Path("/srv/q.db"), "cancel", [*ids, odd])
        assert presses_no_key(line)
        assert read_by_a_shell(as_function(line))[-1] == odd


def test_a_file_of_lines_is_named_from_the_root() -> None:
    request = SubmitRequest("shop.send", options=JobOptions("send"), jsonl=Path("lines.jsonl"))
    assert str(Path.cwd() / "lines.jsonl") in shell_command.for_submit(Path("/q.db"), request)
