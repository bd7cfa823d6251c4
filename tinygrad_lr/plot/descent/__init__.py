"""Plots of a descent: the loss over weights, the path, learning rates, the fit."""
