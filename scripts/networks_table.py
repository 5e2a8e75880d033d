"""The table of docs/networks.md: every network and baseline alone, at its default size, on a labelled set.

    python3 scripts/networks_table.py --kilter target/release/kilter --data DATA --out OUT [--system NAME ...]
                                      [--source NAME ...] [--epochs N] [--train-rows N]

DATA holds labelled recordings, with or without a MANIFEST.csv (columns file, source, train_rows, vus_window, half). Each
system is one run of `kilter evaluate` with its lines in the configuration and everything else as by default, one series
after the other on one core. OUT receives the configurations, the documents of `kilter evaluate`, and table.md, which is
also printed. Runs that OUT already holds are not repeated. `--epochs` cuts training short, for a trial only.

VUS-PR is of the live score: mean over the series of a source, then over sources. Fit is the mean over series of seconds
of processor time; windows/s is the median over series of windows judged in a second of processor time by the whole
pipeline, one at a time.
"""
import argparse
import json
import os
import statistics
import subprocess

# Title, contender, lines of the configuration under its table.
SYSTEMS = [
    ("trivial baseline", "baseline", ""),
    ("PCA, 99 % of variance", "pca", ""),
    ("PCA, Q of the window", "pca", 'score = "q"'),
    ("PCA, T² of the window", "pca", 'score = "t2"'),
    ("kernel PCA, RBF", "kernel_pca", 'kernel = "rbf"'),
    ("kernel PCA, polynomial", "kernel_pca", 'kernel = "polynomial"'),
    ("simple RNN", "autoencoder", 'cell = "simple_rnn"'),
    ("GRU (default)", "autoencoder", 'cell = "gru"'),
    ("GRU, reset before the product", "autoencoder", 'cell = "gru_reset_before"'),
    ("LSTM", "autoencoder", 'cell = "lstm"'),
    ("stacked GRU 32-16", "autoencoder", "units = [32, 16]"),
    ("bidirectional GRU", "autoencoder", "bidirectional = true"),
    ("sequence to sequence GRU", "autoencoder", "return_sequences = true"),
    ("GRU fed by its own output", "autoencoder", 'decoder_input = "feedback"'),
    ("dense 128-32-8", "autoencoder", 'kind = "dense"\nunits = [128, 32]'),
    ("attention, 32 wide, 4 heads", "autoencoder", 'kind = "attention"'),
    ("GRU, Gaussian noise 0.1", "autoencoder", "noise = { gaussian = 0.1 }"),
    ("GRU, masking noise 0.1", "autoencoder", "noise = { masking = 0.1 }"),
    ("GRU, channel drop 0.1", "autoencoder", "noise = { channel_drop = 0.1 }"),
    ("GRU, dropout 0.1", "autoencoder", "dropout = 0.1"),
    ("variational GRU, reconstruction", "autoencoder", "variational = { kl_weight = 0.1 }"),
    ("variational GRU, likelihood", "autoencoder", 'variational = { kl_weight = 0.1, score = "likelihood" }'),
]
PCA = "PCA, 99 % of variance"


def configuration(a, contender, lines):
    members = ["pca"] if contender == "baseline" else [contender]
    text = f'[defaults]\nmembers = {json.dumps(members)}\nsilence_after = "3650d"\n'
    if contender != "baseline":
        text += f"\n[defaults.{contender}]\n{lines}\n"
        if contender == "autoencoder" and a.epochs:
            text += f"epochs = {a.epochs}\n"
    return text


def evaluate(a, title, contender, lines):
    """The document of `kilter evaluate` for one system."""
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in title)
    document, config = (os.path.join(a.out, name + extension) for extension in (".json", ".toml"))
    if not os.path.exists(document):
        with open(config, "w") as f:
            f.write(configuration(a, contender, lines))
        command = [a.kilter, "evaluate", a.data, "--config", config, "--contender", contender, "--halves", "--json"]
        command += ["--source", *a.source] if a.source else []
        command += ["--train-rows", str(a.train_rows)] if a.train_rows else []
        with open(document + ".part", "w") as f:
            subprocess.run(command, stdout=f, env=dict(os.environ, RAYON_NUM_THREADS="1"), check=True)
        os.rename(document + ".part", document)
    with open(document) as f:
        return json.load(f)


def vus(means, which="live"):
    return means[which]["vus_pr"] if means.get(which) else None


def cell(value, digits=3):
    return "–" if value is None else f"{value:.{digits}f}"


def row(title, document, sources, pca):
    summary = document["summary"][0]
    by_source = {group["group"]: vus(group["means"]) for group in summary["sources"]}
    halves = [vus(half[0]["means"]) for _, half in sorted(document.get("halves", {}).items()) if half]
    contenders = [series["contenders"][0] for series in document["series"]]
    fit = statistics.mean(c["fit_seconds"] for c in contenders)
    rate = statistics.median(c["rows_per_second"] for c in contenders)
    mean = vus(summary["means"])
    verdict = "" if pca is None or mean is None else "yes" if mean > pca else "no"
    cells = [title, *(cell(by_source.get(source)) for source in sources), cell(mean)]
    cells += [" / ".join(cell(half) for half in halves) or "–", cell(vus(summary["means"], "settled"))]
    cells += [cell(fit, 2), f"{round(rate, -3):,.0f}" if rate >= 10_000 else f"{rate:,.0f}", verdict]
    return "| " + " | ".join(cells) + " |"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kilter", default="target/release/kilter")
    p.add_argument("--data", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--system", nargs="+", help="only these rows, by a part of their name")
    p.add_argument("--source", nargs="+", help="only series of these sources of the manifest")
    p.add_argument("--epochs", type=int)
    p.add_argument("--train-rows", type=int, help="where no manifest says; the first third when not given")
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    wanted = [s for s in SYSTEMS if not a.system or s[0] == PCA or any(part in s[0] for part in a.system)]
    documents = {title: evaluate(a, title, contender, lines) for title, contender, lines in wanted}
    groups = documents[PCA]["summary"][0]["sources"]
    sources = [group["group"] for group in groups if vus(group["means"]) is not None]
    pca = vus(documents[PCA]["summary"][0]["means"])
    header = ["system", *sources, "mean", "half 1 / 2", "settled", "fit, s", "windows/s", "beats PCA"]
    lines = ["| " + " | ".join(header) + " |", "| --- " * len(header) + "|"]
    lines += [row(title, document, sources, None if title == PCA else pca) for title, document in documents.items()]
    with open(os.path.join(a.out, "table.md"), "w") as f:
        f.write("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
