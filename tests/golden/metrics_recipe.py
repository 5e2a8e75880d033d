"""Judges cases with the reference measures (numpy, written from the published definitions).

    KILTER_QUALITY_BENCH=DIR python3 metrics_recipe.py < cases.json > results.json

DIR holds metrics.py. A case is {name, label, score, alarm, channel, train_rows, window}; a window of null is derived
from the channel. Measures of the score take all rows, measures of the alarm those after train_rows. The result adds
"seconds", the time the measures of the score took.

    KILTER_QUALITY_BENCH=DIR python3 metrics_recipe.py --golden > metrics.json

writes the small cases below with their results (made with Python 3.11, numpy 2.4.6).
"""
import json
import math
import os
import sys
import time

sys.path.insert(0, os.environ["KILTER_QUALITY_BENCH"])
import numpy as np  # noqa: E402
import metrics as M  # noqa: E402


def judge(case):
    y, s, z = (np.array(case[k]) for k in ("label", "score", "alarm"))
    began = time.perf_counter()
    window = case["window"] if case["window"] is not None else M.find_length_rank(np.array(case["channel"], float))
    roc, pr = M.vus(y, s, window)
    f1, threshold = M.best_f1(y, s)
    out = {"window": int(window), "vus_roc": roc, "vus_pr": pr, "auc_pr": M.auc_pr(y, s), "auc_roc": M.auc_roc(y, s),
           "best_f1": f1, "best_threshold": threshold}
    seconds = time.perf_counter() - began
    y, z = y[case["train_rows"]:], z[case["train_rows"]:]
    out.update(M.event_report(y, z))
    out.update(M.onset_report(y, z))
    out["aff_p"], out["aff_r"], out["aff_f1"] = M.affiliation(y, z)
    out["nab_like"] = M.nab_score(y, z)
    clean = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in out.items()}
    return {"name": case["name"], "seconds": seconds, "found": clean}


def bits(text):
    return [int(c) for c in text]


def golden():
    rng = np.random.default_rng(11)
    one = "0" * 30 + "1" * 6 + "0" * 24
    cases = [
        ("one event, a ramp", one, [round(i * 0.5, 3) for i in range(60)], "0" * 33 + "11" + "0" * 25, 5, 6),
        ("touching borders", "0011000011000110000000000001", [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3],
         "0110000110000000000000110000", 0, 9),
        ("an event at either end", "11" + "0" * 40 + "111", rng.integers(0, 9, 45).tolist(), "1" * 3 + "0" * 41 + "1", 0, 12),
        ("a constant score", one, [1.0] * 60, "0" * 60, 10, 10),
        ("an alarm that never ends", one, rng.normal(size=60).round(3).tolist(), "1" * 60, 10, 20),
        ("no event", "0" * 50, rng.normal(size=50).round(3).tolist(), "0" * 20 + "1" + "0" * 29, 10, 7),
        ("a period from the channel", "0" * 200 + "1" * 20 + "0" * 180, rng.normal(size=400).round(2).tolist(),
         "0" * 210 + "1" * 30 + "0" * 160, 50, None),
    ]
    cases = [dict(name=n, label=bits(y), score=s, alarm=bits(z), train_rows=t, window=w,
                  channel=[round(math.sin(i * 2 * math.pi / 37), 6) for i in range(len(y))])
             for n, y, s, z, t, w in cases]
    results = [judge(c) for c in cases]
    for r in results:
        del r["seconds"]
    return {"made_by": "metrics_recipe.py --golden", "cases": [{**c, "found": r["found"]} for c, r in zip(cases, results)]}


if __name__ == "__main__":
    json.dump(golden() if "--golden" in sys.argv else [judge(c) for c in json.load(sys.stdin)], sys.stdout)
    print()
