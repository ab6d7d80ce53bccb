"""The package's demo, with its data.

Not here: networks and descent (`nn`, `optim`). Read next: `demo.data`.
"""
