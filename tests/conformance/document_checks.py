"""medkg.testing.document_checks under the name by which check scripts outside of the repository import it."""

from medkg.testing.document_checks import assert_sound

__all__ = ["assert_sound"]
