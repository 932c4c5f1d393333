"""Writes `failures.json`: what the runner records of `failing.py`, in each Python it is given.

python tests/data/make_failures.py python3.8 python3.13 ...
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
RUNNER = HERE.parent.parent / "gigq_core" / "worker" / "runner.py"
MODULES = {
    "failing_import.py": "def begin():\n    return 1 // 0\n\n\nbegin()\n",
    "failing_syntax.py": "x = 1\ndef f(:\n",
}
WITHIN = """
import importlib.util, json, sys

spec = importlib.util.spec_from_file_location("runner", sys.argv[1])
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)
import failing

sys.setrecursionlimit(150)
found = {}
for name, function in vars(failing).items():
    if not callable(function) or isinstance(function, type):
        continue
    if sys.version_info < (3, 11) and name in ("noted", "grouped"):
        continue
    try:
        function()
    except BaseException as problem:
        told = runner.failure(problem, __file__)
        found[name] = {key: told[key] for key in ("error", "traceback", "raised")}
print(json.dumps({"%d.%d" % sys.version_info[:2]: found}))
"""


def recorded(python: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copy(HERE / "failing.py", place)
        for name, text in {**MODULES, "within.py": WITHIN}.items():
            (place / name).write_text(text)
        done = subprocess.run(
            [python, place / "within.py", RUNNER], check=True, capture_output=True, text=True
        )
    # Each where it may be installed.
    version = done.stdout[2:].split('"')[0]
    text = done.stdout.replace(folder, f"/srv/app-{version}")
    library = Path(python).resolve().parent.parent
    return json.loads(text.replace(f"{library}/lib", f"/opt/python-{version}/lib"))


if __name__ == "__main__":
    all_of_them = {}
    for python in sys.argv[1:]:
        all_of_them.update(recorded(python))
    (HERE / "failures.json").write_text(json.dumps(all_of_them, indent=1) + "\n")
