"""Functions of functions: derivatives as JAX names them.

Read next: `transforms.trees`.
"""
