"""The course of a backward pass, and how to travel through it.

Read next: `debug.timeline.journal`.
"""
