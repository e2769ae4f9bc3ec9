"""Result model and its renderings."""
