"""For code written for micrograd: change its imports to this package, and nothing else.

`from micrograd.engine import Value` becomes `from autograd_mini.micrograd.engine import Value` (or, shorter,
`from autograd_mini.micrograd import Value`), and `from micrograd.nn import MLP` becomes
`from autograd_mini.micrograd.nn import MLP`. Pictures, debuggers and `explain` take what it makes.
Not here: anything that code written for this package needs; its `Value` is in `engine`. Read next: `micrograd.engine`.
"""

from autograd_mini.micrograd import nn
from autograd_mini.micrograd.engine import Value

__all__ = ["Value", "nn"]
