"""How an agent gets to the far end of a link, whatever stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from gigq_core.worker.agents import bootstrap, bundle, leftovers, wire
from gigq_core.worker.agents.bootstrap import Handshake, LinkRefused
from tests.agents.far_end import FarEnd, far_end
from tests.waiting import wait_until

SHA = bundle.make_bundle().sha


class Home:
    """The far side's home, cache and temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.env = {
            **os.environ,
            "HOME": str(folder / "home"),
            "TMPDIR": str(self.temporary),
        }
        self.env.pop("XDG_CACHE_HOME", None)

    @property
    def base(self) -> Path:
        return Path(self.env["HOME"]) / ".cache" / "gigq"

    @property
    def agent(self) -> Path:
        return self.base / f"agent-{SHA[:16]}"

    def works(self, via: list[str] | None = None, **more: object) -> bool:
        """Have a job run there; whether the agent was sent for that."""
        with far_end(via, env=self.env, **more) as far:  # type: ignore[arg-type]
            far.land()
            far.greet()
            assert far.result_of("os.path:basename", '{"p": "a/b"}') == '"b"'
            far.send(wire.Close())
            far.wait_for(wire.Gone)
            far.read_to_end()
            return far.sent_bundle

    def left(self) -> list[str]:
        return sorted(os.listdir(self.temporary))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


# --- ways there ----------------------------------------------------------------------------------


def _as_ssh_does(times: int, tmp_path: Path) -> list[str]:
    """A command that joins its words by spaces and has a shell read them, as ssh does; and again
    for each further host."""
    if not times:
        return []
    hop = _script(tmp_path / f"hop{times}", '#!/bin/sh\nexec sh -c "$*"\n')
    return [hop, *_as_ssh_does(times - 1, tmp_path)]


@pytest.mark.parametrize("times", [1, 4])
def test_the_words_survive_any_number_of_shells(home: Home, tmp_path: Path, times: int) -> None:
    assert home.works(_as_ssh_does(times, tmp_path))


def test_no_word_means_anything_to_a_shell() -> None:
    for word in bootstrap.words("/opt/python-3.12/bin/python3"):
        assert re.fullmatch(r"[A-Za-z0-9/._-]+", word), word


@pytest.mark.parametrize(
    "via",
    [
        ["nice", "-n", "1", "sh", "-c", 'cd / && "$@"; exit 7', "sh"],
        ["sh", "-c", "printf 'no end of line'; exec \"$@\"", "sh"],
        ["sh", "-c", 'head -c 30000 /dev/zero; echo warning >&2; exec "$@"', "sh"],
        ["sh", "-c", "echo 'gigq-agent'; echo '>>> gigq-agent {}'; exec \"$@\"", "sh"],
    ],
)
def test_wrappers_and_what_they_say_do_no_harm(home: Home, via: list[str]) -> None:
    assert home.works(via)


