//! Probes over a given connector, at the simulated time.
