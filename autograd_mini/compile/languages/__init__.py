"""Languages: each writes a tape as source code, and is a table with an entry for every operation.

Not here: a readable program with names and loops (`emitted`). Read next: `compile.languages.language`.
"""
