"""The steps of a backward pass, and how to travel through them.

Read next: `debug.timeline.journal`.
"""
