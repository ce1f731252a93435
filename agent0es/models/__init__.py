"""Language models behind one asynchronous protocol, the embedded weights, and the embedder."""
