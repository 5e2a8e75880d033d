"""Forward outputs, gradients and ten training losses of every network, computed by PyTorch.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python tests/golden/networks.py > tests/golden/networks.json

Everything is seeded; the versions that made the numbers stand at the head of the file. Modules are named as Kilter
names its tensors, so the weights go over by name. `reverse_target` is false throughout: the loss is the mean squared
error against the window itself. Training is ten full-batch steps of Adam, learning rate 0.01, no clipping.
"""
import json
import math
import platform

import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float32)
B, T, C = 3, 5, 2


class Last(nn.Module):
    """A recurrent layer that gives its last output (of each direction)."""

    def __init__(self, rnn, merge):
        super().__init__()
        self.rnn, self.merge = rnn, merge

    def forward(self, x):
        h = self.rnn(x)[1]
        h = h[0] if isinstance(h, tuple) else h
        parts = [h[i] for i in range(h.shape[0])]
        return (torch.cat(parts, -1) if self.merge != "sum" else sum(parts))[:, None]


class All(nn.Module):
    def __init__(self, rnn, merge):
        super().__init__()
        self.rnn, self.merge = rnn, merge

    def forward(self, x):
        y = self.rnn(x)[0]
        if self.rnn.bidirectional and self.merge == "sum":
            half = y.shape[-1] // 2
            y = y[..., :half] + y[..., half:]
        return y


class Repeat(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.expand(-1, T, -1))


