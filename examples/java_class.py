"""A Java class of activations with classic mistakes: each is named, and after the corrections all is right."""

import shlex
import subprocess
import tempfile
from pathlib import Path

from autograd_mini.cli import main

JAVA = Path(__file__).parent / "java"
FUNCTIONS = ["sigmoid", "tanh", "softmax", "cross_entropy"]


def check(activation: Path) -> list[int]:
    """Compile the class with Check.java, which answers line by line, and judge each function."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["javac", "-d", folder, activation, JAVA / "Check.java"], check=True)
        for name in FUNCTIONS:
            command = shlex.join(["java", "-cp", folder, "Check", name])
            print(f"\n$ autograd-mini check {name} --run 'java Check {name}'")
            found.append(main(["check", name, "--run", command]))
    return found


print("Activation.java")
assert check(JAVA / "Activation.java") == [1, 1, 1, 1]
print("\ncorrected/Activation.java")
assert check(JAVA / "corrected" / "Activation.java") == [0, 0, 0, 0]
