"""Lapidary's training step beside that of PyTorch + PEFT: the same model, shapes and machine, turn by turn.

    python3 -m venv venv && venv/bin/pip install torch transformers peft
    lapidary models export gemma-3-270m --out folder
    venv/bin/python tests/bench/beside_peft.py --model folder --lapidary target/debug/lapidary

For every shape it runs one after the other, so many times (`--rounds`), each in a process of its own: a LoRA step of PEFT
(rank 16 on all seven projections, AdamW, clipping to 1) and `lapidary bench`. It prints tokens a second and peak memory of
each turn, and at the end the ratio of their medians. Nothing here is needed to build, test or use Lapidary.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

# batch, tokens a row, targets a row: the shapes of BENCHMARKS.md and of `lapidary bench --shape all` (lab::bench::SHAPES, whose test reads this line)
SHAPES = ["8x64x8", "4x256x16", "1x1024x64", "8x64x63"]


def step(folder: str, shape: str, steps: int, precision: str) -> None:
    """One process's work: times the steps of PEFT and prints them as JSON."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    batch, length, targets = map(int, shape.split("x"))
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, precision))
    projections = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=projections))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    ids = torch.randint(5, 200_000, (batch, length))
    labels = ids.clone()
    labels[:, : length - targets] = -100
    times = []
    for _ in range(steps):
        begun = time.perf_counter()
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - begun)
    # the first step allocates what the others use again
    median = statistics.median(times[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"tokens_per_second": batch * length / median, "peak_memory_bytes": peak}))


def told(command: list[str]) -> dict:
    """Runs a command whose last line is JSON."""
    # settings for another BLAS slow torch's own down on some machines
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="Hugging Face folder of the model")
    parser.add_argument("--lapidary", help="the lapidary command")
    parser.add_argument("--shapes", default=",".join(SHAPES), help="batch x tokens x targets a row, with commas between")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of PEFT")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        step(asked.model, asked.step, asked.steps, asked.precision)
        return
    if not asked.lapidary:
        parser.error("--lapidary must name the command, as target/debug/lapidary")
    for shape in asked.shapes.split(","):
        batch, length, targets = shape.split("x")
        turns: dict[str, list[dict]] = {"PEFT": [], "Lapidary": []}
        for _ in range(asked.rounds):
            own = [sys.executable, os.path.abspath(__file__), "--model", asked.model, "--steps", str(asked.steps)]
            turns["PEFT"].append(told(own + ["--precision", asked.precision, "--step", shape]))
            bench = [asked.lapidary, "bench", "--shape", f"{batch}x{length}", "--targets", targets, "--steps", str(asked.steps), "--json"]
            turns["Lapidary"].append(told(bench))
        for name, all_turns in turns.items():
            for turn in all_turns:
                print(f"{shape}  {name:8}  {turn['tokens_per_second']:7.1f} tokens/s  {turn['peak_memory_bytes'] / 1e9:.2f} GB", flush=True)
        median = {name: statistics.median(t["tokens_per_second"] for t in all_turns) for name, all_turns in turns.items()}
        memory = {name: max(t["peak_memory_bytes"] for t in all_turns) for name, all_turns in turns.items()}
        print(f"{shape}  {median['Lapidary'] / median['PEFT']:.2f} times the tokens/s, {memory['Lapidary'] / memory['PEFT']:.0%} of the memory", flush=True)


if __name__ == "__main__":
    main()
