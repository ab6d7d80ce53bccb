"""From a function to a flat tape, and from a tape to arrays or to source in other languages.

`jit` traces a function once; transforms are functions, so `jit(grad(f))` needs nothing more.
Not here: derivatives, which the rules of the table write onto the tape. Read next: `compile.tape`.
"""
