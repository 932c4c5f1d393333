"""The three themes, and the roles that widgets paint with instead of colours."""

from __future__ import annotations

from rich.color import Color as RichColour
from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

from gigq_core.terminal_text import Colour, Look, look_of
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


def _patch(colour: str) -> Style:
    return Style(color=colour, bold=True, reverse=True)


def _palette(
    *,
    dim: str,
    title: str,
    accent: str,
    ok: str,
    run: str,
    ready: str,
    warn: str,
    fail: str,
    cursor: Style,
    panel: Style,
    labels: tuple[tuple[str, str], ...],
) -> Palette:
    return {
        "": Style.null(),
        "dim": Style(color=dim),
        "rule": Style(color=dim),
        "title": Style(color=title, bold=True),
        "heading": Style(color=title, bold=True),
        "accent": Style(color=accent),
        "key": Style(color=accent, bold=True),
        "ok": Style(color=ok),
        "run": Style(color=run, bold=True),
        "ready": Style(color=ready),
        "wait": Style(color=dim),
        "warn": Style(color=warn, bold=True),
        "fail": Style(color=fail, bold=True),
        "mark": Style(color=warn, bold=True),
        "found": Style(color=warn, bold=True, underline=True),
        "off": Style(color=dim, strike=True),
        "tab": Style(color=accent, bold=True, reverse=True),
        "bold": Style(bold=True),
        "cursor": cursor,
        "panel": panel,
        # A database's label: a patch of its colour, which nobody overlooks.
        "label": Style(color=title, bold=True),
        **{f"label-{name}": _patch(colour) for name, colour in labels},
    }


PALETTES: dict[str, Palette] = {
    DARK: _palette(
        dim="#8a94a3",
        title="#e6edf3",
        accent="#79b8ff",
        ok="#6bc46d",
        run="#56d4dd",
        ready="#c9d1d9",
        warn="#e3b341",
        fail="#ff7b72",
        cursor=Style(bgcolor="#263445"),
        panel=Style(bgcolor="#1c2430"),
        labels=(
            ("red", "#ff7b72"),
            ("green", "#6bc46d"),
            ("yellow", "#e3b341"),
            ("blue", "#79b8ff"),
            ("magenta", "#d2a8ff"),
            ("cyan", "#56d4dd"),
        ),
    ),
    LIGHT: _palette(
        dim="#5d6670",
        title="#14181c",
        accent="#0550ae",
        ok="#116329",
        run="#0a6c74",
        ready="#24292f",
        warn="#7d4e00",
        fail="#b3121d",
        cursor=Style(bgcolor="#cfe3f8"),
        panel=Style(bgcolor="#e7ebef"),
        labels=(
            ("red", "#b3121d"),
            ("green", "#116329"),
            ("yellow", "#7d4e00"),
            ("blue", "#0550ae"),
            ("magenta", "#8250df"),
            ("cyan", "#0a6c74"),
        ),
    ),
    ANSI: _palette(
        dim="default",
        title="default",
        accent="cyan",
        ok="green",
        run="cyan",
        ready="default",
        warn="yellow",
        fail="red",
        cursor=Style(reverse=True),
        panel=Style.null(),
        labels=tuple(
            (name, name) for name in ("red", "green", "yellow", "blue", "magenta", "cyan")
        ),
    ),
}
PALETTES[ANSI]["dim"] = Style(dim=True)
PALETTES[ANSI]["rule"] = Style(dim=True)
PALETTES[ANSI]["wait"] = Style(dim=True)
PALETTES[ANSI]["off"] = Style(dim=True, strike=True)

THEMES = (
    Theme(
        name=DARK,
        primary="#79b8ff",
        secondary="#56d4dd",
        accent="#79b8ff",
        warning="#e3b341",
        error="#ff7b72",
        success="#6bc46d",
        foreground="#c9d1d9",
        background="#0d1117",
        surface="#161b22",
        panel="#1c2430",
        dark=True,
    ),
    Theme(
        name=LIGHT,
        primary="#0550ae",
        secondary="#0a6c74",
        accent="#0550ae",
        warning="#7d4e00",
        error="#b3121d",
        success="#116329",
        foreground="#24292f",
        background="#ffffff",
        surface="#f3f5f7",
        panel="#e7ebef",
        dark=False,
    ),
    Theme(
        name=ANSI,
        ansi=True,
        primary="ansi_cyan",
        secondary="ansi_cyan",
        accent="ansi_cyan",
        warning="ansi_yellow",
        error="ansi_red",
        success="ansi_green",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        dark=True,
        variables={
            **BUILTIN_THEMES["ansi-dark"].variables,
            "input-cursor-background": "ansi_default",
            "input-cursor-foreground": "ansi_default",
            "input-cursor-text-style": "reverse",
            "input-selection-background": "ansi_cyan",
            "input-selection-foreground": "ansi_black",
        },
    ),
)


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
