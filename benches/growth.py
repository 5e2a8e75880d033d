"""Cost against series, channels and window, by the whole service at full load; against series that send a row a second
each; against rows in the database; and of the network against the hop. Draws one SVG each and prints exponents: 1 is
linear.

    python benches/growth.py OUT_DIR

Runs `cargo bench --bench end_to_end`, `--bench service -- fleet`, `--bench service -- database` and `--bench hop`; the
cost of a window is processor time.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from math import log10

# The option that grows, its values, and what stays.
SWEEPS = {
    "series": ("--series", [10, 100, 1000, 10000], ["--shared"], lambda n: max(200_000 // n, 10)),
    "channels": ("--channels", [1, 4, 16, 64], ["--series", "10"], lambda n: 4000),
    "window": ("--window", [16, 64, 256, 512], ["--series", "10"], lambda n: 2000),
}
# Series that send a row a second each.
FLEETS = [10, 100, 1000, 10000]
SIDE, EDGE = 320, 48
# Free disk, bytes, with which a hundred million rows are stored too.
ROOM = 45 << 30


def bench(name, *options):
    command = ["cargo", "bench", "--locked", "--quiet", "--bench", name, "--", *map(str, options)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(text, end="", flush=True)
    return text


def exponents(points):
    """Slopes between neighbours on log-log axes."""
    return [log10(b[1] / a[1]) / log10(b[0] / a[0]) for a, b in zip(points, points[1:])]


def plot(path, title, unit, points, *, grows=True):
    """Log-log; for what grows with a dashed line of linear growth through the first point."""
    print(f"{title}: exponents {', '.join(f'{e:.2f}' for e in exponents(points))}", flush=True)
    xs, ys = [log10(x) for x, _ in points], [log10(y) for _, y in points]
    low, high = min(ys) - 0.2, max(max(ys) + 0.3, min(ys) + 1)
    at_x = lambda x: EDGE + (x - xs[0]) / (xs[-1] - xs[0]) * (SIDE - 2 * EDGE)
    at_y = lambda y: SIDE - EDGE - (y - low) / (high - low) * (SIDE - 2 * EDGE)
    line = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in zip(xs, ys))
    # Where linear growth leaves the picture.
    end = min(xs[-1], xs[0] + high - ys[0])
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}" font-family="sans-serif" font-size="11">',
             f'<rect width="{SIDE}" height="{SIDE}" fill="white"/>',
             f'<text x="{EDGE}" y="20" font-size="13">{title}</text>',
             f'<text x="{EDGE}" y="36" fill="#666">{unit}{"; dashed: linear" if grows else ""}</text>',
             f'<path d="M{EDGE} {EDGE}V{SIDE - EDGE}H{SIDE - EDGE}" fill="none" stroke="#999"/>',
             f'<path d="M{at_x(xs[0]):.1f} {at_y(ys[0]):.1f}L{at_x(end):.1f} {at_y(ys[0] + end - xs[0]):.1f}" '
             'stroke="#bbb" stroke-dasharray="4 3"/>' if grows else "",
             f'<polyline points="{line}" fill="none" stroke="#1f77b4" stroke-width="2"/>']
    for (x, y), lx, ly in zip(points, xs, ys):
        parts.append(f'<circle cx="{at_x(lx):.1f}" cy="{at_y(ly):.1f}" r="3" fill="#1f77b4"/>')
        parts.append(f'<text x="{at_x(lx):.1f}" y="{at_y(ly) - 7:.1f}" text-anchor="middle">{y:g}</text>')
        parts.append(f'<text x="{at_x(lx):.1f}" y="{SIDE - EDGE + 15}" text-anchor="middle">{x:,}</text>')
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def main():
    out = pathlib.Path(sys.argv[1])
    for name, (option, values, others, rows) in SWEEPS.items():
        points = []
        for value in values:
            text = bench("end_to_end", option, value, *others, "--rows", rows(value))
            micros = float(re.search(r"([0-9.]+) us of processor a window", text).group(1))
            points.append((value, micros * value / 1000 if name == "series" else micros))
        what, unit = ("a row of every series", "ms") if name == "series" else ("a window", "µs")
        plot(out / f"growth-{name}.svg", f"cost of {what} by {name}", f"{unit} of processor", points)
    points = []
    for series in FLEETS:
        text = bench("service", "fleet", "--series", series, "--seconds", 30)
        points.append((series, 1000 * float(re.search(r"([0-9.]+) cores", text).group(1))))
    plot(out / "growth-fleet.svg", "cost of a second, a row a second each", "ms of processor", points)
    sizes = [100_000, 1_000_000, 10_000_000, 100_000_000]
    if shutil.disk_usage(tempfile.gettempdir()).free < ROOM:
        print("not here: 100,000,000 rows, for which the disk has no room", flush=True)
        sizes.pop()
    text = bench("service", "database", "--rows", ",".join(map(str, sizes)))
    rows = re.findall(r"(\d+) rows, .* 2,000 rows ([0-9.]+) ms, 1,000 rows read ([0-9.]+) ms", text)
    plot(out / "growth-database.svg", "a commit of 2,000 rows by rows stored", "ms", [(int(n), float(ms)) for n, ms, _ in rows])
    text = bench("hop")
    hops = re.findall(r"hop (\d+): ([0-9.]+) us a row", text)
    points = [(int(hop), float(micros)) for hop, micros in hops]
    plot(out / "hop.svg", "the network's cost of a row by the hop", "µs", points, grows=False)


if __name__ == "__main__":
    main()
