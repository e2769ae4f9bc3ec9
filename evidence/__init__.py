"""Evidence bundles: what one run found and by what, in one signed archive that tells what was touched."""
