"""Handwritten digits: 1797 images of 8 × 8 pixels, a network of two layers, 97 % accuracy.

A part of the images is held out for testing. Another part validates the training, which stops when
the validation loss no longer improves and restores the best weights.

Run it: python examples/07_digits.py        (needs: pip install 'tinygrad_lr[datasets]')
"""

import numpy as np

import tinygrad_lr as tg

digits = tg.datasets.digits()
pixels = digits.x.reshape(len(digits.x), -1)  # (1797, 64), from 0 to 1
train_x, test_x, train_y, test_y = tg.data.split(
    pixels, digits.y, test=0.25, generator=0, stratify=digits.y
)
network = tg.nn.Sequential(
    tg.nn.Linear(64, 128, generator=0),
    tg.nn.ReLU(),
    tg.nn.Dropout(0.2, generator=0),
    tg.nn.Linear(128, 10, generator=1),
)
print(f"{tg.nn.summary(network, (1, 64))}\n")

rate = tg.schedules.Cosine(0.003, steps=60 * 38)
history = tg.fit(
    network,
    train_x,
    train_y,
    loss=tg.losses.cross_entropy,
    optimizer=tg.optim.AdamW(network.parameters(), rate),
    epochs=60,
    batch_size=32,
    validation=0.1,
    metrics="accuracy",
    early_stopping=tg.train.EarlyStopping(15),
)
print("epoch   loss  accuracy   validation loss  accuracy")
for figures in history.evaluations[::5]:
    print(
        f"{figures['epoch']:5.0f}{figures['loss']:7.3f}{figures['accuracy']:10.1%}"
        f"{figures['validation_loss']:18.3f}{figures['validation_accuracy']:10.1%}"
    )
print(f"\n{history.message}")

prediction = tg.train.predict(network, test_x)
table = tg.metrics.ConfusionMatrix.of(prediction, test_y)
accuracy = tg.metrics.accuracy(prediction, test_y)
print(f"\nOf {len(test_y)} test digits, {accuracy:.1%} are right:\n\n{table}\n")

wrong = int(np.flatnonzero(prediction.argmax(axis=1) != test_y)[0])
print(f"One misclassified as {prediction[wrong].argmax()}; it is a {test_y[wrong]}:")
for row in test_x[wrong].reshape(8, 8):
    print("  " + "".join(" ░▒▓█"[int(4 * pixel)] * 2 for pixel in row))

assert accuracy >= 0.97
