//! Output writers. Layer 7.
