"""How a node, a number, an operation is written.

Not here: where it is written, in pictures, pages, terminals and editors. Read next: `notation.text`.
"""
