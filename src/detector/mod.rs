//! Members that reconstruct a window's last row, and the fusion of their residuals.
