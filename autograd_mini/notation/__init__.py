"""How a node, a number, an operation is written.

Read next: `names`.
"""
