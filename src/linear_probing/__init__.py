"""Layer-wise linear probing of language models, from configuration to figures.

One way through: settings -> datasets -> tokens -> models -> activations -> probes -> transfer -> statistics -> figures.
"""

__version__ = "0.1.0"
