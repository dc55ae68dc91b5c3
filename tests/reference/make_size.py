"""Writes a random model of a published size, 1b or 4b, with its reference values: what `make_tiny.py` writes of tiny
ones, at the widths, depths, windows and vocabularies of the real ones, whose weights need an account to be had.

usage: python make_size.py 1b|4b TOKENIZER FOLDER     (by hand; 2 or 8 GB are written, f32 needs 5 or 20 GB of memory)
TOKENIZER is Gemma 3's tokenizer.json: `lapidary models export gemma-3-270m --out FOLDER` writes one.
Then: LAPIDARY_TEST_SIZES=FOLDER cargo nextest run --workspace --run-ignored only -E 'test(of_a_published_size)'
Made with torch 2.15.0, transformers 5.24.0. Sizes: the config.json of google/gemma-3-1b-it and google/gemma-3-4b-it.
Weights are bfloat16 in shards, as published; the 4B's lie in a multimodal folder, with the smallest vision tower there
can be, positions of global layers divided by 8, and 64 tokens more than the tokenizer has.
"""
import shutil, sys
from pathlib import Path

import torch
from make_tiny import write_forward, write_training
from tokenizers import Tokenizer
from transformers import (AutoModelForCausalLM, Gemma3Config, Gemma3ForCausalLM, Gemma3ForConditionalGeneration,
                          Gemma3TextConfig)

SIZES = {
    "1b": {"hidden_size": 1152, "intermediate_size": 6912, "num_hidden_layers": 26, "num_attention_heads": 4,
           "num_key_value_heads": 1, "head_dim": 256, "query_pre_attn_scalar": 256, "sliding_window": 512,
           "vocab_size": 262144, "max_position_embeddings": 32768},
    "4b": {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "num_attention_heads": 8,
           "num_key_value_heads": 4, "head_dim": 256, "query_pre_attn_scalar": 256, "sliding_window": 1024,
           "vocab_size": 262208, "max_position_embeddings": 131072, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
}
VISION = {"hidden_size": 2, "intermediate_size": 2, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 1,
          "patch_size": 1}


def main(size, tokenizer, folder):
    torch.manual_seed(20)
    torch.set_default_dtype(torch.bfloat16)  # in float32 the larger one would not fit beside itself
    if size == "4b":
        kind = Gemma3ForConditionalGeneration
        model = kind(Gemma3Config(text_config=SIZES[size], vision_config=VISION, mm_tokens_per_image=1))
    else:
        kind = AutoModelForCausalLM
        model = Gemma3ForCausalLM(Gemma3TextConfig(**SIZES[size]))
    torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name and "vision" not in name:
                weight.normal_(0.0, 0.2)  # transformers begins with zeros, which would hide a norm left out
    model.save_pretrained(folder, max_shard_size="3GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    shutil.copy(tokenizer, folder / "tokenizer.json")
    del model
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    model.requires_grad_(False)
    tok = Tokenizer.from_file(str(tokenizer))
    write_forward(model, tok, folder, SIZES[size]["sliding_window"] + 88)
    write_training(model, tok, folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
