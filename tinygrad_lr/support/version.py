"""The version of the package: its one source, which the build reads too."""

__version__ = "0.2.0"
