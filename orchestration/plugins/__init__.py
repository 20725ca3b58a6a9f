"""Plugins by entry point, and the stages of worker processes that are made from them."""
