"""huey's SqliteHuey with its own consumer, threads as workers."""

from __future__ import annotations

import pickle
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from huey.api import chord

from benchmarks import huey_app
from benchmarks.figures import HUEY
from benchmarks.peers.base import SYNCHRONOUS, Peer, Spec
from benchmarks.processes import Trouble

INSERT = "INSERT INTO task (queue, data, priority) VALUES (?, ?, ?)"
INSERT_RESULT = "INSERT INTO kv (queue, key, value) VALUES (?, ?, ?)"


class HueyPeer(Peer):
    """huey: results stand in its table `kv`."""

    name = HUEY
    results = "kv"

    def __init__(self) -> None:
        self._made: dict[Path, tuple[Any, dict[str, Any]]] = {}

    def _at(self, path: Path) -> tuple[Any, dict[str, Any]]:
        if path not in self._made:
            self._made[path] = huey_app.make(str(path))
        return self._made[path]

    def create(self, path: Path) -> None:
        self._at(path)

    def synchronous(self, path: Path) -> str:
        conn = self._at(path)[0].storage.conn
        return SYNCHRONOUS[conn.execute("PRAGMA synchronous").fetchone()[0]]

    def fill(self, path: Path, specs: list[Spec]) -> None:
        huey, tasks = self._at(path)
        rows = []
        for spec in specs:
            task = tasks[spec.function].s(**spec.params)
            data = huey.serialize_task(task)
            rows.append((huey_app.QUEUE_NAME, data, spec.priority))
        self._insert(huey, INSERT, rows)

    def load(self, path: Path, original: Path, pending: int, completed: int) -> float:
        huey, tasks = self._at(path)
        task = tasks["stamp"].s()
        data, own_id = huey.serialize_task(task), task.id.encode()

        def messages() -> Iterator[tuple[str, bytes, int]]:
            for _ in range(pending):
                yield huey_app.QUEUE_NAME, data.replace(own_id, str(uuid.uuid4()).encode()), 0

        self._insert(huey, INSERT, messages())
        nothing = pickle.dumps(None)
        results = ((huey_app.QUEUE_NAME, str(uuid.uuid4()), nothing) for _ in range(completed))
        self._insert(huey, INSERT_RESULT, results)
        return 0.0

    def _insert(self, huey: Any, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        conn = huey.storage.conn
        conn.execute("BEGIN")
        conn.executemany(statement, rows)
        conn.execute("COMMIT")

    def submit(self, path: Path, function: str = "stamp") -> None:
        self._at(path)[1][function]()

    def submit_workflow(self, path: Path, specs: list[Spec]) -> None:
        huey, tasks = self._at(path)
        stamp = tasks["stamp"]
        if len(specs) > 2 and len(specs[-1].parents) == len(specs) - 2:
            # Its chord has no common ancestor: the first task only goes before.
            huey.enqueue(stamp.s())
            huey.enqueue(chord([stamp.s() for _ in specs[1:-1]], stamp.s()))
            return
        if any(spec.parents != ((place - 1,) if place else ()) for place, spec in enumerate(specs)):
            raise Trouble("huey has pipelines and chords, nothing else")
        first = stamp.s()
        last = first
        for _ in specs[1:]:
            last.on_complete = stamp.s()
            last = last.on_complete
        huey.enqueue(first)

    def close(self, path: Path) -> None:
        if path in self._made:
            self._made.pop(path)[0].storage.close()

    def worker_argv(self, path: Path, slots: int, options: list[str]) -> list[str]:
        command = ["-m", "huey.bin.huey_consumer", "benchmarks.huey_app.queue"]
        return [*command, "--workers", str(slots), "--no-periodic", *options]

    def worker_env(self, path: Path) -> dict[str, str]:
        return {huey_app.PATH_VARIABLE: str(path)}

    def count(self, conn: sqlite3.Connection, mark: int) -> int:
        return int(conn.execute("SELECT count(*) FROM kv WHERE rowid > ?", (mark,)).fetchone()[0])

    def stamps(self, conn: sqlite3.Connection, mark: int) -> list[int]:
        rows = conn.execute("SELECT value FROM kv WHERE rowid > ?", (mark,)).fetchall()
        values = (pickle.loads(bytes(row[0])) for row in rows)
        return sorted(value for value in values if isinstance(value, int) and value > 10**15)
