"""The demo's job functions; workers import them, so nothing but the standard library is here."""

from __future__ import annotations

import hashlib
import json
import platform
import tokenize
from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gigq_tui.demo import measure as counting
from gigq_tui.demo import report as reporting
from gigq_tui.demo import source
from gigq_tui.demo.orders import RATES

if TYPE_CHECKING:
    from gigq_core.worker.runner import JobContext

T = TypeVar("T")

MANIFEST = "manifest.json"
MEASURES = "measures"
EARLY_PACKAGES = 5
NEIGHBOURS = 2
KEPT_CLONES = 10


def inventory(library: str) -> dict[str, int]:
    """Find the library's files, hash each, and write the manifest that the other jobs read."""
    packages = source.packages(Path(library))
    manifest = {}
    for name, files in packages.items():
        manifest[name] = [
            {"path": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in files
        ]
        print(f"{name}: {len(files)} files", flush=True)
    _write(MANIFEST, json.dumps(manifest, indent=1))
    return {"packages": len(manifest), "files": sum(len(files) for files in manifest.values())}


def measure_package(package: str, job_context: JobContext | None = None) -> dict[str, Any]:
    """Measure every file of a package; the details go to a file, the sums are the result."""
    files = {}
    for path in _tracked(_files_of(package), job_context):
        files[path.name] = found = counting.measure(path)
        print(
            f"{path.name}: {found['lines']} lines, {found['functions']} functions, "
            f"complexity {found['complexity']} in {found['knottiest'] or '-'}",
            flush=True,
        )
    _write(f"{MEASURES}/{package}.json", json.dumps(files, indent=1))
    knottiest = max(files.values(), key=lambda found: found["complexity"])
    sums = Counter[str]()
    for found in files.values():
        sums.update({key: value for key, value in found.items() if isinstance(value, int)})
    return {
        **sums,
        "package": package,
        "files": len(files),
        "complexity": knottiest["complexity"],
        "knottiest": knottiest["knottiest"],
    }


def first_totals() -> dict[str, int]:
    """Sum up the packages measured so far, for who can't wait for the report.

    Raises:
        RuntimeError: too few have been measured yet; it is worth trying again.
    """
    done = sorted(Path(MEASURES).glob("*.json"))
    if len(done) < EARLY_PACKAGES:
        raise RuntimeError(
            f"only {len(done)} of the first {EARLY_PACKAGES} packages are measured yet"
        )
    lines = sum(
        found["lines"] for file in done for found in json.loads(file.read_text("utf-8")).values()
    )
    print(f"{lines:,} lines in the first {len(done)} packages")
    return {"packages": len(done), "lines": lines}


def merge_measures(parent_results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Add up what the packages' jobs found."""
    packages = {found["package"]: found for found in parent_results.values()}
    sums = Counter[str]()
    for found in packages.values():
        sums.update({key: value for key, value in found.items() if isinstance(value, int)})
    del sums["complexity"]
    print(f"{len(packages)} packages, {sums['files']:,} files, {sums['lines']:,} lines")
    return {
        **sums,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": packages,
    }


def imports_of_package(package: str, job_context: JobContext | None = None) -> dict[str, Any]:
    """Which packages a package imports, and how often."""
    found = Counter[str]()
    for path in _tracked(_files_of(package), job_context):
        found.update(counting.imports_of(counting.parse(path.read_bytes(), path.name)))
    for name, count in found.most_common(10):
        print(f"{name}: {count} times")
    return {"package": package, "imports": dict(found)}


def import_graph(parent_results: dict[str, dict[str, Any]]) -> dict[str, int]:
    """How many packages import each package; the whole graph goes to imports.json."""
    graph = {found["package"]: found["imports"] for found in parent_results.values()}
    _write("imports.json", json.dumps(graph, indent=1))
    counts = Counter(name for imports in graph.values() for name in imports if name != ".")
    return dict(counts.most_common())


def clones_in_package(package: str, job_context: JobContext | None = None) -> dict[str, Any]:
    """The functions of a package that are most alike, each compared with those of its length."""
    found = []
    for path in _files_of(package):
        tree = counting.parse(path.read_bytes(), path.name)
        found += [(f"{path.stem}.{name}", text) for name, text in counting.functions_of(tree)]
    found.sort(key=lambda function: len(function[1]))
    print(f"{len(found)} functions", flush=True)
    pairs = []
    for place, (name, text) in enumerate(found):
        if job_context is not None:
            job_context.progress(place, len(found), name)
        matcher = SequenceMatcher(None, "", text, autojunk=False)
        for other_name, other_text in found[place + 1 : place + 1 + NEIGHBOURS]:
            matcher.set_seq1(other_text)
            pairs.append((matcher.ratio(), name, other_name))
    pairs.sort(reverse=True)
    for alike, one, other in pairs[:KEPT_CLONES]:
        print(f"{one} and {other}: {alike:.0%} alike")
    return {
        "package": package,
        "compared": len(pairs),
        "closest": [
            {"alike": round(alike, 3), "one": one, "other": other}
            for alike, one, other in pairs[:KEPT_CLONES]
        ],
    }


def merge_clones(parent_results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The pairs of all packages, the closest first."""
    pairs = [
        {**pair, "package": found["package"]}
        for found in parent_results.values()
        for pair in found["closest"]
    ]
    return sorted(pairs, key=lambda pair: (-pair["alike"], pair["package"], pair["one"]))


def write_report(parent_results: dict[str, Any]) -> dict[str, Any]:
    """Write report.md from the totals, the import graph and the clones."""
    totals, imports, clones = parent_results.values()
    text = reporting.markdown(totals, imports, clones)
    _write("report.md", text)
    print(text)
    return {"file": "report.md", "bytes": len(text.encode())}


def write_page(parent_results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Write report.html from the totals."""
    (totals,) = parent_results.values()
    text = reporting.page(totals)
    _write("report.html", text)
    return {"file": "report.html", "bytes": len(text.encode())}


def check_file(path: str) -> dict[str, Any]:
    """Read a source as Python does, and say what is in it; the path may be relative.

    Raises:
        FileNotFoundError: there is no such file: write it, and try again.
        SyntaxError, UnicodeDecodeError: it isn't Python: mend it, and try again.
    """
    file = Path(path)
    raw = file.read_bytes()
    print(f"{file.resolve()}: {len(raw)} bytes", flush=True)
    with file.open("rb") as opened:
        encoding, _ = tokenize.detect_encoding(opened.readline)
    print(f"encoding {encoding}", flush=True)
    raw.decode(encoding)
    counting.parse(raw, file.name)
    found = counting.measure(file)
    print(f"sound: {found['lines']} lines, {found['functions']} functions")
    return {"file": file.name, "encoding": encoding, **found}


def accept_files(parent_results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """List the files of the inbox that were found sound, in accepted.json."""
    accepted = sorted(found["file"] for found in parent_results.values())
    _write("accepted.json", json.dumps(accepted))
    return {"accepted": accepted}


def write_price_list(parent_results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Write prices.md from the accepted files."""
    (accepted,) = parent_results.values()
    _write("prices.md", "".join(f"- {name}\n" for name in accepted["accepted"]))
    return {"file": "prices.md", "files": len(accepted["accepted"])}


def price_order(order: str, customer: int, currency: str) -> dict[str, Any]:
    """Add an order up in euros, and write it beside as `.priced`.

    Raises:
        FileNotFoundError: there are no rates yet: put them there, and try again.
        KeyError: there is no rate for its currency.
    """
    lines = json.loads(Path(order).read_text("utf-8"))["lines"]
    rate = json.loads(Path(RATES).read_text("utf-8"))[currency]
    total = round(sum(number * price for _, number, price in lines) * rate, 2)
    _write(f"{order}.priced", json.dumps({"customer": customer, "total": total}))
    print(f"{order}: {total:.2f} EUR for customer {customer}")
    return {"customer": customer, "total": total}


def find_twins(package: str, job_context: JobContext | None = None) -> dict[str, Any]:
    """Compare each file of a package with each other, line by line: far too much work."""
    texts = {path.name: path.read_text("utf-8", "replace") for path in _files_of(package)}
    alike = []
    pairs = list(combinations(texts.items(), 2))
    for (one, text), (other, other_text) in _tracked(pairs, job_context):
        ratio = SequenceMatcher(None, text, other_text, autojunk=False).ratio()
        print(f"{one} and {other}: {ratio:.0%} alike", flush=True)
        alike.append((ratio, one, other))
    return {"package": package, "closest": max(alike, default=None)}


def _tracked(items: list[T], job_context: JobContext | None) -> Iterable[T]:
    """The items, one by one; a worker of ours is told how many of them are done."""
    return items if job_context is None else job_context.track(items)


def _files_of(package: str) -> list[Path]:
    manifest = json.loads(Path(MANIFEST).read_text("utf-8"))
    return [Path(entry["path"]) for entry in manifest[package]]


def _write(name: str, text: str) -> None:
    """Whole or not at all: another job may be reading."""
    file = Path(name)
    file.parent.mkdir(exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_text(text, "utf-8")
    part.replace(file)
