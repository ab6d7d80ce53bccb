"""What leaves the package: files, and text for a terminal.

Not here: what they say. Read next: `output.files`.
"""
