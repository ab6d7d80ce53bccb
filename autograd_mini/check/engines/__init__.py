"""Is your own engine right? Small graphs that it computes, and the mistake that its gradients show.

Not here: how mistakes leave their marks in gradients (`mistakes.sweeps`). Read next: `check.engines.graphs`.
"""
