"""The user's program: its scopes and hooks while it records, and the places in its source.

Not here: the graph that it records. Read next: `program.source`.
"""
