"""How one console was started; nothing of it changes while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gigq_tui.config.model import Config, Label
from gigq_tui.config.place import default_path
from gigq_tui.store.clock import Clock
from gigq_tui.viewpoint import Viewpoint

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession


@dataclass(frozen=True)
class Settings:
    """What a console was started with.

    Attributes:
        path: The queue file, absolute: commands that are copied work in any folder.
        python: The interpreter in which the workers' jobs run.
        chdir: The folder in which they run.
        read_only: Whether whatever writes is refused.
        config: The user's keys and columns.
        label: What the header calls the file besides its name.
        clock: What time it is.
        demo: The demonstration this console shows, or None.
        start: What is looked at first.
        resumed: Whether that is what was looked at last.
        config_file: Where the configuration is, or would be.
    """

    path: Path
    python: str
    chdir: Path
    read_only: bool
    config: Config
    label: Label
    clock: Clock
    demo: DemoSession | None
    start: Viewpoint = field(default_factory=Viewpoint)
    resumed: bool = False
    config_file: Path = field(default_factory=default_path)
