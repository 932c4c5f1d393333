"""The three themes, and the roles that widgets paint with instead of colours."""

from __future__ import annotations

from dataclasses import dataclass

from rich.color import Color as RichColour
from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

from gigq_core.writing.terminal_text import Colour, Look, look_of
from gigq_tui.format import UTF8

DARK = "gigq-dark"
LIGHT = "gigq-light"
ANSI = "gigq-ansi"
THEME_NAMES = {"dark": DARK, "light": LIGHT, "ansi": ANSI}

# What begins the role of words in colours of their own; how they look follows, as SGR writes it.
OUTPUT = "sgr "
_MOST_ROLES = 1_000
# Red, green, yellow, blue, magenta and cyan by what the theme has for them; white is plain text.
_OUTPUT_ROLES = (
    *("dim", "label-red", "label-green", "label-yellow"),
    *("label-blue", "label-magenta", "label-cyan", ""),
)

# A role is what a piece of text is, never how it looks; the palette of the theme says how.
Palette = dict[str, Style]


@dataclass(frozen=True)
class _Colours:
    """The colours of one theme, each once, by what they are for."""

    text: str
    title: str
    dim: str
    accent: str
    ok: str
    run: str
    warn: str
    fail: str
    blue: str
    magenta: str
    ground: str
    surface: str
    panel: str


_COLOURS = {
    DARK: _Colours(
        text="#c9d1d9",
        title="#e6edf3",
        dim="#8a94a3",
        accent="#79b8ff",
        ok="#6bc46d",
        run="#56d4dd",
        warn="#e3b341",
        fail="#ff7b72",
        blue="#79b8ff",
        magenta="#d2a8ff",
        ground="#0d1117",
        surface="#161b22",
        panel="#1c2430",
    ),
    LIGHT: _Colours(
        text="#24292f",
        title="#14181c",
        dim="#5d6670",
        accent="#0550ae",
        ok="#116329",
        run="#0a6c74",
        warn="#7d4e00",
        fail="#b3121d",
        blue="#0550ae",
        magenta="#8250df",
        ground="#ffffff",
        surface="#f3f5f7",
        panel="#e7ebef",
    ),
    # The terminal's own.
    ANSI: _Colours(
        text="default",
        title="default",
        dim="default",
        accent="cyan",
        ok="green",
        run="cyan",
        warn="yellow",
        fail="red",
        blue="blue",
        magenta="magenta",
        ground="default",
        surface="default",
        panel="default",
    ),
}


def _patch(colour: str) -> Style:
    return Style(color=colour, bold=True, reverse=True)


def _palette(colours: _Colours, cursor: Style) -> Palette:
    dim, warn = Style(color=colours.dim), Style(color=colours.warn, bold=True)
    title, accent = Style(color=colours.title, bold=True), Style(color=colours.accent)
    return {
        "": Style.null(),
        "dim": dim,
        "rule": dim,
        "wait": dim,
        "off": dim + Style(strike=True),
        "title": title,
        "heading": title,
        "accent": accent,
        "key": accent + Style(bold=True),
        "tab": accent + Style(bold=True, reverse=True),
        "ok": Style(color=colours.ok),
        "run": Style(color=colours.run, bold=True),
        "ready": Style(color=colours.text),
        "warn": warn,
        "mark": warn,
        "found": warn + Style(underline=True),
        "fail": Style(color=colours.fail, bold=True),
        "bold": Style(bold=True),
        "cursor": cursor,
        "panel": Style(bgcolor=colours.panel),
        # A database's label: a patch of its colour, which nobody overlooks.
        "label": title,
        "label-red": _patch(colours.fail),
        "label-green": _patch(colours.ok),
        "label-yellow": _patch(colours.warn),
        "label-blue": _patch(colours.blue),
        "label-magenta": _patch(colours.magenta),
        "label-cyan": _patch(colours.run),
    }


