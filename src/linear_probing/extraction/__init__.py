"""What the activations stage does: texts into batches, padded or as prefix trees, through the model, states out."""
