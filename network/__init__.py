"""Address plan, firewall intent and its renderings (pure), and the components made from them."""
