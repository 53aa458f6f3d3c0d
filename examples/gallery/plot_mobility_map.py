"""A map of mobility
=================

A slab of a Kob-Andersen liquid, coloured by how far its particles will move.
"""

import matplotlib.pyplot as plt

plt.plot([0, 1], [0, 1])
