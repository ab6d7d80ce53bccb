"""The main job of the package, with its data.

Read next: `job`.
"""
