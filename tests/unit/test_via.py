"""What `--via` may say."""

from __future__ import annotations

import pytest

from gigq_core.worker.agents.via import Via, via_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("env", ("env",)),
        ("  sh -c 'exec \"$@\"' --  ", ("sh", "-c", 'exec "$@"', "--")),
        ("env 'A=a b' nice -n 5", ("env", "A=a b", "nice", "-n", "5")),
        ("/bin/sh -c x", ("/bin/sh", "-c", "x")),
    ],
)
def test_a_command_is_its_words(text: str, words: tuple[str, ...]) -> None:
    assert via_of(text) == Via(text.strip(), words)


@pytest.mark.parametrize("address", ["tcp://10.0.0.3:8786", "tls://h:1", "wss://[::1]:8786/x"])
def test_a_dask_scheduler_is_its_address(address: str) -> None:
    assert via_of(f"dask:{address}") == Via(f"dask:{address}", (), address)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "needs a command that leads elsewhere, as in --via 'ssh gpu1'"),
        ("  ", "needs a command"),
        ("''", "needs a command"),
        ("ssh 'gpu1", "a quotation mark that is never closed"),
        ("ssh\ngpu1", "give it in one line"),
        ("ssh\0gpu1", "give it in one line"),
        ("no-such-command gpu1", "there is no command no-such-command here"),
        ("dask:", "names no Dask scheduler: give its address, as in dask:tcp://10.0.0.5:8786"),
        ("dask:host:8786", "names no Dask scheduler"),
        ("dask:tcp://", "names no Dask scheduler"),
        (17, "must be text"),
    ],
)
def test_what_leads_nowhere_is_refused_in_one_sentence(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as refused:
        via_of(text)
    assert str(refused.value).count("\n") == 0
