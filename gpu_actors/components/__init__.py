"""The chunker and the models as Haystack components, for the plane's actors and any pipeline."""
