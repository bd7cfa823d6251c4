"""Where the entries of sliding windows lie."""

import itertools


def places(size, stride, dilation, counts):
    """For each entry of a window its index, and the slices of what all the windows have there."""
    for entry in itertools.product(*map(range, size)):
        geometry = zip(entry, stride, dilation, counts, strict=True)
        yield entry, tuple(slice(i * d, i * d + s * (n - 1) + 1, s) for i, s, d, n in geometry)
