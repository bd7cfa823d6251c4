"""What every other part rests on; nothing here knows of gradients."""
