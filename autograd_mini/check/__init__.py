"""Is mine right? Derivatives checked by differences and by this package, and the mistake named if they are wrong.

It judges data: points, and the numbers that a program in any language gave there. `check_grads` and
`check_derivative` call a function to get them. Not here: the debugger's own check. Read next: `check.verdicts`.
"""
