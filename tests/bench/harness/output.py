"""Results as a table, as JSON and as charts."""
import json
import os
import platform
import re
import subprocess


def machine():
    model = re.search(r"model name\s*:\s*(.*)", open("/proc/cpuinfo").read())
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.split()[1:2]
    return f"{os.cpu_count()} x {model.group(1) if model else platform.machine()}, Linux {platform.release()}, OpenSSL {''.join(openssl)}"


def show(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def table(figures, options):
    """One Markdown table a figure would be long: one row a contender, its ratio to native or to the first row beside it."""
    lines = []
    for figure in figures:
        base = "native OpenSSL" if "native OpenSSL" in figure.rounds else next(iter(figure.rounds))
        lines += [f"### {figure.title} ({figure.unit}, {'less' if figure.lower else 'more'} is better)", ""]
        if figure.target:
            lines += [f"Target: {figure.target}", ""]
        lines += [f"| | median | spread | to {base} |", "|---|---|---|---|"]
        for name in figure.rounds:
            low, high = figure.spread(name)
            ratio = figure.ratio(name, base)
            lines.append(f"| {name} | {show(figure.median(name))} | {show(low)} to {show(high)} | {'' if ratio is None else f'{ratio:.2f}'} |")
        lines.append("")
    rounds = f"{options.rounds} interleaved rounds, medians; a ratio is the median of the rounds' own ratios"
    return "\n".join([f"Measured on {machine()}; {rounds}.", ""] + lines)


def as_json(figures, options):
    return json.dumps({"machine": machine(), "rounds": options.rounds, "figures": [
        {"key": f.key, "title": f.title, "unit": f.unit, "less_is_better": f.lower, "target": f.target, "rounds": f.rounds} for f in figures]},
        indent=1)


CHARTS = {"bulk": ("MB/s", lambda f: f.unit == "MB/s"), "round-trip": ("us", lambda f: f.key.startswith("echo_")),
          "connect": ("us", lambda f: f.key.startswith("connect_"))}


def charts(figures, folder):
    """One SVG a chart: groups of bars, a group a figure, a bar a contender (gnuplot)."""
    for name, (unit, wanted) in CHARTS.items():
        chosen = [f for f in figures if wanted(f)]
        if not chosen:
            continue
        names = [n for n in chosen[0].rounds]
        rows = ["\t".join(["figure"] + names)]
        for figure in chosen:
            cells = [show(figure.median(n)) if n in figure.rounds else "0" for n in names]
            rows.append("\t".join([figure.title.replace(", ", "\\n")] + cells))
        script = f"""set terminal svg size 1100,480 font "sans,11" background "white"
set output "{folder}/{name}.svg"
set datafile separator "\\t"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.85 border -1
set ylabel "{unit}"
set yrange [0:*]
set key outside top center horizontal
set grid ytics
$data << EOD
{chr(10).join(rows)}
EOD
plot for [i=2:{len(names) + 1}] $data using i:xtic(1) title columnheader(i)
"""
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
