"""Chat: texts in; the same texts as messages in a chat template, and where they stand in it, out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from linear_probing.stage import StudyError

MARK = "wherethetextstands"
DATE = "26 Jul 2024"
"""What templates that state a date are given (Llama 3.1's own default), so that no token depends on the day."""
DAY = {"%d": "26", "%-d": "26", "%e": "26", "%b": "Jul", "%B": "July", "%m": "07", "%Y": "2024", "%y": "24"}
DAY |= {"%a": "Fri", "%A": "Friday", "%H": "12", "%I": "12", "%M": "00", "%S": "00", "%p": "PM"}
REPLACED = "".join(f" | replace('{code}', '{value}')" for code, value in DAY.items())
CLOCK = "{%- macro strftime_now(format) -%}{{ format" + REPLACED + " }}{%- endmacro %}"
"""Put before a template that asks for the time: its own function of the day, since it takes none from outside."""


class ChatError(StudyError):
    """A text that a chat template loses or changes, or a tokenizer without a template."""


def render(tokenizer: Any, texts: Sequence[str], names: Sequence[str]) -> tuple[list[str], Int[np.ndarray, " text"]]:
    """Put every text into the template as the one message of a user, without a generation prompt.

    What the template writes before a message does not depend on the message, so a mark in its place tells where it
    stands. Templates strip blanks around a message; the shift allows for it. Special tokens stand in the rendered
    text: the tokenizer must add none.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        With a chat template.
    texts, names : Sequence[str]
        The texts, and what they are called in errors.

    Returns
    -------
    list[str]
        The rendered texts.
    np.ndarray
        Shape (n_texts,): what is added to a place in a text to find it in its rendered text.

    Raises
    ------
    ChatError
        If there is no template, or a text is not found where its message stands.
    """
    if not tokenizer.chat_template:
        raise ChatError(
            f"the tokenizer {tokenizer.name_or_path} has no chat template",
            likely="the model is no instruct model",
            do="leave `chat` out of the model's configuration",
        )
    start = _rendered(tokenizer, MARK).find(MARK)
    rendered, shifts = [], []
    for text, name in zip(texts, names, strict=True):
        rendered.append(_rendered(tokenizer, text))
        blanks = len(text) - len(text.lstrip())
        shift = next((s for s in (start, start - blanks) if _stands(rendered[-1], text, s)), None)
        if start < 0 or shift is None:
            raise ChatError(
                f"text {name} is not found in its rendered message {rendered[-1][:60]!r}",
                likely="the template changes what a message says",
                do="leave `chat` out, or change the tokenizer's template",
            )
        shifts.append(shift)
    return rendered, np.array(shifts, dtype=np.int64)


def _rendered(tokenizer: Any, text: str) -> str:
    message = [{"role": "user", "content": text}]
    template = tokenizer.get_chat_template()
    whole = CLOCK + template if "strftime_now" in template else template
    options = {"tokenize": False, "add_generation_prompt": False, "date_string": DATE}
    return str(tokenizer.apply_chat_template(message, chat_template=whole, **options))


def _stands(rendered: str, text: str, shift: int) -> bool:
    stripped = text.strip()
    start = shift + text.index(stripped)
    return rendered[start : start + len(stripped)] == stripped
