//! Language models. Layer 4.
