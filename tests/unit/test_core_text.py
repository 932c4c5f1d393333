"""What is shown, logged and stored of foreign text, whatever it holds."""

from __future__ import annotations

import io
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gigq_core.text import UNSAFE, bounded, glyphs, inert, sentence, storable, typed_text, unstored
from gigq_core.writing.logs import (
    LOG_FORMAT,
    LOGGER_NAME,
    MOST_LINES,
    MOST_OF_A_MESSAGE,
    setup_logging,
)
from gigq_tui import format as fmt

# A busy machine is slow at any of it.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY_TEXT = st.text(alphabet=st.characters(codec=None), max_size=80)
HOSTILE = st.text(
    st.sampled_from(
        "ab \t\r\n\x1b[31m]0;\x07\x08\x7f\x9b\u2028\u202e\u200b\ud800\udce9\ufe0f\u0301"
    ),
    max_size=40,
)
LINE = st.one_of(ANY_TEXT, HOSTILE)


def steers(char: str) -> bool:
    """By what Unicode says: controls, format characters, surrogates, separators."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_the_alphabet_holds_whatever_unicode_calls_a_control() -> None:
    missed = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if steers(chr(code)) and not UNSAFE.match(chr(code))
    ]
    assert missed == []


@unhurried
@given(LINE)
def test_command_line_logs_and_console_share_one_alphabet(text: str) -> None:
    for shown in (inert(text), glyphs(text), fmt.inert(text)):
        assert not UNSAFE.search(shown)
        shown.encode("utf-8")
    assert inert(inert(text)) == inert(text)
    assert len(glyphs(text)) == len(text)


@unhurried
@given(LINE)
def test_a_text_of_lines_keeps_its_line_ends_and_nothing_else(text: str) -> None:
    shown = inert(text, lines=True)
    assert set(UNSAFE.findall(shown)) <= {"\n", "\t"}
    assert shown.count("\n") == text.count("\n")


@unhurried
@given(ANY_TEXT)
def test_what_is_storable_is_utf8_and_good_text_is_left_alone(text: str) -> None:
    stored = storable(text)
    stored.encode("utf-8")
    assert storable(stored) == stored
    if not any(unicodedata.category(char) == "Cs" for char in text):
        assert stored == text


@unhurried
@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"\\" not in name))
def test_a_file_name_is_found_again_from_what_was_stored(name: bytes) -> None:
    path = name.decode("utf-8", "surrogateescape")
    assert unstored(storable(path)).encode("utf-8", "surrogateescape") == name


@unhurried
@given(st.text())
def test_a_typed_word_is_read_again_where_the_locale_misread_it(word: str) -> None:
    misread = word.encode("utf-8").decode("ascii", "surrogateescape")
    assert typed_text(misread) == word


def test_a_typed_byte_that_is_not_utf8_stays_what_a_file_is_called() -> None:
    assert os.fsencode(typed_text(os.fsdecode(b"caf\xe9"))) == b"caf\xe9"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the package's log writes to stderr."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logger = logging.getLogger(LOGGER_NAME)
    before = (logger.level, logger.propagate, list(logger.handlers))
    setup_logging(logging.DEBUG)
    yield stream
    logger.level, logger.propagate, logger.handlers = before


class Unspeakable:
    """A value that can't be written out."""

    def __str__(self) -> str:
        raise RuntimeError("\x1b[2J")

    __repr__ = __str__


@pytest.mark.parametrize(
    "value",
    [
        "two\nlines\r\nand \x1b]0;a title\x07",
        "2026-01-01\n2026-01-01 00:00:00,000 - gigq_core.worker - INFO - forged",
        "\u202ereversed\u2066\u2028",
        "caf\udce9",
        "x" * 5_000_000,
        Unspeakable(),
        ["\x1b[31m", b"\x9b"],
        None,
    ],
    ids=range(8),
)
def test_a_record_is_one_bounded_inert_line_whatever_it_tells(
    log: io.StringIO, value: object
) -> None:
    logging.getLogger(f"{LOGGER_NAME}.worker").warning("Job %s (%r) ended: %s", value, value, value)
    written = log.getvalue()
    assert written.count("\n") == 1
    assert written.endswith("\n")
    assert not UNSAFE.search(written[:-1])
    assert len(written) < MOST_OF_A_MESSAGE + 200


def test_the_name_of_a_logger_is_inert_too(log: io.StringIO) -> None:
    logging.getLogger(f"{LOGGER_NAME}.worker.w\x1b[2J\n{'x' * 9_000}").warning("hello")
    assert not UNSAFE.search(log.getvalue()[:-1])
    assert len(log.getvalue()) < 1_000


@pytest.mark.parametrize(
    "said", ["\x1b[31mred", "a\n2026 - gigq_core - INFO - forged", "n\n" * 9_999]
)
def test_a_traceback_stays_readable_and_forges_no_record(log: io.StringIO, said: str) -> None:
    try:
        raise ValueError(said)
    except ValueError:
        logging.getLogger(f"{LOGGER_NAME}.worker").exception("It broke")
    first, *lines = log.getvalue().splitlines()
    assert first.endswith("- ERROR - It broke")
    assert "    Traceback (most recent call last):" in lines
    assert any(line.startswith("    ValueError: ") for line in lines)
    assert all(line.startswith("    ") and not UNSAFE.search(line) for line in lines)
    assert len(lines) <= MOST_LINES + 1


def test_an_ordinary_record_reads_as_it_always_did(log: io.StringIO) -> None:
    record = logging.LogRecord("gigq_core.worker", logging.INFO, "", 1, "Job %s", ("a",), None)
    logging.getLogger(LOGGER_NAME).handle(record)
    assert log.getvalue() == logging.Formatter(LOG_FORMAT).format(record) + "\n"


def test_a_long_text_is_cut_with_a_word_on_what_is_missing() -> None:
    assert bounded("abc", 3) == "abc"
    assert bounded("x" * 2_003, 3) == "xxx [... 2,000 more characters]"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a job waits", "A job waits."),
        ("It's there already.", "It's there already."),
        ("é..", "É."),
        ("", "."),
    ],
)
def test_words_are_said_as_a_sentence_with_one_full_stop(words: str, said: str) -> None:
    assert sentence(words) == said
