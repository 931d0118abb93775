"""The depthkit worker: holds a model in PyTorch and answers the TypeScript SDK over ZeroMQ."""
