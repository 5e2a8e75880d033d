//! Networks: kernels, layers, losses and optimizers over `[B, T, F]` arrays.
