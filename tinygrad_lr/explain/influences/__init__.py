"""Measure how the weights of each layer affect the loss."""
