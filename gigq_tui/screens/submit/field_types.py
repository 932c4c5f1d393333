"""What a parameter takes, told from its annotation: which values fit, and what they are called."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gigq_core.functions.call_signature import GIVEN_BY_WORKER
from gigq_tui.actions.functions.inspection import FunctionInfo, Parameter

_NAMED_KINDS = ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")
_CHOICES_TOLD = 6


class Base(Enum):
    """The kinds of values, each with what a person calls it."""

    TEXT = "text"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TRUTH = "true or false"
    LIST = "a JSON list"
    OBJECT = "a JSON object"
    ANY = "text or JSON"


@dataclass(frozen=True)
class FieldType:
    """What a parameter takes.

    `nullable` ones take `null` too. `choices` are the only values, if there are any. `item` is what
    a list's items or an object's values are. `options` are the kinds of which one must fit.
    """

    base: Base = Base.ANY
    nullable: bool = False
    choices: tuple[Any, ...] = ()
    item: FieldType | None = None
    options: tuple[FieldType, ...] = ()

    def fits(self, value: Any) -> bool:
        """Whether a value, decoded from JSON, is of this kind."""
        return not self.complaint(value)

    def complaint(self, value: Any) -> str:
        """Say why a value is not of this kind; an empty string where it is."""
        if value is None and self.nullable:
            return ""
        if self.choices:
            fine = any(_same(value, choice) for choice in self.choices)
        elif self.options:
            fine = any(option.fits(value) for option in self.options)
        else:
            fine = _is_base(value, self.base)
        if not fine:
            return f"must be {self.wanted}"
        if self.item is not None and isinstance(value, (list, dict)):
            return _inner_complaint(value, self.item)
        return ""

    @property
    def wanted(self) -> str:
        """What a person calls the values of this kind."""
        if self.choices:
            words = [_word(choice) for choice in self.choices]
            more = len(words) - _CHOICES_TOLD
            told = words[:_CHOICES_TOLD] + ([f"{more} more"] if more > 0 else [])
            return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} or {told[-1]}"
        if self.options:
            return " or ".join(dict.fromkeys(option.wanted for option in self.options))
        return self.base.value

    @property
    def takes_text(self) -> bool:
        """Whether bare text, without quotes, may be a value of it."""
        if self.choices:
            return any(isinstance(choice, str) for choice in self.choices)
        if self.options:
            return any(option.takes_text for option in self.options)
        return self.base in (Base.TEXT, Base.ANY)


_BASES = {
    "str": Base.TEXT,
    "int": Base.WHOLE,
    "float": Base.NUMBER,
    "bool": Base.TRUTH,
    "list": Base.LIST,
    "tuple": Base.LIST,
    "set": Base.LIST,
    "frozenset": Base.LIST,
    "sequence": Base.LIST,
    "iterable": Base.LIST,
    "dict": Base.OBJECT,
    "mapping": Base.OBJECT,
}
_OF_DEFAULT: tuple[tuple[type, Base], ...] = (
    (str, Base.TEXT),
    (bool, Base.TRUTH),
    (int, Base.WHOLE),
    (float, Base.NUMBER),
    (list, Base.LIST),
    (dict, Base.OBJECT),
)


def field_type_of(parameter: Parameter) -> FieldType:
    """Say what a parameter takes, from its annotation, or else from its default."""
    may_be_none = parameter.default == "null"
    if parameter.annotation.strip():
        kind = _of_annotation(parameter.annotation)
    else:
        kind = FieldType(_base_of_default(parameter.default))
    nullable = may_be_none or kind.nullable
    if parameter.choices:
        return FieldType(nullable=nullable, choices=parameter.choices)
    if parameter.is_object:
        return FieldType(Base.OBJECT, nullable)
    return FieldType(kind.base, nullable, kind.choices, kind.item, kind.options)


def fields_of(info: FunctionInfo) -> tuple[Parameter, ...]:
    """The parameters that the form asks for."""
    return tuple(
        parameter
        for parameter in info.parameters
        if parameter.kind in _NAMED_KINDS and parameter.name not in GIVEN_BY_WORKER
    )


def hint_of(parameter: Parameter) -> str:
    """What stands beside a field while nothing is wrong: type and default."""
    kind = field_type_of(parameter)
    typed = parameter.annotation.replace("typing.", "") or kind.base.value
    if kind.choices:
        typed = f"{kind.wanted}{' or null' if kind.nullable else ''}"
    elif parameter.is_object:
        typed = f"{parameter.annotation.rpartition('.')[2]}, {Base.OBJECT.value}"
    if parameter.required:
        return f"{typed}, required"
    return f"{typed} = {parameter.default}"


def signature(info: FunctionInfo) -> str:
    """What the function takes: `(src, w=1024)`."""
    words = []
    for parameter in info.parameters:
        if parameter.kind == "VAR_KEYWORD":
            words.append(f"**{parameter.name}")
        elif parameter.kind == "VAR_POSITIONAL":
            words.append(f"*{parameter.name}")
        else:
            words.append(
                parameter.name if parameter.required else f"{parameter.name}={parameter.default}"
            )
    return f"({', '.join(words)})"


def _of_annotation(text: str) -> FieldType:
    try:
        node = ast.parse(text.strip(), mode="eval").body
        return _of_node(node)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return FieldType()


def _of_node(node: ast.expr) -> FieldType:
    if isinstance(node, ast.Constant):
        # A quoted annotation is one too.
        return _of_annotation(node.value) if isinstance(node.value, str) else FieldType()
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right])
    if not isinstance(node, ast.Subscript):
        return FieldType(_BASES.get(_last_name(node), Base.ANY))
    name = _last_name(node.value)
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "optional":
        return _union([*inner, ast.Constant(None)])
    if name == "union":
        return _union(inner)
    if name == "literal":
        return _literal(inner)
    if name == "annotated":
        return _of_node(inner[0])
    base = _BASES.get(name, Base.ANY)
    return FieldType(base, item=_item(name, base, inner))


def _item(name: str, base: Base, inner: list[ast.expr]) -> FieldType | None:
    """What the values inside are, where they are all of one kind that says something."""
    if base is Base.OBJECT and len(inner) == 2:
        kind = _of_node(inner[1])
    elif base is Base.LIST and (len(inner) == 1 or (name == "tuple" and _endless(inner))):
        kind = _of_node(inner[0])
    else:
        return None
    return None if kind == FieldType() else kind


def _endless(inner: list[ast.expr]) -> bool:
    last = inner[-1]
    return len(inner) == 2 and isinstance(last, ast.Constant) and last.value is ...


def _literal(inner: list[ast.expr]) -> FieldType:
    values = [ast.literal_eval(node) for node in inner]
    choices = tuple(value for value in values if isinstance(value, (str, int, bool)))
    return FieldType(nullable=None in values, choices=choices)


def _union(nodes: list[ast.expr]) -> FieldType:
    """One of several kinds; a kind of its own where all but one say `None`."""
    nullable = False
    kinds: list[FieldType] = []
    for node in nodes:
        if isinstance(node, ast.Constant) and node.value is None:
            nullable = True
            continue
        kind = _of_node(node)
        nullable = nullable or kind.nullable
        kinds += kind.options or (kind,)
    plain = list(dict.fromkeys(FieldType(k.base, False, k.choices, k.item) for k in kinds))
    if len(plain) == 1:
        only = plain[0]
        return FieldType(only.base, nullable, only.choices, only.item)
    free = not plain or any(kind == FieldType() for kind in plain)
    return FieldType(Base.ANY, nullable, options=() if free else tuple(plain))


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr.lower()
    return node.id.lower() if isinstance(node, ast.Name) else ""


def _base_of_default(default: str) -> Base:
    try:
        value = json.loads(default)
    except ValueError:
        return Base.ANY
    # An untyped 0 may well stand for 0.5: only text, lists and objects are sure.
    base = next((base for kind, base in _OF_DEFAULT if isinstance(value, kind)), Base.ANY)
    return Base.NUMBER if base is Base.WHOLE else base


def _is_base(value: Any, base: Base) -> bool:
    if base is Base.ANY:
        return True
    if isinstance(value, bool):
        return base is Base.TRUTH
    wanted: dict[Base, tuple[type, ...]] = {
        Base.TEXT: (str,),
        Base.WHOLE: (int,),
        Base.NUMBER: (int, float),
        Base.LIST: (list,),
        Base.OBJECT: (dict,),
    }
    return isinstance(value, wanted.get(base, ()))


def _inner_complaint(value: list[Any] | dict[str, Any], item: FieldType) -> str:
    """Say which of the values inside is wrong."""
    pairs: Iterable[tuple[str, Any]]
    if isinstance(value, list):
        pairs = ((f"item {number}", inner) for number, inner in enumerate(value, start=1))
    else:
        pairs = ((key, inner) for key, inner in value.items())
    for place, inner in pairs:
        complaint = item.complaint(inner)
        if complaint:
            return f"{place} {complaint}"
    return ""


def _same(value: Any, choice: Any) -> bool:
    return type(value) is type(choice) and bool(value == choice)


def _word(choice: Any) -> str:
    return choice if isinstance(choice, str) and choice else json.dumps(choice)
