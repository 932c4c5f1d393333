"""Runs many command lines in one interpreter, each in a fork of its own.

Starting Python for each would take most of the time. On stdin: a JSON list of
[program, [word, ...], stdin]; words and texts are bytes written as Latin-1. On stdout: a JSON list
of [exit code, stdout, stderr] in the same writing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile


def main() -> None:
    orders = json.loads(sys.stdin.buffer.read())
    import gigq_core.cli.main
    import gigq_tui.cli
    import gigq_tui.once.scripted
    import gigq_tui.store.reader

    mains = {"gigq-core": gigq_core.cli.main.main, "gigq-tui": gigq_tui.cli.main}
    answers = []
    for program, words, fed in orders:
        with (
            tempfile.TemporaryFile() as inp,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            inp.write(fed.encode("latin-1"))
            inp.seek(0)
            pid = os.fork()
            if not pid:
                for number, file in enumerate((inp, out, err)):
                    os.dup2(file.fileno(), number)
                sys.argv = [program, *(os.fsdecode(word.encode("latin-1")) for word in words)]
                # Ends as a process does: what is raised is printed, buffers are flushed.
                mains[program]()
                os._exit(99)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode("latin-1"))
            answers.append([code, *said])
    sys.stdout.buffer.write(json.dumps(answers).encode())


if __name__ == "__main__":
    main()
