"""Backends: each runs a tape. A backend is a table with an entry for every operation, checked when it is imported.

Not here: the compiled function (`compiled`). Read next: `compile.backends.interpreter`.
"""
