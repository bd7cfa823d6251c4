"""The ground floor: checks, files, text and trees. Nothing here knows about gradients."""
