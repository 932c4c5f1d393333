"""Starts the agent at the far end of a link: `PYTHON start_agent.py FOLDER KEPT`.

FOLDER is where it was unpacked, and KEPT is 0 if that is to be removed at the end.
"""

import sys

if __name__ == "__main__":
    folder = sys.argv[1]
    sys.path.insert(0, folder)
    from gigq_core.worker.agents import guard

    def run(place: guard.Place) -> int:
        # Loaded in the agent's own process, as its guards have no use for it.
        from gigq_core.worker.agents import agent

        return agent.run(place)

    guard.main(run, folder, sys.argv[2] == "1")
