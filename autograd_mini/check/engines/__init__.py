"""Is an engine of your own right: small graphs that it computes, and the mistake that its gradients show.

Not here: how mistakes leave their marks in gradients (`mistakes.sweeps`). Read next: `check.engines.graphs`.
"""
