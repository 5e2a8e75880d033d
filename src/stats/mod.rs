//! Plain statistics: scores, p-values, moments, quantiles, smoothing kernels, tails.
