"""Numbers from programs in other languages, and from code in a process of its own: run, read, compared.

Not here: which numbers are right, and which mistake explains wrong ones. Read next: `check.foreign.programs`.
"""
