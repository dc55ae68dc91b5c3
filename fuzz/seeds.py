"""Writes the seed inputs of the harnesses, but for Parquet's, to fuzz/corpus (Python 3, no packages)."""

import json
import random
import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
# ggml number of every storage type that the reader takes, with (values, bytes) of a block
TYPES = {0: (4, 16), 1: (4, 8), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 12: (256, 144), 13: (256, 176), 14: (256, 210), 30: (4, 8)}
# struct letter of every metadata type of fixed size
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
random.seed(0)


def write(harness, name, data):
    folder = CORPUS / harness
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def string(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def pair(key, kind, value):
    return string(key) + struct.pack("<I", kind) + value


def gguf(types, pairs, alignment=32):
    infos, data = b"", b""
    for kind in types:
        values, size = TYPES[kind]
        data += bytes(-len(data) % alignment)
        infos += string(f"blk.0.{kind}.weight") + struct.pack("<IQQIQ", 2, values, 2, kind, len(data))
        data += random.randbytes(2 * size)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(types), len(pairs)) + b"".join(pairs) + infos
    return head + bytes(-len(head) % alignment) + data


def safetensors(tensors, **extra):
    header, data = dict(extra), b""
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += random.randbytes(size)
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data


meta = [pair("general.architecture", 8, string("gemma3")), pair("gemma3.block_count", 4, struct.pack("<I", 1))]
every = meta + [pair(f"m{kind}", kind, struct.pack("<" + letter, 1)) for kind, letter in SCALARS.items()]
every += [pair(f"a{kind}", 9, struct.pack(f"<IQ2{letter}", kind, 2, 0, 1)) for kind, letter in SCALARS.items()]
every += [pair("a8", 9, struct.pack("<IQ", 8, 2) + string("a") + string(""))]
for kind in TYPES:
    write("gguf", f"type{kind}", gguf([kind], meta))
write("gguf", "metadata", gguf([], every))
write("gguf", "all", gguf(list(TYPES), every))
write("gguf", "aligned", gguf([0, 8], meta + [pair("general.alignment", 4, struct.pack("<I", 64))], 64))

write("safetensors", "empty", safetensors({}))
write("safetensors", "scalar", safetensors({"a": ("F32", [], 4)}))
write("safetensors", "other", safetensors({"a": ("I64", [1], 8), "b": ("F8_E4M3", [2], 2), "c": ("F4", [4], 2)}))
floats = {"a": ("F32", [2, 2], 16), "b": ("F16", [2], 4), "c": ("BF16", [1], 2), "d": ("F32", [0], 0)}
write("safetensors", "floats", safetensors(floats, __metadata__={"format": "pt"}))

TEXTS = {
    "lines": '\ufeff{"text":"ciao","label":"a"}\n\n{"label":3,"text":"è"}\r\n',
    "nested": '{"text":"a","label":null,"x":[1,{"y":2.5e3}],"z":true}\n',
    "comma": 'Intento,Messaggio\na,"uno, due"\nb,"su\ndue righe"\nc,tre\n',
    "windows": 'text,label\r\n\r\na,b\r\n"x ""y""",c\r\n',
    "blank": "text,label\n\n\na,b\n",
    "title": 'Esportazione, maggio;;\n;\ntesto;etichetta\na, b;x\nc;y\n',
    "separator": "sep=;\ntext;label\na;b\n",
    "uneven": "text,label\na,b,c\n",
    "tab": "q\tk\nciao\ta\n",
    "document": '[{"text":"a","label":"x"},\n {"text":"b","label":"y"}]',
    "parts": '{"train":[["a","x"]],"val":[["b","y"]],"n":1}',
    "columns": '{"text":["a","b"],"label":["x","y"]}',
    "service": '{"status":"ok","page":{"total":2,"items":[{"a":{"b":"x"},"c":{"d":["y"]}},{"a":{"b":"z"},"c":{"d":[3]}}]}}',
    "keyed": '{"1x":{"text":"a","label":"x"},"2x":{"text":"b","label":"y"}}',
    "indexed": '{"text":{"0":"a"},"label":{"0":"x"}}',
    "spans": '{"text":"Anna a Roma","entities":[{"start":0,"end":4,"type":"p"},{"text":"Roma","type":"l"}]}\n',
    "strings": '{"text":"Anna a Roma","people":["Anna"],"places":["Roma"],"dates":[]}\n',
    "python": "text,entities\nAnna,\"{'p': ['Anna'], 'q': None}\"\n",
    "tags": '{"text":"x","hashtags":"#a, #b c"}\n',
    "chat": '{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n',
    "alpaca": '{"instruction":"a","input":"b","output":"c"}\n',
    "words": "Anna B-PER\nBianchi I-PER\n\nRoma S-LOC\n",
    "universal": "# text = della\n1-2\tdella\t_\t_\t_\t_\t_\t_\t_\t_\n1\tdi\t_\t_\tB-X\t_\t_\t_\t_\tSpaceAfter=No\n2\tla\t_\t_\tO\t_\t_\t_\t_\t_\n",
}
TEXTS["labelled"] = "__label__a uno\n__label__b __label__c due\n"
TEXTS["docstart"] = "-DOCSTART- -X- O O\n\nAnna NNP B-NP B-PER\n"
# the first byte chooses the ending, one of 5 tasks and one of 4 ways to name columns
for harness, endings, texts in [
    ("lines", 3, "lines nested spans strings tags chat alpaca labelled docstart tab document"),
    ("json", 1, "lines nested document parts columns service keyed indexed spans tags chat alpaca"),
    ("delimited", 3, "comma windows blank title separator uneven tab python"),
    ("words", 3, "words universal docstart"),
]:
    for choice in range(endings * 5 * 4):
        for name in texts.split():
            write(harness, f"{name}{choice}", bytes([choice]) + TEXTS[name].encode())
        for encoding in ["utf-16", "latin-1"]:
            write(harness, f"{encoding}{choice}", bytes([choice]) + ("text,label\nè,b\n" if harness == "delimited" else '[{"text":"è","label":"b"}]').encode(encoding))
