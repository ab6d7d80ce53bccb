"""The core: the table of operations, the nodes that record them, and the one sweep.

Comments cite conventions and traps by codes such as C5 and T28: `CONVENTIONS.md`, beside this file, explains them.
Read next: `core.table`.
"""
