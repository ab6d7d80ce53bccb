"""How fast, beside other libraries: `python -m tests.benchmarks` from the root of the project prints a table.

Not part of the test run, and no test asserts a time.
Read next: `eager`, `programs`, `derivatives` (what is computed), `harness` (how it is timed), `__main__` (the table).
"""
