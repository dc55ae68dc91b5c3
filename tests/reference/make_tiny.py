"""Writes tiny random models with their reference values and dequantised GGML blocks (quants.json): a text model
(tiny/) and one that also sees, as the 4B does (multimodal/).

usage: python make_tiny.py          (by hand; what it writes is checked in, so tests need no Python)
Made with torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3, gguf 0.19.0, safetensors 0.8.0, numpy 2.4.6
on Python 3.11; multimodal/ with transformers 5.24.0. Nothing is downloaded: the tokenizer is trained on the
sentences below. Weights come out the same again, reference values within rounding.

tiny/config.json, model.safetensors  the model in float32, Hugging Face layout
tiny/hf-sharded/, tiny/hf-f16/       the same rounded to bfloat16 in two shards; rounded to float16
tiny/tiny-f32.gguf                   the same as GGUF, with the metadata of gemma-3-270m-q4_k_m.gguf
tiny/tokenizer.json                  1024 pieces, laid out and flagged as Gemma's: 0-3 <pad> <eos> <bos> <unk>,
                                     4-259 bytes, 260-261 turn marks, 262-266 user-defined white space, then
                                     what BPE learned in the order learned, then single characters
tiny/tokenizer_ids.json              strings and their ids, <bos> included
tiny/forward.json                    per text: ids; L2 norm and last position's first 8 values of each hidden state
                                     (embedding, 7 blocks; the last one is after the final norm); top-10 logits and
                                     log-sum-exp at the last position; mean negative log-likelihood
tiny/head.json                       per row of the batch of lora_steps.json, without adapters and without padding:
                                     mean of the final hidden states, and the last one
tiny/lora_steps.json                 a right-padded batch with targets, adapters of rank 4; gradient L2 norm per
                                     adapter (A, B) at the first step; loss and global gradient norm (before
                                     clipping) of five AdamW steps
multimodal/                          a Gemma3ForConditionalGeneration in bfloat16 as transformers saves it, in two
                                     shards: sizes under `text_config`, another prefix before the names of tensors,
                                     the smallest vision tower there can be; as in the 4B positions of global layers
                                     are divided by 8 and queries are narrower than the residual stream. Of its text
                                     part: values as those of tiny/, and multimodal-bf16.gguf

Adapters, n = 0, 1, 2, ... counting the projections layer by layer in the order of PROJECTIONS, scale 2:
  A[i][j] (i over inputs, j over rank)  = 0.02 * sin(0.37*i + 1.3*j + 0.11*n)
  B[j][o] (j over rank, o over outputs) = 0.01 * cos(0.23*o + 0.7*j + 0.05*n)
  y = x W + 2 * (x A) B
"""
import json, os
from pathlib import Path
from typing import NamedTuple

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import gguf, numpy as np, torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, Gemma3Config, Gemma3ForConditionalGeneration

HERE = Path(__file__).resolve().parent
OUT, MULTIMODAL = HERE / "tiny", HERE / "multimodal"
LAYERS, WINDOW, VOCAB, CONTEXT = 7, 8, 1024, 512
RANK, SCALE = 4, 2.0


class Sizes(NamedTuple):
    hidden: int
    heads: int
    kv_heads: int
    head: int
    ff: int
    factor: float | None = None  # positions of global layers are divided by this


TINY, WIDE = Sizes(32, 4, 2, 16, 64), Sizes(48, 2, 1, 16, 64, 8.0)
PROJECTIONS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
               "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]

