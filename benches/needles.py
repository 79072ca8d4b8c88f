"""Hides ten lines in as many tokens as the bundled model takes and asks for each: `python3 benches/needles.py`.

The haystack is this program's source, over and over until it is long enough; at 5 %, 15 %, ... 95 % of it stand a constant and a
function that are nowhere else. Printed are the tokens, the times and memory, and for each needle what was answered.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

NAMES = "amber basil cedar delta ember fjord grove heron iris jetty".split()


def haystack(sources, size, needles):
    """About `size` bytes of whole lines with `needles` spread over them, and the line number of each needle."""
    lines, length = [], 0
    while length < size:
        lines.append(sources[len(lines) % len(sources)])
        length += len(lines[-1].encode()) + 1
    step = len(lines) / len(needles)
    for index in reversed(range(len(needles))):
        lines[int(step * (index + 0.5)) : int(step * (index + 0.5))] = needles[index]
    text = "\n".join(lines) + "\n"
    where = {line: number for number, line in enumerate(lines, 1)}
    return text, where


def count(program, path):
    # It fails if the document does not fit, and says by how much.
    packed = subprocess.run([program, "pack", "--json", path], capture_output=True, text=True)
    return json.loads(packed.stdout)["tokens"]


def answers(output):
    """The text of each answer and the event that ended it."""
    text = ""
    for line in output.splitlines():
        event = json.loads(line)
        if event["type"] == "token" and event["channel"] == "answer":
            text += event["text"]
        elif event["type"] == "finished":
            yield text.strip(), event
            text = ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--thunderhead", default="target/release/thunderhead")
    # What is left of 1,048,576 is for a question and its answer.
    parser.add_argument("--tokens", type=int, default=1_048_000, help="most tokens of the document")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--free", action="store_true", help="the model alone, without being held to the document")
    args = parser.parse_args()

    root = pathlib.Path(__file__).resolve().parent.parent
    files = sorted((root / "src").rglob("*.rs"))
    sources = [line for file in files for line in file.read_text().splitlines()]
    digits = random.Random(5)
    needles, questions = [], []
    for name in NAMES:
        value = digits.randrange(1000, 9999)
        constant, function = f"{name.upper()}_NEEDLE = {value}", f"fn {name}_needle() {{"
        needles.append([constant, function, "}"])
        questions.append((f"What is the value of `{name.upper()}_NEEDLE`?", constant, str(value)))
        questions.append((f"Where is `{name}_needle` defined?", function, None))

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "haystack.rs")
        size = args.tokens * 1.8
        while True:
            text, where = haystack(sources, size, needles)
            pathlib.Path(path).write_text(text)
            tokens = count(args.thunderhead, path)
            if args.tokens - 400 <= tokens <= args.tokens:
                break
            size *= (args.tokens - 200) / tokens
        command = [args.thunderhead, "ask", "--json", "--snapshots", "off", "--threads", str(args.threads)]
        command += ["--free"] if args.free else []
        command += [word for question, _, _ in questions for word in ("-p", question)] + [path]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
        seconds = time.monotonic() - began
        if not done.stdout:
            sys.exit(done.stderr)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        # The first is that of the documents, which are read before any question.
        (_, read), *results = answers(done.stdout)
        print(f"{tokens} tokens of document, {len(text)} bytes, {len(where)} different lines")
        print(f"read in {read['prefill_seconds']:.2f} s; {seconds:.1f} s in all; {peak / 1e6:.0f} MB at most\n")
        print("| depth | asked | answer | line | value |\n|---|---|---|---|---|")
        right, said = 0, 0
        for index, ((question, line, value), (answer, _)) in enumerate(zip(questions, results)):
            place = f":{where[line]}"
            right += (good := place in answer)
            # The line's own words hold the value too: what counts is the first word, which the model says by itself.
            said += (told := answer.split()[:1] == [value])
            depth = (index // 2 + 0.5) / len(NAMES)
            print(f"| {depth:.0%} | {question} | {' '.join(answer.split())[:90]} | {'yes' if good else 'NO'} | {'' if value is None else 'yes' if told else 'NO'} |")
        print(f"\n{right} of {len(questions)} lines right, {said} of {len(NAMES)} values")


if __name__ == "__main__":
    main()
