"""Is mine right: derivatives checked by differences and by this package, and the mistake named where they are wrong.

Data is judged: points, and the numbers that a program of any language gave there. `check_grads` and
`check_derivative` call a function to get them. Not here: the debugger's own check. Read next: `check.verdicts`.
"""
