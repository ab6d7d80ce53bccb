"""Functions of functions: derivatives, named as in JAX.

Read next: `transforms.trees`.
"""
