"""Numbers of programs in other languages, and of code in a process of its own: run, read, compared.

Not here: what is right, and which mistake is in what is wrong. Read next: `check.foreign.programs`.
"""
