"""Pictures of how earlier weights affect the loss."""
