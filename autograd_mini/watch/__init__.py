"""What can be watched while a graph is recorded.

Read next: `observers`.
"""
