"""Counting tokens as a model's tokenizer makes them, without loading the model."""

from __future__ import annotations

from collections.abc import Sequence

from auto_context.embed.model import ModelSpec
from auto_context.errors import AutoContextError


class TokenCounter:
    """The tokenizer of a model, without its limit of length.

    Raises:
        AutoContextError: ``model_invalid`` when its tokenizer.json cannot be read.
    """

    def __init__(self, spec: ModelSpec) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415 - native code, only once something is counted

        try:
            self._tokenizer = Tokenizer.from_file(str(spec.folder / "tokenizer.json"))
        except Exception as error:  # the library raises bare Exception
            raise AutoContextError("model_invalid", f"{spec.folder}/tokenizer.json cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the model's own marks at its ends."""
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        return [len(item.ids) for item in self._tokenizer.encode_batch_fast(clean, add_special_tokens=False)]
