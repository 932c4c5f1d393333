"""`gigq-core worker --via … --check`: what is at the far end of each link, before jobs go there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gigq_core.cli.output import say, write_json
from gigq_core.text import inert
from gigq_core.units.sizes import size_words
from gigq_core.units.spans import span

if TYPE_CHECKING:
    from gigq_core.worker.agents.checking import Checked

_LABELS = 10


def print_checked(found: Sequence[Checked], as_json: bool) -> bool:
    """Say what was found; whether jobs can run at all of it."""
    if as_json:
        write_json([_as_json(one) for one in found])
    else:
        for number, one in enumerate(found):
            if number:
                say("")
            say(inert(one.via))
            for label, words in _lines(one):
                say(f"  {label:{_LABELS}}{inert(words)}")
    return all(one.is_fine for one in found)


def _lines(found: Checked) -> Iterator[tuple[str, str]]:
    if found.trouble is not None:
        yield "trouble", found.trouble
        return
    memory = "" if found.memory is None else f", {size_words(found.memory)} of memory"
    load = "" if found.load is None else f", load {found.load:.2f}"
    yield "host", f"{found.host}: {found.cpus} CPU{'' if found.cpus == 1 else 's'}{memory}{load}"
    yield "Python", f"{found.python}, {found.executable}"
    yield "folder", found.folder
    how = "was sent" if found.sent else "was there already"
    yield "agent", f"{how}, ready after {span(found.ready_s)}; slots: {found.slots}"
    job = "" if found.job_s is None else f"; a job that does nothing takes {span(found.job_s)}"
    if found.latency_s is not None:
        yield "link", f"answers in {span(found.latency_s)}{job}"
    if found.clock_s is not None:
        yield "clock", _clock_words(found)
    for function in found.functions:
        if function.trouble is None:
            yield "function", f"{function.name} can be imported: {function.call}"
        else:
            yield "function", f"{function.name} can't be imported: {function.trouble}"


def _clock_words(found: Checked) -> str:
    if found.clock_agrees:
        return "agrees with the one here"
    ahead = found.clock_s or 0.0
    way = "ahead of" if ahead > 0 else "behind"
    return f"{span(abs(ahead))} {way} the one here, which does no harm to jobs"


def _as_json(found: Checked) -> dict[str, Any]:
    told = found._asdict()
    told["functions"] = [function._asdict() for function in found.functions]
    return {"ok": found.is_fine, **told}
