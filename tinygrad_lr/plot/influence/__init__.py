"""Plots of how earlier weights affect the loss."""
