"""Functions of functions: derivatives as JAX names them.

Read next: `derivatives`.
"""
