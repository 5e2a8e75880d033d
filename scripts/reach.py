"""Every figure of docs/detection.md on a labelled set, by Kilter's pipeline and an independent referee.

    python3 scripts/reach.py --kilter target/release/kilter --data DATA --referee REFEREE --out OUT [--source NAME ...]
                             [--jobs N]

DATA holds labelled recordings with a MANIFEST.csv (columns file, source, train_rows, vus_window, half). REFEREE holds
evaluate.py, which judges a folder of score CSVs and needs numpy. OUT receives the scores, the documents of `kilter
evaluate`, the referee's CSVs, and report.md, which is also printed. One set of constants, the program's defaults, judges
every series; only what a line names is changed: the settle delay, the members, the alarm budget. Runs that OUT already
holds are not repeated.
"""
import argparse
import csv
import functools
import json
import os
import subprocess
import sys

BUDGETS = (100, 1000, 5000, 10000)
SOURCES = ["MSL", "SMAP", "MSL-U", "SMAP-U", "SKAB", "TEP", "NAB", "NAB-raw"]


def evaluate(a, name, config, contenders, extra=()):
    """One run of `kilter evaluate`; gives its document, with the scores of each contender under OUT/name."""
    folder, document = os.path.join(a.out, name), os.path.join(a.out, name + ".json")
    if not os.path.exists(document):
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "kilter.toml")
        with open(path, "w") as f:
            f.write(config)
        command = [a.kilter, "evaluate", a.data, "--config", path, "--halves", "--json", "--out", folder,
                   "--source", *a.source, *extra, "--contender", *contenders]
        env = dict(os.environ, **({"RAYON_NUM_THREADS": str(a.jobs)} if a.jobs else {}))
        with open(document + ".part", "w") as f:
            subprocess.run(command, stdout=f, env=env, check=True)
        os.rename(document + ".part", document)
    with open(document) as f:
        return json.load(f)


@functools.cache
def referee(data, scripts, folder, column, half, *wanted):
    """The referee on a folder of scores of some sources, of one half or of both: the file of its rows, what it prints."""
    path = ".".join([os.path.join(folder, column), *wanted, *(["half" + half] if half else []), "csv"])
    command = [sys.executable, os.path.join(scripts, "evaluate.py"), "--data", data, "--scores", folder,
               "--column", column, "--alarm-column", "is_anomalous", "--out", path, "--source", *wanted]
    command += ["--half", half] if half else []
    return path, subprocess.run(command, capture_output=True, text=True, check=True).stdout


def judged(a, folder, column):
    """One row per series of a folder of scores, with the half it belongs to."""
    out, _ = referee(a.data, a.referee, folder, column, "", *a.source)
    with open(out, newline="") as f:
        rows = list(csv.DictReader(f))
    with open(os.path.join(a.data, "MANIFEST.csv"), newline="") as f:
        half_of = {row["file"]: row.get("half", "") for row in csv.DictReader(f)}
    for row in rows:
        row["half"] = half_of.get(row["file"], "")
    return rows


def skab_protocol(a, folder, column):
    """F1, and the share of normal rows in alert, by the SKAB protocol: all series, half 1, half 2."""
    if "SKAB" not in a.source:
        return "", ""
    lines = [referee(a.data, a.referee, folder, column, half, "SKAB")[1] for half in ("", "1", "2")]
    words = [line.split("SKAB protocol: F1 ")[-1].split() for line in lines]
    return " / ".join(w[0] for w in words), " / ".join(w[2] for w in words)


def mean_of_means(rows, column, half):
    """Mean over the series of a source, then over sources; series without the figure do not count."""
    groups = {}
    for row in rows:
        if half in ("", row["half"]) and row.get(column) not in (None, "", "nan"):
            groups.setdefault(row["source"], []).append(float(row[column]))
    means = [sum(v) / len(v) for v in groups.values()]
    return sum(means) / len(means) if means else float("nan")


def by_halves(value, digits, scale=1.0, sign=""):
    whole, first, second = (f"{scale * value(half):.{digits}f}{sign}" for half in ("", "1", "2"))
    return f"{whole} ({first} / {second})"


