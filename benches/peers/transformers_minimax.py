"""Compares with transformers' MiniMax in f32 on the shape `hybrid-119m`: `python3 benches/peers/transformers_minimax.py`.

Needs torch and transformers in the Python that runs it. Weights are random on both sides; only speed is compared.
"""

import argparse
import json
import os
import sys
import time

from alternate import Case, Result, alternate, conditions, numbers, run_process, table, thunderhead

OURS, THEIRS = "thunderhead", "transformers"


def transformers(threads, prompt, generate):
    def measure():
        command = [sys.executable, __file__, "--child", "--threads", str(threads), "--prompt", str(prompt)]
        output, peak = run_process(command + ["--generate", str(generate)], {"OMP_NUM_THREADS": str(threads)})
        return Result(json.loads(output), peak)

    return measure


def child(args):
    """One measurement: a prompt in one forward pass, then tokens one by one with its cache."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch
    from transformers import MiniMaxConfig, MiniMaxForCausalLM

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    config = MiniMaxConfig(
        vocab_size=8192, hidden_size=512, intermediate_size=1024, num_hidden_layers=8, num_attention_heads=8,
        num_key_value_heads=2, head_dim=64, num_local_experts=8, num_experts_per_tok=2, max_position_embeddings=1 << 20,
        block_size=256, layer_types=["linear_attention"] * 7 + ["full_attention"], rope_theta=1e6,
        attn_implementation="sdpa",
    )  # fmt: skip
    model = MiniMaxForCausalLM(config).eval()
    prompt = args.prompt[0]
    ids = torch.randint(0, config.vocab_size, (1, prompt))
    with torch.inference_mode():
        model(ids[:, :32], use_cache=True, logits_to_keep=1)
        began = time.perf_counter()
        out = model(ids, use_cache=True, logits_to_keep=1)
        prefill = prompt / (time.perf_counter() - began)
        cache = out.past_key_values
        began = time.perf_counter()
        for _ in range(args.generate):
            out = model(out.logits[:, -1:].argmax(-1), past_key_values=cache, use_cache=True)
        decode = args.generate / (time.perf_counter() - began)
    print(json.dumps({"prefill": prefill, "decode": decode}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--thunderhead", default="target/release/thunderhead")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompt", type=numbers, default=[1024, 8192, 32768])
    parser.add_argument("--generate", type=int, default=16, help="tokens to decode behind each prompt")
    parser.add_argument("--type", default="f32", help="what thunderhead's weights are stored as")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args)

    def case(prompt):
        model = ["--synthetic", "hybrid-119m", "--type", args.type]
        ours = thunderhead(args.thunderhead, model, args.threads, prompt, args.generate, prompt)
        return Case(str(prompt), {THEIRS: transformers(args.threads, prompt, args.generate), OURS: ours})

    cases = [case(prompt) for prompt in args.prompt]
    before = conditions()
    alternate(cases, args.rounds)
    print(f"hybrid-119m, {args.threads} threads, {args.rounds} rounds; before: {before}, after: {conditions()}\n")
    print(table(cases, OURS, THEIRS))


if __name__ == "__main__":
    main()