@pytest.mark.parametrize(
    "more",
    [
        {"PYTHONSTARTUP": "START"},
        {"PYTHONINSPECT": "1"},
        {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONOPTIMIZE": "2"},
        {"PYTHONIOENCODING": "utf-16", "LC_ALL": "POSIX"},
        {"PYTHONPATH": "SHADOWS"},
        {"PYTHONWARNINGS": "error"},
    ],
)
def test_settings_of_pythons_there_do_no_harm(
    home: Home, tmp_path: Path, more: dict[str, str]
) -> None:
    start = tmp_path / "startup.py"
    start.write_text("print('from the start file'); raise SystemExit(3)")
    shadows = tmp_path / "shadows"
    shadows.mkdir()
    for name in ("json", "zipfile", "selectors", "gigq_core"):
        (shadows / f"{name}.py").write_text("raise SystemExit('shadowed')")
    places = {"START": str(start), "SHADOWS": str(shadows)}
    home.env.update({name: places.get(value, value) for name, value in more.items()})
    if "PYTHONPATH" in more:
        # A job does find what stands there.
        with far_end(env=home.env) as far:
            far.land()
            far.greet()
        return
    assert home.works()


# --- no agent can stand there --------------------------------------------------------------------


def _sentence(home: Home, via: list[str] | None = None, python: str = sys.executable) -> str:
    with far_end(via, python, env=home.env) as far:
        with pytest.raises(LinkRefused) as refused:
            far.land()
        return str(refused.value)


def _real_python(version: str) -> str | None:
    """One that stands beside that of the tests."""
    places = Path(sys.base_prefix).parent.glob(f"{version}.*/bin/python")
    return next(map(str, places), None)


def test_a_python_that_is_too_old_is_told_with_its_version(home: Home, tmp_path: Path) -> None:
    old = _script(
        tmp_path / "python-as-of-2019",
        f"#!{sys.executable}\nimport sys\nsys.version_info = (3, 8, 10, 'final', 0)\n"
        "exec(sys.stdin.readline())\n",
    )
    assert _sentence(home, python=old) == (
        f'The link "here" leads to Python 3.8.10 ({sys.executable}), and an agent needs 3.10 or '
        "later: name another one with --remote-python."
    )


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9"])
def test_real_old_pythons_are_told_as_well(home: Home, version: str) -> None:
    python = _real_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    said = _sentence(home, python=python)
    assert "--remote-python" in said
    assert "3.10 or later" in said
    if version != "2.7":
        assert f"leads to Python {version}." in said


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_an_agent_runs_on_each_python_that_it_may_run_on(home: Home, version: str) -> None:
    python = _real_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    assert home.works(python=python)
    assert not home.works(python=python)


def test_no_python_is_told_with_what_the_shell_says(home: Home, tmp_path: Path) -> None:
    said = _sentence(home, _as_ssh_does(1, tmp_path), "python-of-nowhere")
    assert said.startswith('The link "')
    assert "ended with exit code 127 before an agent was there: " in said
    assert "not found" in said
    assert said.endswith("Is there a Python of 3.10 or later? Name it with --remote-python.")


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        (
            ["sh", "-c", "echo 'Could not resolve hostname gpu1' >&2; exit 255"],
            "exit code 255 before an agent was there: Could not resolve hostname gpu1.",
        ),
        (
            ["sh", "-c", "echo 'account expired'"],
            "exit code 0 before an agent was there: account",
        ),
        (["cat"], "sends back what it is sent, as a terminal does"),
        (["sh", "-c", "yes | head -c 200000"], "says too much before the agent can start: y y y"),
        (["sh", "-c", "echo 'gigq-agent [1, 2'"], "does not answer as an agent does"),
    ],
)
def test_a_link_that_leads_nowhere_says_so(home: Home, via: list[str], expected: str) -> None:
    with far_end(via, env=home.env, words=["x"] if via[0] == "sh" else ["-"]) as far:
        with pytest.raises(LinkRefused) as refused:
            far.land()
        assert expected in str(refused.value)


def test_a_command_that_keeps_its_input_to_itself_is_told_of(home: Home) -> None:
    said = _sentence(home, ["sh", "-c", 'exec "$@" </dev/null', "sh"])
    assert said.endswith(
        "ended with exit code 0 before an agent was there. Does its command pass on what it is "
        "sent? kubectl exec and docker exec need -i."
    )


