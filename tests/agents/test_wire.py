"""What a worker and its agent say to each other, as lines and back."""

from __future__ import annotations

import json
import math
import random
import string
from collections.abc import Callable
from typing import Any

import pytest

from gigq_core.text import inert
from gigq_core.worker.agents import wire
from gigq_core.worker.answers import Broken
from gigq_core.worker.claims import Claim, Fate, Wish

VERSION = "9.9"
ODD = string.printable + "äß漢😀\0\x1b\ud800"


def _text(rng: random.Random, most: int = 60) -> str:
    return "".join(rng.choice(ODD) for _ in range(rng.randrange(most)))


def _json(rng: random.Random) -> str:
    return json.dumps(_text(rng))


def _maybe(rng: random.Random, make: Callable[[random.Random], Any]) -> Any:
    return None if rng.random() < 0.3 else make(rng)


def _count(rng: random.Random) -> int:
    return rng.choice([0, 1, rng.randrange(2**62)])


def _storable(rng: random.Random) -> str:
    return _text(rng).replace("\ud800", "").replace("\0", "")


def _shown(rng: random.Random) -> str:
    return inert(_text(rng))


def _random_message(rng: random.Random) -> wire.Message:
    token = f"t-{rng.randrange(9)}"
    wish = rng.choice([Wish("retry", None), Wish("retry", 2.5, True), Wish("snooze", 1.0)])
    makers: list[Callable[[], wire.Message]] = [
        lambda: wire.Hello(1, VERSION, _maybe(rng, _count), 5.0, 1, 5, None, None, 30.0, 5.0, 0.2),
        lambda: wire.Run(
            *(token, _text(rng), _text(rng), _text(rng), _text(rng), _maybe(rng, _text)),
            *(rng.random() < 0.5, 3, _maybe(rng, _count), 0.25, None, (_storable(rng),)),
            *(_maybe(rng, _count), _maybe(rng, _count)),
        ),
        lambda: wire.Stop(token, rng.choice([Fate.CANCELLED, Fate.GIVEN_BACK])),
        lambda: wire.Give(token, {"answer": _count(rng), "saved": _text(rng)}),
        lambda: wire.Stored(token, _count(rng)),
        lambda: wire.Ping(_count(rng), _count(rng)),
        lambda: wire.AskStack(token, _count(rng)),
        wire.Drain,
        wire.Close,
        lambda: wire.Ready(1, VERSION, "gpu1", 7, "b", "pid:[1]", "3.11.7", "/p", "/f", 4, 8),
        lambda: wire.Refused(_shown(rng)),
        lambda: wire.Pong(_count(rng), 3, 0.25),
        lambda: wire.Began(token, 77, 0.5),
        lambda: wire.Output(token, _count(rng), rng.randbytes(rng.randrange(2_000))),
        lambda: wire.Reported(token, 0.5, _maybe(rng, _count), _storable(rng)),
        lambda: wire.Saved(token, _count(rng), _json(rng)),
        lambda: wire.Ask(token, _count(rng), rng.choice(["parents", "saved"])),
        lambda: wire.Submit(token, _count(rng), _json(rng)),
        lambda: wire.Ended(
            *(token, rng.choice(list(Fate)), _maybe(rng, _json), _maybe(rng, _storable)),
            *(_maybe(rng, _storable), (_storable(rng),), _maybe(rng, lambda _: wish)),
            *(_maybe(rng, _count), True, _maybe(rng, _count), 0.001),
        ),
        lambda: wire.Stack(_count(rng), _maybe(rng, _storable), _maybe(rng, _storable)),
        lambda: wire.Log(30, _shown(rng)),
        lambda: wire.Gone(_shown(rng), rng.random() < 0.5),
        lambda: wire.Took(_count(rng)),
    ]
    return rng.choice(makers)()


def _feed(reader: wire.Reader[Any], pieces: list[bytes]) -> None:
    for piece in pieces:
        list(reader.feed(piece))


@pytest.mark.parametrize("seed", range(20))
def test_messages_come_out_as_they_went_in_however_the_bytes_are_cut(seed: int) -> None:
    rng = random.Random(seed)
    said = [_random_message(rng) for _ in range(300)]
    for reader, kinds in (
        (wire.agents_reader(VERSION), wire.ToAgent),
        (wire.workers_reader(VERSION, 1_000), wire.ToWorker),
    ):
        sent = [message for message in said if isinstance(message, kinds)]
        data = b"".join(line for message in sent for line in wire.encode(message))
        found: list[wire.Message] = []
        while data:
            cut = rng.choice([1, 7, 300, 70_000])
            found.extend(reader.feed(data[:cut]))
            data = data[cut:]
        assert found == sent


def test_every_kind_of_message_is_among_those_that_are_tried() -> None:
    rng = random.Random(1)
    kinds = {type(_random_message(rng)) for _ in range(2_000)}
    assert kinds == set(wire.ToAgent.__args__ + wire.ToWorker.__args__)


def test_a_ping_stands_between_the_parts_of_what_is_long() -> None:
    run = wire.Give("t", {"parents": "x" * 200_000})
    lines = wire.encode(run)
    assert len(lines) == 7
    assert all(len(line) <= wire.PART_BYTES + 2 for line in lines)
    (ping,) = wire.encode(wire.Ping(1, 0))
    reader = wire.agents_reader(VERSION)
    found = [m for line in lines for m in reader.feed(line + ping)]
    assert found[-2:] == [run, wire.Ping(1, 0)]
    assert len(found) == 8


