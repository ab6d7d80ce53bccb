"""The first five minutes: numbers that remember how they were computed, and what backward() does with them."""

import autograd_mini as am

# A Value is a number; compute with it as with any other.
x1, x2 = am.Value(2.0, name="x1"), am.Value(0.0, name="x2")
w1, w2 = am.Value(-3.0, name="w1"), am.Value(1.0, name="w2")
b = am.Value(6.8813735870195432, name="b")
n = x1 * w1 + x2 * w2 + b
n.name = "n"
o = am.tanh(n)
o.name = "o"
print(f"the neuron's output: {o:.4f}")

# It remembers its operands, ...
print(f"n came from {n.op} of {[operand.data for operand in n.operands]}, with slopes {n.partials}")

# ... so the derivative by every input falls out: multiply local derivatives from the output back to the inputs.
o.backward()
for v in (x1, x2, w1, w2, b):
    print(f"do/d{v.name} = {v.grad:+.4f}")

# Is that right? Move w1 a little and look.
h = 1e-6
moved = am.tanh(2.0 * (-3.0 + h) + 0.0 * 1.0 + b.data)  # functions take plain numbers too
print(f"by hand, do/dw1 is about {(moved - o.data) / h:+.4f}")

# Functions of functions, to any order:
print("third derivative of tanh at 0:", am.grad(am.grad(am.grad(am.tanh)))(0.0))

# Draw a picture, and open it in a browser.
print("drawn:", am.draw(o, title="o = tanh(x1*w1 + x2*w2 + b)").save("neuron.svg"))
