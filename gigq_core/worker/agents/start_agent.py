"""Starts the agent at the far end of a link: `PYTHON start_agent.py FOLDER KEPT`.

FOLDER is where it was unpacked, and KEPT is 0 if that is to be removed at the end.
"""

import sys

if __name__ == "__main__":
    folder = sys.argv[1]
    sys.path.insert(0, folder)
    from gigq_core.worker.agents import guard, landing

    if not sys.platform.startswith("linux"):
        try:
            import psutil  # noqa: F401
        except ImportError:
            landing.leave(
                "its Python has no psutil, by which an agent sees processes where there is no "
                "Linux: install it there, or name another Python with --remote-python"
            )

    def run(place: guard.Place) -> int:
        # Loaded in the agent's own process, as its guards have no use for it.
        from gigq_core.worker.agents import agent

        return agent.run(place)

    guard.main(run, folder, sys.argv[2] == "1")
