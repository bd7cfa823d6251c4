"""How the weights of each layer affect the loss."""
