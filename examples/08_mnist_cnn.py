"""Larger handwritten digits: MNIST and a convolutional network.

5000 images of 28 × 28 pixels, 500 of each digit; 1000 are held out. Two convolutions with pooling
find strokes anywhere in the image, and a linear layer classifies the digit.

Run it: python examples/08_mnist_cnn.py     (needs: pip install 'tinygrad_lr[datasets]')
"""

import time

import numpy as np

import tinygrad_lr as tg
from tinygrad_lr import nn

mnist = tg.datasets.mnist()
images = mnist.x[:, None]  # (5000, 1, 28, 28): one channel, from 0 to 1
x, test_x, y, test_y = tg.data.split(images, mnist.y, test=0.2, generator=0, stratify=mnist.y)
random = np.random.default_rng(0)
network = nn.Sequential(
    nn.Conv2d(1, 8, 5, padding=2, generator=random),  # (N, 8, 28, 28)
    nn.ReLU(),
    nn.MaxPool2d(2),  # (N, 8, 14, 14)
    nn.Conv2d(8, 16, 5, padding=2, generator=random),  # (N, 16, 14, 14)
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.MaxPool2d(2),  # (N, 16, 7, 7)
    nn.Flatten(),
    nn.Linear(16 * 7 * 7, 10, generator=random),
)
print(f"{nn.summary(network, (1, 1, 28, 28))}\n")

STEPS = 4 * 80  # 4 epochs of 80 batches


def print_epoch(moment: tg.train.Moment) -> None:
    """Print a line for each epoch."""
    if moment.evaluation:
        line = "epoch {epoch:.0f}: loss {loss:.3f}, accuracy {accuracy:.1%}"
        print(line.format(**moment.evaluation))


started = time.perf_counter()
adam = tg.optim.Adam(network.parameters(), tg.schedules.OneCycle(0.01, STEPS))
tg.fit(
    network,
    x,
    y,
    loss=tg.losses.cross_entropy,
    optimizer=adam,
    steps=STEPS,
    batch_size=50,
    metrics="accuracy",
    callback=print_epoch,
)
accuracy = tg.metrics.accuracy(tg.train.predict(network, test_x), test_y)
seconds = time.perf_counter() - started
print(f"\nin {seconds:.0f} s; on {len(test_y)} images held out: {accuracy:.1%}")

assert accuracy >= 0.96
