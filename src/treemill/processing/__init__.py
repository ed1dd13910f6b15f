"""Files processed in parallel, each whole or not at all: the engine that everything which indexes runs on."""
