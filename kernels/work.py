"""What one call of a kernel moves and computes, at the shapes of MiniMax-M1, and how long that takes at least.

Bytes are those that have to pass memory once; what is read again from the second-level cache is not counted. `predicted`
divides by what such kernels reach (EFFICIENCY) and adds what it takes to start one. No card has been asked yet.
"""

from dataclasses import dataclass

# Memory in GB/s; tensor cores (bf16 with f32 sums) and f32 units in TFLOP/s; SMs; blocks' limits on an SM.
CARDS = {
    "RTX 4090": {"arch": "sm_89", "memory": 1008, "tensor": 165, "f32": 82.6, "sms": 128, "threads": 1536, "shared": 100, "blocks": 24},
    "H100 SXM": {"arch": "sm_90a", "memory": 3350, "tensor": 989, "f32": 66.9, "sms": 132, "threads": 2048, "shared": 228, "blocks": 32},
}
# Of memory bandwidth, streaming kernels reach 85 %. mma.sync reaches 85 % of an Ada card's tensor cores, and of a Hopper
# card's, which want wgmma for more, about 60 %. f32 code as here reaches half of the units' peak.
EFFICIENCY = {
    "RTX 4090": {"memory": 0.85, "tensor": 0.85, "f32": 0.5},
    "H100 SXM": {"memory": 0.85, "tensor": 0.6, "f32": 0.5},
}
START_US = 3.0
# What one SM can take in, GB/s.
SM_MEMORY = 100

BYTES = {"bf16": 2.0, "q8_0": 34 / 32, "q4_k": 144 / 256, "q6_k": 210 / 256, "f32": 4.0}

HIDDEN, HEADS, KV_HEADS, D = 6144, 64, 8, 128
EXPERTS, TOP_K, INNER, VOCAB = 32, 2, 9216, 200064
SLAB, LONG = 32768, 1_000_000
WIDTH = HEADS * D


@dataclass
class Work:
    kernel: str
    shape: str
    bytes: float
    flops: float
    unit: str  # of the operations: tensor or f32
    sms: int = 1000  # that it runs on, if that is not all


def weights(kind, rows, columns):
    return rows * columns * BYTES[kind]


def all_work():
    t = SLAB
    # FLOP a token and head: q·kᵀ in both blocks of 64 value channels, P·v, q·S and kᵀ·v.
    LIGHTNING = 2 * (2 * 64 * D + 64 * D + 2 * D * D)
    work = [
        Work("embed_bf16", f"{t} tokens", t * HIDDEN * (2 + 4), 0, "f32"),
        Work("residual_norm", f"{t} tokens, 2 experts' outputs each", t * HIDDEN * (4 + 2 * 4 + 4 + 2), t * HIDDEN * 10, "f32"),
        Work("gated_norm", f"{t} tokens", t * WIDTH * (2 + 2 + 2), t * WIDTH * 12, "f32"),
        Work("rope_bf16", f"{t} tokens, cache in bf16", t * (2 * WIDTH + 4 * KV_HEADS * D) * 2, t * (WIDTH + KV_HEADS * D) * 6, "f32"),
        Work("router_logits_32", f"{t} tokens", t * (HIDDEN + EXPERTS) * 4, 2 * t * HIDDEN * EXPERTS, "f32"),
        Work("route", f"{t} tokens", t * (EXPERTS + 2 * TOP_K) * 4, t * EXPERTS * 20, "f32"),
        Work("place_slots", f"{t} tokens", t * TOP_K * 12, 0, "f32"),
        *[Work("lightning_128", f"{n} tokens, one layer", n * WIDTH * 8 + 8 * HEADS * D * D, n * HEADS * LIGHTNING, "tensor") for n in [t, LONG]],
        Work("attention_128", f"{t} tokens from 0, one layer", t * (2 * WIDTH + 2 * KV_HEADS * D) * 2, 4 * WIDTH * t * t / 2, "tensor"),
        Work("attention_128", f"{t} tokens from {LONG - t}, one layer", LONG * 2 * KV_HEADS * D * 2, 4 * WIDTH * t * (LONG - t / 2), "tensor"),
    ]
    for kind in ["bf16", "q4_k"]:
        work.append(Work(f"gemm_{kind}_silu", f"qkv, {t} tokens", weights(kind, 3 * WIDTH, HIDDEN) + t * (HIDDEN + 3 * WIDTH) * 2,
                         2 * t * HIDDEN * 3 * WIDTH, "tensor"))
    rows = t * TOP_K
    for kind in ["bf16", "q8_0", "q4_k", "q6_k"]:
        work.append(Work(f"experts_up_{kind}", f"{t} tokens, 32 experts", EXPERTS * weights(kind, 2 * INNER, HIDDEN) + t * HIDDEN * 2 + rows * INNER * 2,
                         2 * rows * HIDDEN * 2 * INNER, "tensor"))
    work.append(Work("experts_down_q4_k", f"{t} tokens, 32 experts", EXPERTS * weights("q4_k", HIDDEN, INNER) + rows * (INNER * 2 + HIDDEN * 4),
                     2 * rows * HIDDEN * INNER, "tensor"))
    for kind in ["bf16", "q8_0", "q4_k", "q6_k"]:
        work.append(Work(f"gemv_{kind}", "qkv, one token", weights(kind, 3 * WIDTH, HIDDEN), 2 * HIDDEN * 3 * WIDTH, "f32"))
    work += [
        Work("gemv4_q4_k", "qkv, four tokens", weights("q4_k", 3 * WIDTH, HIDDEN), 4 * 2 * HIDDEN * 3 * WIDTH, "f32"),
        Work("expert_up_q4_k", "one token, 2 experts", TOP_K * weights("q4_k", 2 * INNER, HIDDEN), TOP_K * 4 * HIDDEN * INNER, "f32"),
        Work("expert_down_q4_k", "one token, 2 experts", TOP_K * weights("q4_k", HIDDEN, INNER), TOP_K * 2 * HIDDEN * INNER, "f32"),
        Work("lightning_decode", "one token, one layer", 2 * 4 * HEADS * D * D, 5 * HEADS * D * D, "f32"),
        Work("attention_decode_128", f"one token at {LONG}, bf16", LONG * 2 * KV_HEADS * D * 2, 2 * 2 * 16 * LONG * 2 * KV_HEADS * D, "tensor"),
        Work("attention_decode_128", f"one token at {LONG}, 8 bits", LONG * 2 * KV_HEADS * (D + 4), 2 * 2 * 16 * LONG * 2 * KV_HEADS * D, "tensor"),
        Work("head_q8_0", "one token", weights("q8_0", VOCAB, HIDDEN) + VOCAB * 4, 2 * VOCAB * HIDDEN, "f32"),
        Work("sample", "one token, logits read twice", VOCAB * 8, VOCAB * 20, "f32", sms=1),
    ]
    return work


def bandwidth(work, card):
    return min(CARDS[card]["memory"], work.sms * SM_MEMORY)


def least_us(work, card):
    """The roofline: as long as the slower of memory and arithmetic takes at its peak. Also which it is."""
    memory = work.bytes / (bandwidth(work, card) * 1e3)
    compute = work.flops / (CARDS[card][work.unit] * 1e6)
    return max(memory, compute), "memory" if memory >= compute else work.unit


def predicted_us(work, card):
    memory = work.bytes / (bandwidth(work, card) * 1e3 * EFFICIENCY[card]["memory"])
    compute = work.flops / (CARDS[card][work.unit] * 1e6 * EFFICIENCY[card][work.unit])
    return max(memory, compute) + START_US
