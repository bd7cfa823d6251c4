"""A character model: a GRU reads a text, learns which letter follows, and generates text.

Each letter becomes a vector, the GRU carries a state from step to step, and a linear layer computes
a logit for every letter that could come next. It learns four lines of Goethe's "Erlkönig".

Run it: python examples/09_character_model.py
"""

import numpy as np

import tinygrad_lr as tg
from tinygrad_lr import nn

VERSE = """Wer reitet so spät durch Nacht und Wind?
Es ist der Vater mit seinem Kind;
Er hat den Knaben wohl in dem Arm,
Er faßt ihn sicher, er hält ihn warm.
"""
letters = sorted(set(VERSE))
codes = np.array([letters.index(letter) for letter in VERSE])
LENGTH = 32  # letters in one training sequence


class Writer(nn.Module):
    """Compute logits of the next letters from letters."""

    def __init__(self, width: int = 64) -> None:
        random = np.random.default_rng(0)
        self.embedding = nn.Embedding(len(letters), 16, generator=random)
        self.memory = nn.GRU(16, width, batch_first=True, generator=random)
        self.head = nn.Linear(width, len(letters), generator=random)

    def forward(self, codes: np.ndarray, state: tg.Value | None = None) -> tg.Value:
        hidden, _ = self.memory(self.embedding(codes), state)  # (N, length, width)
        return self.head(hidden)  # (N, length, letters)

    def write(self, start: str, count: int) -> str:
        """Continue a text, always with the most likely letter."""
        written = [letters.index(letter) for letter in start]
        for _ in range(count):
            logits = tg.train.predict(self, np.array([written[-LENGTH:]]))
            written.append(int(logits[0, -1].argmax()))
        return "".join(letters[code] for code in written)


windows = np.lib.stride_tricks.sliding_window_view(codes, LENGTH + 1)
model = Writer()
print(f"{model}\n\nbefore: {model.write('Wer', 40)!r}\n")
x, y, adam = windows[:, :-1], windows[:, 1:], tg.optim.Adam(model.parameters(), 0.01)
loss, accuracy = tg.losses.cross_entropy, tg.metrics.accuracy
history = tg.fit(
    model, x, y, loss=loss, optimizer=adam, epochs=20, batch_size=32, clip_norm=1, metrics=accuracy
)
for figures in history.evaluations[4::5]:
    print("epoch {epoch:2.0f}: loss {loss:.3f}, {accuracy:.0%} of letters right".format(**figures))
print(f"\nafter:\n\n{model.write('Wer', len(VERSE) - 3)}")

assert history.evaluations[-1]["loss"] < 0.3
assert model.write("Wer", len(VERSE) - 3) == VERSE