def test_a_message_longer_than_any_is_refused_before_it_is_whole() -> None:
    reader = wire.workers_reader(VERSION, 1)
    line = b"+" + b"x" * wire.PART_BYTES + b"\n"
    with pytest.raises(Broken, match="a message of more than"):
        _feed(reader, [line] * 4_000)


def test_a_line_without_an_end_is_refused() -> None:
    with pytest.raises(Broken, match="a line of more than"):
        _feed(wire.agents_reader(VERSION), [b"x" * 40_000])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b'{"ping": 1}',
        b'{"ping": {"number": 1}}',
        b'{"ping": {"number": 1, "heard": -1}}',
        b'{"ping": {"number": true, "heard": 0}}',
        b'{"ping": {"number": 1, "heard": 0, "more": 0}}',
        b'{"ping": {"number": 1, "heard": 0}, "close": {}}',
        b'{"stop": {"token": "t", "fate": "eaten"}}',
        b'{"stop": {"token": "", "fate": "cancelled"}}',
        b'{"pong": {"number": 1, "busy": 0, "load": 0.5}}',
        b'{"give": {"token": "t", "message": {"a": NaN}}}',
        b"\xff",
        b'="close":{}}',
    ],
)
def test_what_is_no_message_for_an_agent_is_broken(line: bytes) -> None:
    with pytest.raises(Broken):
        _feed(wire.agents_reader(VERSION), [line, b"\n"])


@pytest.mark.parametrize(
    "line",
    [
        b'{"ended": {"token": "t"}}',
        b'{"output": {"token": "t", "left_out": 0, "data": "!"}}',
        b'{"pong": {"number": 1, "busy": 0, "load": 1e999}}',
        b'{"pong": {"number": 1, "busy": 0, "load": 9223372036854775808}}',
        b'{"began": {"token": "t", "pid": 1, "ago_s": 1%s}}' % (400 * b"0"),
        b'{"reported": {"token": "t", "done": 1%s, "total": null, "note": ""}}' % (400 * b"0"),
        b'{"saved": {"token": "t", "number": 1, "text": "\\u0000"}}',
        b'{"ask": {"token": "t", "number": 1, "what": "money"}}',
        b'{"ping": {"number": 1, "heard": 0}}',
        b'{"log": {"level": 30, "text": 7}}',
    ],
)
def test_what_is_no_message_for_a_worker_is_broken(line: bytes) -> None:
    with pytest.raises(Broken, match="not one of our messages"):
        _feed(wire.workers_reader(VERSION, 1_000), [line + b"\n"])


def test_what_people_read_of_a_far_end_is_one_line_that_steers_nothing() -> None:
    odd = "\x1b]0;mine\x07\ngpu2 \u202e" + 100_000 * "x"
    ready = wire.Ready(1, VERSION, odd, 7, odd, odd, odd, odd, odd, 4, 8)
    said: list[wire.ToWorker] = [ready, wire.Refused(odd), wire.Log(30, odd), wire.Gone(odd)]
    data = b"".join(line for message in said for line in wire.encode(message))
    for message in wire.workers_reader(VERSION, 1_000_000).feed(data):
        for text in (value for value in message if isinstance(value, str)):
            assert text.isprintable()
            assert len(text) < 5_000
            if isinstance(message, wire.Ready) and text not in (message.executable, message.folder):
                assert len(text) <= 255
    other = wire.encode(ready._replace(version="\x1b[31m9"))
    with pytest.raises(wire.OtherVersion) as told:
        _feed(wire.workers_reader(VERSION, 1_000), other)
    assert told.value.version == "\\x1b[31m9"


@pytest.mark.parametrize(
    ("version", "protocol"), [("9.8", wire.PROTOCOL), (VERSION, wire.PROTOCOL + 1)]
)
def test_a_greeting_of_another_version_says_which(version: str, protocol: int) -> None:
    greeting = {"ready": {"version": version, "protocol": protocol, "whatever": 1}}
    with pytest.raises(wire.OtherVersion) as told:
        _feed(wire.workers_reader(VERSION, 1), [json.dumps(greeting).encode() + b"\n"])
    assert told.value.version == version


def test_a_claim_whose_row_holds_odd_numbers_can_be_told() -> None:
    claim = Claim("j", "t", "n", "m", "f", None, ("a", "b"), 1, math.inf, math.inf, 0.0, None)
    (line,) = wire.encode(wire.Run.of(claim))
    (run,) = wire.agents_reader(VERSION).feed(line)
    assert isinstance(run, wire.Run)
    assert (run.max_attempts, run.timeout_s, run.parents) == (None, None, True)


def test_of_a_line_that_was_cut_off_nothing_counts() -> None:
    reader = wire.workers_reader(VERSION, 1_000)
    (line,) = wire.encode(wire.Log(30, "x" * 90))
    (gone,) = wire.encode(wire.Gone("killed"))
    for cut in range(len(line)):
        assert list(reader.feed(line[:cut])) == []
        assert list(reader.feed(wire.CUT + b"\n" + gone)) == [wire.Gone("killed")]


def test_what_came_before_something_broken_is_taken() -> None:
    reader = wire.workers_reader(VERSION, 1_000)
    (line,) = wire.encode(wire.Gone("killed"))
    found = []
    with pytest.raises(Broken):
        found.extend(reader.feed(line + b"huh\n"))
    assert found == [wire.Gone("killed")]
