"""Puts criterion's medians beside those of benches/peers.py and the measured peak: one table of ratios.

    python benches/ratios.py TARGET_DIR PEERS.json
"""
import json
import pathlib
import sys

# Operations of a window of the GRU 32 of the issue, the constant decoder projection counted once.
WINDOW_FLOP = 0.92e6
# case: (what, batch): at least so many times (onnxruntime, torch)
TARGETS = {
    ("score", 1): {"onnxruntime": 5.0, "torch": 60.0},
    ("score", 16): {"onnxruntime": 3.5},
    ("score", 256): {"onnxruntime": 4.3},
    ("train_step", 64): {"torch": 9.0},
}
# The other cells within 20 % of that; odd shapes never below 2 x onnxruntime.
OTHER_CELLS, ODD = ("lstm", "rnn"), 2.0


def medians(target):
    found = {}
    for file in pathlib.Path(target, "criterion").rglob("new/benchmark.json"):
        estimates = json.loads(file.with_name("estimates.json").read_text(encoding="utf-8"))
        name = json.loads(file.read_text(encoding="utf-8"))["full_id"]
        found[name] = estimates["median"]["point_estimate"] * 1e-9
    return found


def wanted(case, what, batch):
    targets = TARGETS[what, batch]
    if case == "gru":
        return targets
    if case in OTHER_CELLS:
        return {peer: 0.8 * ratio for peer, ratio in targets.items()}
    return {"onnxruntime": ODD} if what == "score" else {}


def main():
    own, peers = medians(sys.argv[1]), json.load(open(sys.argv[2], encoding="utf-8"))
    peak = next((int(name.split("/")[2]) / s for name, s in own.items() if name.startswith("kernels/peak/")), None)
    print("peers:", ", ".join(f"{name} {version}" for name, version in peers.pop("versions").items()))
    print(f"peak: {peak / 1e9:.0f} GFLOP/s" if peak else "peak: not measured")
    print("| network | work | Kilter | onnxruntime | PyTorch | times onnxruntime | times PyTorch | target |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    kernels = sorted(name for name in own if name.startswith("kernels/") and "/peak/" not in name)
    for name in kernels:
        seconds = peers.get(name, {})
        _, case, what, batch = name.split("/")
        batch = int(batch)
        cells = [f"{own[name] * 1e6:.1f} µs"]
        cells += [f"{seconds[peer] * 1e6:.0f} µs" if peer in seconds else "" for peer in ("onnxruntime", "torch")]
        ratios = {peer: seconds[peer] / own[name] for peer in seconds}
        cells += [f"{ratios[peer]:.2f}" if peer in ratios else "" for peer in ("onnxruntime", "torch")]
        targets = wanted(case, what, batch)
        said = [
            f"{peer} {least:g}: {'reached' if ratios[peer] >= least else 'missed'}"
            for peer, least in targets.items()
            if peer in ratios
        ]
        if case == "gru" and (what, batch) == ("score", 256) and peak:
            share = WINDOW_FLOP * batch / own[name] / peak
            said.append(f"62 % of peak: {100 * share:.0f} %")
        print(f"| {case} | {what} {batch} | {' | '.join(cells)} | {'; '.join(said)} |")
    commits = {name: 2000 / s for name, s in own.items() if name.startswith("commit/")}
    peer = next((rate for name, rate in commits.items() if "rusqlite" in name), None)
    for name, rate in sorted(commits.items()):
        print(f"{name}: {rate:.0f} rows/s" + (f", {100 * rate / peer:.0f} % of rusqlite" if peer else ""))


if __name__ == "__main__":
    main()
