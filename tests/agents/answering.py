"""What stands at the far end of a link in tests of links alone: it answers line by line."""

import json
import os
import sys


def main() -> None:
    """Greet; answer each message by one that counts them; say so when the input has ended."""
    print("Welcome to this host", flush=True)
    print(json.dumps({"ready": {"pid": os.getpid()}}), flush=True)
    for number, line in enumerate(sys.stdin):
        print(json.dumps({"answer": number, "to": json.loads(line)}), flush=True)
    print(json.dumps({"gone": True}), flush=True)


if __name__ == "__main__":
    main()
