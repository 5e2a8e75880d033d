"""Times the networks of benches/kernels.rs in PyTorch and onnxruntime: what a user would pick instead.

    pip install torch onnxruntime onnx numpy        # CPU builds are enough
    python benches/peers.py OUT.json [--cases gru lstm ...] [--rounds 5]

One thread. Encoder over [B, T, C], its last state repeated T times, decoder, dense to C. The training step is forward,
backward, clipping by norm and Adam. Writes {"kernels/CASE/WHAT/BATCH": {"torch": seconds, "onnxruntime": seconds}},
medians of the rounds, which benches/ratios.py puts beside criterion's.
"""
import argparse
import io
import json
import time
import warnings

import numpy as np
import onnxruntime
import torch

warnings.filterwarnings("ignore")
# name: cell, channels, window, hidden
CASES = {
    "gru": ("GRU", 8, 64, 32),
    "lstm": ("LSTM", 8, 64, 32),
    "rnn": ("RNN", 8, 64, 32),
    "gru-c1-h8": ("GRU", 1, 64, 8),
    "gru-c55-h64": ("GRU", 55, 64, 64),
    "gru-t16": ("GRU", 8, 16, 32),
    "gru-t256": ("GRU", 8, 256, 32),
}
BATCHES, TRAIN_BATCH = (1, 16, 256), 64


class Autoencoder(torch.nn.Module):
    def __init__(self, cell, channels, window, hidden):
        super().__init__()
        kind = getattr(torch.nn, cell)
        self.window = window
        self.encoder = kind(channels, hidden, batch_first=True)
        self.decoder = kind(hidden, hidden, batch_first=True)
        self.output = torch.nn.Linear(hidden, channels)

    def forward(self, x):
        h = self.encoder(x)[0][:, -1]
        return self.output(self.decoder(h[:, None].expand(-1, self.window, -1))[0])


def median_seconds(f, rounds, least=0.1):
    f()
    begun = time.perf_counter()
    f()
    n = max(1, int(least / max(time.perf_counter() - begun, 1e-6)))
    means = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(n):
            f()
        means.append((time.perf_counter() - begun) / n)
    return sorted(means)[rounds // 2]


def score(model, shape, rounds):
    x = torch.randn(*shape)
    with torch.inference_mode():
        seconds = {"torch": median_seconds(lambda: model(x), rounds)}
    file = io.BytesIO()
    torch.onnx.export(model, (x,), file, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x.numpy().astype(np.float32)}
    seconds["onnxruntime"] = median_seconds(lambda: session.run(None, feed), rounds)
    return seconds


def train_step(model, shape, rounds):
    x = torch.randn(*shape)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step():
        optimizer.zero_grad(set_to_none=True)
        ((model(x) - x) ** 2).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return {"torch": median_seconds(step, rounds)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results = {"versions": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__}}
    for name in asked.cases:
        cell, channels, window, hidden = CASES[name]
        model = Autoencoder(cell, channels, window, hidden).eval()
        for batch in BATCHES:
            results[f"kernels/{name}/score/{batch}"] = score(model, (batch, window, channels), asked.rounds)
        shape = (TRAIN_BATCH, window, channels)
        results[f"kernels/{name}/train_step/{TRAIN_BATCH}"] = train_step(model.train(), shape, asked.rounds)
    with open(asked.out, "w", encoding="utf-8") as out:
        json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
