"""An autoencoder: compress 64 pixels into eight numbers and reconstruct them, with a picture.

The network learns to reproduce its input through a bottleneck of eight numbers. The baseline is the
best linear map with as many numbers, principal component analysis.

Run it: python examples/10_autoencoder.py [picture.png]  (needs: 'tinygrad_lr[datasets,plot]')
"""

import sys

import numpy as np

import tinygrad_lr as tg
from tinygrad_lr import nn

pixels = tg.datasets.digits().x.reshape(-1, 64)
train, test = tg.data.split(pixels, test=0.2, generator=0)
random = np.random.default_rng(0)
encoder = nn.MLP(64, [64], 8, "gelu", generator=random)
decoder = nn.MLP(8, [64], 64, "gelu", generator=random)
network = nn.Sequential(encoder, decoder, nn.Sigmoid())
print(f"{network}\n")

rate = tg.schedules.OneCycle(0.01, steps=60 * 23)
history = tg.fit(
    *(network, train, train),
    optimizer=tg.optim.Adam(network.parameters(), rate),
    epochs=60,
    batch_size=64,
    validation=(test, test),
)
for figures in history.evaluations[9::10]:
    print("epoch {epoch:2.0f}: loss {loss:.4f}, validation {validation_loss:.4f}".format(**figures))

mean = train.mean(axis=0)
directions = np.linalg.svd(train - mean, full_matrices=False)[2][:8]  # principal components
straight = (test - mean) @ directions.T @ directions + mean
ours = tg.train.predict(network, test)
errors = [np.mean((image - test) ** 2) for image in (ours, straight)]
print(f"\nmean squared error on {len(test)} digits: {errors[0]:.4f}; eight principal ", end="")
print(f"components: {errors[1]:.4f}")

if len(sys.argv) > 1:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.2), layout="constrained")
    rows = ("input", test), ("through 8 numbers", ours), ("8 principal components", straight)
    for axes, (name, images) in zip(figure.subplots(3, 1), rows, strict=True):
        strip = np.hstack([np.pad(image.reshape(8, 8), 1) for image in images[:16]])
        axes.imshow(strip, cmap="gray_r", vmin=0, vmax=1)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
        axes.set(xticks=[], yticks=[], frame_on=False)
    figure.savefig(sys.argv[1], dpi=150)

assert errors[0] < 0.8 * errors[1]
