"""The region in a box: emulated AWS, real nodes, real packets, on one Linux machine."""