def test_where_there_is_no_linux_an_agent_needs_psutil() -> None:
    start = Path(bundle.__file__).with_name("start_agent.py")
    root = start.parents[3]
    program = (
        "import runpy, sys\n"
        "sys.platform = 'darwin'\n"
        "sys.modules['psutil'] = None\n"
        f"sys.argv = ['start_agent.py', {str(root)!r}, '1']\n"
        f"runpy.run_path({str(start)!r}, run_name='__main__')\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    handshake = Handshake("here")
    with pytest.raises(LinkRefused, match="its Python has no psutil"):
        handshake.feed(ran.stdout)


def test_bytes_that_a_link_changes_are_noticed(home: Home) -> None:
    with far_end(env=home.env) as far:
        text = far.handshake._bundle.text
        far.handshake._bundle = bundle.Bundle(SHA, text[:500] + b"AAAA" + text[504:])
        with pytest.raises(LinkRefused, match="did not arrive as it was sent"):
            far.land()
    assert not home.agent.exists()


# --- the cache -----------------------------------------------------------------------------------


def test_the_cache_is_for_this_user_alone_and_used_again(home: Home) -> None:
    assert home.works()
    assert home.agent.is_dir()
    assert home.base.stat().st_mode & 0o77 == 0
    assert home.agent.stat().st_mode & 0o77 == 0
    assert not home.works()
    assert os.listdir(home.base) == [home.agent.name]
    assert home.left() == []


def test_xdg_cache_home_is_respected(home: Home, tmp_path: Path) -> None:
    home.env["XDG_CACHE_HOME"] = str(tmp_path / "xdg")
    assert home.works()
    assert (tmp_path / "xdg" / "gigq" / home.agent.name).is_dir()
    assert not home.base.exists()


def _delete_half(agent: Path) -> None:
    files = sorted(agent.rglob("*.py"))
    for path in files[::2]:
        path.unlink()


def _change_one(agent: Path) -> None:
    path = agent / "gigq_core" / "worker" / "runner.py"
    path.write_text(path.read_text() + "\nraise SystemExit('changed')\n")


def _change_bundle(agent: Path) -> None:
    (agent / "agent.zip").write_bytes(b"PK" + os.urandom(900))


def _empty(agent: Path) -> None:
    shutil.rmtree(agent)
    agent.mkdir()


def _link_one(agent: Path) -> None:
    path = agent / "gigq_core" / "worker" / "pool.py"
    elsewhere = agent.parent.parent / "elsewhere.py"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def _file_in_its_place(agent: Path) -> None:
    shutil.rmtree(agent)
    agent.write_text("mine")


def _open_to_others(agent: Path) -> None:
    agent.chmod(0o777)


@pytest.mark.parametrize(
    "spoil",
    [
        *(_delete_half, _change_one, _change_bundle, _empty, _link_one, _file_in_its_place),
        _open_to_others,
    ],
)
def test_a_cache_that_is_not_as_it_was_is_made_anew(
    home: Home, spoil: Callable[[Path], None]
) -> None:
    assert home.works()
    spoil(home.agent)
    assert home.works()
    assert not home.works()
    assert os.listdir(home.base) == [home.agent.name]


def _no_folder(home: Home) -> None:
    home.env["HOME"] = "/proc/nowhere"


def _file_as_home(home: Home) -> None:
    Path(home.env["HOME"]).write_text("")


def _no_home(home: Home) -> None:
    home.env["HOME"] = "relative"


def _linked(home: Home) -> None:
    elsewhere = home.folder / "elsewhere"
    elsewhere.mkdir()
    home.base.parent.mkdir(parents=True)
    home.base.symlink_to(elsewhere)


def _writable_by_all(home: Home) -> None:
    home.base.mkdir(parents=True)
    home.base.chmod(0o777)


def _somebody_elses(home: Home) -> None:
    home.base.mkdir(parents=True)
    os.chown(home.base, 65534, 65534)


@pytest.mark.parametrize(
    "spoil", [_no_folder, _file_as_home, _no_home, _linked, _writable_by_all, _somebody_elses]
)
def test_where_there_can_be_no_cache_the_agent_is_there_for_once(
    home: Home, spoil: Callable[[Home], None]
) -> None:
    if spoil is _somebody_elses and os.geteuid() != 0:
        pytest.skip("a folder can't be given away")
    spoil(home)
    assert home.works()
    assert home.works()
    wait_until(lambda: home.left() == [])
    assert not list(home.folder.rglob("agent-*"))


@contextmanager
def _small_disk(place: Path, size: str) -> Iterator[None]:
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_at_home_leaves_the_temporary_folder(home: Home) -> None:
    with _small_disk(Path(home.env["HOME"]), "64k"):
        assert home.works()
        assert os.listdir(home.base) == []
    wait_until(lambda: home.left() == [])


def test_no_room_anywhere_is_told_with_the_places(home: Home) -> None:
    with _small_disk(home.folder / "disk", "64k"):
        home.env["HOME"] = str(home.folder / "disk" / "home")
        home.env["TMPDIR"] = str(home.folder / "disk" / "tmp")
        Path(home.env["TMPDIR"]).mkdir()
        said = _sentence(home)
        assert said.startswith('No agent can run at the far end of link "here": there is no')
        assert "No space left on device" in said
        assert os.listdir(home.env["TMPDIR"]) == []


def test_agents_that_come_at_the_same_time_share_one_cache(home: Home) -> None:
    count = 6
    barrier = threading.Barrier(count)
    failed: list[BaseException] = []

    def come() -> None:
        try:
            with far_end(env=home.env) as far:
                answer = far.handshake.feed
                far.handshake.feed = lambda data: _all_at_once(barrier, answer(data))  # type: ignore[method-assign]
                far.land()
                far.greet()
                assert far.result_of("os.path:basename", '{"p": "a/b"}') == '"b"'
        except BaseException as problem:
            failed.append(problem)

    threads = [threading.Thread(target=come) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert os.listdir(home.base) == [home.agent.name]


def _all_at_once(barrier: threading.Barrier, reply: bytes) -> bytes:
    if reply:
        barrier.wait(30)
    return reply


# --- what is left --------------------------------------------------------------------------------


def test_what_nobody_has_used_for_long_is_removed(home: Home) -> None:
    home.base.mkdir(parents=True, mode=0o700)
    old, new = home.base / "agent-0123456789abcdef", home.base / "agent-fedcba9876543210"
    half = home.base / ".new-abc"
    killed = home.temporary / f"{leftovers.RUN_PREFIX}killed"
    once = home.temporary / f"{leftovers.ONCE_PREFIX}killed"
    fresh = home.temporary / f"{leftovers.RUN_PREFIX}fresh"
    others = home.temporary / "others"
    for folder in (old, new, half, killed, once, fresh, others):
        folder.mkdir()
        (folder / "file").touch()
    (killed / "lock").touch()
    for folder, days in ((old, 31), (new, 29), (half, 31), (killed, 1), (once, 1), (others, 90)):
        moment = folder.stat().st_mtime - days * 24 * 3600
        os.utime(folder, (moment, moment))
    with far_end(env=home.env) as far:
        far.land()
        far.greet()
        far.ping(1, 0)
        run = [name for name in home.left() if name not in (fresh.name, others.name)]
        assert len(run) == 1
        # Another one finds this one's in use, however old it looks.
        os.utime(home.temporary / run[0], (0, 0))
        home.works()
        assert run[0] in home.left()
    assert sorted(os.listdir(home.base)) == sorted([new.name, home.agent.name])
    wait_until(lambda: home.left() == sorted([fresh.name, others.name]))


def test_a_start_counts_as_use(home: Home) -> None:
    home.works()
    os.utime(home.agent, (0, 0))
    home.works()
    assert home.agent.stat().st_mtime > 1


# --- the bundle ----------------------------------------------------------------------------------


def test_the_bundle_is_the_same_each_time_and_needs_the_standard_library_alone() -> None:
    made = bundle.make_bundle.__wrapped__()
    assert made == bundle.make_bundle()
    with zipfile.ZipFile(BytesIO(b64decode(made.text))) as files:
        names = files.namelist()
        text = b"\n".join(files.read(name) for name in names)
    assert "gigq_core/worker/runner.py" in names
    assert "gigq_core/notify.py" in names
    for unwanted in ("sqlite3", "click", "rich", "cronsim", "distributed"):
        assert not re.search(rb"^(import|from) %s\b" % unwanted.encode(), text, re.MULTILINE)
    # On Linux, where nothing is imported later.
    assert not re.search(rb"^import psutil", text, re.MULTILINE)


def test_noise_is_kept_for_sentences() -> None:
    handshake = Handshake("here")
    handshake.feed(b"Welcome\x1b[0m to\ngpu1\n")
    assert handshake.noise == "Welcome\\x1b[0m to gpu1"
    told = handshake.ended(1, "\x1b]0;mine\x07no such host\n")
    assert told.endswith(": \\x1b]0;mine\\x07no such host.")


def test_the_agent_is_sent_once_however_often_a_far_end_asks_for_it() -> None:
    handshake = Handshake("here")
    asks = bootstrap.MARK + b'{"send": true}\n'
    assert handshake.feed(asks) == bundle.make_bundle().text
    with pytest.raises(LinkRefused, match="does not answer as an agent does"):
        handshake.feed(asks)


def test_a_far_end_in_small_pieces_is_understood(home: Home) -> None:
    with far_end(env=home.env) as far:
        _feed_slowly(far)
        far.land()
        far.greet()


def _feed_slowly(far: FarEnd) -> None:
    feed = far.handshake.feed

    def slowly(data: bytes) -> bytes:
        return b"".join(feed(data[at : at + 1]) for at in range(len(data)))

    far.handshake.feed = slowly  # type: ignore[method-assign]


def test_temporary_folders_are_private(home: Home) -> None:
    with far_end(env=home.env) as far:
        far.land()
        far.greet()
        for name in home.left():
            assert (home.temporary / name).stat().st_mode & 0o77 == 0
    assert tempfile.gettempdir()