class Positions(nn.Module):
    def forward(self, x):
        t, f = x.shape[1:]
        code = torch.zeros(t, f)
        for i in range(t):
            for j in range(f):
                angle = i / 10_000 ** ((j // 2 * 2) / f)
                code[i, j] = math.sin(angle) if j % 2 == 0 else math.cos(angle)
        return x + code


class Flatten(nn.Module):
    def forward(self, x):
        return x.reshape(x.shape[0], 1, -1)


class Rows(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return x.reshape(x.shape[0], -1, self.f)


class Activated(nn.Linear):
    """A linear layer with its activation, so that one index is one layer."""

    def __init__(self, a, b, f):
        super().__init__(a, b)
        self.f = f

    def forward(self, x):
        return self.f(super().forward(x))


class Feedback(nn.Module):
    def __init__(self, cell, z, h, c):
        super().__init__()
        self.initial = nn.Linear(z, h)
        self.cell = {"gru": nn.GRUCell, "lstm": nn.LSTMCell, "simple": nn.RNNCell}[cell](c, h)
        self.output = nn.Linear(h, c)
        self.is_lstm = cell == "lstm"

    def forward(self, x):
        h = self.initial(x[:, 0])
        c = torch.zeros_like(h)
        y, rows = torch.zeros(x.shape[0], C), []
        for _ in range(T):
            if self.is_lstm:
                h, c = self.cell(y, (h, c))
            else:
                h = self.cell(y, h)
            y = self.output(h)
            rows.append(y)
        return torch.stack(rows, 1)


class Mean(nn.Module):
    """A variational latent that takes the mean; what it adds to the loss is weighed by the case (0 for most)."""

    def __init__(self, f, z):
        super().__init__()
        self.mu, self.log_var = nn.Linear(f, z), nn.Linear(f, z)

    def forward(self, x):
        mu, log_var = self.mu(x), self.log_var(x)
        self.divergence = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(-1).mean()
        return mu


def build(spec):
    kind, units, z = spec.get("kind", "recurrent"), spec["units"], spec["latent"]
    merge = spec.get("merge", "concat")
    encoder, decoder = [], []
    latent = lambda f: Mean(f, z) if "variational" in spec else nn.Linear(f, z)
    # What only disturbs training holds its place in the numbering.
    dropped = lambda layers: layers.append(nn.Identity()) if spec.get("dropout") else None
    if "noise" in spec:
        encoder.append(nn.Identity())
    if kind == "recurrent":
        RNN = {"gru": nn.GRU, "lstm": nn.LSTM, "simple": nn.RNN}[spec["cell"]]
        both = spec.get("bidirectional", False)
        wide = 2 if both and merge == "concat" else 1
        f = C
        for i, h in enumerate(units):
            dropped(encoder)
            rnn = RNN(f, h, batch_first=True, bidirectional=both)
            whole = i + 1 < len(units) or spec.get("return_sequences")
            encoder.append((All if whole else Last)(rnn, merge))
            f = h * wide
        if z:
            encoder.append(latent(f))
            f = z
        if spec.get("decoder_input") == "feedback":
            return encoder, [Feedback(spec["cell"], f, units[0], C)]
        for i, h in enumerate(reversed(units)):
            if i > 0:
                dropped(decoder)
            layer = All(RNN(f, h, batch_first=True, bidirectional=both), merge)
            decoder.append(Repeat(layer) if i == 0 and not spec.get("return_sequences") else layer)
            f = h * wide
        decoder.append(nn.Linear(f, C))
    elif kind == "dense":
        act = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}[spec["activation"]]
        encoder.append(Flatten())
        f = T * C
        for h in units:
            encoder.append(Activated(f, h, act))
            f = h
        encoder.append(latent(f))
        f = z
        for h in reversed(units):
            decoder.append(Activated(f, h, act))
            f = h
        decoder += [nn.Linear(f, T * C), Rows(C)]
    else:
        block = lambda h: nn.TransformerEncoderLayer(
            h, spec["heads"], 2 * h, dropout=0.0, activation="relu", batch_first=True, norm_first=True)
        h = units[0]
        encoder += [nn.Linear(C, h), Positions(), block(h), Flatten(), latent(T * h)]
        decoder += [nn.Linear(z, T * h), Rows(h), Positions(), block(h), nn.Linear(h, C)]
    return encoder, decoder


class Network(nn.Module):
    def __init__(self, spec):
        super().__init__()
        encoder, decoder = build(spec)
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)

    def forward(self, x):
        return self.decoder(self.encoder(x))


def kilter_name(name):
    """Drops the wrappers and gives a cell's tensors the names of a one-layer module."""
    name = name.replace("inner.", "").replace("rnn.", "")
    if ".cell." in name:
        name = name.replace(".cell.", ".") + "_l0"
    return name


def flat(t):
    return [float(f"{v:.9g}") for v in t.detach().reshape(-1).tolist()]


CASES = {
    "simple": dict(cell="simple", units=[4], latent=2),
    "gru": dict(cell="gru", units=[4], latent=2),
    "gru without latent": dict(cell="gru", units=[5], latent=0),
    "lstm": dict(cell="lstm", units=[4], latent=2),
    "stacked gru": dict(cell="gru", units=[5, 3], latent=2),
    "stacked lstm": dict(cell="lstm", units=[4, 3], latent=2),
    "bidirectional gru, concatenated": dict(cell="gru", units=[3], latent=2, bidirectional=True),
    "bidirectional lstm, summed": dict(cell="lstm", units=[3], latent=2, bidirectional=True, merge="sum"),
    "stacked bidirectional simple": dict(cell="simple", units=[3, 2], latent=2, bidirectional=True),
    "gru fed by its output": dict(cell="gru", units=[4], latent=2, decoder_input="feedback"),
    "lstm fed by its output": dict(cell="lstm", units=[4], latent=2, decoder_input="feedback"),
    "dense": dict(kind="dense", units=[7, 4], latent=2, activation="tanh"),
    "dense, rectified": dict(kind="dense", units=[6], latent=2, activation="relu"),
    "attention": dict(kind="attention", units=[6], latent=3, heads=2),
    "variational, mean only": dict(cell="gru", units=[4], latent=2,
                                   variational=dict(kl_weight=0.0, is_sampled=False)),
    "simple fed by its output": dict(cell="simple", units=[4], latent=2, decoder_input="feedback"),
    "sequence to sequence": dict(cell="gru", units=[4, 3], latent=2, return_sequences=True),
    "variational, with divergence": dict(cell="gru", units=[4], latent=2,
                                         variational=dict(kl_weight=1.0, is_sampled=False)),
}
# Weight of the divergence, summed over the latent and meant over the batch, in the loss.
DIVERGENCE = {"variational, with divergence": 0.05}


def main():
    cases = []
    for index, (name, spec) in enumerate(CASES.items()):
        torch.manual_seed(100 + index)
        network = Network(spec)
        x = torch.randn(B, T, C)
        weight = DIVERGENCE.get(name, 0.0)

        def loss_of():
            loss = ((network(x) - x) ** 2).mean()
            latents = (layer for layer in network.encoder if isinstance(layer, Mean))
            return loss + sum(weight * layer.divergence for layer in latents)

        case = dict(name=name, spec=dict(spec, reverse_target=False), shape=[B, T, C], x=flat(x))
        case["divergence_weight"] = weight
        case["tensors"] = [dict(name=kilter_name(n), shape=list(p.shape), values=flat(p))
                           for n, p in network.named_parameters()]
        case["output"] = flat(network(x))
        loss_of().backward()
        case["gradients"] = [dict(name=kilter_name(n), shape=list(p.shape),
                                  values=flat(p.grad if p.grad is not None else torch.zeros_like(p)))
                             for n, p in network.named_parameters()]
        adam = torch.optim.Adam(network.parameters(), lr=0.01)
        case["losses"] = []
        for _ in range(10):
            adam.zero_grad()
            loss = loss_of()
            loss.backward()
            adam.step()
            case["losses"].append(float(f"{loss.item():.9g}"))
        cases.append(case)

    head = dict(made_by="tests/golden/networks.py", torch=torch.__version__, numpy=np.__version__,
                python=platform.python_version(), seed="100 + index of the case", learning_rate=0.01)
    print(json.dumps(dict(head=head, cases=cases), indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"'))


if __name__ == "__main__":
    main()
