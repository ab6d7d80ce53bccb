"""Languages: each writes a tape as source code, and is a table of how it writes operations.

Not here: a readable program with names and loops (`emitted`). Read next: `compile.languages.lowering`.
"""

LANGUAGES = ("python", "c", "java", "javascript")
SUFFIXES = {".py": "python", ".c": "c", ".java": "java", ".js": "javascript", ".mjs": "javascript"}
DERIVATIVES = ("gradient", "jacobian", "hessian")
