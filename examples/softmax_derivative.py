"""Do I need the derivative of softmax? How do I write it? Is mine right?

1. No: with cross-entropy, backpropagation starts with a - t at the logits, and softmax's own Jacobian cancels out.
2. If you want it, it is da_i/dz_j = a_i * ((i == j) - a_j).
3. Compare yours with what falls out of the composition, which contains no derivative of softmax.
"""

import autograd_mini as am

logits = [2.0, 1.0, 0.1]

z = [am.Value(number, name=f"z{i}") for i, number in enumerate(logits)]
a = am.softmax(z)
for i, probability in enumerate(a):
    probability.name = f"a{i}"
t = [1, 0, 0]
loss = -am.dot(t, [am.log(p) for p in a])
loss.name = "loss"
loss.backward()
print("dL/dz that falls out:", [round(v.grad, 6) for v in z])
print("a - t:               ", [round(p.data - y, 6) for p, y in zip(a, t, strict=True)])

print("\nThe Jacobian of softmax, row by row: as it falls out, then a_i * ((i == j) - a_j)")
numbers = am.softmax(logits)
for i in range(3):
    print([f"{d:+.6f}" for d in am.grad(lambda z, i=i: am.softmax(z)[i])(logits)])
    print([f"{numbers[i] * ((i == j) - numbers[j]):+.6f}" for j in range(3)])

print("\nClassic mistakes, and how to see them:")
print("- t - a has the wrong sign, so training climbs:", f"{z[0].grad:+.4f} falls out, not {1 - numbers[0]:+.4f}")
print("- a * (1 - a) is only the diagonal of the Jacobian; the other logits get", f"{z[1].grad:+.4f}")
soft = [0.5, 0.5, 1.0]  # sums to 2: a * sum(t) - t
print(
    "- a - t needs targets that sum to 1:", [f"{d:+.3f}" for d in am.grad(lambda z: am.cross_entropy(z, soft))(logits)]
)
print("- exp(1000) overflows; after subtracting the largest logit it does not:", am.softmax([1000.0, 1001.0]))
print("  (search for the largest from the first element: Java's Double.MIN_VALUE is the smallest positive number)")
print("- log(softmax) underflows:", am.grad(lambda z: -am.log(am.softmax(z)[1]))([0.0, -800.0]), end=", ")
print("cross_entropy does not:", am.grad(lambda z: am.cross_entropy(z, 1))([0.0, -800.0]))
print("- 1 / 1 + exp(-x) is 1 + exp(-x): at 0 it gives 2, sigmoid gives", am.sigmoid(0.0))
h = am.tanh(0.1)
print("- (1 / t) - t is not the slope of tanh:", f"at 0.1 it is {am.grad(am.tanh)(0.1):.4f}, not {1 / h - h:.4f}")

drawing = am.draw(loss, expand="softmax", title="softmax with cross-entropy: the gradient of z is a - t")
print("\ndrawn:", drawing.save("softmax.svg"))
