"""Converts a model and scores the same ids in this program and in llama.cpp (llama_cpp_logits.c beside this file).

    python3 converted.py THUNDERHEAD LOGITS MODEL_FOLDER IDS.json TYPE...

Printed for each type: the size of the file, and means and maxima of differences of log-probabilities.
"""

import json
import pathlib
import subprocess
import sys
import tempfile


def run(*command, text=None):
    done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return done


def difference(a, b):
    differences = [abs(x - y) for x, y in zip(a, b, strict=True)]
    return f"{sum(differences) / len(differences):.1e} (most {max(differences):.1e})"


program, logits, model, ids_file, *types = sys.argv[1:]
ids = json.loads(pathlib.Path(ids_file).read_text())
ids = ids["tokens"] if isinstance(ids, dict) else ids


def score(model):
    output = run(program, "score", "--json", "--backend", "reference", "--tokens", ids_file, "--continue", 16, "--model", model)
    result = json.loads(output.stdout)
    return result["logprobs"], result["continuation"]


original, _ = score(model)
for kind in types:
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "model.gguf"
        run(program, "convert", "--model", model, "--to", kind, "--out", out)
        ours, continuation = score(out)
        theirs = run(logits, out, text=" ".join(map(str, ids)))
        same = continuation == [int(word) for word in theirs.stderr.split()]
        print(
            f"{kind}: {out.stat().st_size / 1e6:.2f} MB; rounding {difference(original, ours)}; "
            f"against llama.cpp {difference(ours, [float(line) for line in theirs.stdout.split()])}; "
            f"greedy {'the same' if same else 'not the same'}"
        )
