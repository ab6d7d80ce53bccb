"""The main job of the package, with its data.

Not here: networks and descent (`nn`, `optim`). Read next: `demo.data`.
"""
