//! Readings to rows: the time grid and the row grid, gaps, late and duplicate readings.