def ranking(a, runs, say):
    say("| VUS-PR | all (half 1 / half 2) |\n| --- | --- |")
    for title, folder, column in runs:
        rows = judged(a, folder, column)
        say(f"| {title} | {by_halves(lambda half: mean_of_means(rows, 'VUS-PR', half), 3)} |")
    say("")


def summary_of(document, half, contender="fused"):
    summary = document["summary"] if not half else document.get("halves", {}).get(half, [])
    return next(entry for entry in summary if entry["contender"] == contender)


def alarms(a, documents, say):
    say("| budget | onset recall | openings/10k | in alert before the first event | realised/promised | SKAB F1 "
        "| SKAB FAR |\n| --- | --- | --- | --- | --- | --- | --- |")
    for budget, (folder, document) in documents.items():
        rows = judged(a, folder, "live_score")
        cell = {name: by_halves(lambda half: mean_of_means(rows, name, half), 2)
                for name in ("onset_recall", "openings_per_10k")}
        before = by_halves(lambda half: summary_of(document, half)["means"]["time_in_alert_before"], 1, 100, " %")
        ratio = by_halves(lambda half: summary_of(document, half)["realised_per_promised"], 2)
        f1, far = skab_protocol(a, folder, "live_score")
        say(f"| 1/{budget} | {cell['onset_recall']} | {cell['openings_per_10k']} | {before} | {ratio} | {f1} | {far} |")
    say("")


def sources(a, folder, say):
    live = judged(a, folder, "live_score")
    settled = judged(a, folder, "settled_score")
    say("| source | series | live | settled | onset recall | openings/10k | in alert |\n"
        "| --- | --- | --- | --- | --- | --- | --- |")
    for source in a.source:
        one, other = ([row for row in rows if row["source"] == source] for rows in (live, settled))
        figures = [mean_of_means(one, "VUS-PR", ""), mean_of_means(other, "VUS-PR", "")]
        figures += [mean_of_means(one, name, "") for name in ("onset_recall", "openings_per_10k")]
        in_alert = 100 * mean_of_means(one, "time_in_alarm", "")
        cells = " | ".join(f"{x:.{digits}f}" for x, digits in zip(figures, (3, 3, 2, 2)))
        say(f"| {source} | {len(one)} | {cells} | {in_alert:.1f} % |")
    say("")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kilter", default="target/release/kilter")
    p.add_argument("--data", required=True)
    p.add_argument("--referee", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--source", nargs="+", default=SOURCES)
    p.add_argument("--jobs", type=int, help="series judged at once; all cores when not given")
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    report = open(os.path.join(a.out, "report.md"), "w")

    def say(line):
        print(line, flush=True)
        print(line, file=report, flush=True)

    delay = '[defaults]\nsilence_after = "3650d"\nsettle_delay = "{} rows"\nalarm_budget = "1 per {} windows"\n'
    pair = "autoencoder+pca"
    documents = {}
    for budget in sorted(BUDGETS, key=lambda b: b != 1000):
        contenders = ["fused", pair, "baseline"] if budget == 1000 else ["fused"]
        name = "settle31" if budget == 1000 else f"budget{budget}"
        document = evaluate(a, name, delay.format(31, budget), contenders)
        documents[budget] = (os.path.join(a.out, name, "fused"), document)
    evaluate(a, "settle64", delay.format(64, 1000), ["fused", pair])
    runs = []
    for contender, title in (("fused", "all members"), (pair, "autoencoder and PCA alone")):
        first, second = (os.path.join(a.out, name, contender) for name in ("settle31", "settle64"))
        runs += [(title + ", live", first, "live_score"), (title + ", settled after 31 rows", first, "settled_score"),
                 (title + ", settled after 64 rows", second, "settled_score")]
    runs.append(("trivial baseline, live", os.path.join(a.out, "settle31", "baseline"), "live_score"))
    ranking(a, runs, say)
    alarms(a, dict(sorted(documents.items())), say)
    sources(a, documents[1000][0], say)


if __name__ == "__main__":
    main()
