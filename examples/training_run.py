"""Record a training run, and write a page of it: open training.html in a browser, click a step, and step through it."""

import autograd_mini as am

xs, ts = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0]  # exclusive or
model = am.nn.MLP(2, [4, 1], activation="relu", seed=36)
descent = am.optim.SGD(model.parameters(), lr=0.1)

with am.record(model) as flight:
    for step in range(240):
        descent.lr = 0.1 if step < 200 else 1.0  # far too large
        descent.zero_grad()
        loss = am.mse([model(x) for x in xs], ts)
        loss.backward()
        descent.step()

print(flight)
first = flight.events[0].step
trace = flight.trace(first)  # the backward pass of that step, to the same bits
print(f"step {first}: loss {trace.root.data:.4f}, {len(trace)} steps forwards and backwards")
assert trace.root.data == flight[first].loss
print(flight.page("training.html"))
