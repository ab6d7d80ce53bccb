"""Running code written for micrograd: change only its imports from `micrograd` to `autograd_mini.micrograd`.

`from autograd_mini.micrograd import Value, nn` is enough. Not here: anything for code written for this package.
Read next: `micrograd.engine`.
"""

from autograd_mini.micrograd import nn
from autograd_mini.micrograd.engine import Value

__all__ = ["Value", "nn"]
