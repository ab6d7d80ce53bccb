"""`python -m autograd_mini`: the command `autograd-mini`."""

import sys

from autograd_mini.cli import main

sys.exit(main())
