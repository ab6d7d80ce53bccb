"""A transformer of scalars: one training step on one word, letter after letter, of about 57,000 nodes.

The architecture is that of GPT-2 with RMS norm and relu; sums are written as in the first course on
the subject, one node for each product and each sum, which is what makes the graph so large. Read next: `__main__`.
"""

from __future__ import annotations

import random
from itertools import pairwise

import autograd_mini as am

LETTERS = "abcdefghijklmnopqrstuvwxyz."
WIDTH, HEADS, CONTEXT = 16, 4, 8


def linear(x: list, weights: list[list]) -> list:
    """The product of a matrix and a vector, plus a bias: the last number of each row."""
    return [sum([w * xi for w, xi in zip(row, x, strict=False)]) + row[-1] for row in weights]


@am.composite
def norm(x: list) -> list:
    """The vector, scaled to a mean square of 1."""
    scale = (sum([xi * xi for xi in x]) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


class Transformer:
    """Embeddings, one block of attention and perceptron, and a projection onto the letters.

    Args:
        seed: decides the weights.
    """

    def __init__(self, seed: int = 0) -> None:
        normal = random.Random(seed).gauss

        def matrix(rows: int, columns: int) -> list[list]:
            return [[am.Value(normal(0.0, 0.08)) for _ in range(columns)] for _ in range(rows)]

        self.tokens, self.positions = matrix(len(LETTERS), WIDTH), matrix(CONTEXT, WIDTH)
        self.query, self.key, self.value, self.mixed = (matrix(WIDTH, WIDTH + 1) for _ in range(4))
        self.up, self.down = matrix(4 * WIDTH, WIDTH + 1), matrix(WIDTH, 4 * WIDTH + 1)
        self.letters = matrix(len(LETTERS), WIDTH + 1)

    def logits(self, letter: int, position: int, keys: list, values: list) -> list:
        """The logits of the next letter; keys and values of the letters before are extended by those of this one."""
        with am.scope("embed"):
            x = norm([t + p for t, p in zip(self.tokens[letter], self.positions[position], strict=True)])
        with am.scope("attention"):
            x = [a + b for a, b in zip(x, self.attention(norm(x), keys, values), strict=True)]
        with am.scope("perceptron"):
            hidden = [am.relu(h) for h in linear(norm(x), self.up)]
            x = [a + b for a, b in zip(x, linear(hidden, self.down), strict=True)]
        with am.scope("project"):
            return linear(x, self.letters)

    def attention(self, x: list, keys: list, values: list) -> list:
        """What the letters so far have to say, in four heads."""
        with am.scope("keys"):
            keys.append(linear(x, self.key))
        with am.scope("values"):
            values.append(linear(x, self.value))
        with am.scope("queries"):
            query = linear(x, self.query)
        mixed, size = [], WIDTH // HEADS
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            with am.scope(f"head{head}"):
                scores = [am.dot(query[part], key[part]) / size**0.5 for key in keys]
                weights = am.softmax(scores)
                mixed += [am.dot(weights, [value[i] for value in values]) for i in range(part.start, part.stop)]
        with am.scope("mix"):
            return linear(mixed, self.mixed)


def step(word: str = "picture") -> am.Value:
    """The mean loss of the letters of a word, after `backward()`."""
    model = Transformer()
    letters = [LETTERS.index(letter) for letter in "." + word]
    keys: list = []
    values: list = []
    losses = [
        am.cross_entropy(model.logits(before, position, keys, values), after)
        for position, (before, after) in enumerate(pairwise(letters))
    ]
    loss = am.mean(losses)
    loss.name = "loss"
    loss.backward()
    return loss
