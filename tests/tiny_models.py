"""Tiny randomly initialised models of many architectures, made on the spot: weights and tokenizer."""

from __future__ import annotations

import string
from pathlib import Path

ARCHITECTURES = ("bert", "distilbert", "roberta", "electra", "deberta-v2", "modernbert", "gpt2", "xlnet")

_SENTENCE = (
    "free win cash prize call now text claim money offer meeting lunch tomorrow project report thanks love"
)
_WORDS = [
    *_SENTENCE.split(),
    "home",
    "later",
    "please",
    "good",
    "bad",
    "the",
    "a",
    "to",
    "you",
    "i",
    "is",
    "in",
]


def make_tiny(folder: Path, architecture: str = "bert") -> Path:
    """A 2-layer, 32-wide model of ``architecture`` with a word-and-letter tokenizer, in ``folder``."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    folder.mkdir(parents=True, exist_ok=True)
    size = _write_tokenizer(folder, architecture)
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(_config(architecture, size)).save_pretrained(folder)
    if shown:
        logging.enable_progress_bar()
    return folder


def _write_tokenizer(folder: Path, architecture: str) -> int:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = list(string.ascii_lowercase + string.digits + string.punctuation)
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = [*specials, *_WORDS, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {token: k for k, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = {"unk_token": "[UNK]", "eos_token": "[SEP]"}
    if architecture != "gpt2":  # GPT-2 has neither padding nor CLS
        single = "$A [SEP] [CLS]" if architecture == "xlnet" else "[CLS] $A [SEP]"
        pairs = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
        tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=pairs)
        names |= {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    return len(vocabulary)


def _config(architecture: str, vocabulary: int):
    import transformers as t

    wide = {"vocab_size": vocabulary, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    wide |= {"intermediate_size": 64, "max_position_embeddings": 130, "pad_token_id": 0}
    if architecture == "distilbert":
        return t.DistilBertConfig(
            vocab_size=vocabulary, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=130
        )
    if architecture == "gpt2":
        return t.GPT2Config(
            vocab_size=vocabulary,
            n_embd=32,
            n_layer=2,
            n_head=2,
            n_positions=130,
            bos_token_id=3,
            eos_token_id=3,
        )
    if architecture == "xlnet":
        return t.XLNetConfig(
            vocab_size=vocabulary, d_model=32, n_layer=2, n_head=2, d_inner=64, pad_token_id=0
        )
    if architecture == "electra":
        return t.ElectraConfig(**wide, embedding_size=32)
    if architecture == "deberta-v2":
        return t.DebertaV2Config(**wide, relative_attention=True, pos_att_type=["p2c", "c2p"])
    if architecture == "modernbert":
        return t.ModernBertConfig(
            **wide, local_attention=16, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3
        )
    return {"bert": t.BertConfig, "roberta": t.RobertaConfig}[architecture](**wide)
