"""What follows an attempt that did not complete: whether there is another one, when, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gigq_core.retry import RetryPolicy
from gigq_core.units.durations import LONGEST_S, duration_text
from gigq_core.units.sizes import size_words
from gigq_core.worker.claims import Claim, Ending, Fate

# So often in a row an attempt that asked to be run later is not counted.
SNOOZED_IN_A_ROW = 1_000
# What an attempt raises that may not have as much memory as it needs.
MEMORY_ERROR = "builtins.MemoryError"


class Decision(NamedTuple):
    """What becomes of the job.

    `sentence` says why, where the job's policy had a say, or what it raised: it is shown to people.
    """

    goes_on: bool
    delay_s: float = 0.0
    # Whether the attempt asked to be run later, and so did not fail; and whether it is counted.
    snoozes: bool = False
    counts: bool = True
    sentence: str | None = None


def decide(ending: Ending, snoozed_too_often: Callable[[], bool]) -> Decision:
    """Decide what follows an attempt that failed or timed out.

    Args:
        ending: how it ended.
        snoozed_too_often: whether it was put off so often in a row that this time counts; asked
            only where it matters.
    """
    claim, wish = ending.claim, ending.wish
    if ending.fate is Fate.TIMEOUT:
        return decide_timeout(claim.policy, claim.attempt, claim.max_attempts, claim.retry_delay_s)
    kind = None if wish is None else wish.kind
    if kind == "give_up":
        return Decision(False, sentence="not retried: the job gave up")
    if ending.fate is Fate.HOPELESS:
        return Decision(False)
    if kind == "snooze":
        return _snooze(claim, asked_s(ending), snoozed_too_often())
    if kind is None and claim.memory is not None and MEMORY_ERROR in ending.raised:
        named = claim.policy is not None and claim.policy.retry_on
        if not named:
            most = size_words(claim.memory)
            return Decision(False, sentence=f"not retried: it needs more memory than {most}")
    # Where nothing is known of what was raised, it was none of the job's own doing.
    if kind is None and claim.policy is not None and ending.raised:
        refusal = claim.policy.refusal(ending.raised)
        if refusal:
            return Decision(False, sentence=f"not retried: {refusal}")
    told = kind is not None or claim.policy is not None
    if claim.attempt >= claim.max_attempts:
        return _used_up(claim.attempt, claim.max_attempts, told)
    asked = ", as the job asked" if kind else ""
    return _again(asked_s(ending) if kind else delay_after(claim), asked, told)


def _snooze(claim: Claim, delay_s: float, counts: bool) -> Decision:
    why = f"after {SNOOZED_IN_A_ROW:,} times in a row it counts" if counts else ""
    if counts and claim.attempt >= claim.max_attempts:
        spent = _used_up(claim.attempt, claim.max_attempts, told=True)
        return spent._replace(sentence=f"{spent.sentence}: {why}")
    sentence = f"put off{f' for {_shown(delay_s)}' if delay_s else ''}, as the job asked"
    return Decision(True, delay_s, True, counts, f"{sentence}: {why}" if counts else sentence)


def decide_timeout(
    policy: RetryPolicy | None, attempt: float, most: float, retry_delay_s: float
) -> Decision:
    """Decide what follows an attempt that ran too long.

    Args:
        policy: the job's.
        attempt: which attempt it was, from 1 on.
        most: how many there may be.
        retry_delay_s: the job's plain delay, where its policy has none.
    """
    if policy is not None and policy.on_timeout == "fail":
        return Decision(False, sentence="not retried: on_timeout is fail")
    if attempt >= most:
        return _used_up(attempt, most, policy is not None)
    return _again(_delay_s(policy, attempt, retry_delay_s), "", policy is not None)


def _used_up(attempt: float, most: float, told: bool) -> Decision:
    sentence = f"not retried: its attempts are used up ({attempt:g} of {most:g})"
    return Decision(False, sentence=sentence if told else None)


def _again(delay_s: float, asked: str, told: bool) -> Decision:
    when = "retry at once" if delay_s <= 0 else f"retry in {_shown(delay_s)}"
    return Decision(True, delay_s, sentence=when + asked if told else None)


def delay_after(claim: Claim) -> float:
    """How long the job waits after this attempt, by its policy or else its plain delay."""
    return _delay_s(claim.policy, claim.attempt, claim.retry_delay_s)


def _delay_s(policy: RetryPolicy | None, attempt: float, retry_delay_s: float) -> float:
    delay_s = None if policy is None else policy.delay_s(int(attempt))
    return retry_delay_s if delay_s is None else delay_s


def asked_s(ending: Ending) -> float:
    """After how long a job that raised a wish wants to be run again: what it said, or its delay."""
    asked = None if ending.wish is None else ending.wish.after_s
    return delay_after(ending.claim) if asked is None else asked


def _shown(delay_s: float) -> str:
    """A delay in words, without the digits that only a draw has."""
    digits = 0 if delay_s >= 60 else 1 if delay_s >= 1 else 3
    return duration_text(min(round(delay_s, digits), LONGEST_S))
