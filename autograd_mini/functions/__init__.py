"""What is composed from the primitives: activations, sums, softmax and its logarithms, losses. No derivative in sight.

Read next: `activations`.
"""

from autograd_mini.functions.activations import (
    elu,
    gelu,
    hard_tanh,
    kink_at_switch,
    leaky_relu,
    log_sigmoid,
    relu,
    selu,
    sigmoid,
    silu,
    slope,
    softplus,
    softsign,
    tanh,
)
from autograd_mini.functions.logits import log_softmax, logaddexp, logsumexp, softmax
from autograd_mini.functions.losses import binary_cross_entropy, cross_entropy, hinge, huber, mae, mse, nll
from autograd_mini.functions.sums import dot, mean, norm, sum

__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "dot",
    "elu",
    "gelu",
    "hard_tanh",
    "hinge",
    "huber",
    "kink_at_switch",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mae",
    "mean",
    "mse",
    "nll",
    "norm",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "slope",
    "softmax",
    "softplus",
    "softsign",
    "sum",
    "tanh",
]
