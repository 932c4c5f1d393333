"""What the console says of a row at a given hour, as the core judges it."""

from __future__ import annotations

from gigq_core.why import RUNNING_STATES as RUNNING_STATES
from gigq_core.why import WAITING_STATES as WAITING_STATES
from gigq_core.why import done_share as done_share
from gigq_core.why import done_words as done_words
from gigq_core.why import doom_reason as doom_reason
from gigq_core.why import first_line as first_line
from gigq_core.why import left_seconds as left_seconds
from gigq_core.why import run_seconds as run_seconds
from gigq_core.why import shown_name as shown_name
from gigq_core.why import state_of as state_of
from gigq_core.why import ticks as ticks
from gigq_core.why import timeout_share as timeout_share
from gigq_core.why import told_reason as told_reason
from gigq_core.why import wait_seconds as wait_seconds
from gigq_core.why import why as why
