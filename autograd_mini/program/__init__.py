"""The user's program: what holds while it records, and where in it something happened.

Read next: `stack`.
"""
