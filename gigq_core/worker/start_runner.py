"""Starts `runner.py`, which stands beside this file, from the bytecode that Python keeps of it.

A script's own source is compiled each time it is started, and each child would pay for that.
"""

import sys

if __name__ == "__main__":
    # The folder of a script is first on the path; nothing there may shadow a module of the user's.
    del sys.path[0]
    from importlib.machinery import SourceFileLoader

    name, path = "gigq_core_runner", __file__.replace("start_runner.py", "runner.py")
    module = type(sys)(name)
    module.__file__ = path
    code = SourceFileLoader(name, path).get_code(name)
    assert code is not None
    exec(code, vars(module))
    module.main()
