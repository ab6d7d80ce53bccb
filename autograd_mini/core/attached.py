"""The functions that are methods of recording numbers, such as `v.exp()`; `attached.pyi` lists them for type checkers.

Not here: the choice of functions; `methods.attach` adds them. Read next: `core.arrays`.
"""


class Attached:
    """The base class that holds these methods."""

    __slots__ = ()
