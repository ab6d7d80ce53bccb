"""What leaves the package: files, streams, the columns of a terminal.

Read next: `files`.
"""
