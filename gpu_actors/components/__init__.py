"""The chunker and the models as Haystack components, for pipelines of your own."""
