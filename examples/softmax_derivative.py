"""Do I need the derivative of softmax? How do I write it? Is mine right?

1. No: with cross-entropy, backpropagation starts with a - t at the logits. Softmax's own Jacobian cancels out.
2. If you want it, it is da_i/dz_j = a_i * ((i == j) - a_j).
3. Compare with what falls out of the composition, for which nobody wrote a derivative.
"""

from pathlib import Path

import autograd_mini as am

logits, target = [2.0, 1.0, 0.1], 0

z = [am.Value(number, name=f"z{i}") for i, number in enumerate(logits)]
a = am.softmax(z)
for i, probability in enumerate(a):
    probability.name = f"a{i}"
loss = -am.log(a[target])
loss.name = "loss"
loss.backward()
print("dL/dz that falls out:", [round(v.grad, 6) for v in z])
print("a - t:               ", [round(p.data - (i == target), 6) for i, p in enumerate(a)])

print("\nThe Jacobian of softmax, row by row: fallen out, and a_i * ((i == j) - a_j)")
numbers = am.softmax(logits)
for i in range(3):
    print([f"{d:+.6f}" for d in am.grad(lambda z, i=i: am.softmax(z)[i])(logits)])
    print([f"{numbers[i] * ((i == j) - numbers[j]):+.6f}" for j in range(3)])

print("\nClassic mistakes, and how to see them:")
print("- t - a has the wrong sign: training climbs. Ours:", f"{z[0].grad:+.4f}", "yours:", f"{1 - numbers[0]:+.4f}")
print("- a * (1 - a) is only the diagonal: the other logits would get no gradient; they get", f"{z[1].grad:+.4f}")
print("- targets that do not sum to 1 need a * sum(t) - t:", end=" ")
soft = [0.5, 0.5, 1.0]
print([f"{d:+.4f}" for d in am.grad(lambda z: am.cross_entropy(z, soft))(logits)])
print("- exp(1000) overflows; relative to the largest logit it does not:", am.softmax([1000.0, 1001.0]))
print("- log(softmax) underflows: ", am.grad(lambda z: -am.log(am.softmax(z)[1]))([0.0, -800.0]))
print("  cross_entropy does not:  ", am.grad(lambda z: am.cross_entropy(z, 1))([0.0, -800.0]))

path = Path(__file__).parent.parent / "visualizations" / "softmax.svg"
am.draw(loss, title="softmax with cross-entropy: the gradient of z is a - t").save(path)
print("\ndrawn:", path.name)
