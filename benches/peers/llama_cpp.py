"""Compares with llama.cpp on one GGUF file: `python3 benches/peers/llama_cpp.py --llama-bench PATH --model FILE.gguf`.

Same file, same threads, in turn. llama-bench runs with its defaults (f16 keys and values, micro-batches of 512, flash attention
where it chooses it) unless --llama-options says otherwise.
"""

import argparse
import json
import shlex

from alternate import Case, Result, alternate, conditions, numbers, run_process, table, thunderhead

OURS, THEIRS = "thunderhead", "llama.cpp"


def llama_bench(program, model, threads, options, prompt=0, generate=0, depth=0):
    def measure():
        output, peak = run_process(
            [program, "-m", model, "-t", str(threads), "-p", str(prompt), "-n", str(generate), "-d", str(depth)]
            + ["-r", "1", "-o", "json", *options]
        )
        rows = json.loads(output)
        return Result({"prefill" if row["n_prompt"] else "decode": row["avg_ts"] for row in rows}, peak)

    return measure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama-bench", required=True, help="the llama-bench program")
    parser.add_argument("--model", required=True, help="a GGUF file that both read")
    parser.add_argument("--thunderhead", default="target/release/thunderhead")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompt", type=numbers, default=[512, 4096, 8192, 32768])
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--depth", type=numbers, default=[0, 32768])
    parser.add_argument("--llama-options", type=shlex.split, default=[])
    parser.add_argument("--options", type=shlex.split, default=[], help="more options for thunderhead bench")
    args = parser.parse_args()

    def case(label, **what):
        # A warm-up of llama-bench passes the whole prompt once more; it matters for short ones only.
        options = args.llama_options + (["--no-warmup"] if what.get("prompt", 0) + what.get("depth", 0) > 2048 else [])
        ours = thunderhead(args.thunderhead, ["--model", args.model], args.threads, options=args.options, **what)
        theirs = llama_bench(args.llama_bench, args.model, args.threads, options, **what)
        return Case(label, {THEIRS: theirs, OURS: ours})

    cases = [case(str(prompt), prompt=prompt) for prompt in args.prompt]
    cases += [case(f"{args.generate} at {depth}", generate=args.generate, depth=depth) for depth in args.depth]
    before = conditions()
    alternate(cases, args.rounds)
    print(f"{args.model}, {args.threads} threads, {args.rounds} rounds; before: {before}, after: {conditions()}\n")
    print(table(cases, OURS, THEIRS))


if __name__ == "__main__":
    main()
