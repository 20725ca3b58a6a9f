"""What medkg is measured against."""
