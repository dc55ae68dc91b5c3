"""Writes values and what the gguf package makes of them as Q8_0 and Q4_0 (encoded.json).

usage: python make_encoded.py       (by hand; what it writes is checked in, so tests need no Python)
Made with gguf 0.19.0, numpy 2.4.6 on Python 3.11.

encoded.json   per case of one or more blocks of 32: values, as the hexadecimal bytes of little-endian float32, because decimal
               digits would be rounded when they are read; and the bytes of their blocks in each type
"""
import json
from pathlib import Path

import gguf
import numpy as np

HERE = Path(__file__).parent


def cases():
    rng = np.random.default_rng(21)
    def block(**at):
        out = np.zeros(32)
        for place, value in at.items():
            out[int(place[1:])] = value
        return out
    return {
        "as large as weights are": rng.normal(0, 0.02, 160),
        "uniform": rng.uniform(-3, 3, 64),
        "all zero": block(),
        "all alike": np.full(32, -0.37),
        "one value": block(_11=-0.25),
        "one huge outlier": block(_5=4e4) + rng.normal(0, 0.02, 32),
        # halves, which rounding takes away from zero, and in Q4_0 upwards
        "halfway": np.append(np.arange(-15.5, 15.5), 127),
        "halfway in four bits": np.append(np.tile(np.arange(-7.5, 8.5), 2)[:31], -8),
        # the first of the largest says where Q4_0 has room for one more
        "as far to either side": np.tile([0.5, -0.5], 16),
        "the other way round": np.tile([-0.5, 0.5], 16),
        # scales that f16 holds as one of few values, and one that it holds as 0
        "small": rng.normal(0, 1e-5, 32),
        "smaller": rng.normal(0, 1e-8, 32),
        "near the largest scale": block(_0=5.2e5, _31=-1.0),
    }


def main():
    out = {}
    for name, values in cases().items():
        values = values.astype("<f4")
        out[name] = {"values": values.tobytes().hex()}
        for kind in ["Q8_0", "Q4_0"]:
            encoded = gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind])
            assert np.isfinite(gguf.quants.dequantize(encoded, gguf.GGMLQuantizationType[kind])).all()
            out[name][kind] = encoded.tobytes().hex()
    lines = ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in out.items())
    (HERE / "encoded.json").write_text("{" + lines + "}\n", encoding="utf-8")


main()
