//! The command line. Layer 9.
