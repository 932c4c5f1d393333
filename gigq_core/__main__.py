"""`python -m gigq_core` is the `gigq-core` command."""

from __future__ import annotations

from gigq_core.cli.main import main

if __name__ == "__main__":
    main()
