"""Running two engines in turn, A B A B, and saying by how much one is faster.

A shared machine drifts by tens of per cent within minutes; a ratio of neighbours in time holds. Each measurement is a process of its
own, so that its peak memory is its own too.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
from dataclasses import dataclass, field


@dataclass
class Result:
    """What one process measured: tokens a second by the name of what was timed, and its peak memory in bytes."""

    rates: dict
    peak: int


@dataclass
class Case:
    """What is compared: a label, and for each engine a function that measures it once."""

    label: str
    engines: dict
    results: dict = field(default_factory=dict)


def run_process(command, environment=None):
    """Runs `command`, returns what it printed and the most memory that it had resident, in bytes."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    output = process.stdout.read()
    reader.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with {process.returncode}:\n{errors[0][-2000:]}")
    return output, usage.ru_maxrss * 1024


def thunderhead(program, model, threads, prompt=0, generate=0, depth=0, options=()):
    """A measurement of this program; `model` are the options that name it."""

    def measure():
        output, peak = run_process(
            [program, "bench", *model, "--threads", str(threads), "--prompt", str(prompt), "--generate", str(generate)]
            + ["--depth", str(depth), "--runs", "1", "--no-ceilings", "--json", *options]
        )
        rows = json.loads(output)["rows"]
        return Result({row["test"].split()[0]: row["tokens_per_second"]["median"] for row in rows}, peak)

    return measure


def alternate(cases, rounds, log=sys.stderr):
    """Measures every case `rounds` times, the engines in turn within each."""
    for case in cases:
        case.results = {engine: [] for engine in case.engines}
        for number in range(rounds):
            for engine, measure in case.engines.items():
                result = measure()
                case.results[engine].append(result)
                rates = ", ".join(f"{what} {rate:.1f} tok/s" for what, rate in result.rates.items())
                print(f"{case.label} · {number + 1}/{rounds} · {engine}: {rates}", file=log, flush=True)


def table(cases, ours, theirs):
    """Medians and ratios as Markdown. The ratio is the median of the rounds' own ratios; over 1, ours is faster."""
    lines = [
        f"| | {theirs} tok/s | {ours} tok/s | ratio (least–most) | {theirs} peak | {ours} peak |",
        "|---|---|---|---|---|---|",
    ]
    for case in cases:
        mine, other = case.results[ours], case.results[theirs]
        for what in mine[0].rates:
            rates = [[result.rates[what] for result in results] for results in (other, mine)]
            ratios = [b / a for a, b in zip(*rates)]
            peaks = [statistics.median(result.peak for result in results) / 1e6 for results in (other, mine)]
            lines.append(
                f"| {what} {case.label} | {statistics.median(rates[0]):.1f} | {statistics.median(rates[1]):.1f} "
                f"| {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f}) "
                f"| {peaks[0]:.0f} MB | {peaks[1]:.0f} MB |"
            )
    return "\n".join(lines)


def numbers(text):
    """`512,4096` as a list."""
    return [int(number) for number in text.split(",") if number]


def conditions():
    """What else ran: the load of the last minute."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