PALETTES: dict[str, Palette] = {
    DARK: _palette(_COLOURS[DARK], Style(bgcolor="#263445")),
    LIGHT: _palette(_COLOURS[LIGHT], Style(bgcolor="#cfe3f8")),
    # Two colours of the terminal's own: what is dim is so by an attribute, and nothing has a
    # ground of its own.
    ANSI: {
        **_palette(_COLOURS[ANSI], Style(reverse=True)),
        **{role: Style(dim=True) for role in ("dim", "rule", "wait")},
        "off": Style(dim=True, strike=True),
        "panel": Style.null(),
    },
}


def _theme(name: str, *, dark: bool, ansi: bool = False) -> Theme:
    """Return the theme for Textual's own widgets, in the colours of ours."""
    colours = _COLOURS[name]

    def named(colour: str) -> str:
        return f"ansi_{colour}" if ansi else colour

    return Theme(
        name=name,
        dark=dark,
        ansi=ansi,
        primary=named(colours.accent),
        secondary=named(colours.run),
        accent=named(colours.accent),
        warning=named(colours.warn),
        error=named(colours.fail),
        success=named(colours.ok),
        foreground=named(colours.text),
        background=named(colours.ground),
        surface=named(colours.surface),
        panel=named(colours.panel),
        boost=named("default") if ansi else None,
        variables=_ANSI_VARIABLES if ansi else {},
    )


_ANSI_VARIABLES = {
    **BUILTIN_THEMES["ansi-dark"].variables,
    "input-cursor-background": "ansi_default",
    "input-cursor-foreground": "ansi_default",
    "input-cursor-text-style": "reverse",
    "input-selection-background": "ansi_cyan",
    "input-selection-foreground": "ansi_black",
}
THEMES = (_theme(DARK, dark=True), _theme(LIGHT, dark=False), _theme(ANSI, dark=True, ansi=True))


def fitting(wanted: str, color_system: str | None, no_color: bool) -> str:
    """Return which theme to show.

    Args:
        wanted: `dark`, `light`, `ansi` or `auto`.
        color_system: What the terminal can do, as Rich detects it: `truecolor`, `256`, less.
        no_color: Whether no colours are wanted: then the terminal's own two are left alone.
    """
    if no_color:
        return "ansi"
    if wanted == "auto":
        return "dark" if color_system in ("truecolor", "256") else "ansi"
    return wanted


def style_of(roles: Palette, role: str) -> Style:
    """The style of a role; words that a job printed in colours have theirs in a role of `OUTPUT`.

    Of the 16 colours that terminals name, those of the theme are taken, which can be read on its
    ground; a job's other colours stay as they are.
    """
    style = roles.get(role)
    if style is None:
        style = Style.null()
        if role.startswith(OUTPUT):
            style = _output_style(roles, look_of(role.removeprefix(OUTPUT)))
            if len(roles) < _MOST_ROLES:
                roles[role] = style
    return style


def _output_style(roles: Palette, look: Look) -> Style:
    colour, ground = (_output_colour(roles, c) for c in (look.foreground, look.background))
    if ground is not None and colour is None and not look.reverse:
        # A patch: its words in the colour of the ground around it.
        colour, ground, look = ground, None, look._replace(reverse=True)
    bright = isinstance(look.foreground, int) and 8 < look.foreground < 16
    return Style(
        color=colour,
        bgcolor=ground,
        bold=look.bold or bright or None,
        dim=look.dim or None,
        italic=look.italic or None,
        underline=look.underline or None,
        reverse=look.reverse or None,
        strike=look.strike or None,
    )


def _output_colour(roles: Palette, colour: Colour | None) -> RichColour | None:
    if colour is None:
        return None
    if isinstance(colour, tuple):
        return RichColour.from_rgb(*colour)
    if colour > 15:
        return RichColour.from_ansi(colour)
    if colour in (0, 8):
        return roles["dim"].color or RichColour.from_ansi(8)
    role = _OUTPUT_ROLES[colour % 8]
    return roles[role].color if role else roles["title"].color


def palette(theme_name: str) -> Palette:
    """Return the palette of a theme of ours, or the dark one for any other theme."""
    return PALETTES.get(theme_name, PALETTES[DARK])


# Lines between parts of a screen; everything else that we draw ourselves is ASCII anyway.
RULE = "─" if UTF8 else "-"
SCROLL_THUMB = "█" if UTF8 else "#"
SCROLL_TRACK = "│" if UTF8 else "|"
