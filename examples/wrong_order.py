"""Why backpropagation needs the right order: depth first goes wrong once a value is used twice."""

import autograd_mini as am

a = am.Value(3.0, name="a")
with am.provenance():
    b = a + a
    c = b + b
print(am.debug.wrong_order(c))

print("\nA small network. The outputs share the hidden value h1, which must wait for both of them.\n")
network = am.nn.MLP(1, [2, 2], activation="tanh", seed=0)
hidden, outputs = network.layers
with am.provenance():
    h1, h2 = hidden([0.5])
    y1, y2 = outputs([h1, h2])
    loss = (y1 - 1.0) ** 2 + (y2 + 1.0) ** 2
for name, node in {"h1": h1, "h2": h2, "y1": y1, "y2": y2, "loss": loss}.items():
    node.name = name
found = am.debug.wrong_order(loss)
print(found)

loss.backward()
assert found.node is h1
assert found.complete == h1.grad
assert all(abs(found.gradients[p] - p.grad) > 0.01 for p in hidden.parameters())
assert all(found.gradients[p] == p.grad for p in outputs.parameters())  # nothing up to here is used twice
