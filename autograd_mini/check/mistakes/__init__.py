"""Which mistake gives these numbers: the table of mistakes, and the search for the rows that explain all of them.

A formula, the sum of two steps, a walk through a graph: each mistake says which numbers it gives. Not here: where the
numbers come from. Read next: `check.mistakes.formulas`.
"""