SENTENCES = """Dov'è il mio ordine? Lo aspetto da lunedì scorso.
Il mio pacco non è ancora arrivato, potete controllare la spedizione?
Vorrei restituire le scarpe, sono troppo strette.
Come faccio a chiedere il rimborso dell'articolo difettoso?
Ho pagato due volte lo stesso ordine, che cosa devo fare?
La carta di credito è stata rifiutata al momento del pagamento.
Spedite anche in Sardegna e in Sicilia?
Quanto costa la spedizione per un pacco di dieci chili?
Non riesco ad accedere al mio account, ho dimenticato la password.
Posso cambiare l'indirizzo di consegna prima che il pacco parta?
Il corriere dice di essere passato, ma io ero a casa tutto il giorno.
Vorrei annullare l'ordine numero 48213, grazie.
Il prodotto che ho ricevuto è diverso da quello nella fotografia.
Mi manca la fattura del mese di marzo, potete inviarla di nuovo?
Quali sono i vostri orari di apertura durante le feste?
Avete un negozio a Torino dove posso ritirare la merce?
Il codice sconto non funziona, il carrello dice che è scaduto.
Quando tornerà disponibile la giacca blu nella taglia media?
Desidero parlare con un operatore, per favore.
La lavatrice fa un rumore strano e perde acqua.
La garanzia copre anche la batteria del telefono?
Ho sbagliato taglia: posso cambiare i pantaloni con una misura più grande?
Il pacco è arrivato aperto e mancava un pezzo.
Perché mi avete addebitato le spese di spedizione?
Buongiorno, vorrei sapere lo stato della mia richiesta.
Buonasera, il sito non mi lascia completare l'acquisto.
Grazie mille, il problema è stato risolto in poche ore!
Sono molto deluso dal servizio, nessuno risponde al telefono.
Come posso cancellare il mio profilo e i miei dati personali?
Vorrei ricevere la newsletter solo una volta al mese.
È possibile pagare a rate con il bonifico bancario?
Accettate i buoni regalo ricevuti per Natale?
Mario Rossi è nato a Torino il 3 maggio 1980.
Giulia Bianchi lavora a Milano per una banca dal 2015.
Il signor Verdi abita in via Garibaldi 12, a Bologna.
La riunione con la dottoressa Ferrari è fissata per venerdì 14 giugno.
Anna Conti si è trasferita da Napoli a Roma nel 1998.
Il Comune di Firenze ha aperto un nuovo museo vicino all'Arno.
L'università di Padova è stata fondata nel 1222.
Il treno per Venezia parte alle 18:45 dal binario 7.
Quanti clienti abitano a Milano e hanno fatto almeno tre ordini?
Mostra il nome e il cognome dei clienti di Roma.
SELECT nome, cognome FROM clienti WHERE citta = 'Milano';
SELECT COUNT(*) FROM ordini WHERE totale > 100 AND stato = 'spedito';
SELECT p.nome, SUM(r.quantita) FROM prodotti p JOIN righe r ON r.prodotto = p.id GROUP BY p.nome ORDER BY 2 DESC;
INSERT INTO clienti (id, nome, email) VALUES (7, 'Anna', 'anna@example.it');
Che bella giornata di sole! #estate #mare #vacanze
Oggi si cucina la pasta alla norma #ricette #sicilia
Non vedo l'ora che cominci la partita #calcio #seriea
Un caffè, un libro e la pioggia alla finestra #domenica
Messaggio: Dov'è il mio ordine? Intento: stato ordine
Messaggio: Vorrei i soldi indietro. Intento: rimborso
Messaggio: Spedite anche all'estero? Intento: spedizione
Il prezzo è di 12,50 € più IVA al 22%, cioè 15,25 € in tutto.
Il termine per il reso è di 30 giorni dalla data di consegna.
Se il prodotto è rotto, allegate una fotografia alla richiesta.
Il numero di telefono è 011 5551234, dal lunedì al venerdì.
Ci scusiamo per il ritardo: il magazzino riaprirà domani.
Abbiamo ricevuto la sua richiesta e risponderemo entro due giorni.
La informiamo che il suo ordine è stato consegnato al corriere.
Per favore, confermate il nuovo indirizzo di posta elettronica.
Il cliente chiede informazioni sul proprio ordine.
L'app si chiude da sola quando apro la pagina dei pagamenti.
Ho comprato un televisore, ma il telecomando non funziona.
Qual è la differenza tra la consegna normale e quella rapida?
Così non va: è la terza volta che spiego lo stesso problema.
""".splitlines()
ALPHABET = "".join(map(chr, range(33, 127))) + "àèéìòùÈÀ€«»’"


