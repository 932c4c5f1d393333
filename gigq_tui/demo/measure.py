"""Measuring one Python source: lines, tokens, functions, complexity, bytecode, imports."""

from __future__ import annotations

import ast
import dis
import io
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType

# Each of these opens another way through a function.
_BRANCHES = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.IfExp,
    ast.ExceptHandler,
    ast.comprehension,
    ast.Assert,
    ast.BoolOp,
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Statements in a function, and characters of it, that are compared.
SMALLEST_COMPARED = 3
LONGEST_COMPARED = 400

_LAYOUT = {
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.COMMENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Measure:
    """What was counted in one file."""

    lines: int
    code_lines: int
    comments: int
    tokens: int
    functions: int
    classes: int
    instructions: int
    complexity: int
    knottiest: str


def measure(path: Path) -> dict[str, int | str]:
    """Count everything in the file at `path`.

    Raises:
        OSError: it can't be read.
        SyntaxError, ValueError: it isn't Python.
    """
    raw = path.read_bytes()
    tree = parse(raw, path.name)
    code_lines, comments, tokens = _tokens_of(raw)
    name, complexity, functions = _knottiest(tree)
    return asdict(
        Measure(
            lines=raw.count(b"\n"),
            code_lines=code_lines,
            comments=comments,
            tokens=tokens,
            functions=functions,
            classes=sum(isinstance(node, ast.ClassDef) for node in ast.walk(tree)),
            instructions=_instructions(compile(tree, path.name, "exec", dont_inherit=True)),
            complexity=complexity,
            knottiest=name,
        )
    )


def parse(raw: bytes, name: str) -> ast.Module:
    """The syntax tree of a source; invalid escapes in old code are not this demo's business.

    Raises:
        SyntaxError, ValueError: it isn't Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(raw, name)


def imports_of(tree: ast.Module) -> Counter[str]:
    """How often each package is imported, by its first name; relative imports count as "."."""
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found["." if node.level else str(node.module).partition(".")[0]] += 1
    return found


def functions_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Name and text of each function that is worth comparing, without comments and layout."""
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS) and len(node.body) >= SMALLEST_COMPARED:
            text = "\n".join(ast.unparse(statement) for statement in node.body)
            yield node.name, text[:LONGEST_COMPARED]


def _tokens_of(raw: bytes) -> tuple[int, int, int]:
    code_lines: set[int] = set()
    comments = tokens = 0
    for token in tokenize.tokenize(io.BytesIO(raw).readline):
        tokens += 1
        if token.type == tokenize.COMMENT:
            comments += 1
        elif token.type not in _LAYOUT:
            code_lines.update(range(token.start[0], token.end[0] + 1))
    return len(code_lines), comments, tokens


def _knottiest(tree: ast.Module) -> tuple[str, int, int]:
    """Name and complexity of the function with the most ways through it; how many there are."""
    most = ("", 0)
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS):
            count += 1
            complexity = 1 + sum(isinstance(inner, _BRANCHES) for inner in ast.walk(node))
            most = max(most, (node.name, complexity), key=lambda found: found[1])
    return (*most, count)


def _instructions(code: CodeType) -> int:
    count = sum(1 for _ in dis.get_instructions(code))
    return count + sum(_instructions(c) for c in code.co_consts if isinstance(c, CodeType))
