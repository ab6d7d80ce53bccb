"""Output: files, and text for a terminal.

Not here: their contents. Read next: `output.files`.
"""
