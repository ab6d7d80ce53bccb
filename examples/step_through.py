"""Step through backpropagation, and write a page that does the same: open backprop.html in a browser."""

import autograd_mini as am


@am.composite
def softmax(z):
    e = [am.exp(v) for v in z]
    S = am.sum(e)
    return [v / S for v in e]


with am.provenance(calls=True):  # `autograd-mini debug step_through.py` does this for a whole program
    x = am.Value(2.0)
    w, v = am.Value(0.5), am.Value(-0.5)
    a = softmax([w * x, v * x])
    loss = -am.log(a[1])

trace = am.debug.trace(loss)
trace.seek(trace.start)
while trace.over().reason == "step":  # the next node, or all of a part such as softmax
    what = trace.passed.name if trace.passed else trace.label(trace.step.node)
    now = [f"{name} {trace.grad(node):.4f}" for name, node in {"x": x, "w": w, "v": v}.items() if trace.grad(node)]
    print(f"step {trace.position}, {what} has handed on. Gradients: {', '.join(now) or 'none yet'}")

loss.backward()
assert all(trace.grad(leaf) == leaf.grad for leaf in (w, v, x))
print(am.debug.page(loss, "backprop.html"))
