"""The core: the table of operations, the nodes that record them, and the one sweep.

Read next: `core.table`.
"""
