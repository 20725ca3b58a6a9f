"""Tests of the actor plane: with the real model, and with real Ray where `plane` is marked."""
