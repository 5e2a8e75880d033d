//! The simulated plant of the demo: machines, rhythm, noise and labelled faults from one seed.
