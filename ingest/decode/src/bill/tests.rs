//! Placeholder until the suites are in.
