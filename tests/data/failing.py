"""Functions of a user's that fail, each in its own way; for any Python from 3.8 on."""

import json


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def key():
    return {}["customer"]


def library():
    return json.loads("{nothing")


def cause():
    try:
        key()
    except KeyError as problem:
        raise ValueError("row 17 of /srv/in/a.csv is bad") from problem


def during():
    try:
        key()
    except KeyError:
        raise OSError(28, "No space left on device", "/srv/out/b.csv")  # noqa: B904


def comprehension():
    return [1 // n for n in (2, 0)]


def dictionary():
    return {n: {1 // n for n in (1, 0)} for n in (1,)}


def generator():
    return sum(1 // n for n in (1, 0))


def function_of_none():
    return (lambda value: value.upper())(None)


def within():
    def inner():
        raise LookupError("nothing of kind 'a' in 4 places")

    inner()


def own_type():
    class Refused(Exception):
        pass

    raise Refused("by host-7")


def text_fails():
    raise Broken


def without_text():
    raise TimeoutError


def lines():
    raise ValueError("2 errors\n  field a: required\n  field b: required")


def told_again():
    told = (
        'Traceback (most recent call last):\n  File "/far/away.py", line 3, in remote\nKeyError: 1'
    )
    raise RuntimeError("a remote call failed\n" + told)


def looks_like_a_frame():
    raise ValueError('see\n  File "/far/away.py", line 3, in remote')


def leaves():
    raise SystemExit(3)


def deep(n=0):
    return deeper(n + 1)


def deeper(n):
    return deep(n + 1)


def evaluated():
    eval("1 +")


def made_up():
    exec(compile("def f():\n    return 1 // 0\nf()", "<made up>", "exec"), {})


def imported():
    import failing_import  # noqa: F401


def not_python():
    import failing_syntax  # noqa: F401


def noted():
    problem = ValueError("plain")
    problem.add_note("KeyError: 'of a note'")
    raise problem


def grouped():
    found = []
    for one in (key, library):
        try:
            one()
        except Exception as problem:
            found.append(problem)
    raise ExceptionGroup("several of 2", found)  # noqa: F821
