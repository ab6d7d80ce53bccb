"""The user's program: what holds while it records, and where in it something happened.

Not here: what is done with the graph. Read next: `program.source`.
"""
