"""The package as it is installed: what is in it, and that it works where nothing else is."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from email import message_from_bytes
from email.message import Message
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.pages import ROOT


def run(argv: Sequence[str | Path], cwd: Path, **env: str) -> str:
    done = subprocess.run(
        list(map(str, argv)),
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the source distribution, built once a run."""
    base = tmp_path_factory.getbasetemp()
    # The workers of one run have their folders side by side.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for target, name in (("wheel", "*.whl"), ("sdist", "*.tar.gz")):
            if not list(folder.glob(name)):
                run([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder], ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def installed(wheel: Path, folder: Path) -> Path:
    """A new virtual environment with the wheel, and with nothing that it depends on."""
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site_packages(folder))
    return folder


def site_packages(venv: Path) -> Path:
    python = venv / "bin" / "python"
    return Path(run([python, "-c", "import site; print(site.getsitepackages()[0])"], venv).strip())


def test_the_wheel_holds_both_packages_their_data_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"gigq_core", "gigq_tui"}
    in_repository = subprocess.run(
        ["git", "ls-files", "gigq_core", "gigq_tui"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert names >= set(in_repository)
    assert names >= {"gigq_core/py.typed", "gigq_tui/py.typed", "gigq_tui/app.tcss"}


def test_the_source_distribution_holds_what_building_and_testing_take(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in (
        *("pyproject.toml", "README.md", "CHANGELOG.md", "ARCHITECTURE.md", "LICENSE", ".ci/run"),
        *("gigq_core/__init__.py", "gigq_tui/app.tcss", "tests/conftest.py"),
        *("docs/mkdocs.yml", "docs/pages/index.md", "screenshots/jobs-120x32.png"),
    ):
        assert needed in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".db-wal")]


def test_what_an_index_shows_has_no_link_or_picture_that_leads_nowhere(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    text = str(metadata.get_payload())
    assert text.startswith("# gigq-tui\n")
    assert "](" not in text.replace("](https:", "")
    assert "<!--" not in text


def test_the_classifiers_name_every_python_that_is_supported(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier") or []
    for python in ("3.10", "3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {python}" in classifiers
    assert "Typing :: Typed" in classifiers
    assert metadata["License-Expression"] == "MIT"
    extras = set(metadata.get_all("Provides-Extra") or [])
    assert extras == {"bench", "dask", "docs", "metrics", "test"}


def test_the_queue_needs_nothing_but_python(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    bare = installed(wheel, tmp_path_factory.mktemp("venv"))
    (tmp_path / "tasks.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "script.py").write_text(
        "import sys\n"
        "from gigq_core import Job, JobQueue, Worker\n"
        "queue = JobQueue('jobs.db')\n"
        "id = queue.submit(Job('job', 'tasks.double', {'x': 21}))\n"
        "for isolation in ('process', 'thread'):\n"
        "    worker = Worker('jobs.db', isolation=isolation)\n"
        "    worker.process_one()\n"
        "    worker.close()\n"
        "print(queue.get_result(id), 'textual' in sys.modules, 'gigq_tui' in sys.modules)\n"
    )
    assert run([bare / "bin" / "python", "script.py"], tmp_path) == "42 False False\n"


@pytest.fixture(scope="module")
def whole(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it depends on, which is that of these tests."""
    venv = installed(wheel, tmp_path_factory.mktemp("venv"))
    (site_packages(venv) / "theirs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


@pytest.mark.parametrize("module", ["gigq_core", "gigq_tui"])
def test_both_commands_say_their_version_as_modules(
    whole: Path, module: str, tmp_path: Path
) -> None:
    said = run([whole / "bin" / "python", "-m", module, "--version"], tmp_path)
    assert said == f"{module.replace('_', '-')}, version {version('gigq-tui')}\n"


def test_the_installed_console_prints_a_snapshot(whole: Path, tmp_path: Path) -> None:
    python = whole / "bin" / "python"
    where = run([python, "-c", "import gigq_tui; print(gigq_tui.__file__)"], tmp_path)
    assert where.startswith(str(whole.resolve()))
    run([python, "-m", "gigq_core", "--db", "jobs.db", "submit", "os.getcwd"], tmp_path)
    assert "getcwd" in run([python, "-m", "gigq_tui", "jobs.db", "--once"], tmp_path)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("gigq-core --ver", ["--version"]),
        ("gigq-core canc", ["cancel"]),
        ("gigq-tui --ver", ["--version"]),
        ("gigq-tui --theme d", ["dark"]),
        ("gigq-tui --sort a", ["att", "age"]),
    ],
)
def test_a_shell_completes_what_both_commands_take(
    words: str, offered: list[str], tmp_path: Path
) -> None:
    command, *_, typed = words.split()
    asked = "completion" if command == "gigq-core" else "--completion"
    pressed = (
        f'eval "$({command} {asked} bash)"; '
        f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
        f"$(complete -p {command} | sed 's/.* -F \\([^ ]*\\) .*/\\1/') {command} {typed}; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    assert run(["bash", "-c", pressed], tmp_path, PATH=path).split() == offered
