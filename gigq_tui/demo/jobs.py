"""The demo's job functions; workers import them, so nothing but the standard library is here."""

from __future__ import annotations

import hashlib
import json
import platform
import tarfile
import time
import tokenize
from collections import Counter
from collections.abc import Iterable, Sequence
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
PACKS = "packs"
LARGEST_TO_PACK = 12
FAILURES, STOCK = "failures.log", "stock.log"


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


def pack_the_largest(job_context: JobContext) -> dict[str, int]:
    """Submit a job for each of the largest packages; what waits for this one waits for them too."""
    manifest = json.loads(Path(MANIFEST).read_text("utf-8"))
    sizes = {
        name: sum(Path(file["path"]).stat().st_size for file in manifest[name]) for name in manifest
    }
    largest = sorted(sizes, key=lambda name: -sizes[name])[:LARGEST_TO_PACK]
    for name in largest:
        kind = "modules" if name.startswith(source.SINGLE_MODULES) else "packages"
        job_context.submit(
            pack_package,
            {"package": name, "kind": kind},
            name=f"pack {name}",
            lane="pack:{kind}",
            priority=15,
            before_dependents=True,
        )
    return {"packages": len(largest)}


def pack_package(package: str, kind: str, job_context: JobContext) -> dict[str, Any]:
    """Compress a package's files, and have the list of packs written anew."""
    archive = Path(PACKS, f"{package}.tar.xz")
    archive.parent.mkdir(exist_ok=True)
    part = archive.with_name(f".{archive.name}.part")
    with tarfile.open(part, "w:xz", dereference=True) as packed:
        for path in job_context.track(_files_of(package)):
            packed.add(path, path.name, recursive=False)
    part.replace(archive)
    # Each pack asks for it; while one waits to begin, it is the only one.
    job_context.submit(
        list_packs, name="list packs", priority=1, unique={"key": "list packs", "until": "started"}
    )
    print(f"{archive.name}: {archive.stat().st_size:,} bytes")
    return {"package": package, "kind": kind, "bytes": archive.stat().st_size}


def list_packs() -> dict[str, int]:
    """List the packs that are there, in packs.md."""
    packs = sorted(Path(PACKS).glob("*.tar.xz"))
    _write("packs.md", "".join(f"- {pack.name}: {pack.stat().st_size:,} bytes\n" for pack in packs))
    return {"packs": len(packs)}


def check_packs(parent_results: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Unpack each pack, and compare its files with the manifest.

    Raises:
        ValueError: a file is not what it was.
    """
    packages = [found["package"] for found in parent_results.values() if "package" in found]
    manifest = json.loads(Path(MANIFEST).read_text("utf-8"))
    files = 0
    for package in packages:
        with tarfile.open(Path(PACKS, f"{package}.tar.xz")) as packed:
            for entry, member in zip(manifest[package], packed, strict=True):
                content = packed.extractfile(member)
                raw = content.read() if content is not None else b""
                if hashlib.sha256(raw).hexdigest() != entry["sha256"]:
                    raise ValueError(f"{member.name} in the pack of {package} is not what it was")
                files += 1
    print(f"{files:,} files in {len(packages)} packs are as they were")
    return {"packs": len(packages), "files": files}


def take_stock() -> dict[str, int]:
    """Add a line to stock.log: how much has been measured and packed."""
    stock = {
        "measured": len(list(Path(MEASURES).glob("*.json"))),
        "packed": len(list(Path(PACKS).glob("*.tar.xz"))),
    }
    said = ", ".join(f"{number} {what}" for what, number in stock.items())
    with Path(STOCK).open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%H:%M:%S')} {said}\n")
    print(said)
    return stock


def note_failures(jobs: Sequence[dict[str, Any]] = (), count: int = 0) -> int:
    """Add a line to failures.log, however many have failed; returns how many had."""
    first = f", {jobs[0]['name']} first" if jobs else ""
    said = f"{time.strftime('%H:%M:%S')} {count} failed{first}"
    with Path(FAILURES).open("a", encoding="utf-8") as log:
        log.write(f"{said}\n")
    print(said)
    return count


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
