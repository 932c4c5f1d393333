"""Sentences that people read: keys are named by asking the keymap, and one thing has one word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gigq_tui.keys import ACTIONS

ROOT = Path(__file__).parents[2]
# Where keys and their meaning are defined, written as a configuration, or read from one.
DEFINES_KEYS = ("gigq_tui/keys", "gigq_tui/config", "gigq_tui/cli.py", "gigq_tui/demo")
LETTERS = {key for action in ACTIONS for key in action.keys if len(key) == 1 and key.isalpha()} - {
    "a",
    "d",
    "h",
    "m",
    "s",
}
# "a" is a word too, and some letters are units: those are keys where a verb stands behind.
AMBIGUOUS = "adhms"
_STANDS_ALONE = r"(?:^|(?<=[\s(\[]))(?:{})(?=[\s)\],.:;]|$)"
KEY_NAMED = re.compile(
    "|".join(
        (
            _STANDS_ALONE.format("|".join(sorted(LETTERS))),
            rf"(?:^|(?<=[\s(]))[{AMBIGUOUS}] (?:\w+s|into|to)\b",
            # Marks of states look like keys, but have no verb behind.
            r"(?:^|(?<=[\s(]))[-+=/?*<>:] [a-z]+s\b",
            r"\((?:[-+=/?*<>:\[\]]|[a-zA-Z])\)",
            r"\besc\b|\b[Ee]nter\b|\b(?:ctrl|alt)\+\w",
            r"(?:^|(?<=[\s(]))(?:tab|space|down|up|pgup|pgdn) [a-z]+s\b",
        )
    )
)
# Words that look like keys and are none: of shell, of SQL, marks of states, a language of filters.
NO_KEYS = (
    "for w in ",
    "for i in ",
    " sets up workers: ",
    " filters: words and -words",
    "X failed",
    "T timeout",
    "name, from Z",
    "- needs a term",
    "in this tab has finished",
)


def read_by_people() -> Iterator[tuple[str, int, str]]:
    """Every sentence of the console's modules, but for those that define keys."""
    return (said for said in sentences_of("gigq_tui") if not said[0].startswith(DEFINES_KEYS))


def sentences_of(package: str) -> Iterator[tuple[str, int, str]]:
    """Every sentence of a package's modules, `\\0` standing for what is filled in."""
    for path in sorted((ROOT / package).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        is_sql = path.name.startswith("sql") or path.name in ("queries.py", "statements.py")
        if is_sql or path.name == "canvas.py":
            continue
        tree = ast.parse(path.read_text("utf-8"))
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                told |= {id(value) for value in node.values}
        for node in ast.walk(tree):
            if id(node) in told:
                continue
            if isinstance(node, ast.JoinedStr):
                text = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "\0"
                    for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            if re.search(r"[a-z]{2}.* |\([^\w\s]\)| .*[a-z]{2}", text):
                yield name, node.lineno, text


def test_no_sentence_names_a_key_by_itself() -> None:
    found = [
        f"{name}:{line}: {text!r}"
        for name, line, text in read_by_people()
        if KEY_NAMED.search(text) and not any(words in text for words in NO_KEYS)
    ]
    assert found == []


# What these say is said in the words behind them.
OLD_WORDS = {
    r"[Nn]o worker runs": "No workers running",
    r"/s down\b": "slowing",
    r"\bworkers? of GigQ\b": "GigQ worker",
    r"no sight": "not visible",
    r"start or let go": "start or drain",
    r"as far as its rows tell": "registered on this file",
    r"\blarger\)": "expands",
    r"try none yet": "no attempts yet",
    r"\bneeds \0 of \0 parents": "of .. parents not done",
    r"holds up \0": "blocks",
    r"in a circle": "dependency cycle",
    r"of a script: only": "Defined in a script",
    r"behind \0 culprits": "blocked by",
    r"\d+ to look at|\0 to look at": "need attention",
    r"[Ss]tays, since": "Kept because",
    r"[Gg]oes in 30 days": "is deleted after 30 days",
    r"set free by": "No waiting job is affected",
    r"too large for \w+ to bring": "Undo can restore only",
    r"Copy what of": "Copy from",
    r"\bAs it is \(": "Keep",
    r"waits again": "queued",
    r"No job here": "No matches",
    r"hold the picture|paint it all": "pause the view; redraw",
    r"what people call it|for people\b": "display name; free text",
    r"or JSONL\b": "or from file",
    r"throughput per": "jobs done",
    r"[Ww]hat became of": "results",
    r"\bacts? on jobs\b|\blast act\b": "action",
}


def test_nothing_is_said_in_words_that_were_replaced() -> None:
    found = [
        f"{name}:{line}: {text!r}: say {better!r}"
        for package in ("gigq_tui", "gigq_core")
        for name, line, text in sentences_of(package)
        for old, better in OLD_WORDS.items()
        if re.search(old, text)
    ]
    assert found == []
