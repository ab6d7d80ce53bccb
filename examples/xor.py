"""XOR, the smallest problem that needs a hidden layer."""

from autograd_mini import Value, binary_cross_entropy, nn, optim, sigmoid

data = [([0.0, 0.0], 0.0), ([0.0, 1.0], 1.0), ([1.0, 0.0], 1.0), ([1.0, 1.0], 0.0)]
model = nn.MLP(2, [4, 1], activation="tanh", seed=1)
descent = optim.Adam(model.parameters(), lr=0.1)

for step in range(200):
    loss: Value = binary_cross_entropy([model(x) for x, _ in data], [y for _, y in data])
    model.zero_grad()
    loss.backward()
    descent.step()
    if step % 50 == 0:
        print(f"step {step:3d}: loss {loss:.4f}")

for x, y in data:
    probability = sigmoid(model(x)).data
    print(f"{x} -> {probability:.3f}, wanted {y}")
    assert round(probability) == y