def pieces():
    """(text, GGUF score, GGUF type) by id. Types: 1 normal, 3 control, 4 user-defined, 6 byte."""
    control = ["<pad>", "<eos>", "<bos>", "<unk>"]
    turn = ["<start_of_turn>", "<end_of_turn>"]
    space = ["\n", "\n\n", "▁▁", "▁▁▁", "▁▁▁▁"]
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    learner.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    alphabet = ["▁", *ALPHABET]
    learner.train_from_iterator(SENTENCES, trainers.BpeTrainer(
        vocab_size=VOCAB - 256 - len(control + turn + space), initial_alphabet=alphabet, show_progress=False))
    learned = [t for t, _ in sorted(learner.get_vocab().items(), key=lambda x: x[1])]
    assert sorted(t for t in learned if len(t) == 1) == sorted(alphabet)
    learned = [t for t in learned if len(t) > 1] + alphabet
    out = [(t, -1000.0, 3) for t in control] + [(f"<0x{b:02X}>", 0.0, 6) for b in range(256)]
    out += [(t, -1000.0, 3) for t in turn] + [(t, -1000.0, 4) for t in space]
    out += [(t, -float(rank), 1) for rank, t in enumerate(learned)]
    assert len(out) == len({t for t, _, _ in out}) == VOCAB
    return out


def merges(pieces):
    """Every split of a piece into two others, best score first: reproduces Gemma's own list from its GGUF."""
    ids = {t: i for i, (t, _, _) in enumerate(pieces)}
    found = []
    for text, score, kind in pieces:
        splits = sorted((ids[text[:k]], ids[text[k:]]) for k in range(1, len(text)) if text[:k] in ids and text[k:] in ids)
        for left, right in splits:
            l, r = pieces[left][0], pieces[right][0]
            found.append((0.0 if kind == 4 else score, len(l), len(r), l, r))
    return [(l, r) for *_, l, r in sorted(found, key=lambda m: m[:3], reverse=True)]


