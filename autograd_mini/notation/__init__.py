"""How nodes, numbers and operations are written.

Not here: the pictures, pages, terminals and editors that show it. Read next: `notation.text`.
"""
