"""Beyond one device: Ray's actors run pieces of the engine's work (docs/cluster.md). Light to import."""
