"""The colours that jobs print, as the themes show them."""

from __future__ import annotations

import pytest
from rich.color import ColorType
from rich.style import Style

from gigq_core.writing.terminal_text import Look
from gigq_tui.terminal.theme import ANSI, DARK, LIGHT, OUTPUT, PALETTES, palette, style_of

THEMES = (DARK, LIGHT, ANSI)


def shown(theme: str, look: Look) -> Style:
    return style_of(palette(theme), f"{OUTPUT}{look.sgr}")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colour", range(16))
def test_the_sixteen_are_the_themes_own(theme: str, colour: int) -> None:
    style = shown(theme, Look(foreground=colour))
    known = {role.color for role in PALETTES[theme].values() if role.color is not None}
    grey = style.color is not None and style.color.number == 8
    assert style.color in known or grey
    assert not style.reverse


@pytest.mark.parametrize("theme", THEMES)
def test_other_colours_and_looks_stay_as_they_are(theme: str) -> None:
    style = shown(theme, Look(foreground=(1, 2, 3), background=200, italic=True, underline=True))
    assert style.color is not None
    assert style.color.triplet == (1, 2, 3)
    assert style.bgcolor is not None
    assert style.bgcolor.type is ColorType.EIGHT_BIT
    assert style.italic
    assert style.underline


@pytest.mark.parametrize("theme", THEMES)
def test_words_on_a_patch_can_be_read_on_it(theme: str) -> None:
    style = shown(theme, Look(background=1))
    assert style.reverse
    assert style.color == palette(theme)["label-red"].color
    assert style.bgcolor is None


def test_our_own_roles_and_unknown_ones_are_as_before() -> None:
    roles = palette(DARK)
    assert style_of(roles, "fail") is roles["fail"]
    assert style_of(roles, "no such role") == Style.null()


def test_a_flood_of_colours_is_not_kept() -> None:
    for red in range(256):
        for green in range(0, 256, 16):
            shown(DARK, Look(foreground=(red, green, 0)))
    assert len(palette(DARK)) <= 1_000