def tokenizer(pieces):
    tok = Tokenizer(models.BPE({t: i for i, (t, _, _) in enumerate(pieces)}, merges(pieces),
                               unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Replace(" ", "▁")
    tok.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tok.post_processor = processors.TemplateProcessing("<bos> $A", "<bos> $A <bos>:1 $B:1", [("<bos>", 2)])
    tok.add_tokens([AddedToken(t, normalized=False, special=kind == 3) for t, _, kind in pieces if kind in (3, 4)])
    return tok


def weights(s):
    g = torch.Generator().manual_seed(20)
    def r(std, *shape):
        return torch.randn(*shape, generator=g) * std
    q, kv = s.heads * s.head, s.kv_heads * s.head
    w = {"model.embed_tokens.weight": r(0.3, VOCAB, s.hidden)}
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        for name, o, n in [("self_attn.q_proj", q, s.hidden), ("self_attn.k_proj", kv, s.hidden),
                           ("self_attn.v_proj", kv, s.hidden), ("self_attn.o_proj", s.hidden, q),
                           ("mlp.gate_proj", s.ff, s.hidden), ("mlp.up_proj", s.ff, s.hidden),
                           ("mlp.down_proj", s.hidden, s.ff)]:
            w[f"{p}{name}.weight"] = r(0.08, o, n)
        for name, n in [("self_attn.q_norm", s.head), ("self_attn.k_norm", s.head), ("input_layernorm", s.hidden),
                        ("post_attention_layernorm", s.hidden), ("pre_feedforward_layernorm", s.hidden),
                        ("post_feedforward_layernorm", s.hidden)]:
            w[f"{p}{name}.weight"] = r(0.2, n)
    w["model.norm.weight"] = r(0.2, s.hidden)
    return w


def config(dtype):
    return {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "hidden_size": TINY.hidden,
            "intermediate_size": TINY.ff, "num_hidden_layers": LAYERS, "num_attention_heads": TINY.heads,
            "num_key_value_heads": TINY.kv_heads, "head_dim": TINY.head, "vocab_size": VOCAB, "sliding_window": WINDOW,
            "rms_norm_eps": 1e-6, "rope_theta": 1e6, "rope_local_base_freq": 1e4, "query_pre_attn_scalar": TINY.head,
            "max_position_embeddings": CONTEXT, "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True,
            "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "attention_bias": False, "attention_dropout": 0.0,
            "torch_dtype": dtype,
            "layer_types": ["full_attention" if i % 6 == 5 else "sliding_attention" for i in range(LAYERS)]}


def write(path, value, indent=None):
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if isinstance(value, list):  # one entry a line
        text = "[" + ",\n".join(json.dumps(v, ensure_ascii=False) for v in value) + "]"
    path.write_text(text + "\n", encoding="utf-8")


def write_folder(folder, w, dtype, shards=1):
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "config.json", config(str(dtype).removeprefix("torch.")), 1)
    w = {k: v.to(dtype) for k, v in w.items()}
    if shards == 1:
        return save_file(w, folder / "model.safetensors", metadata={"format": "pt"})
    keys, place = list(w), {}
    cut = keys.index(f"model.layers.{LAYERS // 2}.mlp.gate_proj.weight")  # inside a block, as in real shards
    for n, part in enumerate([keys[:cut], keys[cut:]], 1):
        name = f"model-{n:05}-of-{shards:05}.safetensors"
        save_file({k: w[k] for k in part}, folder / name, metadata={"format": "pt"})
        place |= {k: name for k in part}
    total = sum(v.numel() * v.element_size() for v in w.values())
    write(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": place}, 1)


def write_gguf(path, w, pieces, s):
    """Keys, tensor order and 1 + w as in gemma-3-270m-q4_k_m.gguf, its spelling of runs of spaces included; with the
    factor as in GGUF files of the larger sizes. Matrices in bfloat16 stay that."""
    size = f"{round(sum(v.numel() for v in w.values()) / 1e4) * 10}K"
    g = gguf.GGUFWriter(path, "gemma3")
    g.add_type("model"); g.add_name("Tiny Gemma 3"); g.add_basename("tiny-gemma-3"); g.add_size_label(size)
    g.add_license("mit"); g.add_tags(["gemma3", "text-generation"])
    g.add_context_length(CONTEXT); g.add_embedding_length(s.hidden); g.add_block_count(LAYERS)
    g.add_feed_forward_length(s.ff); g.add_head_count(s.heads); g.add_layer_norm_rms_eps(1e-6)
    g.add_key_length(s.head); g.add_value_length(s.head); g.add_rope_freq_base(1e6)
    g.add_sliding_window(WINDOW); g.add_head_count_kv(s.kv_heads)
    if s.factor:
        g.add_rope_scaling_type(gguf.RopeScalingType.LINEAR); g.add_rope_scaling_factor(s.factor)
    g.add_tokenizer_model("llama"); g.add_tokenizer_pre("default")
    g.add_token_list([t.replace("▁", " ") if kind == 4 else t for t, _, kind in pieces])
    g.add_token_scores([s for _, s, _ in pieces]); g.add_token_types([k for _, _, k in pieces])
    g.add_bos_token_id(2); g.add_eos_token_id(1); g.add_unk_token_id(3); g.add_pad_token_id(0)
    g.add_add_bos_token(True); g.add_add_sep_token(False); g.add_add_eos_token(False); g.add_add_space_prefix(False)
    g.add_quantization_version(2); g.add_file_type(0)
    names = {"attn_k": "self_attn.k_proj", "attn_k_norm": "self_attn.k_norm", "attn_norm": "input_layernorm",
             "attn_output": "self_attn.o_proj", "attn_q": "self_attn.q_proj", "attn_q_norm": "self_attn.q_norm",
             "attn_v": "self_attn.v_proj", "ffn_down": "mlp.down_proj", "ffn_gate": "mlp.gate_proj",
             "ffn_norm": "pre_feedforward_layernorm", "ffn_up": "mlp.up_proj",
             "post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm"}
    order = {"output_norm.weight": "model.norm.weight", "token_embd.weight": "model.embed_tokens.weight"}
    order |= {f"blk.{i}.{a}.weight": f"model.layers.{i}.{b}.weight" for i in range(LAYERS) for a, b in names.items()}
    for name, key in order.items():
        if "norm" in name:
            g.add_tensor(name, (w[key].float() + 1).numpy())
        elif w[key].dtype == torch.bfloat16:
            g.add_tensor(name, w[key].view(torch.uint8).numpy(), raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            g.add_tensor(name, w[key].numpy())
    g.write_header_to_file(); g.write_kv_data_to_file(); g.write_tensors_to_file(); g.close()


def write_multimodal(w):
    """As transformers saves it, in shards as the 4B is; the vision tower is what a seed makes of it."""
    torch.manual_seed(20)
    text = {"hidden_size": WIDE.hidden, "intermediate_size": WIDE.ff, "num_hidden_layers": LAYERS,
            "num_attention_heads": WIDE.heads, "num_key_value_heads": WIDE.kv_heads, "head_dim": WIDE.head,
            "vocab_size": VOCAB, "sliding_window": WINDOW, "query_pre_attn_scalar": WIDE.head,
            "max_position_embeddings": CONTEXT, "rope_scaling": {"rope_type": "linear", "factor": WIDE.factor}}
    vision = {"hidden_size": 2, "intermediate_size": 2, "num_hidden_layers": 1, "num_attention_heads": 1,
              "image_size": 1, "patch_size": 1}
    model = Gemma3ForConditionalGeneration(Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=1))
    model.model.language_model.load_state_dict({k.removeprefix("model."): v for k, v in w.items()})
    model.to(torch.bfloat16).save_pretrained(MULTIMODAL, max_shard_size="200KB")
    (MULTIMODAL / "generation_config.json").unlink()


def write_forward(model, tok, folder, length=30):
    texts = ["Dov'è il mio ordine?", "Mario Rossi è nato a Torino.", "SELECT nome FROM clienti;", "#estate 🌊 sì"]
    long = (tok.encode("Il cliente chiede informazioni sul proprio ordine. ").ids * length)[:length]  # crosses the window
    out = []
    for text, ids in [(t, tok.encode(t).ids) for t in texts] + [(None, long)]:
        with torch.no_grad():
            o = model(torch.tensor([ids]), output_hidden_states=True)
        top = o.logits[0, -1].topk(10)
        out.append({"text": text, "ids": ids, "hidden_l2": [h[0].norm().item() for h in o.hidden_states],
                    "hidden_last_first8": [h[0, -1, :8].tolist() for h in o.hidden_states],
                    "logits_last_top10": [[int(i), float(v)] for v, i in zip(*top)],
                    "logits_last_logsumexp": o.logits[0, -1].logsumexp(0).item(),
                    "mean_nll": F.cross_entropy(o.logits[0, :-1], torch.tensor(ids[1:])).item()})
    write(folder / "forward.json", out)


class Adapted(torch.nn.Module):
    def __init__(self, base, n):
        super().__init__()
        j = torch.arange(RANK, dtype=torch.float64)
        i, o = (torch.arange(x, dtype=torch.float64) for x in (base.in_features, base.out_features))
        self.base = base
        self.a = torch.nn.Parameter((0.02 * torch.sin(0.37 * i[:, None] + 1.3 * j + 0.11 * n)).float())
        self.b = torch.nn.Parameter((0.01 * torch.cos(0.23 * o + 0.7 * j[:, None] + 0.05 * n)).float())

    def forward(self, x):
        return self.base(x) + SCALE * (x @ self.a) @ self.b


def write_training(model, tok, folder):
    pairs = [("Messaggio: Dov'è il mio ordine?\nIntento:", " stato ordine"), ("Rivoglio i soldi\nIntento:", " rimborso"),
             ("Messaggio: Spedite anche in Sardegna e a Torino?\nIntento:", " spedizione")]
    rows = []
    for prompt, answer in pairs:
        p, a = tok.encode(prompt).ids, tok.encode(answer, add_special_tokens=False).ids + [1]
        rows.append({"ids": p + a, "labels": [-100] * len(p) + a})
    width = max(len(r["ids"]) for r in rows)
    def padded(values, fill):
        return torch.tensor([v + [fill] * (width - len(v)) for v in values])
    ids, labels = padded([r["ids"] for r in rows], 0), padded([r["labels"] for r in rows], -100)
    mask = padded([[1] * len(r["ids"]) for r in rows], 0)

    with torch.no_grad():
        final = model.model(ids, attention_mask=mask).last_hidden_state
    real = [final[i, :len(r["ids"])] for i, r in enumerate(rows)]
    write(folder / "head.json", {"rows": [r["ids"] for r in rows], "mean": [h.mean(0).tolist() for h in real],
                                 "last": [h[-1].tolist() for h in real]})

    adapted = {}
    for i, layer in enumerate(getattr(model.model, "language_model", model.model).layers):
        for name in PROJECTIONS:
            part, leaf = name.split(".")
            part = getattr(layer, part)
            setattr(part, leaf, Adapted(getattr(part, leaf), len(adapted)))
            adapted[f"layers.{i}.{name}"] = getattr(part, leaf)
    params = [p for m in adapted.values() for p in (m.a, m.b)]
    opt = torch.optim.AdamW(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    steps = []
    for _ in range(5):
        opt.zero_grad()
        loss = model(ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        steps.append({"loss": loss.item(), "grad_norm": torch.nn.utils.clip_grad_norm_(params, torch.inf).item()})
        if len(steps) == 1:
            steps[0]["adapter_grad_l2"] = {k: [m.a.grad.norm().item(), m.b.grad.norm().item()] for k, m in adapted.items()}
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
    write(folder / "lora_steps.json", {"rank": RANK, "scale": SCALE, "rows": rows, "steps": steps, "optimizer":
          "AdamW lr 1e-3 betas 0.9 0.999 eps 1e-8 weight decay 0, global norm clipped to 1.0"})


def write_tokenizer_ids(tok):
    texts = ["Il mio pacco non è ancora arrivato, dov'è finito?", "SELECT nome, cognome FROM clienti WHERE citta = 'Milano';",
             "#estate #mare 🌊 perché no?", "  due spazi\ne una nuova riga\t e un tab", "cinque     spazi\n\n\ne tre righe",
             "È l'una e mezza — «ciao»…", "12345,67 € (IVA 22%)", "", " ", "<start_of_turn>user\nCiao<end_of_turn>\n",
             "<bos>già scritto<eos>", "▁▁letterale ▁uno", "<0x41> non è un byte", "naïve café ﬁne e\u0301", "日本語とעברית한국어"]
    write(OUT / "tokenizer_ids.json", [{"text": t, "ids": tok.encode(t).ids} for t in texts])


def write_quants():
    """Two blocks a type: random bytes, but the float16 scales (at `scales`) are finite and of either sign.
    Types without blocks: 64 values, the last ones at the edges of what the type holds."""
    rng = np.random.default_rng(20)
    scales = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82],
              "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
    edges = {"F32": "00000080 01000000 FFFF7F7F", "F16": "0080 0100 FFFB", "BF16": "0080 0100 7F7F"}
    out = {}
    for name in ["F32", "F16", "BF16", *scales]:
        kind = gguf.GGMLQuantizationType[name]
        count, size = gguf.GGML_QUANT_SIZES[kind]
        if name in scales:
            blocks = rng.integers(0, 256, (2, size), dtype=np.uint8)
            for at in scales[name]:
                d = rng.uniform(0.001, 0.1, 2) * rng.choice([-1, 1], 2)
                blocks[:, at:at + 2] = d.astype("<f2").view(np.uint8).reshape(2, 2)
        else:
            values = rng.normal(0, 2, 61).astype("<f4")
            raw = {"F32": values, "F16": values.astype("<f2"), "BF16": (values.view("<u4") >> 16).astype("<u2")}[name]
            blocks = np.frombuffer(raw.tobytes() + bytes.fromhex(edges[name]), np.uint8)
        typed = blocks.view({"F32": "<f4", "F16": "<f2"}.get(name, np.uint8))
        values = np.asarray(gguf.quants.dequantize(typed, kind), np.float32).reshape(-1)
        assert np.isfinite(values).all() and len(values) == blocks.size // size * count
        out[name] = {"ggml_type": int(kind), "block_values": count, "block_bytes": size,
                     "hex": blocks.tobytes().hex(), "values": values.tolist()}
    lines = ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in out.items())
    (HERE / "quants.json").write_text("{" + lines + "}\n", encoding="utf-8")


def main():
    torch.set_num_threads(1)
    vocabulary, w = pieces(), weights(TINY)
    write_folder(OUT, w, torch.float32)
    write_folder(OUT / "hf-sharded", w, torch.bfloat16, shards=2)
    write_folder(OUT / "hf-f16", w, torch.float16)
    write_gguf(OUT / "tiny-f32.gguf", w, vocabulary, TINY)
    tok = tokenizer(vocabulary)
    tok.save(str(OUT / "tokenizer.json"))
    write_tokenizer_ids(tok)
    write_quants()
    rounded = {k: v.to(torch.bfloat16) for k, v in weights(WIDE).items()}
    write_multimodal(rounded)
    write_gguf(MULTIMODAL / "multimodal-bf16.gguf", rounded, vocabulary, WIDE)
    for folder, kind in [(OUT, AutoModelForCausalLM), (MULTIMODAL, Gemma3ForConditionalGeneration)]:
        model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        model.requires_grad_(False)
        write_forward(model, tok, folder)
        write_training(model, tok, folder)


if __name__ == "__main__":
    main()
