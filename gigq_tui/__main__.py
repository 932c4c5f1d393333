"""`python -m gigq_tui` is `gigq-tui`."""

from __future__ import annotations

from gigq_tui.cli import main

if __name__ == "__main__":
    main()
