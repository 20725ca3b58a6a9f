"""The graph on a Neo4j server: documents, concepts and claims, and the edges that follow from them."""
