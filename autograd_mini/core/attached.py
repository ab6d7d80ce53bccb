"""The functions that are methods of recording numbers, as `v.exp()`; `attached.pyi` names them to type checkers.

Not here: which functions these are; `attach` of `methods` puts them here. Read next: `core.arrays`.
"""


class Attached:
    """The base class that holds them."""

    __slots__ = ()
