"""Fine-tuning: a pretrained transformer with a linear head, every weight trained."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model import runtime
from crossover.model.classifier import Arrays, Classifier, Meta
from crossover.model.encoder.encoder import DTYPES, Encoder

if TYPE_CHECKING:
    from crossover.model.checkpoint import Checkpoints
    from crossover.model.encoder.backbone import Backbone
    from crossover.model.training_loop import Network, Recipe, Tokens


class Finetune(Classifier):
    """A transformer fine-tuned on the rows (Devlin et al. 2019; Mosbach et al. 2021 for small sets).

    Training takes ``epochs`` over the rows, but at least ``min_steps`` and at most ``max_steps``
    steps: three epochs alone would be 19 steps on 50 rows, half of that at a larger batch.

    Args:
        encoder: the transformer; its pooling, prefix and hashes hold here too, dtype and normalise
            do not.
        pretrained: False draws all weights anew, the same architecture from scratch.
        learning_rate: peak rate of the transformer, reached by warm-up, then down in a line.
        head_learning_rate: peak rate of the linear head.
        epochs: passes over the rows.
        min_steps: fewest steps, whatever the rows.
        max_steps: most steps; None has no limit.
        steps: stop at this step of the schedule, with no early stopping (a refit is given it).
        batch_size: rows a step.
        warmup: share of the steps in which the rate rises.
        weight_decay: of AdamW, on weight matrices only.
        clip: largest norm of a step's gradient.
        max_length: tokens read of a text; the encoder's own limit holds where it is lower.
        dropout: every dropout rate; None is the model's own.
        early_stopping: keep the weights of the lowest validation loss, looked at every
            ``evaluate_every`` steps, and stop after ``patience`` looks without a better one.
        class_weights: weigh each class by rows / (classes x rows of the class).
        freeze_embeddings: leave the embeddings as they are.
        freeze_layers: leave the embeddings and so many of the lowest layers as they are, without
            dropout; what they make of a text is computed once (frozen_layers.py).
        dtype: bfloat16 is mixed precision; weights, residual sums and the head stay float32.
        layer_decay: each layer's peak rate is this times that of the layer above it; the top layer
            has ``learning_rate``, the embeddings come below the lowest layer (Howard & Ruder 2018).
        lora_rank: train low-rank adapters beside the frozen linear maps of the layers, and the head
            (LoRA, Hu et al. 2021); None trains the maps themselves.
        lora_alpha: adapters are scaled by this over the rank.
        lora_targets: last names of the maps that get one (``query``); None is every map.
        together: size of the stack of seeds this run is trained in (many_seeds.py), worth it on a GPU;
            None trains it alone. The seeds ``seed - seed % together`` and on are trained with it,
            and taken from there when their runs come.
        seed: of the new weights and of dropout.
        order_seed: of the rows' order.
    """

    behaviour_version: ClassVar[int] = 3  # 2: gelu after rounding, in prediction; 1: padded, torch's dropout

    search_space: ClassVar[Mapping[str, Sequence[object]]] = {
        "learning_rate": [2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3],  # the upper ones for training from scratch
        "head_learning_rate": [3e-4, 1e-3, 3e-3],
        "epochs": [3, 6, 10],
    }

    def __init__(
        self,
        encoder: Encoder,
        pretrained: bool = True,
        learning_rate: float = 5e-5,
        head_learning_rate: float = 1e-3,
        epochs: int = 3,
        min_steps: int = 80,
        max_steps: int | None = None,
        steps: int | None = None,
        batch_size: int = 8,
        warmup: float = 0.1,
        weight_decay: float = 0.01,
        clip: float = 1.0,
        max_length: int = 128,
        dropout: float | None = None,
        early_stopping: bool = False,
        evaluate_every: int = 20,
        patience: int = 5,
        class_weights: bool = False,
        freeze_embeddings: bool = False,
        freeze_layers: int = 0,
        dtype: str = "float32",
        layer_decay: float = 1.0,
        lora_rank: int | None = None,
        lora_alpha: float = 16.0,
        lora_targets: list[str] | None = None,
        together: int | None = None,
        seed: int = 0,
        order_seed: int = 0,
    ) -> None:
        self.encoder = encoder
        self.pretrained = pretrained
        self.learning_rate = learning_rate
        self.head_learning_rate = head_learning_rate
        self.epochs = epochs
        self.min_steps = min_steps
        self.max_steps = max_steps
        self.steps = steps
        self.batch_size = batch_size
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.clip = clip
        self.max_length = max_length
        self.dropout = dropout
        self.early_stopping = early_stopping
        self.evaluate_every = evaluate_every
        self.patience = patience
        self.class_weights = class_weights
        self.freeze_embeddings = freeze_embeddings
        self.freeze_layers = freeze_layers
        self.dtype = dtype
        self.layer_decay = layer_decay
        self.lora_rank, self.lora_alpha, self.lora_targets = lora_rank, lora_alpha, lora_targets
        self.together = together
        self.seed, self.order_seed = seed, order_seed

    def _check_settings(self) -> None:
        for name in ("learning_rate", "head_learning_rate", "clip"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise BadInput(f"Finetune: {name}={value}; expected a finite number above 0")
        for name in ("epochs", "batch_size", "evaluate_every", "patience", "max_steps", "steps", "lora_rank"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadInput(f"Finetune: {name}={value}; expected at least 1")
        for name in ("weight_decay", "min_steps", "freeze_layers"):
            if getattr(self, name) < 0:
                raise BadInput(f"Finetune: {name}={getattr(self, name)}; expected at least 0")
        if not 0 <= self.warmup <= 1:
            raise BadInput(f"Finetune: warmup={self.warmup}; expected a share of the steps, 0 to 1")
        if not 0 < self.layer_decay <= 1:
            raise BadInput(f"Finetune: layer_decay={self.layer_decay}; expected above 0, at most 1")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise BadInput(f"Finetune: dropout={self.dropout}; expected 0 to under 1, or null")
        if self.max_length < 4:
            raise BadInput(f"Finetune: max_length={self.max_length}; expected at least 4 tokens")
        if not self.lora_alpha > 0:
            raise BadInput(f"Finetune: lora_alpha={self.lora_alpha}; expected above 0")
        if self.lora_rank and (self.freeze_embeddings or self.freeze_layers):
            raise BadInput(
                f"Finetune: lora_rank={self.lora_rank} freezes the whole transformer beside its adapters; "
                "leave out freeze_embeddings and freeze_layers, or lora_rank"
            )
        if self.together is not None and (self.together < 2 or self.early_stopping):
            raise BadInput(
                f"Finetune: together={self.together}, early_stopping={self.early_stopping}; expected at "
                "least 2 seeds, all trained for the same steps (early_stopping=false), or together=null"
            )
        if self.dtype not in DTYPES:
            raise BadInput(f"Finetune: dtype={self.dtype!r}; expected one of {', '.join(DTYPES)}")

    @property
    def wants_validation(self) -> bool:
        """Early stopping reads validation rows; a refit with its steps given does not."""
        return self.early_stopping and self.steps is None

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Train on the rows; validation is read for early stopping only.

        Raises:
            BadInput: a setting outside its range, rows of one class, or a label outside ``classes``.
            FloatingPointError: training diverged; step and learning rate are named.
            MemoryError: a batch does not fit.
        """
        from crossover.model.trained_stacks import trained_in_stack
        from crossover.model.training_loop import train

        self._check_settings()
        self._begin(texts, labels, classes)
        counts = Counter(labels)
        self.present_ = tuple(name for name in self.classes_ if counts[name])
        column = {name: k for k, name in enumerate(self.present_)}
        weights = [len(labels) / (len(column) * counts[name]) for name in self.present_]
        by_class = weights if self.class_weights else None
        targets = [column[label] for label in labels]
        if self.together is not None:
            self.network_, course, self.cost_ = trained_in_stack(self, texts, targets, by_class)
        else:
            self.network_ = self._trainable(self.seed)
            tokens, watched = self._tokenize(texts), self._watched(validation, column)
            course = train(
                self.network_,
                tokens,
                targets,
                self._recipe(len(texts)),
                seed=self.seed,
                order_seed=self.order_seed,
                class_weights=by_class,
                validation=watched,
                on_step=self.on_step,
                checkpoints=self._checkpoints([tokens, targets, by_class, watched]),
            )
        self.parameters_ = sum(p.numel() for p in self.network_.parameters() if p.requires_grad)
        self.history_ = course.history
        self.cost_ |= {"tokens": float(course.tokens), "steps": float(len(course.history))}
        if course.encode_seconds_cold:
            self.cost_["encode_seconds"] = course.encode_seconds
            self.cost_["encode_seconds_cold"] = course.encode_seconds_cold
        if course.earlier_seconds:
            self.cost_ |= {k: v for k, v in vars(course).items() if k.startswith("earlier_")}
        if self.wants_validation:
            self.selected_ = {"steps": course.kept_step}
        return self

    def predict_proba(self, texts: Sequence[str], meta: Meta | None = None) -> NDArray[np.float64]:
        """(texts, classes) softmax in float64 of :meth:`predict_logits`, which ``logits_`` keeps."""
        self.logits_ = self.predict_logits(texts)
        seen = [self.classes_.index(name) for name in self.present_]
        return self._spread(softmax(self.logits_[:, seen], axis=1), self.present_)

    def predict_logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts, classes) logits; minus infinity in the column of a class absent from training."""
        from crossover.model.frozen_layers import FEWEST_ROWS
        from crossover.model.training_loop import frozen_layers_of, predict_logits

        self._require_fitted()
        tokens = self._tokenize(texts)
        self.cost_["tokens"] = self.cost_.get("tokens", 0.0) + sum(len(row) for row in tokens)
        logits = np.full((len(texts), len(self.classes_)), -np.inf)
        seen = [self.classes_.index(name) for name in self.present_]
        frozen = frozen_layers_of(self.network_, self.dtype) if len(texts) >= FEWEST_ROWS else None
        logits[:, seen] = predict_logits(self.network_, tokens, self.dtype, frozen)
        if frozen is not None:
            self.cost_["encode_seconds"] = self.cost_.get("encode_seconds", 0.0) + frozen.seconds
            cold = self.cost_.get("encode_seconds_cold", 0.0) + frozen.seconds_cold
            self.cost_["encode_seconds_cold"] = cold
        return logits

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Every weight, float32, and the classes the head tells apart."""
        self._require_fitted()
        arrays = {name: value.cpu().numpy() for name, value in self.network_.state_dict().items()}
        return arrays, {"present": list(self.present_), "parameters": self.parameters_}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Build the architecture and take the weights; the pretrained ones are not read."""
        import torch

        self.present_ = tuple(str(name) for name in plain["present"])  # type: ignore[attr-defined]
        self.parameters_ = int(plain["parameters"])  # type: ignore[call-overload]
        self.network_ = self._network(False, len(self.present_))
        self.network_.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
        self.network_.eval()

    def decisive_settings(self) -> dict[str, object]:
        """What decides a training's bits beside rows and seeds: settings, encoder, where it is computed."""
        left_out = ("encoder", "seed", "order_seed", "on_step")
        settings = {k: v for k, v in vars(self).items() if k not in left_out and not k.endswith("_")}
        around = runtime.current()
        return {**settings, "encoder": self.encoder.key(), "around": [around.device, around.threads]}

    def _checkpoints(self, rows: Sequence[object]) -> Checkpoints | None:
        """Where this training leaves its checkpoints, under the SHA-256 of all that decides its bits."""
        import torch

        from crossover.model.checkpoint import Checkpoints

        around = runtime.current()
        if around.checkpoints is None or around.checkpoint_seconds is None:
            return None
        shapes = {name: p.shape for name, p in self.network_.named_parameters() if p.requires_grad}
        settings = [self.behaviour_version, self.decisive_settings(), self.seed, self.order_seed]
        given = [settings, torch.get_num_threads(), self.present_, rows, shapes]
        key = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
        return Checkpoints(around.checkpoints, key, around.checkpoint_seconds)

    def _trainable(self, seed: int, backbone: Backbone | None = None) -> Network:
        """The network before its first step, what is not trained switched off; ``backbone`` saves loading."""
        network = self._network(self.pretrained, len(self.present_), seed, backbone)
        if self.freeze_embeddings or self.freeze_layers:
            network.freeze(self.freeze_layers)
        return network

    def _network(
        self, pretrained: bool, outputs: int, seed: int = 0, backbone: Backbone | None = None
    ) -> Network:
        from crossover.model.encoder.backbone import load_backbone
        from crossover.model.training_loop import Network

        backbone = backbone or load_backbone(self.encoder, pretrained, seed, self.dropout)
        dropout = (
            getattr(backbone.config, "hidden_dropout_prob", 0.1) if self.dropout is None else self.dropout
        )
        network = Network(backbone, outputs, float(dropout), seed)
        if self.lora_rank is not None:
            from crossover.model.lora import add_adapters

            add_adapters(network, self.lora_rank, self.lora_alpha, self.lora_targets, seed)
        return network

    def _tokenize(self, texts: Sequence[str], network: Network | None = None) -> Tokens:
        backbone = (network or self.network_).backbone
        return backbone.tokenize(texts, min(self.max_length, backbone.max_length))

    def _recipe(self, rows: int) -> Recipe:
        from crossover.model.training_loop import Recipe

        planned = max(self.min_steps, math.ceil(self.epochs * rows / self.batch_size))
        planned = max(1, min(planned, self.max_steps or planned))
        planned = max(planned, self.steps or 0)
        return Recipe(
            planned_steps=planned,
            steps=self.steps or planned,
            learning_rate=self.learning_rate,
            head_learning_rate=self.head_learning_rate,
            batch_size=self.batch_size,
            warmup=self.warmup,
            weight_decay=self.weight_decay,
            clip=self.clip,
            dtype=self.dtype,
            layer_decay=self.layer_decay,
            evaluate_every=self.evaluate_every,
            patience=self.patience,
        )

    def _watched(
        self, validation: Rows | None, column: Mapping[str, int]
    ) -> tuple[Tokens, Sequence[int]] | None:
        """Validation rows of the classes in training: the loss of any other is infinite throughout."""
        if validation is None or not self.wants_validation:
            return None
        known = validation.take(k for k, label in enumerate(validation.labels) if label in column)
        if not len(known):
            raise BadInput(
                f"Finetune: none of the {len(validation)} validation rows is of a class in training "
                f"({', '.join(self.present_)}); use early_stopping=false or more rows"
            )
        return self._tokenize(known.texts), [column[label] for label in known.labels]
