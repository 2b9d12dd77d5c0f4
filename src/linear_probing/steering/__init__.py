"""What the interventions stage does: which targets, asked what, moved how, beside which random directions."""
